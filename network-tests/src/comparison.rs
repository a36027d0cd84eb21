//! The same switches of several servers, in turns, and what each made of them.

use std::time::Duration;

use crate::lab::{Lab, Server};
use crate::resume::{Kind, Upload};
use crate::returning::{AS_TUS_JS_CLIENT, Refusals};
use crate::switch::{NOTICES, Plan, Switch, cut_of, switch};
use crate::tally::Tally;
use crate::trouble::Trouble;

/// Head of the table that [`Score::row`] fills.
pub const HEAD: &str = "\
| server | notices after | whole and equal | HEAD answered: p50 | p99 | max \
| rest taken: p50 | p99 | max | sent twice | arrived, but not counted at first | not read when asked \
| asked again | PATCH refused | not accountable |\n\
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// Of how many switches that cost something it is told which they were.
const TOLD_AT_MOST: usize = 20;

/// A server that takes part, and what it is called.
pub type Party = (String, Server);

/// What one server made of its switches.
#[derive(Clone, Debug, Default)]
pub struct Score {
    completed: Tally,
    failures: Vec<String>,
    costly: Vec<String>,
}

impl Score {
    /// Adds one switch: how it went, or why its file did not become whole. `name` says which it was.
    pub fn add(&mut self, name: &str, outcome: Result<Switch, Trouble>) {
        match outcome {
            Ok(switch) => {
                if switch.twice() > Some(0) || switch.refused.all() > 0 {
                    self.costly.push(format!("{name}: {switch:?}"));
                }
                self.completed.add(switch);
            }
            Err(why) => self.failures.push(format!("{name}: {why}")),
        }
    }

    /// Adds those of another score.
    pub fn merge(&mut self, other: &Self) {
        self.completed.merge(&other.completed);
        self.failures.extend_from_slice(&other.failures);
        self.costly.extend_from_slice(&other.costly);
    }

    /// The switches after which the file was whole and what was sent.
    #[must_use]
    pub const fn completed(&self) -> &Tally {
        &self.completed
    }

    /// Why others did not come to that, each in a sentence.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Completed switches in which bytes were sent twice or refused: the first ones, to be looked into.
    pub fn costly(&self) -> impl Iterator<Item = &String> {
        self.costly.iter().take(TOLD_AT_MOST)
    }

    /// A row of the table, under [`HEAD`]. All but the first figure are of the completed switches; without
    /// any there are none.
    #[must_use]
    pub fn row(&self, name: &str, notices: &str) -> String {
        let done = &self.completed;
        if done.count() == 0 {
            return format!(
                "| {name} | {notices} | 0 of {} |{}",
                self.failures.len(),
                " – |".repeat(12)
            );
        }
        let times = |of: fn(&Switch) -> Duration| {
            let cells = [50, 99, 100].map(|percent| milliseconds(done.percentile_of(percent, of)));
            cells.join(" | ")
        };
        format!(
            "| {name} | {notices} | {} of {} | {} | {} | {} B | {} B | {} B | {} | {} | {} |",
            done.count(),
            done.count().saturating_add(self.failures.len()),
            times(|switch| switch.took),
            times(|switch| switch.through),
            done.twice(),
            done.unaccounted(),
            done.unread(),
            said(done.refusals(|switch| switch.asked_again)),
            said(done.refusals(|switch| switch.refused)),
            done.not_accountable(),
        )
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// What refusals said, and how often.
fn said(refusals: Refusals) -> String {
    let Refusals { locked, elsewhere, errors, others, broken } = refusals;
    let answers =
        [(locked, "423"), (elsewhere, "409"), (errors, "5xx"), (others, "another status")];
    let kinds = answers.into_iter().chain([(broken, "no answer")]);
    let told = kinds.filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, what)| format!("{count} × {what}")).collect();
    if told.is_empty() { "0".to_owned() } else { told.join(", ") }
}

