//! The gateway as a process beside the far end of the paths, and what it holds.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::lab::{Lab, Server};
use crate::trouble::Trouble;

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where its admin side is.
const ADMIN: u16 = 9090;

/// The secret of its slots, which live for the length of a measure.
pub const SLOT_SECRET: &str = "secret-of-slots-in-a-lab-without-a-way-out";

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    scratch: TempDir,
}

/// What a gateway holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Open descriptors.
    pub descriptors: usize,
    /// Connections of clients.
    pub connections: u64,
    /// Transfers that run.
    pub transfers: u64,
    /// Threads.
    pub threads: usize,
}

/// How a gateway is started.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The gateway.
    pub binary: &'a Path,
    /// Names and values of environment variables.
    pub settings: &'a [(&'a str, &'a str)],
    /// Where it listens to clients.
    pub listen: &'a str,
    /// Whether the kernel lets it ask by netlink.
    pub asks_by_netlink: bool,
}

impl<'a> Start<'a> {
    /// `binary` with `settings`, on all addresses of IPv4.
    #[must_use]
    pub const fn new(binary: &'a Path, settings: &'a [(&'a str, &'a str)]) -> Self {
        Self { binary, settings, listen: "0.0.0.0:8080", asks_by_netlink: true }
    }
}

/// Takes netlink away from the program that it starts.
const WITHOUT_NETLINK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/without_netlink");

impl Gateway {
    /// Starts `binary` with `settings` (names and values of environment variables), and waits until
    /// it is ready.
    ///
    /// # Errors
    ///
    /// [`Trouble`], with its last words, if it does not become ready.
    pub fn start(lab: &Lab, binary: &Path, settings: &[(&str, &str)]) -> Result<Self, Trouble> {
        Self::start_as(lab, &Start::new(binary, settings))
    }

    /// Starts one, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// As [`Gateway::start`].
    pub fn start_as(lab: &Lab, start: &Start<'_>) -> Result<Self, Trouble> {
        const DOING: &str = "starting the gateway";
        let scratch = tempfile::tempdir().map_err(Trouble::system(DOING))?;
        let log = File::create(scratch.path().join("log")).map_err(Trouble::system(DOING))?;
        let mut command = lab.beside_the_gateway("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if !start.asks_by_netlink {
            command.arg(WITHOUT_NETLINK);
        }
        command.arg(start.binary).arg("serve");
        command.args(["--listen", start.listen, "--admin-listen", "127.0.0.1:9090"]);
        command.arg("--data-dir").arg(scratch.path().join("data"));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("TIDEGATE__SERVER__ALLOW_PUBLIC_WITHOUT_AUTH", "true");
        let slots = format!(
            "[{{ scheme = \"prosody\", secret = \"{SLOT_SECRET}\", base_path = \"/slots\" }}]"
        );
        command.env("TIDEGATE__XEP0363__TENANTS", slots);
        command.envs(start.settings.iter().copied());
        let mut child = command.spawn().map_err(Trouble::system(DOING))?;
        let ready = child.stdout.take().is_some_and(becomes_ready);
        let gateway = Self { child, scratch };
        if ready { Ok(gateway) } else { Err(gateway.failed("it did not become ready")) }
    }

    /// What it holds now.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it does not live any more.
    pub fn held(&self, lab: &Lab) -> Result<Held, Trouble> {
        let count = |folder: &str| {
            let entries = fs::read_dir(format!("/proc/{}/{folder}", self.child.id()));
            entries.map(Iterator::count).map_err(Trouble::system("looking at the gateway"))
        };
        let (descriptors, threads) = (count("fd")?, count("task")?);
        let metrics = lab.get(ADMIN, "/metrics")?;
        let connections = value(&metrics, "tidegate_connections_open");
        let transfers = value(&metrics, "tidegate_transfers_running");
        Ok(Held { descriptors, connections, transfers, threads })
    }

    /// What it says about one thing.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it does not live any more.
    pub fn metric(&self, lab: &Lab, name: &str) -> Result<u64, Trouble> {
        Ok(value(&lab.get(ADMIN, "/metrics")?, name))
    }

    /// What it says about a time.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it does not live any more.
    pub fn time(&self, lab: &Lab, name: &str) -> Result<Duration, Trouble> {
        let metrics = lab.get(ADMIN, "/metrics")?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let seconds = line.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN);
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| Trouble::wrong(format!("{name} is {seconds}: {error}")))
    }

    /// Waits until a metric is as it should be.
    ///
    /// # Errors
    ///
    /// [`Trouble::Wrong`] if that takes longer than `bound`.
    pub fn reaches(
        &self,
        lab: &Lab,
        name: &str,
        is_so: impl Fn(u64) -> bool,
        bound: Duration,
    ) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            let is = self.metric(lab, name)?;
            if is_so(is) {
                return Ok(());
            }
            if began.elapsed() > bound {
                return Err(self.failed(&format!("after {bound:?}, {name} is {is}")));
            }
            std::thread::park_timeout(Duration::from_micros(500));
        }
    }

    /// Requests that it answered with 5xx.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it does not live any more.
    pub fn server_errors(&self, lab: &Lab) -> Result<u64, Trouble> {
        let metrics = lab.get(ADMIN, "/metrics")?;
        let lines =
            metrics.lines().filter(|line| line.starts_with("tidegate_http_requests_total{"));
        let failed = lines.filter(|line| line.contains("\"5xx\""));
        Ok(failed.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Waits until it holds no more than `before`; says how long that took.
    ///
    /// # Errors
    ///
    /// [`Trouble::Wrong`], with what it holds, if that takes longer than `bound`.
    pub fn settles(&self, lab: &Lab, before: Held, bound: Duration) -> Result<Duration, Trouble> {
        let began = Instant::now();
        loop {
            let held = self.held(lab)?;
            let back = held.descriptors <= before.descriptors
                && held.connections <= before.connections
                && held.transfers <= before.transfers;
            if back {
                return Ok(began.elapsed());
            }
            if began.elapsed() > bound {
                let open = lab.connections(Server::GATEWAY, "")?;
                let files = self.open_files().join("\n");
                let text = format!(
                    "after {bound:?} it holds {held:?}, before {before:?}\n{open}\n{files}"
                );
                return Err(self.failed(&text));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn open_files(&self) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.child.id())).into_iter().flatten();
        let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.map(|target| target.display().to_string()).collect()
    }

    /// What went wrong, with the last words of the gateway.
    #[must_use]
    pub fn failed(&self, what: &str) -> Trouble {
        let log = fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(8).collect();
        let words = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        Trouble::wrong(format!("{what}\n{words}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn value(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(u64::MAX)
}

fn becomes_ready(stdout: impl Read + Send + 'static) -> bool {
    let (line, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for text in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens any more once it is ready.
            drop(line.send(text));
        }
    });
    let until = Instant::now() + PATIENCE;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) if line == "ready" => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
