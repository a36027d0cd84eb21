//! What one owner may have: the keys of `[quota]`, and of the table `quota` of a tenant.

use serde::{Deserialize, Deserializer, Serialize};

use super::absent;
use super::size::Size;

/// What one owner may have. `None` is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaSettings {
    /// Most unfinished uploads at once.
    #[serde(with = "absent::none")]
    pub running: Option<Count>,
    /// Most bytes in any 24 hours.
    #[serde(with = "absent::none")]
    pub per_day: Option<Size>,
    /// Most bytes at once.
    #[serde(with = "absent::none")]
    pub total: Option<Size>,
    /// What becomes of an upload that would pass `total`.
    pub when_full: WhenFull,
    /// To how many bytes the oldest uploads are deleted; `None` is `total`.
    #[serde(with = "absent::none")]
    pub delete_down_to: Option<Size>,
}

impl QuotaSettings {
    /// Whether anything is bounded.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.running.is_some() || self.per_day.is_some() || self.total.is_some()
    }
}

/// What becomes of an upload for which there are no bytes left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// The owner's oldest finished uploads go.
    DeleteOldest,
}

/// A number of things. An environment variable has it as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Count(pub usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let number = match value.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => value.as_integer().and_then(|number| usize::try_from(number).ok()),
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom("write a number, for instance 20"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_read_as_people_write_it() {
        let text =
            "running = 3\nper_day = \"1GB\"\ntotal = \"none\"\nwhen_full = \"delete_oldest\"";
        let quota: QuotaSettings = toml::from_str(text).unwrap();
        assert_eq!((quota.running, quota.per_day), (Some(Count(3)), Some(Size::mb(1000))));
        assert_eq!((quota.total, quota.when_full), (None, WhenFull::DeleteOldest));
        let of_environment: QuotaSettings = toml::from_str("running = \"3\"").unwrap();
        assert_eq!(of_environment.running, Some(Count(3)));
        assert!(!QuotaSettings::default().is_bounded());
        for text in ["running = -1", "running = \"x\"", "runing = 1", "when_full = \"panic\""] {
            assert!(toml::from_str::<QuotaSettings>(text).is_err(), "{text}");
        }
    }
}
