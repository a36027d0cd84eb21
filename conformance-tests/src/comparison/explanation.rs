//! Why a server fails a case, in a sentence.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Comparison, ComparisonError, array, parse, string, strings};

/// What a failed case says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It breaks a MUST of tus 1.0.
    Must,
    /// It leaves a SHOULD of tus 1.0 aside.
    Should,
    /// It breaks another standard, as HTTP.
    OtherStandard,
    /// No text asks for it; Tidegate promises it.
    Ours,
}

impl Kind {
    /// Every kind, gravest first.
    pub const ALL: [Self; 4] = [Self::Must, Self::Should, Self::OtherStandard, Self::Ours];

    /// The word in the data.
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::OtherStandard => "other standard",
            Self::Ours => "ours",
        }
    }

    /// What it is called on the page.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Must => "A MUST of tus 1.0",
            Self::Should => "A SHOULD of tus 1.0",
            Self::OtherStandard => "Another standard",
            Self::Ours => "No text asks for it; Tidegate promises it",
        }
    }
}

/// A sentence about some failed cases of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The server.
    pub server: String,
    /// What the failures say about it.
    pub kind: Kind,
    /// The section of the text that it deviates from; empty for [`Kind::Ours`].
    pub cites: String,
    /// The sentence.
    pub because: String,
    /// The names of the cases.
    pub cases: Vec<String>,
}

/// All explanations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanations(pub Vec<Explanation>);

impl Explanations {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`ComparisonError`] when they are malformed, or one that accuses cites nothing.
    pub fn parse(text: &str) -> Result<Self, ComparisonError> {
        let what = "the explanations";
        let value = parse(what, text)?;
        let read = |entry: &Value| {
            let wrong = |member| ComparisonError::Member { what: what.to_owned(), member };
            let word = string(what, entry, "kind")?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
            let kind = kind.ok_or_else(|| wrong("kind"))?;
            let cites = match kind {
                Kind::Ours => String::new(),
                Kind::Must | Kind::Should | Kind::OtherStandard => string(what, entry, "cites")?,
            };
            Ok(Explanation {
                server: string(what, entry, "server")?,
                kind,
                cites,
                because: string(what, entry, "because")?,
                cases: strings(what, entry, "cases")?,
            })
        };
        array(what, &value, "explanations")?.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The explanation of a failure.
    pub fn of(&self, server: &str, case: &str) -> Option<&Explanation> {
        self.0.iter().find(|explanation| {
            explanation.server == server && explanation.cases.iter().any(|name| name == case)
        })
    }

    /// Failures without an explanation, as `server: case`.
    pub fn missing(&self, results: &Comparison) -> Vec<String> {
        let failures = results.failures();
        let all =
            failures.iter().flat_map(|(server, rows)| rows.iter().map(move |row| (server, row)));
        all.filter(|(server, row)| self.of(server, &row.name).is_none())
            .map(|(server, row)| format!("{server}: {}", row.name))
            .collect()
    }

    /// Explanations of what did not fail, and second ones of what did, as `server: case`.
    pub fn stale(&self, results: &Comparison) -> Vec<String> {
        let failures = results.failures();
        let mut seen = BTreeSet::new();
        let mut stale = Vec::new();
        for explanation in &self.0 {
            let failed = failures.get(explanation.server.as_str());
            for case in &explanation.cases {
                let fails = failed.is_some_and(|rows| rows.iter().any(|row| row.name == *case));
                if !fails || !seen.insert((explanation.server.as_str(), case)) {
                    stale.push(format!("{}: {case}", explanation.server));
                }
            }
        }
        stale
    }
}
