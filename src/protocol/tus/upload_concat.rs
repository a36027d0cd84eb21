//! `Upload-Concat`.

use crate::protocol::field::single;
use crate::protocol::head::RequestHead;
use crate::protocol::location::{Place, without_link};
use crate::protocol::problem::Problem;
use crate::upload::UploadId;

/// Says that an upload is a part, or made of parts.
pub const UPLOAD_CONCAT: &str = "Upload-Concat";

const EXPECTED: &str =
    "`Upload-Concat: partial`, or `final;` and the URLs of the parts with a space between";

/// What an upload is to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadConcat {
    /// A part for a later final upload (T-141).
    Partial,
    /// Made of these parts, in this order (T-142).
    Final {
        /// The parts.
        parts: Vec<UploadId>,
        /// The field as it was written, to be echoed (T-149); without signed links, which are
        /// credentials and are not kept.
        as_received: String,
    },
}

/// Reads `Upload-Concat = "partial" / "final;" url *( SP url )` (T-142, T-143, T-155).
///
/// # Errors
///
/// [`Problem::ForeignPart`] for a URL that is not one of our uploads, [`Problem::PartCount`] for
/// more parts than `max_parts`; repeated or malformed.
pub fn read(
    head: &RequestHead<'_>,
    place: &Place,
    max_parts: usize,
) -> Result<Option<UploadConcat>, Problem> {
    let Some(line) = single(head, UPLOAD_CONCAT)? else { return Ok(None) };
    let malformed = || Problem::MalformedField { field: UPLOAD_CONCAT, expected: EXPECTED };
    let text = std::str::from_utf8(line).map_err(|_| malformed())?;
    if text == "partial" {
        return Ok(Some(UploadConcat::Partial));
    }
    let urls = text.strip_prefix("final;").ok_or_else(malformed)?.trim_matches(' ');
    let echoes = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if urls.is_empty() || !echoes {
        return Err(malformed());
    }
    let (mut parts, mut bare) = (Vec::new(), Vec::new());
    for url in urls.split(' ').filter(|url| !url.is_empty()) {
        if parts.len() >= max_parts {
            return Err(Problem::PartCount { max: max_parts });
        }
        parts.push(place.upload_at(url).ok_or(Problem::ForeignPart)?);
        bare.push(without_link(url));
    }
    let linked = bare.iter().map(|url| url.len()).sum::<usize>()
        < urls.split(' ').map(str::len).sum::<usize>();
    let as_received = if linked { format!("final;{}", bare.join(" ")) } else { text.to_owned() };
    Ok(Some(UploadConcat::Final { parts, as_received }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::{ID, place};
    use proptest::prelude::*;

    fn parse(line: &[u8]) -> Result<Option<UploadConcat>, Problem> {
        let fields = vec![("upload-concat", line)];
        let head = RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty };
        read(&head, &place(), 3)
    }

    #[test]
    fn parts_are_found_whether_relative_or_absolute_and_may_repeat() {
        let id: UploadId = ID.parse().unwrap();
        let text = format!("final;/files/{ID} https://host/files/{ID}");
        let as_received = text.clone();
        assert_eq!(
            parse(text.as_bytes()),
            Ok(Some(UploadConcat::Final { parts: vec![id, id], as_received }))
        );
        assert_eq!(parse(b"partial"), Ok(Some(UploadConcat::Partial)));
    }

    #[test]
    fn parts_may_come_with_links_but_links_are_not_echoed() {
        let id: UploadId = ID.parse().unwrap();
        let text = format!("final;/files/{ID}?link=tgl1.AAAA  /files/{ID}");
        let as_received = format!("final;/files/{ID} /files/{ID}");
        assert_eq!(
            parse(text.as_bytes()),
            Ok(Some(UploadConcat::Final { parts: vec![id, id], as_received }))
        );
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_refused() {
        for line in [
            &b""[..],
            b"final",
            b"final;",
            b"final; ",
            b"partial;x",
            b"foo",
            b"FINAL;/a",
            b"final;\xff",
        ] {
            assert!(matches!(parse(line), Err(Problem::MalformedField { .. })), "{line:?}");
        }
    }

    #[test]
    fn a_foreign_path_is_refused_and_so_are_too_many_parts() {
        assert_eq!(parse(b"final;/elsewhere/x"), Err(Problem::ForeignPart));
        assert_eq!(parse(b"final;https://example.org/"), Err(Problem::ForeignPart));
        let urls = vec![format!("/files/{ID}"); 4].join(" ");
        assert_eq!(parse(format!("final;{urls}").as_bytes()), Err(Problem::PartCount { max: 3 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(rest: Vec<u8>) {
            let _ = parse(&[b"final;", rest.as_slice()].concat());
            let _ = parse(&rest);
        }

        #[test]
        fn every_list_of_parts_reads_back(ids in prop::collection::vec(any::<[u8; 16]>(), 1..4)) {
            let ids: Vec<_> = ids.into_iter().map(UploadId::from_bytes).collect();
            let urls: Vec<_> = ids.iter().map(|id| place().of(*id)).collect();
            let text = format!("final;{}", urls.join(" "));
            let read = parse(text.as_bytes()).unwrap();
            prop_assert_eq!(read, Some(UploadConcat::Final { parts: ids, as_received: text }));
        }
    }
}
