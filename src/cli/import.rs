//! `tidegate import`: takes files of another server in.

use std::io::{self, Write};

use super::arguments::{Arguments, ImportOptions};
use super::exit::Exit;
use super::on_a_runtime;
use crate::config::{Settings, Size};
use crate::server::import::{self, Remark, Report, Wanted};

pub(super) fn run(
    arguments: &Arguments,
    options: &ImportOptions,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let wanted = Wanted {
        directory: options.directory.clone(),
        base_path: options.tenant.clone(),
        hard_link: options.hard_link,
        without: options.without.clone(),
        without_previews: options.without_previews,
    };
    take_in(&arguments.settings()?, &wanted, out)
}

/// Takes in what is wanted and says what became of it.
pub(super) fn take_in(
    settings: &Settings,
    wanted: &Wanted,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let mut remark = |Remark { path, text }: Remark| {
        // Beside the report, file by file while it goes on.
        drop(writeln!(io::stderr(), "{}: {text}", path.display()));
    };
    let report = on_a_runtime(import::import(settings, wanted, &mut remark))??;
    tell(&report, wanted, out)?;
    Ok(if report.is_whole() { Exit::Done } else { Exit::Unfinished })
}

fn tell(report: &Report, wanted: &Wanted, out: &mut impl Write) -> io::Result<()> {
    let bytes = Size::bytes(report.taken_bytes);
    let how = if wanted.hard_link { "linked" } else { "copied" };
    writeln!(out, "files taken in:             {} ({bytes}, {how})", report.taken)?;
    writeln!(out, "there from an earlier time: {}", report.there)?;
    writeln!(out, "older than the retention:   {}", report.over)?;
    writeln!(out, "deleted here since:         {}", report.gone)?;
    writeln!(out, "left out (named above):     {}", report.left_out)?;
    writeln!(out, "not taken in (named above): {}", report.failed)?;
    if wanted.hard_link && report.taken > 0 {
        writeln!(
            out,
            "linked files are one with the old ones: never write to these any more; deleting them \
             there is fine"
        )?;
    }
    if let Some(why) = &report.ended_by {
        writeln!(out, "STOPPED at {why}; the same command goes on from there")?;
    }
    Ok(())
}
