//! The gateway as a process, on a machine that believes it was just started.
//!
//! The gateway compares the kernel's boot id. A power cut changes it; here a private mount namespace
//! puts a file of ours in its place, so that the program itself runs unchanged.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;

/// A start or a stop that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// It does not outlive us. Runs the rest of its arguments with the file `$1` in the place of the boot id.
const ANOTHER_BOOT: &str = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && shift && exec setpriv --pdeathsig KILL \"$@\"";

/// Slots that anybody who is near may ask for.
pub(crate) const SLOTS: &str =
    "{scheme='own',public_url='http://slots.example',service_url={path='/ask/here'}}";

/// How the gateway is started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program.
    pub binary: PathBuf,
    /// `storage.durability`.
    pub durability: &'static str,
    /// Whether the disk also fails before it loses its power.
    pub failing: bool,
    /// Where the boot id and the log are kept: no part of the disk that loses power.
    pub scratch: PathBuf,
    /// Further settings, as environment variables; they win.
    pub more: Vec<(&'static str, String)>,
}

/// A gateway that is being started, or runs.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Setup {
    /// From now on the machine is another boot.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn new_boot(&self, number: u64) -> io::Result<()> {
        fs::write(self.boot(), format!("00000000-0000-4000-8000-{number:012x}\n"))
    }

    /// Starts a gateway on `data`, without waiting for it.
    ///
    /// # Errors
    ///
    /// If the process does not start.
    pub fn start(&self, data: &Path) -> io::Result<Gateway> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", ANOTHER_BOOT, "sh"]);
        command.arg(self.boot());
        self.launch(command, data)
    }

    /// Starts a gateway on `data` in this very boot, without waiting for it.
    ///
    /// # Errors
    ///
    /// If the process does not start.
    pub fn start_in_this_boot(&self, data: &Path) -> io::Result<Gateway> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        self.launch(command, data)
    }

    /// Starts the gateway through `command`.
    fn launch(&self, mut command: Command, data: &Path) -> io::Result<Gateway> {
        command.arg(&self.binary).arg("serve");
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        self.settings(&mut command, data);
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let (line, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                    // Nobody listens any more once it is ready.
                    drop(line.send(text));
                }
            });
        }
        Ok(Gateway { child, lines })
    }

    /// Runs `tidegate doctor` on `data`.
    ///
    /// # Errors
    ///
    /// If the process does not start.
    pub fn doctor(&self, data: &Path) -> io::Result<Output> {
        let mut command = Command::new(&self.binary);
        command.arg("doctor");
        self.settings(&mut command, data);
        command.output()
    }

    /// The last lines that gateways wrote.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn settings(&self, command: &mut Command, data: &Path) {
        command.arg("--data-dir").arg(data).env_clear().stdin(Stdio::null());
        command.envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("TIDEGATE__STORAGE__DURABILITY", self.durability),
            // Small, so that checkpoints happen and a cut finds them half done.
            ("TIDEGATE__PERFORMANCE__BATCH_SIZE", "32KiB"),
            ("TIDEGATE__STORAGE__CHECKPOINT_BYTES", "64KiB"),
            ("TIDEGATE__STORAGE__RESERVE", "16MiB"),
            ("TIDEGATE__LOG__LEVEL", "warn"),
        ]);
        command.env("TIDEGATE__XEP0363__TENANTS", format!("[{SLOTS}]"));
        command.envs(self.more.iter().map(|(name, value)| (name, value)));
    }

    fn boot(&self) -> PathBuf {
        self.scratch.join("boot_id")
    }

    fn log(&self) -> PathBuf {
        self.scratch.join("log")
    }
}

impl Gateway {
    /// Whom a power cut kills.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    /// Waits until it is ready; `None` if it ended instead, or is too slow.
    pub fn ready(&self) -> Option<Client> {
        self.both_sides().map(|(uploads, _)| uploads)
    }

    /// As [`Gateway::ready`], with the side of operators.
    pub fn both_sides(&self) -> Option<(Client, Client)> {
        let (mut uploads, mut operators, until) = (None, None, Instant::now() + PATIENCE);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            for (label, side) in [("upload endpoint", &mut uploads), ("admin", &mut operators)] {
                if let Some(endpoint) = line.strip_prefix(label) {
                    let host = endpoint.trim().strip_prefix("http://")?.split('/').next()?;
                    *side = Some(Client { address: host.to_owned() });
                }
            }
            if line == "ready" {
                return uploads.zip(operators);
            }
        }
    }

    /// Ends it as its operator would; says whether it ended well and in time.
    #[must_use]
    pub fn stop(mut self) -> bool {
        let asked = self.pid().is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let until = Instant::now() + PATIENCE;
        while asked && Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => std::thread::park_timeout(Duration::from_millis(5)),
                Err(_) => return false,
            }
        }
        false
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
