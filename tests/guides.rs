//! What the guides tell people to type works: settings are settings, commands have these flags.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "running/gateway.rs"]
#[expect(dead_code, reason = "shared with the tests of the program as a whole")]
mod gateway;

use std::fs;

use gateway::{run, text};
use tempfile::tempdir;

const GUIDES: [(&str, &str); 3] = [
    ("from-hmac-file-server", include_str!("../docs/from-hmac-file-server.md")),
    ("from-prosody-filer", include_str!("../docs/from-prosody-filer.md")),
    ("from-http-file-share", include_str!("../docs/from-http-file-share.md")),
];

/// The blocks of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let behind = page.split(fence.as_str()).skip(1);
    behind.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_settings_in_the_guides_are_fine() {
    let folder = tempdir().unwrap();
    let place = format!("{}/", folder.path().to_str().unwrap());
    for (name, page) in GUIDES {
        let settings = blocks(page, "toml");
        assert!(!settings.is_empty(), "{name} shows no settings");
        for block in settings {
            let block = block.replace("/etc/tidegate/", &place);
            for line in block.lines().filter_map(|line| line.strip_prefix("secret_file = ")) {
                fs::write(line.trim_matches('"'), "it-is-secret").unwrap();
            }
            let file = folder.path().join("settings.toml");
            fs::write(&file, &block).unwrap();
            let output = run(&["config", "check", "--config", file.to_str().unwrap()]);
            assert!(output.status.success(), "{name}: {block}{}", text(&output.stderr));
        }
    }
}

#[test]
fn the_commands_in_the_guides_have_these_flags() {
    for (name, page) in GUIDES {
        let lines = blocks(page, "sh").concat().replace("\\\n", " ");
        let commands: Vec<Vec<&str>> = lines
            .lines()
            .filter(|line| line.starts_with("tidegate "))
            .map(|line| line.split_whitespace().skip(1).collect())
            .collect();
        assert!(!commands.is_empty(), "{name} shows no command");
        for words in commands {
            let output = run(&[words.as_slice(), &["--help"]].concat());
            assert!(output.status.success(), "{name}: {words:?}: {}", text(&output.stderr));
        }
    }
    let wrong = run(&["import", "/somewhere", "--no-such-flag", "--help"]);
    assert!(!wrong.status.success(), "a flag that is not there would be noticed");
}
