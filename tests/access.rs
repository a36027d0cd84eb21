//! Who may do what: every operation by every kind of credential on one's own uploads, on those of
//! others and on none. The answers make up `docs/access.md`; with `WRITE_DOCS=1` they are written
//! there, otherwise they have to be what is written there.
//!
//! Judges of `protocol-spec/authorisation.md`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "access/cast.rs"]
mod cast;
#[expect(dead_code, reason = "other tests start it in other ways")]
#[path = "running/gateway.rs"]
mod gateway;
#[path = "access/operations.rs"]
mod operations;

use std::fmt::Write as _;
use std::path::Path;

use cast::{Asker, application, everybody, settings, tokens};
use gateway::{Gateway, exchange, field, run, text};
use operations::{ALL, DOWNLOADS, Needs, Operation};
use tempfile::TempDir;

/// Whose the upload is that somebody asks for.
const TARGETS: [(&str, Option<&str>); 3] =
    [("own", Some("ann")), ("another's", Some("ben")), ("none", None)];

struct World {
    gateway: Gateway,
    folder: TempDir,
}

impl World {
    fn start(settings: impl FnOnce(&Path) -> Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let variables: Vec<_> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let data = folder.path().join("data");
        let gateway = Gateway::start_logging(&data, &variables, log.into());
        Self { gateway, folder }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn address(&self) -> &str {
        self.gateway.upload_address()
    }

    /// The path of a fresh upload of this owner, or one that leads nowhere.
    fn target(&self, needs: Needs, owner: Option<&str>) -> String {
        let Some(owner) = owner else {
            return format!("/files/{}", uuid::Uuid::new_v4().simple());
        };
        let (fields, body) = match needs {
            Needs::Nothing => return "/files".to_owned(),
            Needs::Unfinished => ("", ""),
            Needs::Finished => ("\r\nContent-Type: application/offset+octet-stream", "hello"),
        };
        let credential = Asker::token(owner).field;
        let head = format!(
            "POST /files HTTP/1.1\r\n{credential}Tus-Resumable: 1.0.0\r\nUpload-Length: 5{fields}"
        );
        let answer = exchange(self.address(), &head, body);
        field(&answer, "location").unwrap_or_else(|| panic!("{answer}"))
    }

    /// A fresh upload of this owner, and what the asker is answered about it.
    fn try_it(&self, operation: &Operation, asker: &Asker, owner: Option<&str>) -> String {
        self.ask(operation, asker, &self.target(operation.needs, owner))
    }

    fn ask(&self, operation: &Operation, asker: &Asker, path: &str) -> String {
        let unique = uuid::Uuid::new_v4().to_string();
        let line = operation
            .line
            .replace("{path}", &format!("{path}{}", asker.query))
            .replace("{id}", path.rsplit('/').next().unwrap())
            .replace("{query}", &asker.query)
            .replace("{and}", &asker.query.replace('?', "&"));
        let fields = operation.fields.replace("{unique}", &unique);
        let head = format!("{line} HTTP/1.1\r\n{}{fields}", asker.field);
        exchange(self.address(), head.trim_end(), operation.body)
    }
}

/// A gateway with time for its application, and one without: who asks about a session to which the
/// application says nothing is answered by the second, so that no other answer can be late.
struct Worlds {
    patient: World,
    hurried: World,
}

impl Worlds {
    fn start(application: &str) -> Self {
        let with = |timeout: &str| {
            World::start(|folder| {
                let mut settings = settings(folder, application);
                settings.push(("TIDEGATE__AUTH__FORWARD__TIMEOUT", timeout.to_owned()));
                settings
            })
        };
        Self { patient: with("30s"), hurried: with("20ms") }
    }

