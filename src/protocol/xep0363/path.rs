//! Base paths, and slots: the path of a URL, percent-decoded once.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Most bytes of a slot, decoded: a random part or two, and a file name of 255 characters in any
/// script.
pub const MAX_SLOT_BYTES: usize = 2048;
/// Most bytes of a request path, encoded: a longer one is not even decoded.
const MAX_ENCODED_BYTES: usize = 3 * MAX_SLOT_BYTES + 1024;
/// What a written URL leaves as it is: the unreserved characters of RFC 3986.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a path names no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It lies outside of the base path.
    #[error("the path lies outside of the base path")]
    Outside,
    /// It is longer than [`MAX_SLOT_BYTES`].
    #[error("the path has more than {MAX_SLOT_BYTES} bytes")]
    TooLong,
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Escape,
    /// The decoded bytes are no UTF-8.
    #[error("the path is not UTF-8")]
    NotText,
    /// It holds an encoded slash: whoever decodes later or earlier would see another path.
    #[error("the path holds an encoded slash")]
    EncodedSlash,
    /// It holds a control character, NUL among them.
    #[error("the path holds a control character")]
    Control,
    /// A segment is empty, `.` or `..`.
    #[error("a segment of the path is empty, `.` or `..`")]
    Segment,
}

/// The path under which the slots of one tenant live, decoded and without a slash at its end;
/// empty at the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BasePath(String);

impl BasePath {
    /// Reads a configured path: `/upload`, `upload/` and `/upload/` are the same.
    ///
    /// # Errors
    ///
    /// [`PathError`] if it could not be the beginning of a slot's path.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if matches!(text, "" | "/") {
            return Ok(Self(String::new()));
        }
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let decoded = decoded(inner)?;
        check_segments(&decoded)?;
        Ok(Self(format!("/{decoded}")))
    }

    /// The decoded path: begins with a slash and ends without one; empty at the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as it is written into a URL.
    #[must_use]
    pub fn encoded(&self) -> String {
        encoded(&self.0)
    }

    /// Whether a request path is for this tenant to answer, be it a slot or a malformed one.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        if self.0.is_empty() && path == "/" {
            // The root itself is where people look for a page, not a slot without a name.
            return false;
        }
        let below = |rest: &str| rest.starts_with('/');
        path.strip_prefix(self.0.as_str()).is_some_and(below) || self.slot(path).is_ok()
    }

    /// The slot that a request path means: decoded exactly once, without this base path.
    ///
    /// However a client escapes it (`%c3%a8`, `%C3%A8`, raw UTF-8), one name is one slot; a plus
    /// is a plus.
    ///
    /// # Errors
    ///
    /// [`PathError`], by what is wrong with it.
    pub fn slot(&self, path: &str) -> Result<SlotPath, PathError> {
        let decoded = decoded(path)?;
        // The slash belongs to the prefix, so that `/uploads/x` is not below `/upload`.
        let inner = decoded.strip_prefix(self.0.as_str()).and_then(|rest| rest.strip_prefix('/'));
        SlotPath::new(inner.ok_or(PathError::Outside)?)
    }
}

/// A slot below its base path: `random/name` or the like, decoded, in its one form.
///
/// Text without control characters; segments are never empty, `.` or `..`; at most
/// [`MAX_SLOT_BYTES`]. It is a name to look up, never a part of a path on the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotPath(String);

impl SlotPath {
    /// The slot with this decoded path, without a slash in front.
    ///
    /// # Errors
    ///
    /// [`PathError`], by what is wrong with it.
    pub fn new(decoded: &str) -> Result<Self, PathError> {
        if decoded.len() > MAX_SLOT_BYTES {
            return Err(PathError::TooLong);
        }
        if decoded.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        check_segments(decoded)?;
        Ok(Self(decoded.to_owned()))
    }

    /// The decoded path: what tokens sign, and what a slot is stored under.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as it is written into a URL, after the base path and a slash.
    #[must_use]
    pub fn encoded(&self) -> String {
        encoded(&self.0)
    }

