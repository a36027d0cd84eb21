//! Which keys exist, and the nearest one to a key that does not.

use toml::{Table, Value};

use super::settings::Settings;
use super::token::TOKEN_KEYS;

/// Every section and key with its built-in value, as written. A section below another one has its
/// path for a name: `auth.jwt`.
#[derive(Clone, Debug)]
pub struct Known {
    table: Table,
}

impl Known {
    /// What [`Settings`] knows.
    ///
    /// Read off the built-in defaults, so that no list of keys has to be kept beside them.
    #[must_use]
    pub fn new() -> Self {
        Self { table: flat(Table::try_from(Settings::default()).unwrap_or_default()) }
    }

    /// The built-in values.
    #[must_use]
    pub const fn defaults(&self) -> &Table {
        &self.table
    }

    /// The built-in value of a key; `None` if there is no such key.
    #[must_use]
    pub fn value(&self, section: &str, key: &str) -> Option<&Value> {
        self.table.get(section)?.as_table()?.get(key)
    }

    /// Every section with its key.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.table.iter().flat_map(|(section, keys)| {
            let keys = keys.as_table().into_iter().flat_map(Table::keys);
            keys.map(move |key| (section.as_str(), key.as_str()))
        })
    }

    /// Says that there is no such section, and which one was probably meant.
    #[must_use]
    pub fn no_section(&self, section: &str) -> String {
        // Somebody who forgot the section usually has the key right.
        let owner = self.keys().find(|(_, key)| *key == section);
        let hint = match owner {
            Some((home, key)) => format!("{key} belongs into [{home}]"),
            None => nearest(section, self.table.keys().map(String::as_str))
                .map_or_else(String::new, |near| format!("did you mean [{near}]?")),
        };
        format!("there is no section [{section}]; {hint}")
    }

    /// Says that there is no such key, and which one was probably meant.
    #[must_use]
    pub fn no_key(&self, section: &str, key: &str) -> String {
        let elsewhere = self.keys().find(|(_, known)| *known == key);
        let here = self.keys().filter(|(home, _)| *home == section).map(|(_, known)| known);
        let near = match elsewhere {
            Some((home, _)) => Some(format!("{home}.{key}")),
            None => nearest(key, here).map(|near| format!("{section}.{near}")),
        };
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        format!("there is no setting {section}.{key}{hint}")
    }

    /// Says that a token has no such key.
    #[must_use]
    pub fn no_token_key(key: &str) -> String {
        let near = nearest(key, TOKEN_KEYS.into_iter()).unwrap_or("token");
        format!("an entry of auth.tokens has no {key}; did you mean {near}?")
    }
}

/// Sections below others become sections of their own.
#[must_use]
pub fn flat(table: Table) -> Table {
    let mut all = Table::new();
    for (section, value) in table {
        let Value::Table(keys) = value else {
            all.insert(section, value);
            continue;
        };
        let (below, keys): (Table, Table) =
            keys.into_iter().partition(|(_, value)| value.is_table());
        let below = below.into_iter().map(|(name, keys)| (format!("{section}.{name}"), keys));
        all.extend(flat(below.collect()));
        all.insert(section, Value::Table(keys));
    }
    all
}

/// The opposite of [`flat`].
#[must_use]
pub fn nested(table: &Table) -> Table {
    let mut all = Table::new();
    for (path, value) in table {
        let mut place = &mut all;
        let mut names: Vec<&str> = path.split('.').collect();
        let last = names.pop().unwrap_or_default();
        for name in names {
            let below = place.entry(name).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(below) = below else { return all };
            place = below;
        }
        match (place.get_mut(last), value) {
            (Some(Value::Table(there)), Value::Table(keys)) => there.extend(keys.clone()),
            _ => {
                place.insert(last.to_owned(), value.clone());
            }
        }
    }
    all
}

impl Default for Known {
    fn default() -> Self {
        Self::new()
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    known.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_known_by_its_keys() {
        let known = Known::new();
        assert!(known.keys().count() > 50);
        assert!(known.value("server", "listen").is_some());
        assert!(known.value("server", "lisen").is_none());
    }

    #[test]
    fn sections_below_others_are_sections_of_their_own() {
        let known = Known::new();
        assert!(known.value("auth.jwt", "owner_claim").is_some());
        assert!(known.value("auth", "jwt").is_none());
        assert_eq!(nested(known.defaults()), Table::try_from(Settings::default()).unwrap());
    }

    #[test]
    fn a_misspelt_key_names_the_nearest_one() {
        let known = Known::new();
        assert!(known.no_key("server", "lissten").contains("server.listen?"));
        assert!(known.no_key("timeouts", "read_timeout").contains("timeouts.readtimeout?"));
        assert!(known.no_section("sever").contains("[server]?"));
        assert!(Known::no_token_key("tokn").contains("token?"));
    }

    #[test]
    fn a_key_in_the_wrong_section_names_the_right_one() {
        let known = Known::new();
        assert!(known.no_key("tus", "readtimeout").contains("timeouts.readtimeout?"));
        assert!(known.no_section("durability").contains("belongs into [storage]"));
    }
}
