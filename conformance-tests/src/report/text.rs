//! Lines for people.

use std::io::{self, Write};

use super::{Report, title};
use crate::runner::{Judged, Listed, Outcome};

/// Writes one line per case.
///
/// # Errors
///
/// Whatever `out` says.
pub fn list(out: &mut dyn Write, cases: &[Listed]) -> io::Result<()> {
    for listed in cases {
        writeln!(out, "{}", title(listed))?;
    }
    Ok(())
}

/// Writes what passed, what does not apply by reason, what failed with the exchange that shows it,
/// and the totals in the last line.
///
/// # Errors
///
/// Whatever `out` says.
pub fn text(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    for result in &report.run.judged {
        if result.outcome == Outcome::Passed {
            writeln!(out, "ok    {}", title(&result.listed))?;
        }
    }
    for (reason, results) in report.not_applicable() {
        writeln!(out, "\nn/a   {reason}")?;
        for result in results {
            writeln!(out, "        {}", title(&result.listed))?;
        }
    }
    for result in report.failed() {
        writeln!(out)?;
        failed(out, result)?;
    }
    if let Some(error) = &report.run.gave_up {
        writeln!(out, "\ngiven up: {error}")?;
    }
    writeln!(out, "\n{}", report.totals().line())
}

fn failed(out: &mut dyn Write, result: &Judged) -> io::Result<()> {
    let Outcome::Failed { failure, trail } = &result.outcome else { return Ok(()) };
    writeln!(out, "FAIL  {}\n        {}", title(&result.listed), failure.message)?;
    for line in trail {
        writeln!(out, "        . {line}")?;
    }
    for line in failure.exchange.iter().flat_map(|shown| shown.lines()) {
        writeln!(out, "        {line}")?;
    }
    if let Some(curl) = &failure.curl {
        writeln!(out, "        try: {curl}")?;
    }
    Ok(())
}
