//! What became of each key of the old file.

use std::fmt;

use super::keys::{self, Fate, When};
use super::old::{Entry, Old, is_filled, is_true, text};
use super::rules::{Outcome, Setting};

/// In one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It means the same.
    TakenOver,
    /// It means the same, and this is its name.
    Renamed(String),
    /// It is not needed here, or done otherwise.
    Changed,
    /// It did nothing there.
    NoEffect,
    /// It restricts or protects something and could not be taken over: somebody has to decide.
    Refused,
    /// That server does not know it.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenOver => formatter.write_str("taken over"),
            Self::Renamed(to) => write!(formatter, "renamed to {to}"),
            Self::Changed => formatter.write_str("changed"),
            Self::NoEffect => formatter.write_str("has no effect there either"),
            Self::Refused => formatter.write_str("REFUSED"),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// A verdict and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

/// What became of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The key as it was written, with its section.
    pub key: String,
    /// In one word.
    pub verdict: Verdict,
    /// How and why. Never a value that is a secret.
    pub text: String,
}

impl Line {
    /// Whether somebody has to decide something.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.verdict == Verdict::Refused
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: {}", self.key, self.verdict, self.text)
    }
}

/// Judges one entry.
pub(super) fn judge(entry: &Entry, old: &Old) -> (Line, Option<Setting>) {
    let (Told { verdict, text }, setting) = match keys::find(&entry.section, &entry.name) {
        Some(key) => outcome(key.section, key.fate, entry, old),
        None => (unknown(entry), None),
    };
    (Line { key: entry.written.clone(), verdict, text }, setting)
}

fn outcome(section: &'static str, fate: Fate, entry: &Entry, old: &Old) -> Outcome {
    match fate {
        Fate::Carried(rule) => rule.apply(&text(&entry.value), old),
        Fate::Older(name) if old.exact(section, name).is_some() => {
            (Told::idle(&format!("{section}.{name} is there as well, and counts")), None)
        }
        Fate::Older(name) => {
            let newer = keys::find(section, name).map_or(Fate::Idle, |key| key.fate);
            let (mut told, setting) = outcome(section, newer, entry, old);
            told.text = format!("the older name of {section}.{name}; {}", told.text);
            (told, setting)
        }
        Fate::Idle => (Told::idle("that server reads it and does nothing with it"), None),
        Fate::Changed(text) => (Told::changed(text), None),
        Fate::Refused(when, text) => {
            let used = match when {
                When::True => is_true(&entry.value),
                When::False => !is_true(&entry.value),
                When::Filled => is_filled(&entry.value),
                When::With(switch) => old.is_true(section, switch) && is_filled(&entry.value),
            };
            let told = if used { Told::refused(text) } else { Told::idle("it is not in use") };
            (told, None)
        }
    }
}

fn unknown(entry: &Entry) -> Told {
    let near = keys::nearest(&entry.section, &entry.name);
    let Some(near) = near else {
        let text = "no code of that server reads it".to_owned();
        return Told { verdict: Verdict::Unknown, text };
    };
    let (section, name) = (near.section, near.name);
    let restricts = match near.fate {
        Fate::Refused(..) => true,
        Fate::Carried(rule) => rule.bounds(),
        Fate::Older(_) | Fate::Idle | Fate::Changed(_) => false,
    };
    if restricts {
        // It did nothing there, but whoever wrote it believes that it does.
        Told::refused(&format!(
            "unknown there, so it did nothing; {section}.{name} was probably meant. Remove it, or \
             give it that name"
        ))
    } else {
        let text = format!("no code of that server reads it; the nearest key is {section}.{name}");
        Told { verdict: Verdict::Unknown, text }
    }
}
