//! `tidegate doctor`: looks at a data directory, rebuilds its session store.

use std::io::Write;

use super::arguments::Arguments;
use super::exit::Exit;
use super::on_a_runtime;
use crate::config::Settings;
use crate::server::doctor::{self, Finding, Grade, Rebuilt};

pub(super) fn run(
    arguments: &Arguments,
    rebuild: bool,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let settings = arguments.settings()?;
    if rebuild {
        let rebuilt = on_a_runtime(doctor::rebuild(&settings))??;
        report(&rebuilt, out)?;
    }
    examine(&settings, out)
}

fn examine(settings: &Settings, out: &mut impl Write) -> anyhow::Result<Exit> {
    let findings = on_a_runtime(doctor::examine(settings))??;
    for Finding { grade, text } in &findings {
        let label = match grade {
            Grade::Sound => "ok   ",
            Grade::Note => "note ",
            Grade::Wrong => "WRONG",
        };
        writeln!(out, "{label}  {text}")?;
    }
    let worst = findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Sound);
    Ok(match worst {
        Grade::Sound | Grade::Note => Exit::Done,
        Grade::Wrong => Exit::Damage,
    })
}

fn report(rebuilt: &Rebuilt, out: &mut impl Write) -> std::io::Result<()> {
    if let Some(aside) = &rebuilt.set_aside {
        writeln!(out, "the old session store is kept in {}", aside.display())?;
    }
    writeln!(out, "records kept:          {}", rebuilt.kept)?;
    writeln!(out, "records made anew:     {}", rebuilt.restored)?;
    writeln!(out, "bytes without records: {}", rebuilt.without_record.len())?;
    for id in &rebuilt.without_record {
        writeln!(out, "  {id}")?;
    }
    Ok(())
}
