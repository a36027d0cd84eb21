//! `Upload-Length`, `Upload-Defer-Length` and `Upload-Offset`.

use crate::protocol::field::{integer, single};
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;
use crate::upload::{UploadLength, UploadOffset};

/// Bytes of the whole upload.
pub const UPLOAD_LENGTH: &str = "Upload-Length";
/// Says that the length comes later.
pub const UPLOAD_DEFER_LENGTH: &str = "Upload-Defer-Length";
/// Where the bytes go, and where the upload stands.
pub const UPLOAD_OFFSET: &str = "Upload-Offset";

const LENGTH_EXPECTED: &str =
    "the bytes of the whole upload in decimal, such as `Upload-Length: 1024`";
const OFFSET_EXPECTED: &str = "the offset that HEAD gives in decimal, such as `Upload-Offset: 0`";

/// Reads `Upload-Length = 1*DIGIT` (T-7).
///
/// # Errors
///
/// Repeated or malformed.
pub fn length(head: &RequestHead<'_>) -> Result<Option<UploadLength>, Problem> {
    Ok(integer(head, UPLOAD_LENGTH, LENGTH_EXPECTED)?.and_then(UploadLength::new))
}

/// Reads `Upload-Offset = 1*DIGIT`, which has to be there (T-6, T-33).
///
/// # Errors
///
/// Missing, repeated or malformed.
pub fn offset(head: &RequestHead<'_>) -> Result<UploadOffset, Problem> {
    integer(head, UPLOAD_OFFSET, OFFSET_EXPECTED)?
        .and_then(UploadOffset::new)
        .ok_or(Problem::MissingField { field: UPLOAD_OFFSET, expected: OFFSET_EXPECTED })
}

/// Reads `Upload-Defer-Length = "1"` (T-82).
///
/// # Errors
///
/// Repeated, or anything but `1`.
pub fn deferred(head: &RequestHead<'_>) -> Result<bool, Problem> {
    match single(head, UPLOAD_DEFER_LENGTH)? {
        None => Ok(false),
        Some(b"1") => Ok(true),
        Some(_) => Err(Problem::MalformedField {
            field: UPLOAD_DEFER_LENGTH,
            expected: "`Upload-Defer-Length: 1`, or leave it out",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::head;

    #[test]
    fn the_only_value_of_defer_length_is_one() {
        let read =
            |value| deferred(&head("POST", &[(UPLOAD_DEFER_LENGTH, value)], BodyLength::Empty));
        assert_eq!(read("1"), Ok(true));
        for bad in ["", "0", "2", "01", "true", "1, 1"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert_eq!(deferred(&head("POST", &[], BodyLength::Empty)), Ok(false));
    }

    #[test]
    fn an_append_has_to_name_an_offset_but_not_a_length() {
        let head = head("PATCH", &[], BodyLength::Empty);
        assert_eq!(length(&head), Ok(None));
        assert!(matches!(offset(&head), Err(Problem::MissingField { .. })));
    }
}
