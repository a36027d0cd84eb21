//! The built program as its users meet it: started, spoken to, signalled, stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes longer on a machine that works.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Names another program to be tested: one that ignores a setting, say (`tests/settings/ignored`).
const UNDER_TEST: &str = "GATEWAY_UNDER_TEST";

/// The program, deaf to the settings of whoever runs the tests.
pub(crate) fn program(words: &[&str]) -> Command {
    let built = || env!("CARGO_BIN_EXE_tidegate").into();
    let mut command = Command::new(std::env::var_os(UNDER_TEST).unwrap_or_else(built));
    command.args(words).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDEGATE_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run(words: &[&str]) -> Output {
    program(words).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running gateway on free ports; killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    /// What it printed at the start, by label.
    lines: Vec<(String, String)>,
    /// Kept open, so that it is not told that nobody listens.
    _stdout: BufReader<ChildStdout>,
}

impl Gateway {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[], &[])
    }

    pub(crate) fn start_with(data: &Path, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let words = [&["--listen", "127.0.0.1:0"], words].concat();
        Self::start_on(data, &words, variables)
    }

    /// Starts it without saying where to listen.
    pub(crate) fn start_on(data: &Path, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = program(&["serve"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(words);
        command.env("TIDEGATE__LOG__LEVEL", "error").envs(variables.iter().copied());
        Self::wait_for(command)
    }

    /// Starts it with everything that it has to say written to `log`.
    pub(crate) fn start_logging(data: &Path, variables: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        command.env("TIDEGATE__LOG__LEVEL", "trace").envs(variables.iter().copied());
        command.stderr(log);
        Self::wait_for(command)
    }

    /// Starts `command`, which ends in this program.
    pub(crate) fn wait_for(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            // The line `ready`, or the end of the output if it does not start: no waiting for time.
            if stdout.read_line(&mut line).unwrap() == 0 {
                panic!("the gateway did not start: {:?}", child.wait());
            }
            if line == "ready\n" {
                break;
            }
            let (label, value) = line.split_at(17);
            lines.push((label.trim().to_owned(), value.trim().to_owned()));
        }
        Self { child, lines, _stdout: stdout }
    }

    pub(crate) fn printed(&self, label: &str) -> &str {
        let line = self.lines.iter().find(|(printed, _)| printed == label);
        &line.unwrap_or_else(|| panic!("no line {label:?} in {:?}", self.lines)).1
    }

    pub(crate) fn upload_address(&self) -> &str {
        self.printed("upload endpoint").strip_prefix("http://").unwrap().split('/').next().unwrap()
    }

    pub(crate) fn admin_address(&self) -> &str {
        self.printed("admin").strip_prefix("http://").unwrap()
    }

    /// The process that was started: the gateway, or what runs it.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for the end, up to the deadline.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let since = Instant::now();
        while since.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::yield_now();
        }
        panic!("the gateway does not end");
    }

    pub(crate) fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Ends it as a power cut would end a process.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where an upload stands.
pub(crate) fn offset(address: &str, path: &str) -> u64 {
    let answer = exchange(address, &format!("HEAD {path} HTTP/1.1\r\nTus-Resumable: 1.0.0"), "");
    let offset = field(&answer, "upload-offset");
    offset.unwrap_or_else(|| panic!("no offset in {answer}")).parse().unwrap()
}

/// The first line of a field of an answer.
pub(crate) fn field(answer: &str, name: &str) -> Option<String> {
    answer.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// One request on a connection of its own; the whole answer.
pub(crate) fn exchange(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    text(&answer)
}

/// Uploads `body` whole and returns its path.
pub(crate) fn upload(address: &str, body: &str) -> String {
    let head = format!(
        "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {}\r\n\
         Content-Type: application/offset+octet-stream",
        body.len()
    );
    let answer = exchange(address, &head, body);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    field(&answer, "location").unwrap()
}

/// The body of a finished upload.
pub(crate) fn download(address: &str, path: &str) -> String {
    let answer = exchange(address, &format!("GET {path} HTTP/1.1"), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
