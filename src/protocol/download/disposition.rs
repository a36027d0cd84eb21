//! `Content-Disposition` (RFC 6266, RFC 8187): a name that cannot do harm, shown or saved.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::media_type::MediaType;

/// Longest file name, in bytes of UTF-8: what common file systems take.
pub const MAX_NAME_BYTES: usize = 255;

/// Longest ending that survives when a name is cut.
const MAX_ENDING_BYTES: usize = 16;

/// Everything but `attr-char` (RFC 8187, section 3.2.1).
const NOT_ATTR_CHAR: AsciiSet = NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A file name without anything that could lead out of a directory, break a field or deceive the
/// eye; never empty, at most [`MAX_NAME_BYTES`] long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Makes a name out of whatever a client sent (T-74); `None` if nothing is left of it.
    #[must_use]
    pub fn sanitised(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let text: String = text
            .chars()
            .filter(|character| !is_invisible(*character))
            .map(|character| if matches!(character, '/' | '\\') { '_' } else { character })
            .collect();
        // A leading dot hides a file or climbs; trailing dots and blanks vanish on Windows.
        let edge = |character: char| character == '.' || character.is_whitespace();
        let name = cut(text.trim_matches(edge)).trim_end_matches(edge).to_owned();
        (!name.is_empty()).then_some(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last dot, for guessing a media type.
    #[must_use]
    pub fn ending(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| !ending.is_empty())
    }

    /// The name for recipients that know only ASCII: whatever could be misread becomes `_`.
    fn fallback(&self) -> String {
        let plain = |character: char| {
            (character.is_ascii_graphic() || character == ' ') && !"\"\\%;".contains(character)
        };
        self.0.chars().map(|character| if plain(character) { character } else { '_' }).collect()
    }
}

/// Control characters, line separators, direction marks and the byte order mark.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// Cuts a name to its bound between characters and keeps a short ending, so that the type stays.
fn cut(name: &str) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let ending = name
        .rfind('.')
        .and_then(|dot| name.get(dot..))
        .filter(|ending| ending.len() <= MAX_ENDING_BYTES)
        .unwrap_or_default();
    let room = MAX_NAME_BYTES.saturating_sub(ending.len());
    let stem = name.get(..name.floor_char_boundary(room)).unwrap_or_default();
    format!("{stem}{ending}")
}

/// The value of `Content-Disposition`.
///
/// Everything is saved rather than shown, except media that cannot hold a script.
#[must_use]
pub fn value(name: Option<&FileName>, media_type: &MediaType) -> String {
    let kind = if media_type.is_harmless() { "inline" } else { "attachment" };
    let Some(name) = name else { return kind.to_owned() };
    let fallback = name.fallback();
    if fallback == name.as_str() {
        return format!("{kind}; filename=\"{fallback}\"");
    }
    let extended = utf8_percent_encode(name.as_str(), &NOT_ATTR_CHAR);
    format!("{kind}; filename=\"{fallback}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sanitised(text: &str) -> Option<String> {
        FileName::sanitised(text.as_bytes()).map(|name| name.as_str().to_owned())
    }

    fn saved(name: &str) -> String {
        value(FileName::sanitised(name.as_bytes()).as_ref(), &MediaType::unknown())
    }

    #[test]
    fn a_name_leads_nowhere_and_hides_nothing() {
        for (sent, kept) in [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("_.._etc_passwd")),
            ("C:\\fakepath\\a.txt", Some("C:_fakepath_a.txt")),
            ("a\r\nSet-Cookie: x.txt", Some("aSet-Cookie: x.txt")),
            ("nul\0l", Some("null")),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe")),
            (".htaccess", Some("htaccess")),
            ("a. . ", Some("a")),
            ("", None),
            ("..", None),
            ("\u{200f}\u{feff}", None),
            ("/", Some("_")),
        ] {
            assert_eq!(sanitised(sent).as_deref(), kept, "{sent:?}");
        }
        assert_eq!(FileName::sanitised(b"a\xffb").unwrap().as_str(), "a\u{fffd}b");
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_ending() {
        let name = sanitised(&format!("{}.jpeg", "ä".repeat(300))).unwrap();
        assert!(name.len() <= MAX_NAME_BYTES && name.len() > MAX_NAME_BYTES - 4, "{}", name.len());
        assert!(name.ends_with("ä.jpeg"));
        assert_eq!(sanitised(&"x".repeat(300)).unwrap().len(), MAX_NAME_BYTES);
    }

    #[test]
    fn names_are_written_for_old_and_new_recipients() {
        assert_eq!(saved("a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(
            saved("naïve \"q\".txt"),
            "attachment; filename=\"na_ve _q_.txt\"; filename*=UTF-8''na%C3%AFve%20%22q%22.txt"
        );
        assert_eq!(
            saved("100%.txt"),
            "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"
        );
        assert_eq!(saved(""), "attachment");
    }

    #[test]
    fn only_harmless_media_is_shown_in_place() {
        let kind = |text: &str| value(None, &MediaType::read(text.as_bytes()).unwrap());
        assert_eq!(kind("image/png"), "inline");
        assert_eq!(kind("image/svg+xml"), "attachment");
        assert_eq!(kind("text/html"), "attachment");
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_value_that_fits_in_a_field(bytes: Vec<u8>) {
            let name = FileName::sanitised(&bytes);
            let value = value(name.as_ref(), &MediaType::unknown());
            prop_assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            prop_assert!(matches!(value.matches('"').count(), 0 | 2));
        }

        #[test]
        fn any_text_makes_a_bounded_name_that_stays_as_it_is(text in ".{0,400}") {
            if let Some(name) = FileName::sanitised(text.as_bytes()) {
                prop_assert!(name.as_str().len() <= MAX_NAME_BYTES);
                prop_assert!(!name.as_str().contains(['/', '\\', '\0', '\r', '\n']));
                prop_assert_eq!(FileName::sanitised(name.as_str().as_bytes()), Some(name));
            }
        }
    }
}
