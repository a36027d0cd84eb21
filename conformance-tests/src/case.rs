//! A case, the groups cases come in, and how a case can end.

use crate::client::Client;
use crate::wire::WireError;

/// One sentence about a server that is true or false.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The sentence.
    pub name: &'static str,
    /// The requirements it judges, as listed in `protocol-spec/`.
    pub ids: &'static [&'static str],
    /// Judges.
    pub run: fn(&Client<'_>) -> Verdict,
    /// Whether nothing else may run meanwhile, because it measures time or loads the server.
    pub alone: bool,
}

impl Case {
    /// A case that may run beside others.
    pub const fn new(
        name: &'static str,
        ids: &'static [&'static str],
        run: fn(&Client<'_>) -> Verdict,
    ) -> Self {
        Self { name, ids, run, alone: false }
    }

    /// The same case, run while nothing else runs.
    #[must_use]
    pub const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

/// Cases that need the same extensions.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What the cases are about.
    pub name: &'static str,
    /// The tus extensions without which the cases say nothing.
    pub needs: &'static [&'static str],
    /// The cases.
    pub cases: &'static [Case],
}

/// What a case function returns: nothing, or why it stopped.
pub type Verdict = Result<(), Stop>;

/// Why a case stopped before its end.
#[derive(Debug)]
pub enum Stop {
    /// The server did not do what the case says.
    Failed(Box<Failure>),
    /// The case says nothing about this server; the reason.
    NotApplicable(String),
}

/// What went wrong, and the exchange that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was expected and what was seen.
    pub message: String,
    /// The exchange, if one can be shown.
    pub exchange: Option<String>,
    /// A curl command that sends the same request, where curl can.
    pub curl: Option<String>,
}

impl Stop {
    /// A failure that no single exchange shows.
    pub fn failed(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Failed(Box::new(Failure { message, exchange: None, curl: None }))
    }

    /// The case does not apply.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::NotApplicable(reason.into())
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        if let WireError::NotForHttp2 { .. } = error {
            return Self::not_applicable(error.to_string());
        }
        Self::failed(error.to_string())
    }
}

/// Fails the case with `message()` unless `true_of_server`.
///
/// # Errors
///
/// [`Stop::Failed`] when it is false.
pub fn ensure(true_of_server: bool, message: impl FnOnce() -> String) -> Verdict {
    if true_of_server { Ok(()) } else { Err(Stop::failed(message())) }
}
