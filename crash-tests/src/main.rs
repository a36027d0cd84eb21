//! `tidegate-crash`: cuts the power under a gateway, and says what was lost.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use crash_tests::chain::{self, CUTS};
use crash_tests::gateway::Setup;
use crash_tests::tally::{HEAD, Loss, Tally};

/// Losses of one group that are printed.
const SHOWN: usize = 5;

/// Cuts the power under a gateway and looks for what it had acknowledged.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway.
    #[arg(long, default_value = "target/release/tidegate")]
    binary: PathBuf,
    /// Cuts with durability = "fsync", in groups of five on one disk each.
    #[arg(long, default_value_t = 40)]
    cuts: u64,
    /// Cuts with durability = "os", which must lose something.
    #[arg(long, default_value_t = 10)]
    cuts_os: u64,
    /// The first seed; the groups count on from it.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Let writes and syncs fail, too, before some of the cuts.
    #[arg(long)]
    errors: bool,
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
            let _ = writeln!(out, "the machine does not let us cut its power: {error}");
            ExitCode::FAILURE
        }
    }
}

fn judge(arguments: &Arguments, out: &mut impl Write) -> std::io::Result<bool> {
    let cuts = if arguments.once { CUTS } else { arguments.cuts };
    let synced = several(arguments, "fsync", cuts, out)?;
    let loose = several(arguments, "os", arguments.cuts_os, out)?;
    writeln!(out, "\n{HEAD}\n{}\n{}", synced.row("fsync"), loose.row("os"))?;
    let blind = arguments.cuts_os > 0 && loose.lost_bytes() == 0 && loose.count(&Loss::File) == 0;
    if blind {
        writeln!(out, "nothing was lost with durability = \"os\": this test cannot see a loss")?;
    }
    if synced.cuts < cuts {
        writeln!(out, "only {} of {cuts} cuts happened", synced.cuts)?;
    }
    Ok(synced.losses.is_empty() && synced.cuts >= cuts && !blind)
}

/// Groups of cuts with one setting, each with a seed of its own.
fn several(
    arguments: &Arguments,
    durability: &'static str,
    cuts: u64,
    out: &mut impl Write,
) -> std::io::Result<Tally> {
    let mut all = Tally::default();
    for seed in (arguments.seed..).take(usize::try_from(cuts.div_ceil(CUTS)).unwrap_or(0)) {
        let scratch = tempfile::tempdir()?;
        let binary = arguments.binary.canonicalize()?;
        let errors = arguments.errors;
        let scratch_path = scratch.path().to_owned();
        let setup = Setup { binary, durability, errors, scratch: scratch_path, more: Vec::new() };
        let tally = chain::run(&setup, seed)?;
        writeln!(
            out,
            "durability={durability} SEED={seed}: {} cuts, {} looks, {} losses",
            tally.cuts,
            tally.looks,
            tally.losses.len()
        )?;
        for (loss, what) in tally.losses.iter().take(SHOWN) {
            writeln!(out, "    {loss}: {what}")?;
        }
        out.flush()?;
        all.add(tally);
    }
    Ok(all)
}
