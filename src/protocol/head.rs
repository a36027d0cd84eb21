//! Request and response heads, as plain data.

use std::borrow::Cow;

/// What a request says about the size of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    Empty,
    /// Exactly this many bytes, at least one.
    Known(u64),
    /// It does not say (chunked coding, HTTP/2 without `Content-Length`); may turn out empty (T-38).
    Unknown,
}

impl BodyLength {
    /// The length in bytes, where it is known.
    #[must_use]
    pub const fn bytes(self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Known(bytes) => Some(bytes),
            Self::Unknown => None,
        }
    }
}

/// What a request says before its body.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    /// The method on the request line.
    pub method: &'a str,
    /// The path, still percent-encoded, without query.
    pub path: &'a str,
    /// Every field line in the order received; names in any case.
    pub fields: Vec<(&'a str, &'a [u8])>,
    /// The size of the body, by the framing of the connection.
    pub body: BodyLength,
}

impl<'a> RequestHead<'a> {
    /// Every line of a field, so that *missing* and *repeated* are decided on purpose (T-13).
    pub fn lines(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The value of a field that may appear once, as text without blanks around it.
    ///
    /// `None` if it is absent, repeated or not ASCII: for fields that are then ignored.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.lines(name);
        let line = lines.next()?;
        if lines.next().is_some() || !line.is_ascii() {
            return None;
        }
        std::str::from_utf8(line).ok().map(str::trim)
    }

    /// Whether a field is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.lines(name).next().is_some()
    }
}

/// What a response says before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// A reason phrase where the status is not a registered one (460).
    pub reason: Option<&'static str>,
    /// Field lines; values are visible ASCII by construction of the writers in `protocol`.
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
    /// A short text or JSON for people; `Content-Type` is among the fields when there is one.
    pub body: Option<String>,
}

impl ResponseHead {
    /// A head without fields.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, reason: None, fields: Vec::new(), body: None }
    }

    /// Adds a field line.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds the fields of `other` that are not there yet; status and body stay.
    #[must_use]
    pub fn with_missing(mut self, other: Self) -> Self {
        for (name, value) in other.fields {
            if self.get(name).is_none() {
                self.fields.push((name, value));
            }
        }
        self
    }

    /// The first line of a field; for tests and for those who add what is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut lines = self.fields.iter();
        lines.find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value.as_ref()))
    }
}
