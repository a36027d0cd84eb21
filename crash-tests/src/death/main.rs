//! `tidegate-death`: kills gateways in every way there is, and says what was lost.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use clap::Parser;
use crash_tests::death::post::tenants;
use crash_tests::death::report::Report;
use crash_tests::death::{self, ROUNDS};
use crash_tests::full;
use crash_tests::gateway::Setup;
use crash_tests::tally::Loss;

/// Losses of one directory that are printed.
const SHOWN: usize = 5;

/// Kills a gateway again and again, and looks for what it had acknowledged.
#[derive(Clone, Debug, Parser)]
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
    /// Groups at the same time.
    #[arg(long, default_value_t = 2)]
    at_once: usize,
    /// Only one group, with this seed.
    #[arg(long)]
    once: bool,
    /// In place of deaths, so many times a device that others fill; needs the right to mount.
    #[arg(long)]
    full: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let judged = match arguments.full {
        Some(rounds) => judge_full(&arguments, rounds, &mut out),
        None => judge(&arguments, &mut out),
    };
    match judged {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(out, "the machine does not let us: {error}");
            ExitCode::FAILURE
        }
    }
}

fn judge(arguments: &Arguments, out: &mut impl Write) -> std::io::Result<bool> {
    let rounds = if arguments.once { ROUNDS } else { arguments.rounds };
    let groups: Vec<(u64, u64)> = (arguments.seed..)
        .zip((0..rounds).step_by(usize::try_from(ROUNDS).unwrap_or(usize::MAX)))
        .map(|(seed, before)| (seed, ROUNDS.min(rounds - before)))
        .collect();
    let mut all = Report::default();
    for (seed, report) in side_by_side(arguments, groups) {
        let report = report?;
        let (deaths, looks) = (report.deaths.len(), report.tally.looks);
        writeln!(
            out,
            "SEED={seed}: {deaths} deaths, {looks} looks, {} losses",
            report.tally.losses.len()
        )?;
        shown(out, seed, &report.tally.losses)?;
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

/// What became of each group, as soon as it is over.
fn side_by_side(
    arguments: &Arguments,
    groups: Vec<(u64, u64)>,
) -> mpsc::IntoIter<(u64, std::io::Result<Report>)> {
    let (tell, told) = mpsc::channel();
    let groups = Arc::new(Mutex::new(groups.into_iter()));
    for _ in 0..arguments.at_once.max(1) {
        let (arguments, groups, tell) = (arguments.clone(), Arc::clone(&groups), tell.clone());
        std::thread::spawn(move || {
            let next = || groups.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some((seed, rounds)) = next() {
                // Nobody listens any more once one of them could not be run.
                if tell.send((seed, one(&arguments, seed, rounds))).is_err() {
                    return;
                }
            }
        });
    }
    told.into_iter()
}

/// Devices that fill: every second gateway keeps nothing free of its own accord.
fn judge_full(arguments: &Arguments, rounds: u64, out: &mut impl Write) -> std::io::Result<bool> {
    let mut all = full::Report::default();
    let mut left = if arguments.once { full::ROUNDS } else { rounds };
    let wanted = left;
    for seed in arguments.seed.. {
        if left == 0 {
            break;
        }
        let now = left.min(full::ROUNDS);
        left -= now;
        let reserve = if seed.is_multiple_of(2) { "0B" } else { "8MiB" };
        let scratch = tempfile::tempdir()?;
        let more = vec![("TIDEGATE__STORAGE__RESERVE", reserve.to_owned())];
        let report = full::run(&setup(arguments, scratch.path(), more)?, seed, now)?;
        shown(out, seed, &report.tally.losses)?;
        all.add(report);
    }
    writeln!(out, "{all}")?;
    // A round whose body ended before the device was full tells less.
    let blind = all.cut * 2 < all.rounds;
    if blind {
        writeln!(out, "most bodies did not meet the full device: this test cannot see a loss")?;
    }
    Ok(all.tally.losses.is_empty() && all.rounds >= wanted && !blind)
}

fn shown(out: &mut impl Write, seed: u64, losses: &[(Loss, String)]) -> std::io::Result<()> {
    for (loss, what) in losses.iter().take(SHOWN) {
        writeln!(out, "SEED={seed}: {loss}: {what}")?;
    }
    out.flush()
}

fn setup(
    arguments: &Arguments,
    scratch: &Path,
    more: Vec<(&'static str, String)>,
) -> std::io::Result<Setup> {
    let binary = arguments.binary.canonicalize()?;
    Ok(Setup { binary, durability: "fsync", failing: false, scratch: scratch.to_owned(), more })
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
    death::run(&setup(arguments, scratch.path(), more)?, seed, rounds)
}