    fn of(&self, asker: &Asker) -> &World {
        if asker.name == cast::SILENT { &self.hurried } else { &self.patient }
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// An answer without what differs from one answer to the next anyway.
fn comparable(answer: &str) -> String {
    let passing = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("date:") && !line.starts_with("x-request-id:")
    };
    let mut lines: Vec<&str> = answer.lines().filter(passing).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn rows(operation: &Operation) -> &'static [(&'static str, Option<&'static str>)] {
    if operation.needs == Needs::Nothing { &TARGETS[..1] } else { &TARGETS }
}

/// The table of one protocol; and that nothing tells an upload of others from none.
fn table(worlds: &Worlds, askers: &[Asker], operations: &[Operation]) -> String {
    let names: Vec<_> = askers.iter().map(|asker| asker.name).collect();
    let mut table = format!("| verb | request | upload | {} |\n", names.join(" | "));
    let _ = writeln!(table, "|---|---|---|{}", "---|".repeat(names.len()));
    for operation in operations {
        let mut answers: Vec<Vec<String>> = Vec::new();
        for (whose, owner) in rows(operation) {
            let row: Vec<String> = askers
                .iter()
                .map(|asker| worlds.of(asker).try_it(operation, asker, *owner))
                .collect();
            let cells: Vec<_> = row.iter().map(|answer| status(answer)).collect();
            let whose = if operation.needs == Needs::Nothing { "–" } else { whose };
            let Operation { verb, sent, .. } = operation;
            let _ = writeln!(table, "| {verb} | {sent} | {whose} | {} |", cells.join(" | "));
            answers.push(row);
        }
        if let [_, others, none] = answers.as_slice() {
            for ((asker, others), none) in askers.iter().zip(others).zip(none) {
                let what = (asker.name, operation.sent);
                assert_eq!(comparable(others), comparable(none), "{what:?} tells what exists");
            }
        }
        for row in &answers {
            askers.iter().zip(row).for_each(|(asker, answer)| challenged(asker, answer));
        }
    }
    table
}

/// Every 401 says how to prove who one is, and no refusal shows a credential.
fn challenged(asker: &Asker, answer: &str) {
    if status(answer) == "401" {
        let challenge = field(answer, "www-authenticate");
        assert!(challenge.is_some_and(|challenge| challenge.starts_with("Bearer")), "{answer}");
    }
    let refused = status(answer).parse::<u16>().unwrap() >= 400;
    if let Some(secret) = asker.secret.as_ref().filter(|_| refused) {
        assert!(!answer.contains(secret.as_str()), "{answer}");
    }
}

/// Downloads by what the settings open, for nobody, the owner and somebody else.
fn openness() -> String {
    type Settings = Vec<(&'static str, String)>;
    let with = |more: &str| vec![("TIDEGATE__AUTH__TOKENS", tokens(more))];
    let mut public = with("");
    public.push(("TIDEGATE__AUTH__PUBLIC_DOWNLOADS", "true".to_owned()));
    let ways: [(&str, Settings); 4] = [
        ("tokens", with("")),
        ("tokens, each with `public_downloads = true`", with(", public_downloads = true")),
        ("tokens, and `auth.public_downloads = true`", public),
        ("nothing authenticates", Vec::new()),
    ];
    let mut table = "| settings | request | nobody | the owner | another owner |\n".to_owned();
    table.push_str("|---|---|---|---|---|\n");
    for (name, settings) in ways {
        let world = World::start(|_| settings);
        for operation in DOWNLOADS {
            let askers = [Asker::nobody(), Asker::token("ann"), Asker::token("ben")];
            let cells = askers.map(|asker| {
                let path = world.target(Needs::Finished, Some("ann"));
                status(&world.ask(operation, &asker, &path)).to_owned()
            });
            let _ = writeln!(table, "| {name} | {} | {} |", operation.sent, cells.join(" | "));
        }
    }
    table
}

const INTRODUCTION: &str = "# Who may do what

Written by `tests/access.rs` from the answers of a running gateway that knows static tokens, JSON Web
Tokens, signed links and an application to ask; `WRITE_DOCS=1 cargo test --test access` writes it anew.
Every credential but the first two is one of Ann, or was, or says to be. Uploads are Ann's *own*, *another's*,
or there is *none* under the address: the test also compares the whole answers to the last two, so that
nobody learns what exists. What the statuses mean stands in
[errors.md](../protocol-spec/errors.md), the rules in [authorisation.md](../protocol-spec/authorisation.md).
";

#[test]
fn who_may_do_what_is_what_the_documentation_says() {
    let worlds = Worlds::start(&application());
    let askers = everybody(&worlds.patient.data());
    let mut page = INTRODUCTION.to_owned();
    for protocol in ALL {
        let table = table(&worlds, &askers, protocol.operations);
        let _ = write!(page, "\n## {}\n\n{table}", protocol.name);
    }
    let _ = write!(page, "\n## Downloads, by what the settings open\n\n{}", openness());
    assert_nothing_was_shown(worlds.patient, &askers);
    assert_nothing_was_shown(worlds.hurried, &askers);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/access.md");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    for (ours, theirs) in page.lines().zip(written.lines()) {
        assert_eq!(ours, theirs, "docs/access.md says otherwise; WRITE_DOCS=1 writes it anew");
    }
    assert_eq!(page, written);
}

/// Neither the log at its most talkative nor the metrics hold a credential.
fn assert_nothing_was_shown(world: World, askers: &[Asker]) {
    let metrics = exchange(world.gateway.admin_address(), "GET /metrics HTTP/1.1", "");
    assert!(metrics.contains("tidegate_"), "{metrics}");
    let World { gateway, folder } = world;
    assert!(gateway.stop().success());
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("turned away") && log.contains("answered"), "the log was written");
    for (what, shown) in [("log", &log), ("metrics", &metrics)] {
        for asker in askers {
            let Some(secret) = &asker.secret else { continue };
            assert!(!shown.contains(secret.as_str()), "the {what} shows {}", asker.name);
        }
        assert!(!shown.contains("link="), "the {what} shows a query");
    }
}

#[test]
fn who_waits_for_a_go_ahead_is_refused_or_invited_by_what_the_application_says() {
    let worlds = Worlds::start(&application());
    let askers = everybody(&worlds.patient.data());
    let create = &ALL[0].operations[2];
    for (name, expected) in [
        ("application: yes", "100"),
        ("application: who?", "401"),
        ("application: no", "403"),
        (cast::SILENT, "503"),
        ("link", "100"),
        ("link expired", "401"),
    ] {
        let asker = askers.iter().find(|asker| asker.name == name).unwrap();
        let head = format!(
            "POST /files{} HTTP/1.1\r\n{}{}Expect: 100-continue",
            asker.query, asker.field, create.fields
        );
        let answer = exchange(worlds.of(asker).address(), &head, create.body);
        assert_eq!(status(&answer), expected, "{name}");
    }
}

#[test]
fn a_link_from_the_command_line_uploads_a_file_from_beginning_to_end() {
    let world = World::start(|_| vec![("TIDEGATE__AUTH__REQUIRED", "true".to_owned())]);
    let data = world.data();
    let made = run(&[
        "link",
        "create",
        "--owner",
        "ann",
        "--expires",
        "1h",
        "--max-size",
        "10B",
        "--data-dir",
        data.to_str().unwrap(),
        "--listen",
        world.address(),
    ]);
    assert!(made.status.success(), "{made:?}");
    let url = text(&made.stdout).trim().to_owned();
    let endpoint = url.strip_prefix(&format!("http://{}", world.address())).unwrap();
    let create = |path: &str, length: u64| {
        let head =
            format!("POST {path} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {length}");
        exchange(world.address(), &head, "")
    };
    assert_eq!(status(&create("/files", 5)), "401");
    assert_eq!(status(&create(endpoint, 11)), "413");
    let created = create(endpoint, 5);
    assert_eq!(status(&created), "201");
    // The address of the upload carries the link on, so that a client needs nothing else.
    let location = field(&created, "location").unwrap();
    assert!(location.contains("?link=tgl1."), "{location}");
    let patch = format!(
        "PATCH {location} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream"
    );
    assert_eq!(status(&exchange(world.address(), &patch, "hello")), "204");
    let head = format!("HEAD {location} HTTP/1.1\r\nTus-Resumable: 1.0.0");
    let inspected = exchange(world.address(), &head, "");
    assert_eq!(field(&inspected, "upload-offset").as_deref(), Some("5"));
    let forbidden = exchange(world.address(), &format!("GET {location} HTTP/1.1"), "");
    assert_eq!(status(&forbidden), "403");
    let bare = location.split('?').next().unwrap();
    let head = format!("HEAD {bare} HTTP/1.1\r\nTus-Resumable: 1.0.0");
    assert_eq!(status(&exchange(world.address(), &head, "")), "401");
}

#[test]
fn changed_keys_are_taken_on_a_hang_up() {
    let application = application();
    let world = World::start(|folder| {
        let mut settings = settings(folder, &application);
        settings.push(("TIDEGATE__AUTH__JWT__RELOAD_INTERVAL", "1h".to_owned()));
        settings
    });
    let askers = everybody(&world.data());
    let jwt = askers.iter().find(|asker| asker.name == "JWT").unwrap();
    let create = &ALL[0].operations[1];
    assert_eq!(status(&world.ask(create, jwt, "/files")), "201");
    std::fs::write(world.folder.path().join("keys.json"), "{\"keys\":[]}").unwrap();
    world.gateway.signal(rustix::process::Signal::HUP);
    let since = std::time::Instant::now();
    while status(&world.ask(create, jwt, "/files")) != "401" {
        assert!(since.elapsed() < gateway::DEADLINE, "the key is still taken");
    }
}

#[test]
fn files_that_cannot_be_used_are_said_by_config_check_and_doctor_and_keep_it_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, "{}").unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let with = |words: &[&str]| {
        let mut command = gateway::program(words);
        command.args(["--data-dir", data.to_str().unwrap()]);
        command.env("TIDEGATE__AUTH__JWT__JWKS", &keys).output().unwrap()
    };
    let check = with(&["config", "check"]);
    assert_eq!(check.status.code(), Some(78));
    assert!(text(&check.stderr).contains("keys.json is not a set of JSON Web Keys"), "{check:?}");
    let doctor = with(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(3));
    assert!(text(&doctor.stdout).contains("keys.json is not a set"), "{doctor:?}");
    let serve = with(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert!(!serve.status.success());
    assert!(text(&serve.stderr).contains("keys.json is not a set"), "{serve:?}");
}
