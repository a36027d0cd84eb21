//! What a refusal says of the bytes that had arrived.

use crate::protocol::date;
use crate::upload::{Timestamp, UploadOffset};

use super::Problem;

impl Problem {
    /// The same problem where nothing of the upload was kept.
    #[must_use]
    pub fn with_nothing_kept(mut self) -> Self {
        if let Self::Idle { offset }
        | Self::TooSlow { offset }
        | Self::BodyBroken { offset }
        | Self::NoRoom { offset } = &mut self
        {
            *offset = None;
        }
        self
    }
}

/// What became of the bytes of a body that ended early.
pub(super) const fn kept(offset: Option<UploadOffset>) -> &'static str {
    match offset {
        Some(_) => "what had arrived was kept, continue from there",
        None => "nothing of it was kept, send it again",
    }
}

/// What became of the bytes of a body that did not fit.
pub(super) const fn fitted(offset: Option<UploadOffset>) -> &'static str {
    if offset.is_some() { "what fitted was kept" } else { "nothing of them was kept" }
}

/// When what was refused for a quota could fit.
pub(super) fn later(retry_at: Option<Timestamp>) -> String {
    let when = |moment| format!("; try again at {}", date::write_rfc3339(moment));
    retry_at.map_or_else(|| "; delete something".to_owned(), when)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_that_bytes_were_kept_only_if_they_were() {
        let offset = Some(UploadOffset::ZERO);
        for problem in [
            Problem::Idle { offset },
            Problem::TooSlow { offset },
            Problem::BodyBroken { offset },
            Problem::NoRoom { offset },
        ] {
            assert!(problem.to_string().contains("was kept"), "{problem}");
            let nothing = problem.with_nothing_kept();
            assert_eq!(nothing.offset(), None);
            assert!(nothing.to_string().contains("nothing of"), "{nothing}");
        }
        assert_eq!(Problem::Busy.with_nothing_kept(), Problem::Busy);
    }
}
