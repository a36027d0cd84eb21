//! One object for machines.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Report;
use crate::runner::{Judged, Outcome};

/// Writes one JSON object with the totals and every result.
///
/// # Errors
///
/// Whatever `out` says.
pub fn as_json(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let totals = report.totals();
    let cases: Vec<Value> = report.run.judged.iter().map(case).collect();
    let report = json!({
        "target": report.target,
        "passed": totals.passed,
        "failed": totals.failed,
        "not_applicable": totals.not_applicable,
        "not_run": totals.not_run,
        "given_up": report.run.gave_up.as_ref().map(ToString::to_string),
        "requirement_ids": { "judged": totals.ids_judged, "of": totals.ids },
        "cases": cases,
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn case(result: &Judged) -> Value {
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
