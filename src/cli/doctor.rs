//! `tidegate doctor`: looks at a data directory or from outside, rebuilds the session store.

use std::io::Write;

use anyhow::Context as _;

use super::arguments::{Arguments, Inside, Outside};
use super::exit::Exit;
use super::on_a_runtime;
use crate::config::Settings;
use crate::server::doctor::{self, Depth, Finding, Grade, Rebuilt};
use crate::server::outside::{self, Address, Options};

pub(super) fn run(
    arguments: &Arguments,
    wanted: Inside,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let settings = arguments.settings()?;
    let depth = if wanted.quick { Depth::Quick } else { Depth::Thorough };
    if wanted.rebuild {
        let rebuilt = on_a_runtime(doctor::rebuild(&settings))??;
        report(&rebuilt, out)?;
    }
    if wanted.repair {
        let done = on_a_runtime(doctor::repair(&settings, depth))??;
        for Finding { grade, text } in &done {
            let label = if *grade == Grade::Wrong { label(*grade) } else { "fixed" };
            writeln!(out, "{label}  {text}")?;
        }
        // What it read and found sound needs no second reading.
        return examine(&settings, Depth::Quick, out);
    }
    examine(&settings, depth, out)
}

fn examine(settings: &Settings, depth: Depth, out: &mut impl Write) -> anyhow::Result<Exit> {
    let findings = on_a_runtime(doctor::examine(settings, depth))??;
    for Finding { grade, text } in &findings {
        writeln!(out, "{}  {text}", label(*grade))?;
    }
    Ok(exit(findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Sound)))
}

/// Looks at a deployment as its clients meet it, and prints each finding as it is made.
pub(super) fn look_outside(
    url: &str,
    wanted: &Outside,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let options = Options {
        endpoint: Address::parse(url).context("--url is not an address that can be asked")?,
        lines: wanted.header.clone(),
        ca: wanted.ca.clone(),
        proxy: wanted.proxy,
        origin: wanted.origin.clone(),
        patience: wanted.timeout.get(),
        slow: wanted.slow,
    };
    let mut written = Ok(());
    let worst = outside::examine(&options, &mut |finding| {
        if written.is_ok() {
            written = print(finding, out);
        }
    })?;
    written?;
    Ok(exit(worst))
}

fn print(finding: &outside::Finding, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}  {}", label(finding.grade), finding.text)?;
    for line in &finding.change {
        writeln!(out, "       {}: {line}", finding.proxy.name())?;
    }
    out.flush()
}

const fn label(grade: Grade) -> &'static str {
    match grade {
        Grade::Sound => "ok   ",
        Grade::Note => "note ",
        Grade::Wrong => "WRONG",
    }
}

const fn exit(worst: Grade) -> Exit {
    match worst {
        Grade::Sound | Grade::Note => Exit::Done,
        Grade::Wrong => Exit::Damage,
    }
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
