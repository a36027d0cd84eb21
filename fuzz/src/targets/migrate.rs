//! Settings of hmac-file-server: what they become is TOML, and does not hold the secret; every key has
//! its line in the report.

use std::path::Path;

use tidegate::config::hmac_file_server::migrate;

/// Nothing shorter can be told from what stands elsewhere.
const LONG: usize = 16;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(done) = migrate(text, Path::new("/etc/secret"), Some(Path::new("/var/data"))) else {
        return;
    };
    let written: toml::Table = done.settings.parse().expect("what is written is TOML");
    assert!(written.contains_key("xep0363"), "{}", done.settings);
    assert!(done.report.iter().all(|line| !line.text.is_empty()));
    let Some(secret) = done.secret.as_ref().map(|secret| secret.expose()) else { return };
    if secret.len() >= LONG && text.matches(secret).count() == 1 {
        assert!(!done.settings.contains(secret));
        assert!(done.report.iter().all(|line| !line.text.contains(secret)));
    }
}