/// Lets every party have the same switches, one after the other before the next one begins: `switches` for
/// each time after which the client notices. Tells the rows of a table. The scores have the order of the parties.
///
/// The client is the same for all. It waits and tries again as tus-js-client does.
///
/// # Errors
///
/// [`Trouble`] if a party does not even take an upload whose link lives.
pub fn in_turns(
    lab: &Lab,
    parties: &[Party],
    (switches, first_seed): (u64, u64),
    mut tell: impl FnMut(&str),
) -> Result<Vec<Score>, Trouble> {
    for (name, server) in parties {
        let fails = |error| Trouble::wrong(format!("{name} does not take an upload: {error}"));
        takes_an_upload(*server).map_err(fails)?;
    }
    let mut all = vec![Score::default(); parties.len()];
    let mut seed = first_seed;
    tell(HEAD);
    for (notices, notices_after) in NOTICES {
        let mut scores = vec![Score::default(); parties.len()];
        for round in 0..switches {
            for ((name, server), score) in parties.iter().zip(&mut scores) {
                let plan = plan(*server, round, notices_after, seed);
                score.add(&format!("{name}, SEED={seed}, {plan:?}"), switch(lab, &plan));
            }
            seed = seed.wrapping_add(1);
        }
        for ((name, _), (score, sum)) in parties.iter().zip(scores.iter().zip(&mut all)) {
            tell(&score.row(name, notices));
            sum.merge(score);
        }
    }
    for ((name, _), score) in parties.iter().zip(&all) {
        tell(&score.row(name, "all"));
    }
    Ok(all)
}

/// Whether it can be compared at all: an upload that nothing happens to arrives.
fn takes_an_upload(server: Server) -> Result<(), Trouble> {
    const LENGTH: usize = 64 * 1024;
    let upload = Upload::on(server, Kind::Patch, 0, LENGTH)?;
    for request in upload.rest(&(0..LENGTH)) {
        let head = upload.ask_once(&request)?.response.head;
        if head.status != 204 {
            return Err(Trouble::wrong(head.line));
        }
    }
    upload.is_whole()
}

fn plan(server: Server, round: u64, notices_after: Duration, seed: u64) -> Plan {
    let (kind, delays) = (Kind::Patch, AS_TUS_JS_CLIENT);
    Plan { server, kind, cut: cut_of(round), notices_after, delays, seed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(milliseconds: u64) -> Switch {
        let (took, through) =
            (Duration::from_millis(milliseconds), Duration::from_millis(milliseconds * 2));
        let (arrived, unaccounted) = (Some(0), Some(3));
        Switch { took, through, arrived, unaccounted, unread: 2, ..Switch::default() }
    }

    #[test]
    fn a_row_has_the_figures_of_those_that_completed_and_counts_the_others() {
        let mut score = Score::default();
        for milliseconds in 1..=99 {
            score.add("", Ok(after(milliseconds)));
        }
        score.add("SEED=7", Err(Trouble::wrong("it never answered")));
        let row = score.row("tusd", "10 ms");
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), HEAD.lines().next().unwrap().split('|').count());
        assert_eq!(cells[1..4], ["tusd", "10 ms", "99 of 100"]);
        assert_eq!(cells[4..7], ["50.0 ms", "99.0 ms", "99.0 ms"]);
        assert_eq!(cells[7..10], ["100.0 ms", "198.0 ms", "198.0 ms"]);
        assert_eq!(cells[10..16], ["0 B", "297 B", "198 B", "0", "0", "0"]);
        assert_eq!(score.failures(), ["SEED=7: it never answered"]);
        assert_eq!(score.costly().count(), 0);
    }

    #[test]
    fn who_completed_nothing_has_no_figures() {
        let mut score = Score::default();
        score.add("SEED=7", Err(Trouble::wrong("it never answered")));
        let row = score.row("tusd", "all");
        assert!(row.starts_with("| tusd | all | 0 of 1 | – |"), "{row}");
        assert_eq!(row.split('|').count(), HEAD.lines().next().unwrap().split('|').count());
    }

    #[test]
    fn refusals_of_all_switches_are_told_by_what_they_said() {
        let mut switch = after(1);
        switch.asked_again.count(Some(423));
        switch.asked_again.count(Some(500));
        switch.asked_again.count(None);
        switch.refused.count(Some(409));
        let mut score = Score::default();
        score.add("SEED=7", Ok(switch));
        let mut sum = score.clone();
        sum.merge(&score);
        let row = sum.row("tusd", "all");
        assert!(row.contains("| 2 of 2 |"), "{row}");
        assert!(sum.costly().count() == 2 && sum.costly().all(|text| text.starts_with("SEED=7: ")));
        assert!(row.ends_with("| 2 × 423, 2 × 5xx, 2 × no answer | 2 × 409 | 0 |"), "{row}");
    }
}
