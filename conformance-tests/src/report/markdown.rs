//! A page.

use std::io::{self, Write};

use super::{Report, place, title};
use crate::runner::{Judged, Outcome};

/// Writes a page: the totals, a table of groups, what failed, what does not apply.
///
/// # Errors
///
/// Whatever `out` says.
pub fn as_markdown(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "# {}\n\n{}.", line(report.target), report.totals().line())?;
    if let Some(error) = &report.run.gave_up {
        writeln!(out, "\n**Given up**: {}", line(&error.to_string()))?;
    }
    groups(out, &report.run.judged)?;
    let mut failed = report.failed().peekable();
    if failed.peek().is_some() {
        writeln!(out, "\n## Failed")?;
    }
    for result in failed {
        failure(out, result)?;
    }
    let reasons = report.not_applicable();
    if !reasons.is_empty() {
        writeln!(out, "\n## Not applicable")?;
    }
    for (reason, results) in reasons {
        writeln!(out, "\n{}:\n", line(reason))?;
        for result in results {
            writeln!(out, "- {}", line(&title(&result.listed)))?;
        }
    }
    Ok(())
}

fn groups(out: &mut dyn Write, judged: &[Judged]) -> io::Result<()> {
    let mut rows: Vec<(String, [usize; 3])> = Vec::new();
    for result in judged {
        let name = place(&result.listed);
        if rows.last().is_none_or(|(last, _)| *last != name) {
            rows.push((name, [0; 3]));
        }
        let Some((_, [passed, failed, not_applicable])) = rows.last_mut() else { continue };
        let count = match result.outcome {
            Outcome::Passed => passed,
            Outcome::Failed { .. } => failed,
            Outcome::NotApplicable(_) => not_applicable,
        };
        *count = count.saturating_add(1);
    }
    writeln!(out, "\n| group | passed | failed | not applicable |\n|---|---:|---:|---:|")?;
    for (name, [passed, failed, not_applicable]) in rows {
        writeln!(out, "| {} | {passed} | {failed} | {not_applicable} |", line(&name))?;
    }
    Ok(())
}

fn failure(out: &mut dyn Write, result: &Judged) -> io::Result<()> {
    let Outcome::Failed { failure, trail } = &result.outcome else { return Ok(()) };
    writeln!(out, "\n### {}\n\n{}\n", line(&title(&result.listed)), line(&failure.message))?;
    // Indented, because no text can end an indented block before its time.
    for shown in trail {
        writeln!(out, "    . {shown}")?;
    }
    for shown in failure.exchange.iter().flat_map(|shown| shown.lines()) {
        writeln!(out, "    {shown}")?;
    }
    if let Some(curl) = &failure.curl {
        writeln!(out, "\nTry:\n\n    {curl}")?;
    }
    Ok(())
}

/// Text in one line, without markup.
fn line(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '|' | '`' | '*' | '_' | '<' | '[' | ']' | '\\' | '#') {
            plain.push('\\');
        }
        plain.push(if char.is_control() { ' ' } else { char });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_no_markup() {
        assert_eq!(line("a|b\n<i>`c`"), "a\\|b \\<i>\\`c\\`");
    }
}
