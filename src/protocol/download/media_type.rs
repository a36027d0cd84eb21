//! A media type that is safe to declare.

use crate::protocol::field::is_token;

/// What is declared when nothing better is known.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// Longest media type that is taken from a client.
const MAX_BYTES: usize = 100;

/// A media type without parameters, lower-case, both halves tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Reads a media type and drops its parameters; `None` if it is not one.
    ///
    /// Scripts are not taken: with `nosniff`, a browser will not run what is not declared as one,
    /// so an upload can never become a script or a service worker of our origin.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let essence = text.split(';').next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        let plain = essence.len() <= MAX_BYTES && is_token(kind) && is_token(subtype);
        let is_script = subtype.contains("javascript")
            || subtype.contains("ecmascript")
            || subtype.contains("jscript")
            || subtype.contains("livescript");
        (plain && kind != "*" && !is_script).then_some(Self(essence))
    }

    /// `application/octet-stream`.
    #[must_use]
    pub fn unknown() -> Self {
        Self(OCTET_STREAM.to_owned())
    }

    /// The first of the candidates that is one: what the client said, then what the name suggests.
    #[must_use]
    pub fn first_of<'a>(candidates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        candidates.into_iter().find_map(Self::read).unwrap_or_else(Self::unknown)
    }

    /// The written form, `type/subtype`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of `Content-Type`: text is taken to be UTF-8, as it nearly always is.
    #[must_use]
    pub fn content_type(&self) -> String {
        if self.0 == "text/plain" { format!("{}; charset=utf-8", self.0) } else { self.0.clone() }
    }

    /// Whether a browser may show it in place: media that cannot hold a script.
    ///
    /// SVG, HTML, XML and PDF are deliberately absent.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        matches!(
            self.as_str(),
            "image/png"
                | "image/jpeg"
                | "image/gif"
                | "image/webp"
                | "image/avif"
                | "image/bmp"
                | "video/mp4"
                | "video/webm"
                | "video/ogg"
                | "video/quicktime"
                | "audio/mpeg"
                | "audio/mp4"
                | "audio/aac"
                | "audio/ogg"
                | "audio/opus"
                | "audio/webm"
                | "audio/wav"
                | "audio/x-wav"
                | "audio/flac"
                | "text/plain"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_type_is_read_without_case_and_parameters() {
        let read = |text: &str| MediaType::read(text.as_bytes()).map(|kind| kind.content_type());
        assert_eq!(read("Image/PNG; x=\"\r\n\""), Some("image/png".to_owned()));
        assert_eq!(read("text/plain"), Some("text/plain; charset=utf-8".to_owned()));
    }

    #[test]
    fn what_is_no_type_or_a_script_is_not_taken() {
        let long = format!("a/{}", "x".repeat(MAX_BYTES));
        for text in [
            "",
            "image",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "a b/c",
            "image/png\r\nX: y",
            "*/*",
            "té/xt",
            "text/javascript",
            "application/x-javascript",
            "application/ecmascript",
            &long,
        ] {
            assert_eq!(MediaType::read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(MediaType::read(b"a/\xff"), None);
    }

    #[test]
    fn the_first_candidate_that_is_one_counts() {
        let first = |list: &[&[u8]]| MediaType::first_of(list.iter().copied()).as_str().to_owned();
        assert_eq!(first(&[b"rubbish", b"image/png", b"image/gif"]), "image/png");
        assert_eq!(first(&[]), OCTET_STREAM);
    }

    #[test]
    fn what_can_hold_a_script_is_not_harmless() {
        for text in
            ["image/svg+xml", "text/html", "application/xhtml+xml", "text/xml", "application/pdf"]
        {
            assert!(!MediaType::read(text.as_bytes()).unwrap().is_harmless(), "{text}");
        }
        assert!(MediaType::read(b"image/png").unwrap().is_harmless());
    }

    proptest! {
        #[test]
        fn what_is_taken_fits_in_a_field(text: Vec<u8>) {
            if let Some(kind) = MediaType::read(&text) {
                prop_assert!(kind.content_type().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            }
        }
    }
}
