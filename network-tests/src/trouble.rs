//! Why a measure did not come to its end.

use std::io;

use conformance_tests::wire::WireError;

/// Why a measure did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The machine does not do what is needed.
    #[error("{doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The gateway could not be spoken to.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The gateway did something wrong.
    #[error("{0}")]
    Wrong(String),
}

impl Trouble {
    /// Says what the system was asked for.
    pub fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    /// The gateway did something wrong.
    pub fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(what.into())
    }
}
