//! The layers, the later over the earlier, and who said what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::check;
use super::known::{Known, nested};
use super::problem::{ConfigError, Origin, Problem};
use super::settings::Settings;
use super::size::Size;
use super::token::TOKEN_KEYS;

/// Environment variables that start like this are settings.
const PREFIX: &str = "TIDEGATE__";
/// No settings file is longer; what is was not meant to be one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// One command line flag that was given.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As it is typed: `--listen`.
    pub name: &'static str,
    /// The section and key it sets.
    pub key: (&'static str, &'static str),
    /// Its value.
    pub value: String,
}

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The settings file, if one was named.
    pub file: Option<PathBuf>,
    /// Environment variables; those that are not ours are passed over.
    pub environment: Vec<(String, String)>,
    /// Flags.
    pub flags: Vec<Flag>,
}

impl Sources {
    /// The environment of this process, and what the command line gave.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        Self { file, environment: ours.collect(), flags }
    }
}

/// Reads and checks the settings.
///
/// # Errors
///
/// [`ConfigError`]: everything that is wrong, at once.
pub fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let mut layers = Layers::new();
    if let Some(path) = &sources.file {
        layers.file(path, &read(path)?);
    }
    layers.environment(&sources.environment);
    layers.flags(&sources.flags);
    layers.settle()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text))
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    Ok(text)
}

type Key = (String, String);

/// What has been said so far.
struct Layers {
    known: Known,
    table: Table,
    origins: BTreeMap<Key, Origin>,
    problems: Vec<Problem>,
}

impl Layers {
    fn new() -> Self {
        let known = Known::new();
        let table = known.defaults().clone();
        Self { known, table, origins: BTreeMap::new(), problems: Vec::new() }
    }

    fn complain(&mut self, origin: Origin, text: String) {
        self.problems.push(Problem { origin, text });
    }

    /// Takes one value, if there is such a key.
    fn set(&mut self, section: &str, key: &str, value: Value, origin: Origin) {
        if !self.known.defaults().contains_key(section) {
            self.complain(origin, self.known.no_section(section));
        } else if self.known.value(section, key).is_none() {
            self.complain(origin, self.known.no_key(section, key));
        } else if let Some(keys) = self.table.get_mut(section).and_then(Value::as_table_mut) {
            keys.insert(key.to_owned(), value);
            self.origins.insert((section.to_owned(), key.to_owned()), origin);
        }
    }

    fn file(&mut self, path: &Path, text: &str) {
        let line = |at: usize| Origin::File {
            path: path.to_owned(),
            line: text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1,
        };
        let (table, spans) = match (text.parse::<Table>(), DeTable::parse(text)) {
            (Ok(table), Ok(spans)) => (table, spans),
            (Err(error), _) | (_, Err(error)) => {
                // The message alone: the full text would quote the line, and a token with it.
                let at = error.span().map_or(0, |span| span.start);
                return self.complain(line(at), format!("this is not TOML: {}", error.message()));
            }
        };
        for (name, keys) in spans.get_ref() {
            let section = name.get_ref().as_ref();
            match (keys.get_ref(), table.get(section)) {
                (DeValue::Table(keys), Some(Value::Table(values))) => {
                    self.section(section, (keys, values), line(name.span().start), &line);
                }
                _ => {
                    let text = self.known.no_section(section);
                    self.complain(line(name.span().start), text);
                }
            }
        }
    }

