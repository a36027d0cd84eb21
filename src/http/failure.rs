//! **The** place where an engine failure becomes something a client may see.

use crate::auth::Denied;
use crate::engine::EngineError;
use crate::protocol::problem::Problem;
use crate::upload::{Refusal, UploadId, UploadOffset};

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The protocol refuses.
    Refused(Problem),
    /// The engine could not.
    Engine(EngineError),
    /// A creation broke off in its body, but the upload is there (T-92).
    LeftBehind {
        /// Why it broke off.
        problem: Problem,
        /// Where the upload is.
        location: String,
    },
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl Failure {
    /// What the client is told. A fault on our side is logged here, once, with the upload's id.
    pub(super) fn problem(self, upload: Option<UploadId>) -> Problem {
        match self {
            Self::Refused(problem) | Self::LeftBehind { problem, .. } => problem,
            Self::Engine(error) => {
                log(&error, upload);
                problem(error)
            }
        }
    }

    /// The failure of a creation's body: whoever gets the answer learns where the upload is, if
    /// what had arrived was kept.
    pub(super) fn in_creation(self, upload: UploadId, location: String) -> Self {
        let problem = self.problem(Some(upload));
        // After a wrong checksum nothing was created.
        let discarded = matches!(problem, Problem::ChecksumMismatch { .. });
        // Nor was anything as long as no byte counts: its address would lead nowhere.
        let kept = problem.offset().is_some_and(|offset| offset > UploadOffset::ZERO);
        if kept && !discarded {
            Self::LeftBehind { problem, location }
        } else {
            Self::Refused(problem.with_nothing_kept())
        }
    }
}

/// What an operator can do about one damaged upload.
const DAMAGE_ADVICE: &str = "stop the gateway and run `tidegate doctor`, or remove the upload with \
                             `tidegate sessions rm`";

fn log(error: &EngineError, upload: Option<UploadId>) {
    let id = upload.map_or_else(|| "a new upload".to_owned(), |id| id.to_string());
    match error {
        EngineError::Storage(source) => {
            let cause = chain(source);
            if error.is_damage() {
                tracing::error!(upload = %id, %cause, "{id} is damaged; {DAMAGE_ADVICE}");
            } else {
                tracing::error!(upload = %id, %cause, "storage failed for {id}");
            }
        }
        EngineError::Busy => tracing::warn!(upload = %id, "the writer of {id} does not let go"),
        EngineError::NoRoom { .. } => tracing::warn!(upload = %id, "no room for {id}"),
        EngineError::Overloaded => {
            tracing::warn!(upload = %id, "no descriptor is left for {id}; see docs/limits.md");
        }
        EngineError::NotFound
        | EngineError::Refused(_)
        | EngineError::ChecksumMismatch { .. }
        | EngineError::TakenOver { .. }
        | EngineError::ShuttingDown => {}
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The problem of an engine failure.
fn problem(error: EngineError) -> Problem {
    match error {
        EngineError::NotFound => Problem::NotFound,
        EngineError::Refused(refusal) => refused(refusal),
        EngineError::ChecksumMismatch { offset } => Problem::ChecksumMismatch { offset },
        EngineError::TakenOver { offset } => Problem::TakenOver { offset },
        EngineError::Busy => Problem::Busy,
        EngineError::NoRoom { offset } => Problem::NoRoom { offset },
        EngineError::Overloaded => Problem::Overloaded,
        EngineError::ShuttingDown => Problem::ShuttingDown,
        error @ EngineError::Storage(_) if error.is_damage() => Problem::Damaged,
        EngineError::Storage(_) => Problem::Internal,
    }
}

/// The problem of a refused credential: less than we know, because guessers read it too.
pub(super) fn denied(why: &Denied) -> Problem {
    match why {
        Denied::Missing
        | Denied::Unknown
        | Denied::Expired
        | Denied::TooEarly
        | Denied::NotForUs
        | Denied::Unusable => Problem::Unauthorized,
        Denied::Verb | Denied::Forbidden => Problem::Forbidden,
        Denied::Unavailable { retry_after } => {
            Problem::AuthorityUnavailable { retry_after_seconds: retry_after.as_secs().max(1) }
        }
    }
}

/// The problem of a session's refusal.
fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::OffsetMismatch { expected } => Problem::OffsetMismatch { offset: expected },
        Refusal::PastTheEnd { length } => Problem::PastTheEnd { length },
        Refusal::TooLarge { max } => Problem::TooLarge { max },
        Refusal::LengthIsFixed { length } => Problem::LengthIsFixed { length },
        Refusal::LengthTooShort { received } => Problem::LengthTooShort { received },
        Refusal::FinalTakesNoBytes => Problem::FinalTakesNoBytes,
        Refusal::NoParts => Problem::MissingField {
            field: "Upload-Concat",
            expected: "the URLs of the parts behind `final;`",
        },
        Refusal::TooManyParts { max } => Problem::PartCount { max },
        Refusal::NotAPart { part } => Problem::NotAPart { part },
        Refusal::PartMissing { part } => Problem::PartMissing { part },
        Refusal::PartUnfinished { part } => Problem::PartUnfinished { part },
        Refusal::GeometryUnknown => Problem::GeometryUnknown,
        Refusal::ChunkContradicts(contradiction) => Problem::ChunkContradicts(contradiction),
        Refusal::TooManyChunks { max } => Problem::TooManyChunks { max },
        Refusal::NotComplete => Problem::NotComplete,
        Refusal::PartialIsNotServed => Problem::PartialNotServed,
        Refusal::QuotaReached { retry_at } => Problem::QuotaReached { retry_at },
        Refusal::Expired => Problem::Expired,
        Refusal::Terminated => Problem::NotFound,
    }
}

/// What to tell about a transfer that failed, once what had arrived was settled.
///
/// The first failure is the reason, except that settling knows better who stopped it, and that a
/// store which cannot keep what arrived is the worse news.
pub(super) fn after_settling(
    failed: EngineError,
    settled: Result<UploadOffset, EngineError>,
) -> EngineError {
    match (failed, settled) {
        (EngineError::NoRoom { .. }, Ok(offset)) => EngineError::NoRoom { offset: Some(offset) },
        (failed, Ok(_)) => failed,
        (_, Err(worse)) => worse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StorageError;

    #[test]
    fn a_full_device_tells_what_fitted_once_it_is_known() {
        let offset = UploadOffset::new(7).unwrap();
        let told = after_settling(EngineError::NoRoom { offset: None }, Ok(offset));
        assert_eq!(problem(told), Problem::NoRoom { offset: Some(offset) });
    }

    #[test]
    fn who_stopped_a_transfer_is_known_by_the_settling() {
        let stale = EngineError::TakenOver { offset: UploadOffset::ZERO };
        let offset = UploadOffset::new(7).unwrap();
        let told = after_settling(stale, Err(EngineError::TakenOver { offset }));
        assert_eq!(problem(told), Problem::TakenOver { offset });
    }

    #[test]
    fn a_store_that_cannot_keep_what_arrived_is_the_worse_news() {
        let length = crate::upload::UploadLength::ZERO;
        let refusal = EngineError::Refused(Refusal::PastTheEnd { length });
        let told = after_settling(refusal, Err(EngineError::Storage(StorageError::Closed)));
        assert_eq!(problem(told), Problem::Internal);
    }

    #[test]
    fn a_cause_is_told_with_its_own_causes() {
        let io = std::io::Error::other("the cable is out");
        let error = StorageError::Io { doing: "syncing a blob", source: io };
        assert_eq!(chain(&error), "syncing a blob failed: the cable is out");
    }
}
