//! What fuzzing has found stays found: every input that was kept is given to its target again.
//!
//! `./task fuzz` looks for new ones; what the targets promise stands in their first lines.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a target that finds something says so and stops"
)]

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

const README: &str = include_str!("../fuzz/README.md");
/// All corpora together stay below this, so that they can live in the repository.
const MAX_CORPUS_BYTES: u64 = 300 * 1024;
/// Inputs tried around those that were kept, for each target.
const RUNS: usize = 300;
/// No input is longer.
const MAX_INPUT_BYTES: usize = 4096;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_input_that_was_kept_holds_what_its_target_promises() {
    for (name, run) in targets::ALL {
        let inputs = files(&corpora().join(name));
        assert!(!inputs.is_empty(), "{name} has no input");
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            let held = catch_unwind(|| run(&bytes));
            assert!(held.is_ok(), "{name} fails with {}", input.display());
        }
    }
}

/// Numbers that look like chance and are the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    /// `bytes` with some of them changed, doubled, cut out, or from another input.
    fn changed(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let (from, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match self.below(4) {
                0 if from < bytes.len() => bytes[from] ^= 1 << self.below(8),
                1 => drop(bytes.splice(from..from, self.next().to_le_bytes())),
                2 => drop(bytes.drain(from..to)),
                _ => {
                    let start = self.below(other.len() + 1);
                    drop(bytes.splice(from..to, other[start..].iter().copied()));
                }
            }
            bytes.truncate(MAX_INPUT_BYTES);
        }
        bytes
    }
}

/// A look around every input, the same each time; the search is the fuzzer's.
#[test]
fn what_is_close_to_an_input_holds_it_as_well() {
    let runs = std::env::var("FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    let only = std::env::var("FUZZ_TARGET").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, run) in targets::ALL.into_iter().filter(|(name, _)| wanted(name)) {
        let inputs: Vec<Vec<u8>> =
            files(&corpora().join(name)).iter().map(|path| fs::read(path).unwrap()).collect();
        let mut chance = Chance(0x7469_6465_6761_7465);
        for _ in 0..runs {
            let (one, other) = (chance.below(inputs.len()), chance.below(inputs.len()));
            let bytes = chance.changed(&inputs[one], &inputs[other]);
            if catch_unwind(|| run(&bytes)).is_err() {
                let path = std::env::temp_dir().join(format!("tidegate-fuzz-{name}"));
                fs::write(&path, &bytes).unwrap();
                panic!("{name} fails with {}", path.display());
            }
        }
    }
}

#[test]
fn any_target_takes_no_bytes_at_all() {
    for (_, run) in targets::ALL {
        run(&[]);
    }
}

#[test]
fn every_target_is_described_and_every_corpus_is_some_targets() {
    let names: BTreeSet<String> = targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let described: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(described, names, "fuzz/README.md has one row for each target");
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let corpora: BTreeSet<String> = files(&corpora()).iter().map(name).collect();
    assert_eq!(corpora, names);
}

#[test]
fn the_corpora_are_small() {
    let inputs = targets::ALL.iter().flat_map(|(name, _)| files(&corpora().join(name)));
    let bytes: u64 = inputs.map(|input| fs::metadata(input).unwrap().len()).sum();
    assert!(bytes <= MAX_CORPUS_BYTES, "{bytes} bytes; minimise with ./task fuzz-shrink");
}