    /// Its segments, from the left; at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment: what the file is called.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// Escapes everything but unreserved characters and the slashes between segments.
fn encoded(text: &str) -> String {
    let segments: Vec<String> =
        text.split('/').map(|part| utf8_percent_encode(part, &ESCAPED).to_string()).collect();
    segments.join("/")
}

/// Decodes `path`, strictly: every percent sign is the beginning of an escape.
fn decoded(path: &str) -> Result<String, PathError> {
    if path.len() > MAX_ENCODED_BYTES {
        return Err(PathError::TooLong);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let decoded = hex_pair(rest.next(), rest.next()).ok_or(PathError::Escape)?;
        if decoded == b'/' {
            return Err(PathError::EncodedSlash);
        }
        bytes.push(decoded);
    }
    String::from_utf8(bytes).map_err(|_| PathError::NotText)
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    Some(digit(high?)? << 4 | digit(low?)?)
}

fn check_segments(path: &str) -> Result<(), PathError> {
    let odd = |segment: &str| matches!(segment, "" | "." | "..");
    if path.split('/').any(odd) { Err(PathError::Segment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn malformed_slots_below_a_base_path_are_its_own_but_not_its_neighbours() {
        let base = BasePath::new("/upload").unwrap();
        for (path, held) in [
            ("/upload/a/b", true),
            ("/%75pload/a/b", true),
            ("/upload/../x", true),
            ("/upload/%zz", true),
            ("/upload/", true),
            ("/upload", false),
            ("/uploads/a", false),
            ("/%zz", false),
            ("/files/a", false),
        ] {
            assert_eq!(base.holds(path), held, "{path}");
        }
    }

    #[test]
    fn at_the_root_every_path_is_a_slot_but_the_root_itself() {
        let base = BasePath::new("/").unwrap();
        for (path, held) in
            [("/a", true), ("/a/b", true), ("/../x", true), ("/", false), ("*", false)]
        {
            assert_eq!(base.holds(path), held, "{path}");
        }
    }

    fn slot(base: &str, path: &str) -> Result<String, PathError> {
        BasePath::new(base).unwrap().slot(path).map(|slot| slot.as_str().to_owned())
    }

    #[test]
    fn every_way_of_escaping_a_name_is_one_slot() {
        for path in [
            "/upload/D/tr%c3%a8s%20cool.jpg",
            "/upload/D/tr%C3%A8s%20cool.jpg",
            "/upload/D/très cool.jpg",
            "/%75pload/%44/tr%c3%A8s%20%63ool.jpg",
        ] {
            assert_eq!(slot("/upload", path).as_deref(), Ok("D/très cool.jpg"), "{path}");
        }
    }

    #[test]
    fn a_path_is_decoded_once_and_a_plus_is_a_plus() {
        for (path, decoded) in [
            ("/D/a%2bb%26c%3dd%3fe%23f%2520g.bin", "D/a+b&c=d?e#f%20g.bin"),
            ("/D/a%2Bb&c=d%3Fe%23f%2520g.bin", "D/a+b&c=d?e#f%20g.bin"),
            ("/D/a+b", "D/a+b"),
            ("/D/%252e%252e", "D/%2e%2e"),
        ] {
            assert_eq!(slot("/", path).as_deref(), Ok(decoded), "{path}");
        }
    }

    #[test]
    fn what_could_name_something_else_is_no_slot() {
        for (path, error) in [
            ("/upload/../secret", PathError::Segment),
            ("/upload/D/%2e%2e/x", PathError::Segment),
            ("/upload/D/.%2e", PathError::Segment),
            ("/upload/./x", PathError::Segment),
            ("/upload/D//x", PathError::Segment),
            ("/upload/D/", PathError::Segment),
            ("/upload/", PathError::Segment),
            ("/upload", PathError::Outside),
            ("/uploads/D/x", PathError::Outside),
            ("/UPLOAD/D/x", PathError::Outside),
            ("/other/D/x", PathError::Outside),
            ("upload/D/x", PathError::Outside),
            ("/upload/D%2Fx", PathError::EncodedSlash),
            ("/upload/D/a%2fb", PathError::EncodedSlash),
            ("/upload/D/x%00.txt", PathError::Control),
            ("/upload/D/x%0a", PathError::Control),
            ("/upload/D/x%7f", PathError::Control),
            ("/upload/D/x%c2%85", PathError::Control),
            ("/upload/D/%ff", PathError::NotText),
            ("/upload/D/%c3", PathError::NotText),
            ("/upload/D/%", PathError::Escape),
            ("/upload/D/%2", PathError::Escape),
            ("/upload/D/%zz", PathError::Escape),
            ("/upload/D/%+1", PathError::Escape),
        ] {
            assert_eq!(slot("/upload", path), Err(error), "{path}");
        }
    }

    #[test]
    fn a_path_of_4000_bytes_is_too_long_and_the_bound_counts_decoded_bytes() {
        let name = |bytes: usize| "x".repeat(bytes - 2);
        assert!(slot("/", &format!("/D/{}", name(MAX_SLOT_BYTES))).is_ok());
        let escaped = "%20".repeat(MAX_SLOT_BYTES - 2);
        assert!(slot("/", &format!("/D/{escaped}")).is_ok());
        for bytes in [MAX_SLOT_BYTES + 1, 4000, 100_000] {
            let path = format!("/D/{}", name(bytes));
            assert_eq!(slot("/", &path), Err(PathError::TooLong), "{bytes}");
        }
    }

    #[test]
    fn a_base_path_is_the_same_with_and_without_slashes() {
        for text in ["upload", "/upload", "upload/", "/upload/"] {
            assert_eq!(BasePath::new(text).unwrap().as_str(), "/upload");
        }
        assert_eq!(BasePath::new("/").unwrap().as_str(), "");
        assert_eq!(BasePath::new("").unwrap().as_str(), "");
        for text in ["//", "/a//b", "/a/../b", "/a%2fb", "/%zz"] {
            assert!(BasePath::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slot_knows_its_segments_and_the_name_of_its_file() {
        let slot = SlotPath::new("a/b/日本語.txt").unwrap();
        assert_eq!(slot.segments().collect::<Vec<_>>(), ["a", "b", "日本語.txt"]);
        assert_eq!(slot.file_name(), "日本語.txt");
        assert_eq!(SlotPath::new("x").unwrap().file_name(), "x");
    }

    proptest! {
        #[test]
        fn every_text_that_is_a_slot_survives_being_written_into_a_url(name in "\\PC{1,60}") {
            if let Ok(slot) = SlotPath::new(&name) {
                let base = BasePath::new("/up load").unwrap();
                let url = format!("{}/{}", base.encoded(), slot.encoded());
                prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(base.slot(&url), Ok(slot));
            }
        }

        #[test]
        fn no_path_makes_the_reader_panic_and_what_it_takes_is_safe(path in "[/.%0-9a-fA-F\\PC]{0,40}") {
            if let Ok(slot) = slot("/", &path) {
                prop_assert!(!slot.contains('\0'));
                prop_assert!(slot.split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
