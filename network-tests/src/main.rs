//! `tidegate-network`: lets links die under a gateway, and says what that cost.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use network_tests::gateway::Gateway;
use network_tests::lab::{Cut, Lab};
use network_tests::resume::Kind;
use network_tests::switch::{Plan, switch};
use network_tests::tally::{HEAD, Tally};
use network_tests::trouble::Trouble;

/// When clients notice that their link is dead.
const NOTICES: [(&str, Duration); 4] = [
    ("0 ms", Duration::ZERO),
    ("10 ms", Duration::from_millis(10)),
    ("50 ms", Duration::from_millis(50)),
    ("1 s", Duration::from_secs(1)),
];

/// What a gateway may hold longer than the link lives: its bounds, and then some.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// Lets links die under a gateway.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway.
    #[arg(long, default_value = "target/release/tidegate")]
    binary: PathBuf,
    /// Switches of each kind of upload, for each time after which the client notices.
    #[arg(long, default_value_t = 3)]
    switches: u64,
    /// What 99 of 100 switches may take at most, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    p99_at_most: u64,
    /// The first seed; the switches count on from it.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    match judge(&arguments, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut text = error.to_string();
            if let Trouble::System { source, .. } = &error {
                text = format!("{text}: {source}");
            }
            let _ = writeln!(out, "{text}");
            ExitCode::FAILURE
        }
    }
}

fn judge(arguments: &Arguments, out: &mut impl Write) -> Result<bool, Trouble> {
    let lab = Lab::build()?;
    switches(arguments, &lab, out)
}

fn switches(arguments: &Arguments, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let say = Trouble::system("writing the result");
    let gateway = Gateway::start(lab, &arguments.binary, &[])?;
    // What the first uploads make it open for good does not count.
    for (seed, kind) in (u64::MAX - 9..).zip(Kind::ALL) {
        switch(lab, &Plan { kind, cut: Cut::AtTheClient, notices_after: Duration::ZERO, seed })?;
    }
    let before = gateway.held(lab)?;
    let (mut all, mut rows, mut seed) = (Tally::default(), Vec::new(), arguments.seed);
    for kind in Kind::ALL {
        for (notices, notices_after) in NOTICES {
            let mut tally = Tally::default();
            for round in 0..arguments.switches {
                let cut = if round % 2 == 0 { Cut::InTheMiddle } else { Cut::AtTheClient };
                let plan = Plan { kind, cut, notices_after, seed };
                let said = |error| gateway.failed(&format!("SEED={seed} {plan:?}: {error}"));
                tally.add(switch(lab, &plan).map_err(said)?);
                seed = seed.wrapping_add(1);
            }
            rows.push(tally.row(kind.name(), notices));
            all.merge(&tally);
        }
    }
    rows.push(all.row("all", ""));
    writeln!(out, "{HEAD}\n{}", rows.join("\n")).map_err(say)?;
    let settled = gateway.settles(lab, before, SETTLED_WITHIN)?;
    let errors = gateway.server_errors(lab)?;
    let _ = writeln!(out, "everything was given back {settled:?} after the last switch; {errors} answers of 5xx");
    let late = all.percentile(99) > Duration::from_millis(arguments.p99_at_most);
    if late {
        let _ = writeln!(out, "99 of 100 took {:?}, not {} ms", all.percentile(99), arguments.p99_at_most);
    }
    Ok(!late && errors == 0 && all.twice() == 0)
}
