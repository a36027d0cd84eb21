//! Settings of hmac-file-server: what they become is TOML, and does not hold the secret; every key has
//! its line in the report, and no line but its own depends on the secret.

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
    // Any text can be a secret, also a part of a line of ours: with another one, the other keys' lines are the same.
    let other = "k".repeat(secret.len());
    let Ok(again) = migrated(&text.replace(secret, &other)) else { return };
    if again.secret.as_ref().is_some_and(|secret| secret.expose() == other) {
        assert_eq!(besides_the_secret(&done), besides_the_secret(&again));
    }
}

/// What is said of every key but the secret: of that, also whether everybody knows it.
fn besides_the_secret(done: &Migration) -> Vec<&str> {
    let lines = done.report.iter().filter(|line| !line.key.contains("secret"));
    lines.map(|line| line.text.as_str()).collect()
}
