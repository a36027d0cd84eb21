//! The fuzzer: libFuzzer around one of the targets, whose name is in `FUZZ_TARGET`.
//!
//! One program for all of them, because building and linking one takes a minute.
#![no_main]

use std::sync::OnceLock;

mod targets;

/// The target that this process is for.
static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn chosen() -> fn(&[u8]) {
    let names = || targets::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = targets::ALL.iter().find(|(name, _)| *name == wanted);
    let Some((_, run)) = found else {
        panic!("FUZZ_TARGET is {wanted:?}; it is one of {}", names());
    };
    *run
}

libfuzzer_sys::fuzz_target!(init: { TARGET.get_or_init(chosen); }, |data: &[u8]| {
    TARGET.get_or_init(chosen)(data);
});
