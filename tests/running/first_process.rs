//! As process 1 of a PID namespace, which is what a container makes of it.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use super::gateway::{Gateway, exchange, offset, program, text};
use super::{await_bytes, by_the_deadline, half_a_transfer};

/// A gateway that is process 1; whoever is not root becomes it in a user namespace.
struct First {
    gateway: Gateway,
    /// Its process id outside of the namespace.
    pid: Pid,
}

impl First {
    fn start(data: &Path) -> Self {
        let own = program(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child=KILL"]);
        command.args((!rustix::process::getuid().is_root()).then_some("--map-root-user"));
        command.arg(own.get_program()).args(own.get_args()).arg("--data-dir").arg(data);
        for (name, _) in own.get_envs() {
            command.env_remove(name);
        }
        command.env("TIDEGATE__LOG__LEVEL", "error");
        let gateway = Gateway::wait_for(command);
        let children = children(gateway.pid());
        let [pid] = children.as_slice() else { panic!("unshare has one child: {children:?}") };
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        let inside = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
        let ids = inside.lines().find(|line| line.starts_with("NSpid:")).unwrap();
        assert!(ids.ends_with("\t1"), "it is process 1: {ids}");
        Self { gateway, pid }
    }

    fn address(&self) -> &str {
        self.gateway.upload_address()
    }

    /// Signals it from outside, as a container's runtime does.
    fn end_by(self, signal: Signal) -> ExitStatus {
        kill_process(self.pid, signal).unwrap();
        self.gateway.ended()
    }

    fn children(&self) -> Vec<u32> {
        children(self.pid)
    }

    /// Runs a script inside that leaves its background processes to process 1.
    fn run(&self, script: &str, path: &Path) {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--pid", "--mount"]);
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        let output = command.args(["sh", "-c", script, "sh"]).arg(path).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

/// Children of all threads of a process, those that ended and wait for it among them.
fn children(pid: Pid) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid())).unwrap().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    lists.iter().flat_map(|list| list.split_whitespace()).map(|id| id.parse().unwrap()).collect()
}

#[test]
fn process_1_that_is_killed_in_mid_upload_resumes_at_once_when_it_is_started_again() {
    let folder = tempdir().unwrap();
    let first = First::start(folder.path());
    let (path, _stream) = half_a_transfer(&first.gateway, "half");
    await_bytes(folder.path(), &path, 4);
    assert!(!first.end_by(Signal::KILL).success());

    let began = Instant::now();
    let again = First::start(folder.path());
    let ready = began.elapsed();
    assert_eq!(offset(again.address(), &path), 4);
    println!("ready {ready:?} after the start, resumed {:?} later", began.elapsed() - ready);
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 4\r\n\
         Content-Type: application/offset+octet-stream"
    );
    let answer = exchange(again.address(), &head, "-whole");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    // Nothing that an older process 1 left may look like this one.
    assert!(began.elapsed().as_secs() < 10, "at once: {:?}", began.elapsed());
}

#[test]
fn process_1_ends_well_when_it_is_asked_to_and_keeps_what_arrived() {
    let folder = tempdir().unwrap();
    let first = First::start(folder.path());
    let (path, mut stream) = half_a_transfer(&first.gateway, "half");
    await_bytes(folder.path(), &path, 4);
    kill_process(first.pid, Signal::TERM).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(text(&status), "HTTP/1.1 503");
    drop(stream);
    assert!(first.gateway.ended().success());
    let again = First::start(folder.path());
    assert_eq!(offset(again.address(), &path), 4);
}

#[test]
fn process_1_lets_go_of_orphans_that_end() {
    let folder = tempdir().unwrap();
    let first = First::start(&folder.path().join("data"));
    // Each waits for a line of its own, so that it outlives its parent.
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let mut pipe_end = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    first.run("for each in 1 2 3; do (read line <\"$1\") >/dev/null 2>&1 & done", &pipe);
    by_the_deadline("it has inherited three", || first.children().len() == 3);
    pipe_end.write_all(b"go\ngo\ngo\n").unwrap();
    by_the_deadline("none is left", || first.children().is_empty());
}
