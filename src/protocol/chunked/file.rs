//! `X-Filename` and `Content-Type`, as metadata (C-19, C-20).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;

use crate::protocol::field::single;
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;
use crate::upload::Metadata;

/// The name of the file.
pub const X_FILENAME: &str = "X-Filename";

const EXPECTED: &str = "the name of the file, percent-encoded where it is not ASCII";

/// Types that browsers and tools put there on their own: they say nothing about the file.
const SAYS_NOTHING: [&str; 4] = [
    "application/octet-stream",
    "application/offset+octet-stream",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];

/// Longest media type that is kept.
const MAX_TYPE_BYTES: usize = 255;

/// What the request says of its file: `filename` and `filetype`, the keys that tus clients use.
///
/// # Errors
///
/// A name that is repeated, empty or no UTF-8; [`Problem::MetadataTooLong`] past `max_bytes`.
pub fn read(head: &RequestHead<'_>, max_bytes: usize) -> Result<Metadata, Problem> {
    let mut pairs = Vec::new();
    if let Some(name) = name(head)? {
        pairs.push(format!("filename {}", STANDARD.encode(name)));
    }
    if let Some(kind) = kind(head) {
        pairs.push(format!("filetype {}", STANDARD.encode(kind)));
    }
    let text = pairs.join(",");
    if text.len() > max_bytes {
        return Err(Problem::MetadataTooLong { actual: text.len(), limit: max_bytes });
    }
    Metadata::parse(&text).map_err(Problem::InvalidMetadata)
}

/// Reads `X-Filename`: UTF-8 as it is, or percent-encoded, as pages have to send it.
///
/// # Errors
///
/// Repeated, missing where it is `required`, empty, or no UTF-8.
pub fn required_name(head: &RequestHead<'_>) -> Result<(), Problem> {
    let missing = Problem::MissingField { field: X_FILENAME, expected: EXPECTED };
    name(head)?.map(|_| ()).ok_or(missing)
}

fn name(head: &RequestHead<'_>) -> Result<Option<String>, Problem> {
    let Some(line) = single(head, X_FILENAME)? else { return Ok(None) };
    let decoded: Vec<u8> = percent_decode(line).collect();
    let name = String::from_utf8(decoded).ok().filter(|name| !name.is_empty());
    let malformed = Problem::MalformedField { field: X_FILENAME, expected: EXPECTED };
    name.map(Some).ok_or(malformed)
}

/// The media type of the file, if the request says one.
fn kind<'a>(head: &RequestHead<'a>) -> Option<&'a str> {
    let kind = head.text("Content-Type").filter(|kind| !kind.is_empty())?;
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let says_something = !SAYS_NOTHING.iter().any(|other| essence.eq_ignore_ascii_case(other));
    (says_something && kind.len() <= MAX_TYPE_BYTES).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    fn parse(fields: &[(&'static str, &[u8])]) -> Result<Metadata, Problem> {
        let fields = fields.to_vec();
        read(&RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty }, 1000)
    }

    fn filename(line: &[u8]) -> Option<String> {
        let name = parse(&[("x-filename", line)]).unwrap().get("filename")?;
        Some(String::from_utf8(name).unwrap())
    }

    #[test]
    fn a_name_is_taken_raw_or_percent_encoded() {
        for (line, name) in [
            (&b"a b.txt"[..], "a b.txt"),
            ("très cool.jpg".as_bytes(), "très cool.jpg"),
            (b"tr%C3%A8s%20cool.jpg", "très cool.jpg"),
            (b"100%.txt", "100%.txt"),
            (b"../../etc/passwd", "../../etc/passwd"),
            (b"a%00b", "a\0b"),
        ] {
            assert_eq!(filename(line).as_deref(), Some(name), "{line:?}");
        }
        assert!(parse(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        for bad in [&b""[..], b"\xff", b"%ff"] {
            let refusal = parse(&[("x-filename", bad)]);
            assert!(matches!(refusal, Err(Problem::MalformedField { .. })), "{bad:?}");
        }
        let twice = parse(&[("x-filename", b"a"), ("x-filename", b"a")]);
        assert!(matches!(twice, Err(Problem::RepeatedField { .. })));
        let long = [b'x'; 1000];
        let refusal = parse(&[("x-filename", &long)]);
        assert!(matches!(refusal, Err(Problem::MetadataTooLong { limit: 1000, .. })));
    }

    #[test]
    fn a_type_is_kept_unless_it_says_nothing() {
        let kind = |line: &'static str| {
            let metadata = parse(&[("content-type", line.as_bytes())]).unwrap();
            metadata.get("filetype").map(|kind| String::from_utf8(kind).unwrap())
        };
        assert_eq!(kind("video/mp4").as_deref(), Some("video/mp4"));
        assert_eq!(kind("text/plain; charset=utf-8").as_deref(), Some("text/plain; charset=utf-8"));
        let longest = format!("a/{}", "x".repeat(MAX_TYPE_BYTES - 2));
        let kept = |line: &str| !parse(&[("content-type", line.as_bytes())]).unwrap().is_empty();
        assert!(kept(&longest) && !kept(&format!("{longest}x")));
        for nothing in SAYS_NOTHING.iter().chain(&["", "Application/Octet-Stream; x=y"]) {
            assert_eq!(kind(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(name: Vec<u8>, kind: Vec<u8>) {
            let _ = parse(&[("x-filename", &name), ("content-type", &kind)]);
        }

        #[test]
        fn every_name_survives_percent_encoding(name in ".{1,20}") {
            let line = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let line = line.to_string();
            prop_assert_eq!(filename(line.as_bytes()), Some(name));
        }
    }
}
