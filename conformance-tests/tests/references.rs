//! The committed results of the references, their explanations and the page belong together.

#![expect(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use conformance_tests::comparison::{Comparison, Explanations, Server, page};
use conformance_tests::runner::{self, Filter};
use conformance_tests::suites;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(name)).unwrap()
}

fn results() -> Comparison {
    Comparison::parse(&read("references.json")).unwrap()
}

fn explanations() -> Explanations {
    Explanations::parse(&read("explanations.json")).unwrap()
}

#[test]
fn every_failure_is_explained_and_nothing_else_is() {
    assert_eq!(explanations().missing(&results()), [""; 0]);
    assert_eq!(explanations().stale(&results()), [""; 0]);
}

#[test]
fn the_page_is_made_of_the_results_and_the_explanations() {
    assert_eq!(page(&results(), &explanations()).unwrap(), read("README.md"));
}

#[test]
fn every_judged_case_is_still_a_case() {
    let cases = runner::list(suites::ALL, &Filter::default());
    let names: BTreeSet<_> = cases.iter().map(|listed| listed.case.name).collect();
    for row in results().rows {
        assert!(names.contains(row.name.as_str()), "{:?}: run ./task references", row.name);
    }
}

#[test]
fn three_servers_were_judged_and_the_suite_tells_them_apart() {
    let results = results();
    assert_eq!(results.servers.len(), 3);
    let failed = results.failures();
    assert!(!failed.contains_key("Tidegate"));
    let names = |server: &str| failed[server].iter().map(|row| &row.name).collect::<BTreeSet<_>>();
    assert_ne!(names("tusd"), names("@tus/server"));
}

#[test]
fn a_missing_and_a_stale_explanation_are_found() {
    let report = r#"{"cases": [
        {"suite": "tus", "group": "head", "name": "a", "ids": [], "outcome": "passed"},
        {"suite": "tus", "group": "head", "name": "b", "ids": [], "outcome": "failed", "reason": "x"},
        {"suite": "tus", "group": "head", "name": "c", "ids": [], "outcome": "failed", "reason": "x"}
    ]}"#;
    let server = Server { name: "s".to_owned(), version: "1".to_owned() };
    let results = Comparison::of_reports("2026-01-01", &[(server, report.to_owned())]).unwrap();
    assert_eq!(Comparison::parse(&results.as_json().to_string()).unwrap(), results);
    let explanations = Explanations::parse(
        r#"{"explanations": [
            {"server": "s", "kind": "ours", "because": "…", "cases": ["a", "b"]},
            {"server": "t", "kind": "must", "cites": "§", "because": "…", "cases": ["b"]},
            {"server": "s", "kind": "ours", "because": "again", "cases": ["b"]}
        ]}"#,
    )
    .unwrap();
    assert_eq!(explanations.missing(&results), ["s: c"]);
    assert_eq!(explanations.stale(&results), ["s: a", "t: b", "s: b"]);
}

#[test]
fn an_accusation_without_a_citation_is_refused() {
    let text =
        r#"{"explanations": [{"server": "s", "kind": "must", "because": "…", "cases": []}]}"#;
    assert!(Explanations::parse(text).is_err());
}
