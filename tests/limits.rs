//! `docs/limits.md` has every limit, as it is, with tests that are there. `docs/network-switching.md` has every
//! key that operators know from elsewhere, likewise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

const PAGE: &str = include_str!("../docs/limits.md");
const NETWORKS: &str = include_str!("../docs/network-switching.md");
/// Another test compares it with what is built in.
const DEFAULTS: &str = include_str!("../config/default.toml");

/// Settings that bound nothing, and why. Whoever adds a setting puts it here or into the page.
const NO_LIMITS: &[(&str, &str)] = &[
    ("server.listen", "an address"),
    ("server.admin_listen", "an address"),
    ("server.data_dir", "a directory"),
    ("server.base_path", "a path"),
    ("server.public_url", "an address"),
    ("server.trusted_proxies", "networks"),
    ("server.allow_public_without_auth", "a switch"),
    ("server.workers", "threads of our own"),
    ("server.h2c", "a switch"),
    ("tls.certificate", "a file"),
    ("tls.key", "a file"),
    ("tls.reload_interval", "how often we look"),
    ("auth.tokens", "credentials"),
    ("auth.public_downloads", "a switch"),
    ("auth.required", "a switch"),
    ("auth.jwt.keys", "credentials"),
    ("auth.jwt.jwks", "a file"),
    ("auth.jwt.reload_interval", "how often we look"),
    ("auth.jwt.issuer", "a name"),
    ("auth.jwt.audience", "names"),
    ("auth.jwt.require_expiry", "a switch"),
    ("auth.jwt.owner_claim", "a name"),
    ("auth.jwt.limit_claim", "a name"),
    ("auth.jwt.verbs_claim", "a name"),
    ("auth.links.enabled", "a switch"),
    ("auth.links.secret_file", "a file"),
    ("auth.forward.url", "an address"),
    ("auth.forward.ca", "a file"),
    ("auth.forward.fields", "names"),
    ("auth.forward.owner_field", "a name"),
    ("auth.forward.limit_field", "a name"),
    ("cors.enabled", "a switch"),
    ("cors.origins", "names"),
    ("cors.credentials", "a switch"),
    ("cors.max_age", "what browsers are told"),
    ("tus.creation", "a switch"),
    ("tus.creation_with_upload", "a switch"),
    ("tus.creation_defer_length", "a switch"),
    ("tus.expiration", "a switch"),
    ("tus.checksum", "a switch"),
    ("tus.termination", "a switch"),
    ("tus.concatenation", "a switch"),
    ("uploads.chunkeduploadsenabled", "a switch"),
    ("uploads.chunksize", "what clients are told that ask for no other"),
    ("uploads.resumableuploadsenabled", "a switch"),
    ("streaming.automatic_retry", "a switch"),
    ("uploads.form_path", "a path"),
    ("quota.when_full", "a choice"),
    ("xep0363.tenants", "tables of their own"),
    ("storage.durability", "a choice"),
    ("storage.reap_interval", "how often we look"),
    ("performance.adaptive_buffers", "a switch"),
    ("performance.client_profiling", "a switch"),
    ("performance.connection_type_detection", "a switch"),
    ("performance.max_chunk_size", "what clients are told that ask for no other"),
    ("performance.rollout", "a share of the sessions"),
    ("performance.min_buffer_size", "what everybody gets"),
    ("performance.rollback_window", "how long we compare"),
    ("performance.rollback_margin", "by how much we compare"),
    ("performance.rollback_transfers", "how much we compare"),
    ("performance.engine_threads", "threads of our own"),
    ("network.networkchangedetection", "a switch"),
    ("network.uploadpauseonchange", "a switch"),
    ("streaming.network_condition_monitoring", "a switch"),
    ("streaming.adaptive_streaming", "a switch"),
    ("streaming.quality_adaptation", "a switch"),
    ("log.format", "a choice"),
    ("log.level", "a choice"),
];

/// Keys that operators of hmac-file-server know or were promised.
const KNOWN_FROM_ELSEWHERE: [&str; 22] = [
    "uploads.resumableuploadsenabled",
    "uploads.chunkeduploadsenabled",
    "uploads.chunksize",
    "uploads.sessiontimeout",
    "uploads.maxretries",
    "timeouts.readtimeout",
    "timeouts.writetimeout",
    "timeouts.idletimeout",
    "timeouts.uploadtimeout",
    "network.networkchangedetection",
    "network.uploadpauseonchange",
    "network.reconnectdelay",
    "network.keepaliveinterval",
    "performance.adaptive_buffers",
    "performance.min_buffer_size",
    "performance.max_buffer_size",
    "performance.client_profiling",
    "performance.connection_type_detection",
    "streaming.adaptive_streaming",
    "streaming.network_condition_monitoring",
    "streaming.automatic_retry",
    "streaming.quality_adaptation",
];

/// Where tests set keys in the running program.
const RUN_THE_PROGRAM: [&str; 5] =
    ["tests/keys/", "tests/bounds/", "tests/fitting.rs", "crash-tests/src/", "network-tests/src/"];

/// Where constants bound what somebody else than a client writes, what we ask of others, or work of our own.
const NOT_OF_CLIENTS: &[&str] = &[
    "server/",
    "config/",
    // What this machine has, not what clients bring.
    "network/",
    "cli/",
    "http/tls.rs",
    "auth/key_files.rs",
    "auth/forward/client.rs: MAX_CA_BYTES",
    // One that is forgotten is checked again.
    "engine/quota.rs: MAX_CHECKED",
];

fn rows() -> Vec<Vec<&'static str>> {
    rows_of(PAGE)
}

