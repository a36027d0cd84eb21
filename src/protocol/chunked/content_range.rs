//! `Content-Range` of a request (C-54).

use crate::protocol::field::{decimal, single};
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;
use crate::upload::geometry::ClaimedRange;
use crate::upload::quantity::MAX_BYTES;

/// Which bytes of the upload the body is.
pub const CONTENT_RANGE: &str = "Content-Range";

const EXPECTED: &str = "first and last byte and the length of the upload, such as \
    `Content-Range: bytes 0-4999999/20000000`";

/// Reads `Content-Range = "bytes" SP number "-" number "/" number`.
///
/// # Errors
///
/// Repeated or malformed; another unit, no length, or a first byte behind the last.
pub fn read(head: &RequestHead<'_>) -> Result<Option<ClaimedRange>, Problem> {
    let Some(line) = single(head, CONTENT_RANGE)? else { return Ok(None) };
    let malformed = Problem::MalformedField { field: CONTENT_RANGE, expected: EXPECTED };
    parse(line).map(Some).ok_or(malformed)
}

/// The range that a line names; `None` if it is not one.
#[must_use]
pub fn parse(line: &[u8]) -> Option<ClaimedRange> {
    let text = std::str::from_utf8(line).ok()?;
    let (unit, range) = text.split_once(' ')?;
    let (range, complete) = range.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| decimal(text.as_bytes()).filter(|number| *number <= MAX_BYTES);
    let (first, last, complete) = (number(first)?, number(last)?, number(complete)?);
    let ordered = first <= last && last < complete;
    // Units are not case-sensitive (RFC 9110, section 14.1).
    (unit.eq_ignore_ascii_case("bytes") && ordered).then_some(ClaimedRange {
        first,
        last,
        complete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::head;
    use proptest::prelude::*;

    #[test]
    fn a_range_names_its_first_and_last_byte_and_the_whole_length() {
        let range = Some(ClaimedRange { first: 5, last: 9, complete: 10 });
        assert_eq!(parse(b"bytes 5-9/10"), range);
        assert_eq!(parse(b"Bytes 5-9/10"), range);
        let one = Some(ClaimedRange { first: 0, last: 0, complete: 1 });
        assert_eq!(parse(b"bytes 0-0/1"), one);
    }

    #[test]
    fn what_leaves_something_open_is_refused() {
        for bad in [
            "",
            "bytes",
            "bytes 0-4",
            "bytes 0-4/*",
            "bytes */10",
            "bytes 4-0/10",
            "bytes 0-10/10",
            "bytes 0-4/10, 5-9/10",
            "bytes -4/10",
            "bytes 0-/10",
            "bytes  0-4/10",
            "bytes 0 - 4/10",
            "bytes=0-4/10",
            "items 0-4/10",
            "0-4/10",
            "bytes +0-4/10",
            "bytes 0x0-4/10",
            "bytes 0-4/9223372036854775808",
        ] {
            let refusal = read(&head("PUT", &[(CONTENT_RANGE, bad)], BodyLength::Empty));
            assert!(matches!(refusal, Err(Problem::MalformedField { .. })), "{bad:?}");
        }
        assert_eq!(read(&head("PUT", &[], BodyLength::Empty)), Ok(None));
    }

    proptest! {
        #[test]
        fn every_range_reads_back(first in 0..1_000_u64, more in 0..1_000_u64, behind in 1..9_u64) {
            let last = first + more;
            let range = ClaimedRange { first, last, complete: last + behind };
            let line = format!("bytes {first}-{last}/{}", last + behind);
            prop_assert_eq!(parse(line.as_bytes()), Some(range));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}
