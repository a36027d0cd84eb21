//! Results as text for people, JSON for machines, JUnit for build servers, Markdown for pages.

mod json;
mod junit;
mod markdown;
mod progress;
mod text;

pub use json::as_json;
pub use junit::as_junit;
pub use markdown::as_markdown;
pub use progress::Progress;
pub use text::{list, text};

use std::collections::{BTreeMap, BTreeSet};

use crate::runner::{Judged, Listed, Outcome, Run};

/// What there is to report.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The URL that was judged.
    pub target: &'a str,
    /// The cases that were to be run.
    pub cases: &'a [Listed],
    /// What became of them.
    pub run: &'a Run,
}

/// How many results there are of each kind, and how many requirements they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Cases the server passed.
    pub passed: usize,
    /// Cases it failed.
    pub failed: usize,
    /// Cases that say nothing about it.
    pub not_applicable: usize,
    /// Cases that were not begun, because the target no longer answered.
    pub not_run: usize,
    /// Requirement ids that a case judged which passed or failed.
    pub ids_judged: usize,
    /// Requirement ids of all the cases that were to be run.
    pub ids: usize,
}

impl Report<'_> {
    /// Counts.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut judged: BTreeSet<&str> = BTreeSet::new();
        for result in &self.run.judged {
            let count = match &result.outcome {
                Outcome::Passed => &mut totals.passed,
                Outcome::Failed { .. } => &mut totals.failed,
                Outcome::NotApplicable(_) => &mut totals.not_applicable,
            };
            *count = count.saturating_add(1);
            if !matches!(result.outcome, Outcome::NotApplicable(_)) {
                judged.extend(result.listed.case.ids);
            }
        }
        totals.not_run = self.cases.len().saturating_sub(self.run.judged.len());
        totals.ids_judged = judged.len();
        totals.ids =
            self.cases.iter().flat_map(|listed| listed.case.ids).collect::<BTreeSet<_>>().len();
        totals
    }

    fn failed(&self) -> impl Iterator<Item = &Judged> {
        self.run.judged.iter().filter(|result| matches!(result.outcome, Outcome::Failed { .. }))
    }

    /// Why cases do not apply, with these cases.
    fn not_applicable(&self) -> BTreeMap<&str, Vec<&Judged>> {
        let mut reasons: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for result in &self.run.judged {
            if let Outcome::NotApplicable(reason) = &result.outcome {
                reasons.entry(reason.as_str()).or_default().push(result);
            }
        }
        reasons
    }
}

impl Totals {
    /// One line.
    pub fn line(&self) -> String {
        let not_run =
            if self.not_run == 0 { String::new() } else { format!(", {} not run", self.not_run) };
        format!(
            "{} passed, {} failed, {} not applicable{not_run}; {} of {} requirement ids judged",
            self.passed, self.failed, self.not_applicable, self.ids_judged, self.ids
        )
    }
}

fn place(listed: &Listed) -> String {
    format!("{}/{}", listed.suite, listed.group.name)
}

fn title(listed: &Listed) -> String {
    if listed.case.ids.is_empty() {
        return format!("{}: {}", place(listed), listed.case.name);
    }
    format!("{}: {} [{}]", place(listed), listed.case.name, listed.case.ids.join(" "))
}
