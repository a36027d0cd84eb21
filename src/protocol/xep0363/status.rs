//! The status that a slot gives every problem, and the head of a refusal.

use crate::protocol::head::ResponseHead;
use crate::protocol::problem::Problem;
use crate::protocol::tus;
use crate::protocol::tus::upload_length::UPLOAD_OFFSET;

use super::tenant::TokenError;

/// The refusal that a bad token is answered with.
///
/// Whoever has no genuine token learns nothing beyond that.
#[must_use]
pub const fn problem(error: &TokenError) -> Problem {
    match error {
        TokenError::Path(_) => Problem::SlotPath,
        TokenError::Missing { bearer: true } => Problem::Unauthorized,
        TokenError::Missing { bearer: false }
        | TokenError::Repeated
        | TokenError::Malformed
        | TokenError::Forged
        | TokenError::OtherSlot
        | TokenError::NotAllowed => Problem::SlotRefused,
        TokenError::Expired => Problem::SlotExpired,
        TokenError::LengthRequired => Problem::ContentLengthRequired,
        TokenError::OtherLength { signed } => Problem::SlotLength { length: *signed },
        TokenError::MediaType => Problem::SlotMediaType,
    }
}

/// The status of `problem` at a slot's address, as `protocol-spec/xep-0363.md` lists it: that of
/// tus, save where clients of slots know better ones.
#[must_use]
pub const fn status(problem: &Problem) -> u16 {
    // A slot that is not complete is not there yet, and XMPP clients know 503, not 423.
    if matches!(problem, Problem::NotComplete) {
        404
    } else if matches!(problem, Problem::Busy) {
        503
    } else {
        tus::status::status(problem)
    }
}

/// The head of a refusal. It is never stored: the next answer may well be the file.
#[must_use]
pub fn refused(problem: &Problem) -> ResponseHead {
    let mut head = ResponseHead::new(status(problem)).with("Cache-Control", "no-store");
    if let Some(offset) = problem.offset() {
        head = head.with(UPLOAD_OFFSET, offset.to_string());
    }
    head = problem.with_common_fields(head).with("X-Content-Type-Options", "nosniff");
    problem.described_in(head)
}

#[cfg(test)]
mod tests {
    use super::super::path::PathError;
    use super::*;
    use crate::upload::{UploadLength, UploadOffset};

    #[test]
    fn every_bad_token_has_its_status() {
        let signed = UploadLength::new(5).unwrap();
        for (error, expected) in [
            (TokenError::Path(PathError::Segment), 400),
            (TokenError::Missing { bearer: true }, 401),
            (TokenError::Missing { bearer: false }, 403),
            (TokenError::Repeated, 403),
            (TokenError::Malformed, 403),
            (TokenError::Forged, 403),
            (TokenError::OtherSlot, 403),
            (TokenError::NotAllowed, 403),
            (TokenError::Expired, 410),
            (TokenError::LengthRequired, 411),
            (TokenError::OtherLength { signed }, 413),
            (TokenError::MediaType, 415),
        ] {
            assert_eq!(refused(&problem(&error)).status, expected, "{error:?}");
        }
        assert_eq!(status(&Problem::SlotComplete), 409);
        assert_eq!(status(&Problem::NotComplete), 404);
    }

    #[test]
    fn only_a_missing_bearer_token_is_answered_with_a_challenge() {
        let challenge = |error| {
            let head = refused(&problem(&error));
            head.get("WWW-Authenticate").map(str::to_owned)
        };
        let bearer = challenge(TokenError::Missing { bearer: true }).unwrap();
        assert!(bearer.starts_with("Bearer "), "{bearer}");
        assert_eq!(challenge(TokenError::Missing { bearer: false }), None);
        assert_eq!(challenge(TokenError::Forged), None);
    }

    #[test]
    fn a_refusal_is_not_stored_and_says_where_a_cut_upload_stands() {
        let offset = UploadOffset::new(7).unwrap();
        let head = refused(&Problem::TakenOver { offset });
        assert_eq!((head.status, head.get("Upload-Offset")), (409, Some("7")));
        assert_eq!(head.get("Cache-Control"), Some("no-store"));
        assert_eq!(refused(&Problem::SlotRefused).get("Upload-Offset"), None);
    }

    #[test]
    fn the_table_of_the_specification_has_these_statuses() {
        let text = include_str!("../../../protocol-spec/xep-0363.md");
        let table = text.split("## Refusals").nth(1).unwrap();
        let length = UploadLength::ZERO;
        let problems = [
            Problem::SlotPath,
            Problem::Unauthorized,
            Problem::SlotRefused,
            Problem::SlotExpired,
            Problem::SlotComplete,
            Problem::ContentLengthRequired,
            Problem::SlotLength { length },
            Problem::SlotMediaType,
            Problem::NotComplete,
            Problem::NotFound,
            Problem::Busy,
            Problem::Expired,
            Problem::TooLarge { max: length },
            Problem::NoRoom { offset: None },
            Problem::QuotaReached { retry_at: None },
            Problem::MethodNotAllowed { allow: "PUT" },
        ];
        for problem in &problems {
            let row = format!("| `{}` | {} |", problem.code(), status(problem));
            assert!(table.contains(&row), "no row {row}");
        }
        let rows = table.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, problems.len());
    }
}
