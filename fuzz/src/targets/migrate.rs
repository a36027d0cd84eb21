//! Settings of hmac-file-server: what they become is TOML, and does not hold the secret; every key has
//! its line in the report, which says nothing of the secret.

use std::path::Path;

use tidegate::config::hmac_file_server::{Migration, NotToml, migrate};

/// Nothing shorter can be told from what stands elsewhere.
const LONG: usize = 16;

fn migrated(text: &str) -> Result<Migration, NotToml> {
    migrate(text, Path::new("/etc/secret"), Some(Path::new("/var/data")))
}

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(done) = migrated(text) else { return };
    let written: toml::Table = done.settings.parse().expect("what is written is TOML");
    assert!(written.contains_key("xep0363"), "{}", done.settings);
    assert!(done.report.iter().all(|line| !line.text.is_empty()));
    let Some(secret) = done.secret.as_ref().map(|secret| secret.expose()) else { return };
    if secret.len() < LONG || text.matches(secret).count() != 1 {
        return;
    }
    assert!(!done.settings.contains(secret));
    // Any text can be a secret, also a part of a line of ours: another one has to give the same lines.
    let other = "k".repeat(secret.len());
    let Ok(again) = migrated(&text.replace(secret, &other)) else { return };
    if again.secret.as_ref().is_some_and(|secret| secret.expose() == other) {
        let lines =
            |done: &Migration| done.report.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
        assert_eq!(lines(&done), lines(&again));
    }
}