/// The cells of every row whose first cell is code.
fn rows_of(page: &'static str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| {
        let line = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let mut cells: Vec<_> = line.split(" | ").collect();
        if let Some(first) = cells.first_mut() {
            *first = first.trim_end_matches('`');
        }
        Some(cells)
    };
    page.lines().filter_map(cells).collect()
}

/// Every setting with its default, as people write it.
fn settings(table: &Table, path: &str, into: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(inner) => settings(inner, &name, into),
            Value::String(text) => drop(into.insert(name, text.clone())),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => drop(into.insert(name, value.to_string())),
        }
    }
}

/// The source files below a directory, with their text.
fn sources(directory: &Path, into: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            into.push((path, text));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_setting_that_is_a_limit_has_a_row_with_its_default() {
    let mut all = BTreeMap::new();
    settings(&DEFAULTS.parse().unwrap(), "", &mut all);
    let rows: BTreeMap<_, _> = rows().into_iter().map(|row| (row[0], row[1])).collect();
    let exempt: BTreeSet<_> = NO_LIMITS.iter().map(|(name, _)| *name).collect();
    for (name, default) in &all {
        match rows.get(name.as_str()) {
            Some(told) => assert_eq!(told, default, "the default of {name}"),
            None => assert!(exempt.contains(name.as_str()), "docs/limits.md has no row for {name}"),
        }
    }
    for name in exempt {
        assert!(all.contains_key(name), "there is no setting {name}");
        assert!(!rows.contains_key(name), "{name} has a row, and is none of the limits");
    }
    let sections = all.keys().filter_map(|name| name.split_once('.')).map(|(section, _)| section);
    let sections: BTreeSet<_> = sections.collect();
    for name in rows.keys() {
        let is_setting = name.split_once('.').is_some_and(|(first, _)| sections.contains(first));
        assert!(!is_setting || all.contains_key(*name), "there is no setting {name}");
    }
}

#[test]
fn every_key_known_from_elsewhere_does_something_and_says_what() {
    let mut all = BTreeMap::new();
    settings(&DEFAULTS.parse().unwrap(), "", &mut all);
    let rows: BTreeMap<_, _> = rows_of(NETWORKS).into_iter().map(|row| (row[0], row[1])).collect();
    for (name, told) in &rows {
        assert_eq!(all.get(*name).map(String::as_str), Some(*told), "the default of {name}");
    }
    for name in KNOWN_FROM_ELSEWHERE {
        let (is_there, is_told) = (all.contains_key(name), rows.contains_key(name));
        assert!(is_there, "there is no setting {name}");
        assert!(is_told, "docs/network-switching.md has no row for {name}");
    }
}

#[test]
fn every_constant_that_bounds_a_client_has_a_row() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let rows: BTreeSet<_> = rows().iter().map(|row| format!("{}: {}", row[1], row[0])).collect();
    let mut found = BTreeSet::new();
    for (path, text) in &files {
        let path = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap();
        if path.ends_with("tests.rs") || path.contains("/tests/") {
            continue;
        }
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("const MAX_") else { continue };
            let Some((name, kind)) = rest.split_once(": ") else { continue };
            if ["usize", "u64", "u32", "Duration"].iter().any(|number| kind.starts_with(number)) {
                found.insert((path, format!("MAX_{name}")));
            }
        }
    }
    assert!(found.len() > 40, "only {} constants were found", found.len());
    for (path, name) in &found {
        let exempt =
            NOT_OF_CLIENTS.iter().any(|prefix| format!("{path}: {name}").starts_with(prefix));
        let row = rows.contains(&format!("`{path}`: {name}"));
        assert!(row || exempt, "docs/limits.md has no row for {name} of {path}");
    }
    for row in rows.iter().filter(|row| row.contains(".rs`: ")) {
        let there = found.iter().any(|(path, name)| *row == format!("`{path}`: {name}"));
        assert!(there, "there is no {row}");
    }
}

#[test]
fn every_row_names_tests_that_are_there() {
    let mut files = Vec::new();
    for directory in
        ["src", "tests", "conformance-tests/src", "crash-tests/src", "network-tests/src"]
    {
        sources(&root().join(directory), &mut files);
    }
    for row in rows().into_iter().chain(rows_of(NETWORKS)) {
        let named: Vec<_> = row.last().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{} names no test", row[0]);
        for name in named {
            let there = if name.ends_with(".mjs") {
                root().join("tests/clients").join(name).is_file()
            } else {
                files.iter().any(|(_, text)| text.contains(&format!("fn {name}(")))
            };
            assert!(there, "{} names {name}, which is not there", row[0]);
        }
    }
}

#[test]
fn the_first_test_of_every_key_known_from_elsewhere_runs_the_program_with_it() {
    let mut files = Vec::new();
    for directory in ["tests", "crash-tests/src", "network-tests/src"] {
        sources(&root().join(directory), &mut files);
    }
    files.retain(|(path, _)| {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        RUN_THE_PROGRAM.iter().any(|prefix| path.starts_with(prefix))
    });
    for row in rows_of(NETWORKS) {
        let first = row.last().unwrap().split('`').nth(1).unwrap();
        // As its variable has it, or a line of a file.
        let (_, name) = row[0].split_once('.').unwrap();
        let words = [row[0].to_uppercase().replace('.', "__"), format!("(\"{name}\", ")];
        let sets = |text: &str| words.iter().any(|word| text.contains(word));
        let runs = if first.ends_with(".mjs") {
            sets(&fs::read_to_string(root().join("tests/clients").join(first)).unwrap())
        } else {
            let has = |text: &str| text.contains(&format!("fn {first}(")) && sets(text);
            files.iter().any(|(_, text)| has(text))
        };
        assert!(runs, "{first} does not set {} in the running program", row[0]);
    }
}
