//! `performance.rollback_*`: fitting that does worse is switched off, and what puts it on again.
//!
//! Fitted downloads go by buffers that are far too small, because the settings say so: a regression as an
//! operator could make one. The same load is a rollback or none, by the key alone.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::tempdir;

use crate::gateway::{Gateway, download, exchange, program, upload};
use crate::support::{metric, pause, until};

/// Half of them are fitted. Fewer of each arm in one round than the guard asks for at least.
const SESSIONS: usize = 96;
/// Enough to be compared, by the groups in which sessions are counted, too.
const ROUNDS: usize = 6;
/// The shortest that says something of its buffer.
const FILE_BYTES: usize = 256 * 1024;

const SETTINGS: [(&str, &str); 4] = [
    ("rollout", "50"),
    ("min_buffer_size", "\"16KiB\""),
    ("max_buffer_size", "\"16KiB\""),
    ("rollback_transfers", "64"),
];

/// A gateway whose `[performance]` can be changed.
struct Scene {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(changes: &[(&str, &str)]) -> Self {
        let folder = tempdir().unwrap();
        write(folder.path(), changes);
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(folder.path().join("settings.toml")).args(["--admin-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(folder.path().join("data")).stderr(log);
        Self { gateway: Gateway::wait_for(command), folder }
    }

    /// Everybody downloads a file of his own once in each round; `rest` after it.
    fn serve(&self, rest: Duration) {
        let address = self.gateway.upload_address();
        let body = "x".repeat(FILE_BYTES);
        let paths: Vec<_> = (0..SESSIONS).map(|_| upload(address, &body)).collect();
        for _ in 0..ROUNDS {
            for path in &paths {
                assert_eq!(download(address, path).len(), FILE_BYTES);
            }
            pause(rest);
        }
    }

    fn is_rolled_back(&self) -> bool {
        metric(&self.gateway, "tidegate_adaptive_rolled_back") == 1
    }

    /// What it says to a signal, with these settings in its file.
    fn reload(&self, changes: &[(&str, &str)], says: &str) {
        write(self.folder.path(), changes);
        self.gateway.signal(Signal::HUP);
        let log = self.folder.path().join("log");
        until(says, || std::fs::read_to_string(&log).unwrap().contains(says));
    }
}

/// Writes the settings of all these tests, and `changes` to them.
fn write(folder: &Path, changes: &[(&str, &str)]) {
    let kept = SETTINGS.iter().filter(|(key, _)| changes.iter().all(|(other, _)| other != key));
    let lines = kept.chain(changes).map(|(key, value)| format!("{key} = {value}\n"));
    let text = format!("[performance]\n{}", lines.collect::<String>());
    std::fs::write(folder.join("settings.toml"), text).unwrap();
}

#[test]
fn a_rollback_is_lifted_by_another_rollout_and_by_no_other_signal() {
    let scene = Scene::new(&[]);
    scene.serve(Duration::ZERO);
    assert!(scene.is_rolled_back(), "{}", arms(&scene.gateway));
    let ready = exchange(scene.gateway.admin_address(), "GET /health/ready HTTP/1.1", "");
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.contains("downloads with adaptive"),
        "{ready}"
    );
    scene.reload(&[], "settings were read again; still no session is fitted");
    assert!(scene.is_rolled_back(), "by a signal alone");
    scene.reload(&[("rollout", "40")], "settings were read again; 40 % of the sessions are fitted");
    assert!(!scene.is_rolled_back());
    assert_eq!(metric(&scene.gateway, "tidegate_adaptive_rollout_percent"), 40);
}

#[test]
fn nothing_is_said_of_fewer_transfers_than_are_set() {
    let scene = Scene::new(&[("rollback_transfers", "100000")]);
    scene.serve(Duration::ZERO);
    assert!(!scene.is_rolled_back(), "{}", arms(&scene.gateway));
}

#[test]
fn a_loss_within_the_margin_is_left_alone() {
    let scene = Scene::new(&[("rollback_margin", "90")]);
    scene.serve(Duration::ZERO);
    assert!(!scene.is_rolled_back(), "{}", arms(&scene.gateway));
}

#[test]
fn what_was_counted_is_forgotten_after_the_window() {
    let scene = Scene::new(&[("rollback_window", "\"1s\"")]);
    // No round is compared with the one before it, and none is enough alone.
    scene.serve(Duration::from_millis(1100));
    assert!(!scene.is_rolled_back(), "{}", arms(&scene.gateway));
}

/// What both arms came to, for whoever reads of a failure.
fn arms(gateway: &Gateway) -> String {
    let metrics = exchange(gateway.admin_address(), "GET /metrics HTTP/1.1", "");
    metrics
        .lines()
        .filter(|line| line.starts_with("tidegate_arm_trans"))
        .collect::<Vec<_>>()
        .join("\n")
}