    /// Takes what one section of a file says, and what the sections below it say.
    fn section(
        &mut self,
        section: &str,
        (keys, values): (&DeTable<'_>, &Table),
        here: Origin,
        line: &impl Fn(usize) -> Origin,
    ) {
        if keys.is_empty() && !self.known.defaults().contains_key(section) {
            let text = self.known.no_section(section);
            self.complain(here, text);
        }
        for (name, spans) in keys {
            let key = name.get_ref().as_ref();
            let here = line(name.span().start);
            let below = format!("{section}.{key}");
            let known = self.known.defaults().contains_key(section);
            match (spans.get_ref(), values.get(key)) {
                (DeValue::Table(keys), Some(Value::Table(values)))
                    if known && self.known.defaults().contains_key(&below) =>
                {
                    self.section(&below, (keys, values), here, line);
                }
                (DeValue::Table(_), _) if known => {
                    let text = self.known.no_section(&below);
                    self.complain(here, text);
                }
                (_, Some(value)) => self.set(section, key, value.clone(), here),
                (_, None) => {}
            }
        }
    }

    fn environment(&mut self, variables: &[(String, String)]) {
        for (name, text) in variables {
            let Some(path) = name.strip_prefix(PREFIX) else { continue };
            let origin = Origin::Environment(name.clone());
            let path = path.to_lowercase();
            let Some((section, key)) = path.rsplit_once("__") else {
                let form = format!("a setting is written {PREFIX}SECTION__KEY");
                self.complain(origin, form);
                continue;
            };
            let section = section.replace("__", ".");
            let value = self.typed(&section, key, text);
            self.set(&section, key, value, origin);
        }
    }

    fn flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let (section, key) = flag.key;
            let value = self.typed(section, key, &flag.value);
            self.set(section, key, value, Origin::Flag(flag.name));
        }
    }

    /// Gives a text without a type the one that its key has.
    fn typed(&self, section: &str, key: &str, text: &str) -> Value {
        let words = || Value::String(text.to_owned());
        match self.known.value(section, key) {
            // A word such as "auto" may stand for a number.
            Some(Value::String(word)) if word == "auto" => {
                text.parse().map_or_else(|_| words(), Value::Integer)
            }
            Some(Value::String(_) | Value::Datetime(_) | Value::Table(_)) | None => words(),
            Some(Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_)) => {
                text.trim().parse().unwrap_or_else(|_| words())
            }
        }
    }

    /// Turns what was said into settings, or into everything that is wrong with it.
    fn settle(mut self) -> Result<Settings, ConfigError> {
        let mut broken = Vec::new();
        for (key, origin) in std::mem::take(&mut self.origins) {
            if let Some(text) = self.complaint_about(&key) {
                self.complain(origin, text);
                self.reset(&key);
                broken.push(key);
            } else {
                self.origins.insert(key, origin);
            }
        }
        match Settings::deserialize(nested(&self.table)) {
            Ok(settings) => {
                let doubtful = check::check(&settings).into_iter().filter(|doubt| {
                    !broken.iter().any(|(section, key)| doubt.concerns(section, key))
                });
                let doubts: Vec<Problem> =
                    doubtful.map(|doubt| doubt.located(&self.origins)).collect();
                self.problems.extend(doubts);
                if self.problems.is_empty() {
                    return Ok(settings);
                }
            }
            Err(error) => self.complain(Origin::BuiltIn, error.message().to_owned()),
        }
        Err(ConfigError::Wrong { problems: self.problems })
    }

    /// What is wrong with one value; found by trying it alone among the built-in ones.
    fn complaint_about(&self, (section, key): &Key) -> Option<String> {
        let value = self.table.get(section)?.get(key)?;
        if (section.as_str(), key.as_str()) == ("auth", "tokens") {
            return complaint_about_tokens(value);
        }
        if (section.as_str(), key.as_str()) == ("xep0363", "tenants") && !are_tables(value) {
            // What stands there may be a secret: it is not quoted.
            let form = "xep0363.tenants is a list: write [[xep0363.tenants]], then scheme = \"..\" \
                        and one of secret and secret_file";
            return Some(form.to_owned());
        }
        let mut trial = self.known.defaults().clone();
        let keys = trial.get_mut(section).and_then(Value::as_table_mut)?;
        keys.insert(key.clone(), value.clone());
        let error = Settings::deserialize(nested(&trial)).err()?;
        Some(format!("{section}.{key} is wrong: {}", error.message()))
    }

    fn reset(&mut self, (section, key): &Key) {
        let default = self.known.value(section, key).cloned();
        let keys = self.table.get_mut(section).and_then(Value::as_table_mut);
        if let (Some(keys), Some(default)) = (keys, default) {
            keys.insert(key.clone(), default);
        }
    }
}

fn are_tables(value: &Value) -> bool {
    value.as_array().is_some_and(|entries| entries.iter().all(Value::is_table))
}

/// What is wrong with the tokens, without a word of what they are.
fn complaint_about_tokens(value: &Value) -> Option<String> {
    let form = "auth.tokens is a list: write [[auth.tokens]], then name = \"..\" and one of \
                token, token_file and sha256";
    let Some(entries) = value.as_array() else { return Some(form.to_owned()) };
    for entry in entries {
        let Some(keys) = entry.as_table() else { return Some(form.to_owned()) };
        if let Some(key) = keys.keys().find(|key| !TOKEN_KEYS.contains(&key.as_str())) {
            return Some(Known::no_token_key(key));
        }
        if keys.get("name").is_none_or(|name| !name.is_str()) {
            return Some("an entry of auth.tokens has no name; write name = \"..\"".to_owned());
        }
        let mut texts = keys.iter().filter(|(key, _)| key.as_str() != "public_downloads");
        if texts.any(|(_, value)| !value.is_str()) {
            return Some("what belongs to a token is text: put it in quotes".to_owned());
        }
        if keys.get("public_downloads").is_some_and(|open| !open.is_bool()) {
            return Some("public_downloads of a token is true or false, without quotes".to_owned());
        }
        let size = keys.get("max_size").cloned().map(Size::deserialize);
        if let Some(Err(error)) = size {
            return Some(format!("max_size of a token is wrong: {}", error.message()));
        }
    }
    None
}

#[cfg(test)]
mod tests;
