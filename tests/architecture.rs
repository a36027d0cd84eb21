//! The layers, as data. What looks upwards, or names what is not its business, fails here.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "architecture/paths.rs"]
mod paths;

use std::path::{Path, PathBuf};

use paths::{NamedPath, named_paths};

/// One row of the table in `src/lib.rs`.
struct Layer {
    name: &'static str,
    /// Layers whose items it may name.
    may_use: &'static [&'static str],
    /// Further ones that its tests may name.
    tests_may_use: &'static [&'static str],
    /// Paths it may not name, each with what it stands for.
    may_not_name: &'static [&'static [&'static str]],
    /// Exceptions from `may_not_name`.
    except: &'static [&'static str],
}

/// What makes code depend on the machine, the moment or a task's schedule.
const IMPURE: &[&str] = &[
    "tokio",
    "sled",
    "rustix",
    "tracing",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "Instant",
    "SystemTime",
    "async",
    "await",
    "std::time::Instant",
    "std::time::SystemTime",
];
/// Plain values of `std::net`.
const ADDRESSES: &[&str] = &["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr"];
/// Everything of actix.
const ACTIX: &[&str] = &[
    "actix_web",
    "actix_http",
    "actix_server",
    "actix_service",
    "actix_files",
    "actix_rt",
    "actix_codec",
    "actix_router",
    "actix_utils",
    "actix_tls",
];
/// Errors without a meaning are for the command line only.
const VAGUE: &[&str] = &["anyhow"];
/// Stores are named where they are kept.
const DATABASES: &[&str] = &["sled"];

const LAYERS: &[Layer] = &[
    Layer {
        name: "upload",
        may_use: &[],
        tests_may_use: &[],
        may_not_name: &[IMPURE, ACTIX, VAGUE],
        except: ADDRESSES,
    },
    Layer {
        name: "protocol",
        may_use: &["upload"],
        tests_may_use: &[],
        may_not_name: &[IMPURE, ACTIX, VAGUE],
        except: ADDRESSES,
    },
    Layer {
        name: "tuning",
        may_use: &["upload"],
        tests_may_use: &[],
        may_not_name: &[IMPURE, ACTIX, VAGUE],
        except: &[],
    },
    Layer {
        name: "storage",
        may_use: &["upload"],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE],
        except: &[],
    },
    Layer {
        name: "engine",
        may_use: &["upload", "tuning", "storage"],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE, DATABASES],
        except: &[],
    },
    Layer {
        name: "auth",
        may_use: &["upload", "protocol"],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE, DATABASES],
        except: &[],
    },
    Layer {
        name: "slots",
        may_use: &["upload", "protocol", "engine"],
        tests_may_use: &["storage"],
        may_not_name: &[ACTIX, VAGUE, DATABASES],
        except: &[],
    },
    Layer {
        name: "http",
        may_use: &["upload", "protocol", "tuning", "engine", "auth", "slots", "network"],
        tests_may_use: &["storage"],
        may_not_name: &[VAGUE, DATABASES],
        except: &[],
    },
    Layer {
        name: "xmpp",
        may_use: &["upload", "protocol", "engine", "slots"],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE, DATABASES],
        except: &[],
    },
    Layer {
        name: "network",
        may_use: &[],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE, DATABASES],
        except: &[],
    },
    Layer {
        name: "config",
        may_use: &[],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE, DATABASES, &["tokio", "tracing"]],
        except: &[],
    },
    Layer {
        name: "server",
        may_use: &[
            "upload", "protocol", "tuning", "storage", "engine", "auth", "slots", "http", "xmpp",
            "network", "config",
        ],
        tests_may_use: &[],
        may_not_name: &[ACTIX, VAGUE, DATABASES],
        // The composition root starts the system that the listeners run on.
        except: &["actix_rt"],
    },
    Layer {
        name: "cli",
        may_use: &["server", "config"],
        tests_may_use: &[],
        may_not_name: &[ACTIX, DATABASES],
        except: &[],
    },
    // `src/main.rs`: nothing but the way into the command line.
    Layer {
        name: "main",
        may_use: &["cli"],
        tests_may_use: &[],
        may_not_name: &[ACTIX, DATABASES, VAGUE],
        except: &[],
    },
];

/// The only file outside of `storage` that names an adapter; the memory ones are for tests.
const WIRING: &str = "server/wiring.rs";

/// A file below `src`, taken apart.
struct Source {
    /// Path below `src`, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules lie between this file's and the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// Where its tests begin: the whole file, if it holds nothing else.
    fn tests_begin(&self) -> usize {
        let file =
            self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "contract"));
        let marker = self.text.lines().position(|line| line.trim() == "#[cfg(test)]");
        let inline = self.text.contains("#[cfg(test)]\nmod tests {");
        match (file, marker) {
            (true, _) => 0,
            (false, Some(line)) if inline => line + 1,
            (false, _) => usize::MAX,
        }
    }
}

/// Everything in `source` that the tables forbid, as sentences.
fn violations(source: &Source) -> Vec<String> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == source.layer()) else {
        return vec![format!("src/{}: no layer is called {}", source.path, source.layer())];
    };
    let tests_begin = source.tests_begin();
    let judge = |path: &NamedPath| {
        let in_tests = path.line >= tests_begin;
        let why = looks_up(layer, path, in_tests)
            .or_else(|| names_what_it_may_not(layer, path))
            .or_else(|| names_an_adapter(source, path));
        why.map(|why| format!("src/{}:{}: {}: {why}", source.path, path.line, path.text()))
    };
    named_paths(&source.text, source.depth()).iter().filter_map(judge).collect()
}

