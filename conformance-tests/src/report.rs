//! Results as text for people or JSON for machines.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::runner::{Judged, Listed, Outcome};

/// How many results there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Cases the server passed.
    pub passed: usize,
    /// Cases it failed.
    pub failed: usize,
    /// Cases that say nothing about it.
    pub not_applicable: usize,
}

impl Totals {
    /// Counts.
    pub fn of(results: &[Judged]) -> Self {
        let mut totals = Self::default();
        for result in results {
            let count = match &result.outcome {
                Outcome::Passed => &mut totals.passed,
                Outcome::Failed { .. } => &mut totals.failed,
                Outcome::NotApplicable(_) => &mut totals.not_applicable,
            };
            *count = count.saturating_add(1);
        }
        totals
    }
}

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

/// Writes every result, the failed ones with the exchange that shows them, and the totals.
///
/// # Errors
///
/// Whatever `out` says.
pub fn text(out: &mut dyn Write, results: &[Judged]) -> io::Result<()> {
    for result in results {
        let title = title(&result.listed);
        match &result.outcome {
            Outcome::Passed => writeln!(out, "ok    {title}")?,
            Outcome::NotApplicable(reason) => writeln!(out, "n/a   {title}\n        {reason}")?,
            Outcome::Failed { failure, trail } => {
                writeln!(out, "FAIL  {title}\n        {}", failure.message)?;
                for line in trail {
                    writeln!(out, "        . {line}")?;
                }
                for line in failure.exchange.iter().flat_map(|shown| shown.lines()) {
                    writeln!(out, "        {line}")?;
                }
                if let Some(curl) = &failure.curl {
                    writeln!(out, "        try: {curl}")?;
                }
            }
        }
    }
    let totals = Totals::of(results);
    writeln!(
        out,
        "{} passed, {} failed, {} not applicable",
        totals.passed, totals.failed, totals.not_applicable
    )
}

/// Writes one JSON object with the totals and every result.
///
/// # Errors
///
/// Whatever `out` says.
pub fn as_json(out: &mut dyn Write, target: &str, results: &[Judged]) -> io::Result<()> {
    let totals = Totals::of(results);
    let cases: Vec<Value> = results.iter().map(case_json).collect();
    let report = json!({
        "target": target,
        "passed": totals.passed,
        "failed": totals.failed,
        "not_applicable": totals.not_applicable,
        "cases": cases,
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn case_json(result: &Judged) -> Value {
    let mut value = json!({
        "suite": result.listed.suite,
        "group": result.listed.group.name,
        "name": result.listed.case.name,
        "ids": result.listed.case.ids,
        "seconds": result.took.as_secs_f64(),
    });
    let outcome = match &result.outcome {
        Outcome::Passed => json!({ "outcome": "passed" }),
        Outcome::NotApplicable(reason) => {
            json!({ "outcome": "not applicable", "reason": reason })
        }
        Outcome::Failed { failure, trail } => json!({
            "outcome": "failed",
            "reason": failure.message,
            "trail": trail,
            "exchange": failure.exchange,
            "curl": failure.curl,
        }),
    };
    if let (Some(value), Value::Object(outcome)) = (value.as_object_mut(), outcome) {
        value.extend(outcome);
    }
    value
}

fn title(listed: &Listed) -> String {
    let place = format!("{}/{}", listed.suite, listed.group.name);
    if listed.case.ids.is_empty() {
        return format!("{place}: {}", listed.case.name);
    }
    format!("{place}: {} [{}]", listed.case.name, listed.case.ids.join(" "))
}
