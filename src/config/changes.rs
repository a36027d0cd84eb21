//! What differs between two readings of the settings.

use toml::{Table, Value};

use super::known::flat;
use super::settings::Settings;

/// The keys that differ, as `section.key`; never their values, which may be secret.
#[must_use]
pub fn changes(before: &Settings, after: &Settings) -> Vec<String> {
    let written = |settings| flat(Table::try_from(settings).unwrap_or_default());
    let (before, after) = (written(before), written(after));
    let mut changed = Vec::new();
    for (section, keys) in &before {
        for (key, value) in keys.as_table().into_iter().flatten() {
            let other = after.get(section).and_then(Value::as_table).and_then(|keys| keys.get(key));
            if other != Some(value) {
                changed.push(format!("{section}.{key}"));
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Size;

    #[test]
    fn what_differs_is_named_and_nothing_else() {
        let before = Settings::default();
        assert_eq!(changes(&before, &before), Vec::<String>::new());
        let mut after = Settings::default();
        after.performance.rollout = 7;
        after.auth.jwt.issuer = Some("somebody".to_owned());
        after.tus.max_size = Some(Size::mib(1));
        let changed = changes(&before, &after);
        assert_eq!(changed, ["auth.jwt.issuer", "performance.rollout", "tus.max_size"]);
    }
}
