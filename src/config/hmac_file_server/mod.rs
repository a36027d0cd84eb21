//! The settings of hmac-file-server become settings of this gateway.
//!
//! Nothing is lost in silence: every key of the old file has its line in the report.
//!
//! | file | holds |
//! |---|---|
//! | `keys` | every key of that server, and what becomes of it |
//! | `old` | its file, read the way that server reads it |
//! | `rules` | what a value becomes |
//! | `report` | what became of each key |
//! | `write` | the new settings as a file, annotated |

mod keys;
mod old;
mod report;
mod rules;
mod write;

use std::path::{Path, PathBuf};

use super::token::Secret;
use old::Old;

pub use report::{Line, Verdict};

/// Where its slots live: at the root of the site.
pub const BASE_PATH: &str = "/";
/// Where it keeps files if it is told nothing.
const STORAGE: &str = "./uploads";

/// What an old file becomes.
#[derive(Debug)]
pub struct Migration {
    /// The new settings, a file in TOML.
    pub settings: String,
    /// What became of each key, in the order of sections.
    pub report: Vec<Line>,
    /// What the XMPP server signs with, for the secret file; `None` if it is of no use.
    pub secret: Option<Secret>,
    /// Where the old files lie.
    pub storage: PathBuf,
    /// Directories of the old server that hold something else.
    pub without: Vec<PathBuf>,
}

impl Migration {
    /// Whether somebody has to decide something.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.report.iter().any(Line::asks)
    }
}

/// The old file is not TOML.
///
/// Says nothing of what stands there: it may be the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not TOML: {message}")]
pub struct NotToml {
    line: usize,
    message: String,
}

impl NotToml {
    fn new(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        Self { line, message: error.message().to_owned() }
    }
}

/// What the settings file `text` of hmac-file-server becomes, with the secret in `secret_file` and
/// everything that is kept in `data_dir`, or beside the old files if none is named.
///
/// # Errors
///
/// [`NotToml`]. Whatever else is wrong has its line in the report.
pub fn migrate(
    text: &str,
    secret_file: &Path,
    data_dir: Option<&Path>,
) -> Result<Migration, NotToml> {
    let table = text.parse().map_err(|error| NotToml::new(text, &error))?;
    let old = Old::new(table);
    let mut report = Vec::new();
    let mut carried = Vec::new();
    for entry in &old.entries {
        let (line, setting) = report::judge(entry, &old);
        carried.extend(setting.map(|setting| (setting, entry.written.clone())));
        report.push(line);
    }
    let said = old.text("security", "secret");
    let secret = (!said.is_empty() && said.trim() == said).then(|| Secret::new(said));
    if old.exact("security", "secret").is_none() {
        let text = "it is not there; write what the XMPP server signs with into the secret file";
        let (key, text) = ("security.secret".to_owned(), text.to_owned());
        report.push(Line { key, verdict: Verdict::Refused, text });
    }
    let storage = PathBuf::from(match old.text("server", "storage_path") {
        said if said.is_empty() => STORAGE.to_owned(),
        said => said,
    });
    let data_dir = data_dir.map_or_else(|| beside(&storage), Path::to_owned);
    // A gateway may be started from anywhere.
    let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
    let settings = write::settings(&old, carried, secret_file, &data_dir);
    let dedup = old.text("deduplication", "directory");
    let without = if dedup.is_empty() { Vec::new() } else { vec![PathBuf::from(dedup)] };
    Ok(Migration { settings, report, secret, storage, without })
}

/// On the same file system as the old files, so that links can be made; not within them.
fn beside(storage: &Path) -> PathBuf {
    let parent = storage.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).join("tidegate-data")
}

#[cfg(test)]
mod tests;
