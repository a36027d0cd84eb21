//! What is wrong with the settings, where, and what would be right.

use std::fmt;
use std::path::PathBuf;

/// Who gave a key its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: the built-in default.
    BuiltIn,
    /// A line of the settings file, counted from 1.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A command line flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => formatter.write_str("settings"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Environment(name) => formatter.write_str(name),
            Self::Flag(flag) => formatter.write_str(flag),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong and what would be right, in one sentence; names the key.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.text)
    }
}

/// Settings that cannot be used: everything that is wrong with them, at once.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("the settings file {} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Something in the settings is wrong.
    #[error("{}", listed(problems))]
    Wrong {
        /// What; never empty.
        problems: Vec<Problem>,
    },
}

fn listed(problems: &[Problem]) -> String {
    match problems {
        [problem] => format!("the settings are wrong: {problem}"),
        several => {
            let lines: Vec<String> =
                several.iter().map(|problem| format!("\n  - {problem}")).collect();
            format!("the settings are wrong in {} places:{}", several.len(), lines.concat())
        }
    }
}
