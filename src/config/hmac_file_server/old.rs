//! A settings file of hmac-file-server, read the way that server reads it.

use std::time::Duration;

use toml::{Table, Value};

use super::keys::{self, Fate, KEYS};

/// Its settings.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) entries: Vec<Entry>,
}

/// One key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its section, lower-case: that server does not look at case.
    pub(super) section: String,
    /// Its name, lower-case.
    pub(super) name: String,
    /// Both as they were written.
    pub(super) written: String,
    pub(super) value: Value,
}

impl Old {
    pub(super) fn new(table: Table) -> Self {
        let mut entries = Vec::new();
        collect(&mut entries, "", "", table);
        Self { entries }
    }

    /// The value of a key, by its name or, if that is not there, by the one it had before.
    pub(super) fn get(&self, section: &str, name: &str) -> Option<&Value> {
        self.exact(section, name).or_else(|| {
            let older = KEYS.iter().find(|key| {
                key.section == section && matches!(key.fate, Fate::Older(new) if new == name)
            })?;
            self.exact(section, older.name)
        })
    }

    pub(super) fn exact(&self, section: &str, name: &str) -> Option<&Value> {
        let found =
            self.entries.iter().find(|entry| entry.section == section && entry.name == name);
        found.map(|entry| &entry.value)
    }

    /// A text or a number, as text; empty if it is not there.
    pub(super) fn text(&self, section: &str, name: &str) -> String {
        self.get(section, name).map(text).unwrap_or_default()
    }

    pub(super) fn is_true(&self, section: &str, name: &str) -> bool {
        self.get(section, name).is_some_and(is_true)
    }
}

/// Tables below tables are sections, except those that are a key's value.
fn collect(entries: &mut Vec<Entry>, section: &str, written: &str, table: Table) {
    for (key, value) in table {
        let name = key.to_lowercase();
        let written = if written.is_empty() { key } else { format!("{written}.{key}") };
        if let Value::Table(inner) = &value
            && keys::find(section, &name).is_none()
        {
            let below = if section.is_empty() { name } else { format!("{section}.{name}") };
            collect(entries, &below, &written, inner.clone());
        } else {
            entries.push(Entry { section: section.to_owned(), name, written, value });
        }
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => value.to_string(),
    }
}

/// Whether that server takes it for true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Boolean(value) => *value,
        Value::Integer(value) => *value != 0,
        Value::String(text) => ["1", "t", "T", "true", "TRUE", "True"].contains(&text.as_str()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => false,
    }
}

/// Whether there is something in it.
pub(super) fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty(),
        Value::Table(table) => !table.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Integer(value) => *value != 0,
        Value::Boolean(value) => *value,
        Value::Float(_) | Value::Datetime(_) => true,
    }
}

/// A size as that server reads it: a whole number of KB, MB or GB, each 1024 of the one before.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_uppercase();
    let units = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1_u64 << 30)];
    units
        .into_iter()
        .find_map(|(unit, bytes)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(bytes))
}

/// A lifetime as that server reads it: a number and the first letter of its unit; the rest is not
/// looked at.
pub(super) fn lifetime(text: &str) -> Option<Duration> {
    let text = text.trim().to_lowercase();
    let unit = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, rest) = text.split_at_checked(unit)?;
    let hour = 60 * 60;
    let seconds = match rest.chars().next()? {
        's' => 1,
        'm' => 60,
        'h' => hour,
        'd' => 24 * hour,
        'w' => 7 * 24 * hour,
        'y' => 365 * 24 * hour,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}
