//! `tidegate-death`: kills gateways in every way there is, and says what was lost.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use crash_tests::death::post::tenants;
use crash_tests::death::report::Report;
use crash_tests::death::{self, ROUNDS};
use crash_tests::gateway::Setup;

/// Losses of one directory that are printed.
const SHOWN: usize = 5;

/// Kills a gateway again and again, and looks for what it had acknowledged.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway.
    #[arg(long, default_value = "target/release/tidegate")]
    binary: PathBuf,
    /// Deaths, in groups of 25 on one directory each.
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// The first seed; the groups count on from it.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Only one group, with this seed.
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    match judge(&arguments, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(out, "the machine does not let us kill its gateways: {error}");
            ExitCode::FAILURE
        }
    }
}

fn judge(arguments: &Arguments, out: &mut impl Write) -> std::io::Result<bool> {
    let rounds = if arguments.once { ROUNDS } else { arguments.rounds };
    let mut all = Report::default();
    let mut left = rounds;
    for seed in arguments.seed.. {
        if left == 0 {
            break;
        }
        let now = left.min(ROUNDS);
        left -= now;
        let report = one(arguments, seed, now)?;
        let (deaths, looks) = (report.deaths.len(), report.tally.looks);
        writeln!(
            out,
            "SEED={seed}: {deaths} deaths, {looks} looks, {} losses",
            report.tally.losses.len()
        )?;
        for (loss, what) in report.tally.losses.iter().take(SHOWN) {
            writeln!(out, "    {loss}: {what}")?;
        }
        out.flush()?;
        all.add(report);
    }
    writeln!(out, "\n{all}")?;
    let dead = u64::try_from(all.deaths.len()).unwrap_or(0);
    if dead < rounds {
        writeln!(out, "only {dead} of {rounds} gateways died")?;
    }
    let blind = all.received.is_empty() || all.handed.is_empty();
    if blind {
        writeln!(out, "no death cut a body off: this test cannot see a loss")?;
    }
    Ok(all.tally.losses.is_empty() && dead >= rounds && !blind)
}

/// One directory. Every second gateway keeps its settings as they are; the others make checkpoints all
/// the time.
fn one(arguments: &Arguments, seed: u64, rounds: u64) -> std::io::Result<Report> {
    let scratch = tempfile::tempdir()?;
    let mut more = vec![tenants()];
    if seed.is_multiple_of(2) {
        more.push(("TIDEGATE__PERFORMANCE__BATCH_SIZE", "256KiB".to_owned()));
        more.push(("TIDEGATE__STORAGE__CHECKPOINT_BYTES", "64MiB".to_owned()));
    }
    let setup = Setup {
        binary: arguments.binary.canonicalize()?,
        durability: "fsync",
        errors: false,
        scratch: scratch.path().to_owned(),
        more,
    };
    death::run(&setup, seed, rounds)
}
