//! JUnit's XML, which build servers read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Report, place};
use crate::runner::{Judged, Outcome};

/// Writes one `testsuites` element: a `testsuite` per suite, a `testcase` per case.
///
/// # Errors
///
/// Whatever `out` says.
pub fn as_junit(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let totals = report.totals();
    let mut suites: BTreeMap<_, Vec<&Judged>> = BTreeMap::new();
    for result in &report.run.judged {
        suites.entry(result.listed.suite).or_default().push(result);
    }
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"{}\">",
        escaped(report.target),
        report.run.judged.len().saturating_add(usize::from(report.run.gave_up.is_some())),
        totals.failed,
        totals.not_applicable,
        u8::from(report.run.gave_up.is_some()),
    )?;
    for (name, results) in suites {
        suite(out, name, &results)?;
    }
    if let Some(error) = &report.run.gave_up {
        let reason = escaped(&error.to_string());
        writeln!(
            out,
            "  <testsuite name=\"target\" tests=\"1\" failures=\"0\" skipped=\"0\" errors=\"1\">"
        )?;
        writeln!(
            out,
            "    <testcase name=\"the target answers until the end\" classname=\"target\">"
        )?;
        writeln!(out, "      <error message=\"{reason}\"/>")?;
        writeln!(out, "    </testcase>\n  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn suite(out: &mut dyn Write, name: &str, results: &[&Judged]) -> io::Result<()> {
    let count = |wanted: fn(&Outcome) -> bool| {
        results.iter().filter(|result| wanted(&result.outcome)).count()
    };
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\" time=\"{:.3}\">",
        escaped(name),
        results.len(),
        count(|outcome| matches!(outcome, Outcome::Failed { .. })),
        count(|outcome| matches!(outcome, Outcome::NotApplicable(_))),
        results.iter().map(|result| result.took.as_secs_f64()).sum::<f64>(),
    )?;
    for result in results {
        case(out, result)?;
    }
    writeln!(out, "  </testsuite>")
}

fn case(out: &mut dyn Write, result: &Judged) -> io::Result<()> {
    let listed = &result.listed;
    let name = format!("{} [{}]", listed.case.name, listed.case.ids.join(" "));
    write!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
        escaped(&name),
        escaped(&place(listed)),
        result.took.as_secs_f64()
    )?;
    match &result.outcome {
        Outcome::Passed => writeln!(out, "/>"),
        Outcome::NotApplicable(reason) => {
            writeln!(out, "><skipped message=\"{}\"/></testcase>", escaped(reason))
        }
        Outcome::Failed { failure, trail } => {
            writeln!(out, ">\n      <failure message=\"{}\">", escaped(&failure.message))?;
            let shown = trail.iter().map(String::as_str);
            let shown = shown.chain(failure.exchange.iter().flat_map(|shown| shown.lines()));
            for line in shown.chain(failure.curl.as_deref()) {
                writeln!(out, "{}", escaped(line))?;
            }
            writeln!(out, "      </failure>\n    </testcase>")
        }
    }
}

/// As text or in an attribute. What XML 1.0 cannot carry at all becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => {
                safe.push(char);
            }
            _ => safe.push('\u{FFFD}'),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_do_not_break_the_document() {
        assert_eq!(escaped("a<b> & \"c\"\n"), "a&lt;b&gt; &amp; &quot;c&quot;\n");
        assert_eq!(escaped("a\u{0}\u{1b}\u{FFFF}ü"), "a\u{FFFD}\u{FFFD}\u{FFFD}ü");
    }
}
