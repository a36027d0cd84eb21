//! The specification and the cases can be found from each other.

#![expect(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use conformance_tests::runner::{self, Filter};
use conformance_tests::suites;

/// The documents with requirements.
const DOCUMENTS: &[&str] = &[
    "tus-1.0.md",
    "chunked-upload.md",
    "sessions.md",
    "html-form.md",
    "authorisation.md",
    "xep-0363.md",
];

/// One row of the tables in them.
struct Row {
    level: String,
    text: String,
}

impl Row {
    /// Whether the server must do it.
    fn binds_the_server(&self) -> bool {
        self.level.contains('M') && !self.level.contains("(C)")
    }

    /// The path after `proved by:`, if the row names one.
    fn proof(&self) -> Option<&str> {
        let rest = self.text.split_once("proved by:")?.1;
        rest.trim_start().trim_start_matches('`').split(['`', ' ', '|']).next()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rows() -> BTreeMap<String, Row> {
    let read = |name: &&str| fs::read_to_string(root().join("protocol-spec").join(name)).unwrap();
    let text: String = DOCUMENTS.iter().map(read).collect();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let ["", id, level, rule, ours, ""] = cells.as_slice() else { continue };
        let families = ["T-", "W-", "B-", "D-", "C-", "S-", "F-", "A-", "X-"];
        if !families.iter().any(|family| id.starts_with(family)) {
            continue;
        }
        assert!(!rule.is_empty() && !ours.is_empty(), "{id} says nothing");
        let row = Row { level: (*level).to_owned(), text: line.to_owned() };
        assert!(rows.insert((*id).to_owned(), row).is_none(), "{id} is there twice");
    }
    rows
}

fn judged() -> BTreeSet<&'static str> {
    runner::list(suites::ALL, &Filter::default())
        .iter()
        .flat_map(|listed| listed.case.ids)
        .copied()
        .collect()
}

#[test]
fn every_requirement_that_binds_the_server_has_a_case_or_names_its_proof() {
    let (rows, judged) = (rows(), judged());
    assert!(rows.values().filter(|row| row.binds_the_server()).count() > 50);
    for (id, row) in rows.iter().filter(|(_, row)| row.binds_the_server()) {
        if judged.contains(id.as_str()) {
            continue;
        }
        let proof = row.proof().unwrap_or_else(|| panic!("{id} has neither a case nor a proof"));
        assert!(root().join(proof).exists(), "the proof of {id}, {proof}, does not exist");
    }
}

#[test]
fn every_requirement_of_ours_has_a_case_or_names_its_proof() {
    let judged = judged();
    // Authorisation needs settings and files that the suite has no hand in: see its proofs.
    let rows = rows();
    let ours = rows.iter().filter(|(id, _)| !id.starts_with('T') && !id.starts_with('A'));
    for (id, row) in ours {
        let shown = judged.contains(id.as_str()) || row.proof().is_some();
        assert!(shown, "{id} has neither a case nor a proof");
    }
}

#[test]
fn every_proof_that_is_named_exists() {
    for (id, row) in rows() {
        if let Some(proof) = row.proof() {
            assert!(root().join(proof).exists(), "the proof of {id}, {proof}, does not exist");
        }
    }
}

#[test]
fn every_proof_about_authorisation_names_what_it_proves() {
    let rows = rows();
    let ours = rows.iter().filter(|(id, row)| id.starts_with('A') && row.binds_the_server());
    assert!(ours.clone().count() > 25);
    for (id, row) in ours {
        let proof = row.proof().unwrap_or_else(|| panic!("{id} has no proof"));
        let text = fs::read_to_string(root().join(proof)).unwrap();
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '-';
        let named = text.split(|char| !is_part(char)).any(|word| word == id);
        assert!(named, "{proof} does not name {id}");
    }
}

#[test]
fn every_id_a_case_names_is_in_the_specification() {
    let rows = rows();
    for id in judged() {
        assert!(rows.contains_key(id), "{id} is in no row");
    }
}

#[test]
fn every_trap_of_slots_has_tests_that_exist() {
    let text = fs::read_to_string(root().join("protocol-spec/xep-0363.md")).unwrap();
    let traps = text.split_once("## Traps").unwrap().1.split_once("\n## ").unwrap().0;
    let rows = traps.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let mut numbers = Vec::new();
    for row in rows {
        let [number, _, tests] = row.split(" | ").collect::<Vec<_>>()[..] else { panic!("{row}") };
        numbers.push(number);
        let tests: Vec<_> = tests.split('`').filter_map(|word| word.split_once("::")).collect();
        assert!(!tests.is_empty(), "trap {number} has no test");
        for (path, name) in tests {
            let file = fs::read_to_string(root().join(path)).unwrap_or_default();
            let is_there = [format!("fn {name}("), format!("def {name}(")];
            let is_there = is_there.iter().any(|head| file.contains(head));
            assert!(is_there, "trap {number}: {path} has no {name}");
        }
    }
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn the_suite_does_not_depend_on_the_gateway() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let manifest = manifest.unwrap();
    let names_it = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == "tidegate");
    assert!(!manifest.lines().any(names_it));
}
