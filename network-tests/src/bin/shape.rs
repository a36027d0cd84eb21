//! `tidegate-shape`: a link that is as slow, far and unreliable as those that people have.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use network_tests::shape::{Profile, Proxy};

/// Carries TCP connections as a network of this kind would, until it is killed.
#[derive(Debug, Parser)]
#[command(name = "tidegate-shape")]
struct Arguments {
    /// The kind of network.
    #[arg(long)]
    profile: Profile,
    /// Where to listen; with port 0, one that is free. What it became is the first line of the output.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to carry it, as HOST:PORT.
    #[arg(long)]
    to: String,
    /// Decides what chance decides.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout();
    let started = resolve(&arguments.to).and_then(|to| {
        let plan = arguments.profile.plan();
        let proxy = Proxy::start(arguments.listen, to, &plan, arguments.seed);
        proxy.map_err(|error| format!("cannot listen at {}: {error}", arguments.listen))
    });
    match started {
        Ok(proxy) => {
            let _ = writeln!(out, "listening on {}", proxy.address());
            let _ = out.flush();
            loop {
                thread::park();
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn resolve(to: &str) -> Result<SocketAddr, String> {
    let mut found = to.to_socket_addrs().map_err(|error| format!("--to {to}: {error}"))?;
    found.next().ok_or_else(|| format!("--to {to}: this name has no address"))
}
