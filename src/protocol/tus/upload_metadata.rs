//! `Upload-Metadata`.

use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;
use crate::upload::{Metadata, MetadataError};

/// What the client says about its file.
pub const UPLOAD_METADATA: &str = "Upload-Metadata";

/// Reads `Upload-Metadata = pair *( "," pair )` (T-70 to T-78).
///
/// Several lines are one list (T-77); lines without content count for nothing (T-75).
///
/// # Errors
///
/// [`Problem::MetadataTooLong`] past `max_bytes`, [`Problem::InvalidMetadata`] otherwise.
pub fn read(head: &RequestHead<'_>, max_bytes: usize) -> Result<Metadata, Problem> {
    let lines: Vec<&[u8]> =
        head.lines(UPLOAD_METADATA).filter(|line| !line.trim_ascii().is_empty()).collect();
    let text = lines.join(&b","[..]);
    if text.len() > max_bytes {
        return Err(Problem::MetadataTooLong { actual: text.len(), limit: max_bytes });
    }
    // Only keys can be outside ASCII at all: base64 is inside.
    let text = std::str::from_utf8(&text)
        .map_err(|_| Problem::InvalidMetadata(MetadataError::KeyCharacter))?;
    Metadata::parse(text).map_err(Problem::InvalidMetadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    fn parse(lines: &[&[u8]]) -> Result<Metadata, Problem> {
        let fields = lines.iter().map(|line| ("upload-metadata", *line)).collect();
        read(&RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty }, 64)
    }

    #[test]
    fn several_lines_are_one_list_and_empty_ones_are_nothing() {
        let metadata = parse(&[b"a YQ==", b"", b"b Yg==, c"]).unwrap();
        assert_eq!(metadata.as_str(), "a YQ==,b Yg==, c");
        assert_eq!(metadata.get("b").unwrap(), b"b");
        assert!(parse(&[b""]).unwrap().is_empty());
        assert!(parse(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_key_may_not_appear_in_two_lines_either() {
        assert!(matches!(parse(&[b"a YQ==", b"a Yg=="]), Err(Problem::InvalidMetadata(_))));
    }

    #[test]
    fn metadata_past_the_bound_is_refused_and_exactly_the_bound_is_taken() {
        assert!(parse(&[&[b'k'; 64]]).is_ok());
        let refusal = Err(Problem::MetadataTooLong { actual: 65, limit: 64 });
        assert_eq!(parse(&[&[b'k'; 65]]), refusal);
        assert_eq!(parse(&[&[b'k'; 32], &[b'l'; 32]]), refusal);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for line in [&b"\xff YQ=="[..], b"k \xff", "имя YQ==".as_bytes(), b"k YQ==\r\nX: y"] {
            assert!(parse(&[line]).is_err(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_can_be_echoed_in_a_field(line: Vec<u8>) {
            if let Ok(metadata) = parse(&[&line]) {
                let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
                prop_assert!(metadata.as_str().bytes().all(visible));
            }
        }
    }
}
