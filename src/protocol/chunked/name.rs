//! Session ids, and the upload that an id means (C-1 to C-6).

use crate::protocol::field::single;
use crate::protocol::head::RequestHead;
use crate::protocol::id_key::IdKey;
use crate::protocol::location::Place;
use crate::protocol::problem::Problem;
use crate::upload::{Owner, UploadId};

/// The field that names a session.
pub const X_UPLOAD_SESSION_ID: &str = "X-Upload-Session-ID";

/// What a session id may be, for refusals.
pub const EXPECTED: &str =
    "1 to 200 characters of A-Z a-z 0-9 and -._~:@=, or the URL of an upload";

/// Most characters of a session id.
const MAX_LENGTH: usize = 200;

/// A session id as its client wrote it (C-1).
///
/// Safe in a field, in JSON and, but for what percent-encoding is there for, in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

impl SessionName {
    /// Reads `session-id`; `None` if the text does not follow the grammar.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:@=".contains(byte);
        // A path segment of dots means another place to whoever normalises the URL.
        let dots = text == b"." || text == b"..";
        let fits = (1..=MAX_LENGTH).contains(&text.len()) && !dots && text.iter().all(plain);
        fits.then(|| String::from_utf8_lossy(text).into_owned()).map(Self)
    }

    /// The name of an upload that was issued by us (C-3).
    #[must_use]
    pub fn of(id: UploadId) -> Self {
        Self(id.to_string())
    }

    /// As its client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The upload that has this id, if it has the form of an issued one (C-3). Whether the upload
    /// is there, and whose it is, is for the caller to find out.
    #[must_use]
    pub fn issued(&self) -> Option<UploadId> {
        self.0.parse().ok()
    }
}

/// How a request names its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By a session id.
    Session(SessionName),
    /// By the URL of an upload (C-5).
    Upload(UploadId),
}

/// Reads `X-Upload-Session-ID`, if it is there.
///
/// # Errors
///
/// Repeated, or neither a session id nor the URL of an upload.
pub fn read(head: &RequestHead<'_>, place: &Place) -> Result<Option<Named>, Problem> {
    let Some(line) = single(head, X_UPLOAD_SESSION_ID)? else { return Ok(None) };
    // No session id has a slash, and no URL of ours is without.
    let named = if line.contains(&b'/') {
        let url = std::str::from_utf8(line).ok();
        url.and_then(|url| place.upload_at(url)).map(Named::Upload)
    } else {
        SessionName::parse(line).map(Named::Session)
    };
    named.map(Some).ok_or(MALFORMED)
}

/// The refusal of what is no session id (C-1).
pub const MALFORMED: Problem =
    Problem::MalformedField { field: X_UPLOAD_SESSION_ID, expected: EXPECTED };

/// The key by which ids that clients chose are led to uploads; never printed.
#[derive(Clone)]
pub struct NameKey(IdKey);

impl std::fmt::Debug for NameKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("NameKey(..)")
    }
}

impl NameKey {
    /// The key with these bytes: secret, and the same for the life of the data directory.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(IdKey::new(bytes))
    }

    /// The upload that `name` means to `owner` (C-2): the same one each time, another one for every
    /// other owner or name, and not to be guessed by whoever has not the key.
    #[must_use]
    pub fn upload(&self, owner: &Owner, name: &SessionName) -> UploadId {
        let (kind, owner): (&[u8], &[u8]) = match owner.name() {
            None => (&[0], &[]),
            Some(owner) => (&[1], owner.as_bytes()),
        };
        // A name has no NUL, so that the last one tells where it begins.
        self.0.upload(&[kind, owner, &[0], name.0.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::{ID, place};
    use proptest::prelude::*;

    fn name(text: &str) -> SessionName {
        SessionName::parse(text.as_bytes()).unwrap()
    }

    fn field(lines: &[&'static [u8]]) -> Result<Option<Named>, Problem> {
        let fields = lines.iter().map(|line| ("x-upload-session-id", *line)).collect();
        let head = RequestHead { method: "PUT", path: "/", fields, body: BodyLength::Empty };
        read(&head, &place())
    }

    #[test]
    fn a_session_id_is_plain_text_of_bounded_length() {
        let longest = "x".repeat(200);
        for good in ["a", "0", "-._~", "9b2f6c1e-holiday.mp4", "sess_0123:4@5==", "...", &longest] {
            assert_eq!(name(good).as_str(), good);
        }
    }

    #[test]
    fn what_could_mean_something_else_is_no_session_id() {
        let long = "x".repeat(4000);
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a\0",
            "a\r\nX: y",
            "%41",
            "a?b",
            "a#b",
            "ä",
            "a+b",
            &long,
        ] {
            assert_eq!(SessionName::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_session_is_named_by_an_id_or_by_the_url_of_an_upload() {
        assert_eq!(field(&[]), Ok(None));
        assert_eq!(field(&[b"mine"]), Ok(Some(Named::Session(name("mine")))));
        let upload = Ok(Some(Named::Upload(ID.parse().unwrap())));
        assert_eq!(field(&[b"/files/0123456789abcdef0123456789abcdef"]), upload);
        assert_eq!(field(&[b"https://a.example/files/0123456789abcdef0123456789abcdef"]), upload);
        for bad in [&b""[..], b"/etc/passwd", b"/files/x", b"a/b", b"\xff", b"a b"] {
            assert_eq!(field(&[bad]), Err(MALFORMED), "{bad:?}");
        }
        assert!(matches!(field(&[b"a", b"a"]), Err(Problem::RepeatedField { .. })));
    }

    #[test]
    fn an_issued_id_is_told_from_a_chosen_one() {
        let id: UploadId = ID.parse().unwrap();
        assert_eq!(name(ID).issued(), Some(id));
        assert_eq!(SessionName::of(id), name(ID));
        assert_eq!(name(&ID.to_uppercase()).issued(), None);
        assert_eq!(name("mine").issued(), None);
    }

    #[test]
    fn an_id_means_another_upload_to_every_owner_and_under_every_key() {
        let key = NameKey::new([7; 32]);
        let owner = |name: &str| Owner::named(name.to_owned());
        let mine = key.upload(&owner("ann"), &name("x"));
        assert_eq!(key.upload(&owner("ann"), &name("x")), mine);
        for (key, owner, text) in [
            (&key, owner("ben"), "x"),
            (&key, owner(""), "x"),
            (&key, Owner::anonymous(), "x"),
            (&key, owner("ann"), "y"),
            (&NameKey::new([8; 32]), owner("ann"), "x"),
        ] {
            assert_ne!(key.upload(&owner, &name(text)), mine, "{owner:?} {text}");
        }
        assert_ne!(key.upload(&Owner::anonymous(), &name("x")), key.upload(&owner(""), &name("x")));
        assert_eq!(mine.to_string().as_bytes()[12], b'4', "it is a UUID of version 4");
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", NameKey::new([7; 32])), "NameKey(..)");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_and_what_it_takes_it_keeps(text: Vec<u8>) {
            if let Some(name) = SessionName::parse(&text) {
                prop_assert_eq!(name.as_str().as_bytes(), &text[..]);
            }
        }

        #[test]
        fn owner_and_name_do_not_run_into_each_other(
            owner in "[a-c\0]{0,4}", text in "[a-c]{1,4}", other in "[a-c\0]{0,4}", word in "[a-c]{1,4}",
        ) {
            let key = NameKey::new([7; 32]);
            let same = owner == other && text == word;
            let one = key.upload(&Owner::named(owner), &name(&text));
            let two = key.upload(&Owner::named(other), &name(&word));
            prop_assert_eq!(one == two, same);
        }
    }
}
