//! The registries themselves: names, ids and needs.

use std::collections::HashSet;

use conformance_tests::runner::{self, Filter};
use conformance_tests::suites;

/// The extensions of tus 1.0, and chunk headers; a misspelt need would never be met, and its cases never run.
const EXTENSIONS: &[&str] = &[
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "expiration",
    "checksum",
    "termination",
    "concatenation",
    conformance_tests::target::CHUNK_HEADERS,
];

fn cases() -> Vec<runner::Listed> {
    runner::list(suites::ALL, &Filter::default())
}

#[test]
fn every_name_is_a_sentence_of_its_own() {
    let mut seen = HashSet::new();
    for listed in cases() {
        let name = listed.case.name;
        assert!(seen.insert(name), "{name:?} is there twice");
        assert!(name.split(' ').count() >= 3, "{name:?} is no sentence");
        assert!(name.chars().next().unwrap().is_lowercase(), "{name:?}");
        assert!(!name.ends_with('.') && name.trim() == name, "{name:?}");
    }
}

#[test]
fn every_id_is_well_formed() {
    for listed in cases() {
        assert!(!listed.case.ids.is_empty(), "{:?} judges no requirement", listed.case.name);
        for id in listed.case.ids {
            let (family, number) = id.split_once('-').expect(id);
            assert!(["T", "W", "B", "D", "C", "S", "F", "X"].contains(&family), "{id}");
            assert!(!number.starts_with('0') && number.parse::<u32>().is_ok(), "{id}");
        }
    }
}

#[test]
fn every_group_has_its_own_name_and_known_needs() {
    let mut seen = HashSet::new();
    for group in suites::ALL.iter().flat_map(|suite| suite.groups) {
        assert!(seen.insert(group.name), "{} is there twice", group.name);
        assert!(!group.cases.is_empty(), "{} is empty", group.name);
        assert!(group.needs.iter().all(|need| EXTENSIONS.contains(need)), "{:?}", group.needs);
    }
}

#[test]
fn a_filter_takes_suites_groups_ids_and_parts_of_names() {
    let count = |suites_named: &[&str], cases_named: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let filter = Filter { suites: owned(suites_named), cases: owned(cases_named) };
        runner::list(suites::ALL, &filter).len()
    };
    assert_eq!(count(&[], &[]), cases().len());
    assert!(count(&["tus"], &[]) > count(&["tus"], &["checksum"]));
    assert!(count(&[], &["T-4"]) < count(&[], &["T-4", "T-45"]), "T-4 must not take T-45");
    assert_eq!(count(&[], &["media type matches"]), 1);
    assert_eq!(count(&["nosuch"], &[]), 0);
}
