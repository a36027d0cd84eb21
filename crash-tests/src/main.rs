//! `tidegate-crash`: cuts the power under a gateway, and says what was lost.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::ScopedJoinHandle;

use clap::Parser;
use crash_tests::chain::{self, CUTS};
use crash_tests::gateway::Setup;
use crash_tests::retries::the_device_gets_as_many_chances_as_are_set;
use crash_tests::tally::{HEAD, Loss, Tally};

/// Losses of one group that are printed.
const SHOWN: usize = 5;

/// Cuts the power under a gateway and looks for what it had acknowledged.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway.
    #[arg(long, default_value = "target/release/tidegate")]
    binary: PathBuf,
    /// Cuts under load with durability = "fsync", in groups of five on one disk each. There are more,
    /// because the power also goes while the gateway recovers.
    #[arg(long, default_value_t = 40)]
    cuts: u64,
    /// The same with a disk that fails before it loses its power.
    #[arg(long, default_value_t = 10)]
    cuts_failing: u64,
    /// Cuts with durability = "os", which must lose something.
    #[arg(long, default_value_t = 10)]
    cuts_os: u64,
    /// The first seed; the groups count on from it.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Groups at once.
    #[arg(long, default_value = "4")]
    at_once: NonZeroUsize,
    /// Only one group of each kind, with this seed.
    #[arg(long)]
    once: bool,
}

/// A way of running the gateway, and what is expected of it.
struct Setting {
    name: &'static str,
    durability: &'static str,
    failing: bool,
    cuts: u64,
}

impl Arguments {
    fn settings(&self) -> [Setting; 3] {
        let setting = |name, durability, failing, cuts: u64| {
            let cuts = if self.once { cuts.min(CUTS) } else { cuts };
            Setting { name, durability, failing, cuts }
        };
        [
            setting("fsync", "fsync", false, self.cuts),
            setting("fsync, failing device", "fsync", true, self.cuts_failing),
            setting("os", "os", false, self.cuts_os),
        ]
    }
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
    let (mut table, mut passed) = (HEAD.to_owned(), true);
    for setting in arguments.settings() {
        let tally = several(arguments, &setting, out)?;
        table.push_str(&format!("\n{}", tally.row(setting.name)));
        passed &= is_as_expected(&setting, &tally, out)?;
    }
    writeln!(out, "\n{table}")?;
    if !arguments.once {
        passed &=
            the_device_gets_as_many_chances_as_are_set(&arguments.binary.canonicalize()?, out)?;
    }
    Ok(passed)
}

fn is_as_expected(setting: &Setting, tally: &Tally, out: &mut impl Write) -> std::io::Result<bool> {
    if setting.durability == "fsync" {
        let (cuts, planned) = (tally.cuts, setting.cuts);
        if cuts < planned {
            writeln!(out, "{}: only {cuts} of {planned} cuts happened", setting.name)?;
        }
        return Ok(tally.losses.is_empty() && cuts >= planned);
    }
    let blind = setting.cuts > 0 && tally.lost_bytes() == 0 && tally.count(&Loss::File) == 0;
    if blind {
        writeln!(out, "nothing was lost with durability = \"os\": this test cannot see a loss")?;
    }
    Ok(!blind)
}

/// Groups of cuts with one setting, each with a seed of its own, some at once: most of what a group does is waiting.
fn several(
    arguments: &Arguments,
    setting: &Setting,
    out: &mut impl Write,
) -> std::io::Result<Tally> {
    let mut all = Tally::default();
    let groups = usize::try_from(setting.cuts.div_ceil(CUTS)).unwrap_or(0);
    let seeds: Vec<_> = (arguments.seed..).take(groups).collect();
    for together in seeds.chunks(arguments.at_once.get()) {
        let tallies = std::thread::scope(|scope| {
            let groups =
                together.iter().map(|seed| scope.spawn(|| group(arguments, setting, *seed)));
            groups.collect::<Vec<_>>().into_iter().map(ended).collect::<Vec<_>>()
        });
        for (seed, tally) in together.iter().zip(tallies) {
            let tally = tally?;
            tell(setting, *seed, &tally, out)?;
            all.add(tally);
        }
    }
    Ok(all)
}

fn group(arguments: &Arguments, setting: &Setting, seed: u64) -> std::io::Result<Tally> {
    let scratch = tempfile::tempdir()?;
    let setup = Setup {
        binary: arguments.binary.canonicalize()?,
        durability: setting.durability,
        failing: setting.failing,
        scratch: scratch.path().to_owned(),
        more: Vec::new(),
    };
    chain::run(&setup, seed)
}

fn ended(group: ScopedJoinHandle<'_, std::io::Result<Tally>>) -> std::io::Result<Tally> {
    group.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn tell(setting: &Setting, seed: u64, tally: &Tally, out: &mut impl Write) -> std::io::Result<()> {
    let Tally { cuts, looks, losses, .. } = tally;
    writeln!(
        out,
        "{} SEED={seed}: {cuts} cuts, {looks} looks, {} losses",
        setting.name,
        losses.len()
    )?;
    for (loss, what) in losses.iter().take(SHOWN) {
        writeln!(out, "    {loss}: {what}")?;
    }
    out.flush()
}
