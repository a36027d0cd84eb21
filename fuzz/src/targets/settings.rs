//! Settings files and variables: whatever they say is taken or refused with a reason, and a token is
//! never shown, neither by a refusal nor among the settings.

use std::fs;

use tempfile::TempDir;
use tidegate::config::{Sources, load};

use super::structured;

const TOKEN: &str = "a-token-that-nobody-may-see";

thread_local! {
    /// Where the file of this thread lies.
    static FOLDER: TempDir = TempDir::new().expect("a folder");
}

pub(crate) fn run(data: &[u8]) {
    let Some((text, name, value)) = structured::<(&str, &str, &str)>(data) else { return };
    // Settings may name files, and those of this machine are none of a fuzzer's business.
    if [text, value].iter().any(|text| text.contains('/')) {
        return;
    }
    let path = FOLDER.with(|folder| folder.path().join("tidegate.toml"));
    fs::write(&path, text).expect("a file can be written");
    let tokens = format!("[{{name='ann',token='{TOKEN}'}}]");
    let environment = vec![
        ("TIDEGATE__AUTH__TOKENS".to_owned(), tokens),
        (format!("TIDEGATE__{name}"), value.to_owned()),
    ];
    let sources = Sources { file: Some(path), environment, flags: Vec::new() };
    let shown = match load(&sources) {
        Ok(settings) => toml::to_string(&settings).expect("settings can be shown"),
        Err(refusal) => refusal.to_string(),
    };
    assert!(!shown.is_empty());
    assert!(!shown.contains(TOKEN), "{shown}");
}