fn looks_up(layer: &Layer, path: &NamedPath, in_tests: bool) -> Option<String> {
    if path.segments.first()? != "crate" {
        return None;
    }
    // `pub(crate)` is a word alone; `use crate as ..` would hide what is used.
    let used = path.segments.get(1)?;
    let allowed = layer.name == used
        || layer.may_use.contains(&used.as_str())
        || (in_tests && layer.tests_may_use.contains(&used.as_str()));
    (!allowed).then(|| format!("{} may not use {used}", layer.name))
}

fn names_what_it_may_not(layer: &Layer, path: &NamedPath) -> Option<String> {
    let text = path.text();
    let starts_with = |rule: &&str| {
        text.strip_prefix(*rule).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    if layer.except.iter().any(starts_with) {
        return None;
    }
    let rule =
        layer.may_not_name.iter().flat_map(|rules| rules.iter().copied()).find(starts_with)?;
    Some(format!("{} may not name {rule}", layer.name))
}

fn names_an_adapter(source: &Source, path: &NamedPath) -> Option<String> {
    let [root, storage, kind, adapter, ..] = path.segments.as_slice() else { return None };
    let adapters = root == "crate" && storage == "storage" && (kind == "blob" || kind == "session");
    let in_memory = adapter.to_lowercase().starts_with("memory");
    let at_home = source.layer() == "storage" || source.path == WIRING;
    (adapters && !in_memory && !at_home).then(|| format!("only {WIRING} names an adapter"))
}

fn sources_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources_below(&root, &mut files);
    files.sort();
    let read = |file: &PathBuf| Source {
        path: file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"),
        text: std::fs::read_to_string(file).unwrap(),
    };
    files.iter().map(read).filter(|source| source.path != "lib.rs").collect()
}

#[test]
fn code_looks_downwards_only() {
    let sources = sources();
    assert!(sources.len() > 20, "the sources were not found");
    let found: Vec<String> = sources.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_layer_of_the_table_is_there_and_is_a_module_of_the_library() {
    let library = include_str!("../src/lib.rs");
    for layer in LAYERS.iter().filter(|layer| layer.name != "main") {
        let declared = format!("pub mod {};", layer.name);
        assert!(library.contains(&declared), "src/lib.rs does not say {declared}");
    }
}

fn judged(path: &str, text: &str) -> Vec<String> {
    violations(&Source { path: path.to_owned(), text: text.to_owned() })
}

#[test]
fn looking_upwards_is_found_however_it_is_written() {
    for (path, text) in [
        ("upload/id.rs", "use crate::storage::StorageError;"),
        ("upload/id.rs", "use crate::{upload::Session, engine};"),
        ("upload/id.rs", "fn f() { crate::http::routes() }"),
        ("upload/mod.rs", "use super::http;"),
        ("upload/id.rs", "use super::super::{config::{Settings}};"),
        ("protocol/head.rs", "use crate::engine::Engine;"),
        ("engine/append.rs", "#[cfg(test)]\nmod tests { use crate::protocol::head; }"),
        ("http/routes.rs", "use crate::storage::BlobStore;"),
        ("storage/mod.rs", "pub use crate::engine;"),
        ("cli/mod.rs", "use crate::engine::Engine;"),
        ("main.rs", "use tidegate::server;"),
        ("nowhere/mod.rs", ""),
    ] {
        assert_eq!(judged(path, text).len(), 1, "{path}: {text}");
    }
}

#[test]
fn looking_downwards_is_fine() {
    for (path, text) in [
        ("engine/append.rs", "use crate::storage::{BlobStore, SessionStore}; use super::Shared;"),
        ("http/routes.rs", "use crate::{engine::Engine, protocol::head, upload::UploadId};"),
        (
            "http/routes.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::storage::blob::memory::M;\n}",
        ),
        (
            "storage/session/sled.rs",
            "pub(crate) fn f() {} use sled::Db; use crate::upload::Session;",
        ),
        ("server/wiring.rs", "use crate::storage::session::sled::SledSessions;"),
        ("cli/mod.rs", "use crate::config::Settings; use crate::server;"),
    ] {
        assert_eq!(judged(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn a_pure_layer_names_neither_machine_nor_moment() {
    for text in [
        "use tokio::sync::mpsc;",
        "use std::{fmt, fs};",
        "use std::net::TcpStream;",
        "fn f() { std::thread::spawn(g); }",
        "let now = Instant::now();",
        "pub async fn f() {}",
        "tracing::info!(\"x\");",
        "use actix_web::HttpRequest;",
    ] {
        assert!(!judged("upload/id.rs", text).is_empty(), "{text}");
        assert!(!judged("protocol/head.rs", text).is_empty(), "{text}");
    }
    assert!(
        judged("protocol/head.rs", "use std::net::IpAddr; use std::time::Duration;").is_empty()
    );
}

#[test]
fn actix_is_named_by_http_alone() {
    assert!(judged("http/routes.rs", "use actix_web::web;").is_empty());
    assert!(judged("server/mod.rs", "actix_rt::System::new();").is_empty());
    for path in
        ["server/mod.rs", "engine/append.rs", "storage/mod.rs", "cli/mod.rs", "config/mod.rs"]
    {
        assert_eq!(judged(path, "use actix_web::web;").len(), 1, "{path}");
    }
}

#[test]
fn an_adapter_is_named_by_the_wiring_alone() {
    let sled = "use crate::storage::session::sled::SledSessions;";
    let files = "use crate::storage::blob::fs::FileBlobs;";
    assert_eq!(judged("server/mod.rs", sled).len(), 1);
    assert_eq!(judged("engine/mod.rs", files).len(), 1);
    assert!(judged("engine/tests.rs", "use crate::storage::blob::memory::MemoryBlobs;").is_empty());
}
