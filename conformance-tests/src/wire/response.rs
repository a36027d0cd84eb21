//! What comes back: interim heads, a final head, a body.

use super::WireError;

/// Header lines in the order received. Names are matched without regard to case.
///
/// Values are kept byte for byte: every byte becomes the character of the same number, so that a
/// byte above 0x7F is still visible as such.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Lines that were taken apart by somebody else.
    pub(super) fn of<'a>(lines: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let text = |value: &[u8]| value.iter().map(|byte| char::from(*byte)).collect();
        Self(lines.map(|(name, value)| (name.to_owned(), text(value))).collect())
    }

    /// The first value of the field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|line| is_named(line, name)).map(|(_, value)| value.as_str())
    }

    /// The values of every line of the field.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|line| is_named(line, name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The members of a comma-separated list over all its lines, without blanks around them.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.lines(name)
            .into_iter()
            .flat_map(|value| value.split(','))
            .map(|member| member.trim().to_owned())
            .filter(|member| !member.is_empty())
            .collect()
    }

    /// Every line, as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A status line and its header lines.
#[derive(Clone, Debug)]
pub struct Head {
    /// The three-digit status code.
    pub status: u16,
    /// The status line as received.
    pub line: String,
    /// The header lines.
    pub headers: Headers,
}

impl Head {
    /// Parses a head that ends with an empty line.
    ///
    /// # Errors
    ///
    /// [`WireError::NotHttp`] when it does not begin with an HTTP/1.x status line,
    /// [`WireError::Malformed`] when a header line has no colon or an invalid name.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let status =
            status_of(line).ok_or_else(|| WireError::NotHttp { beginning: short(line) })?;
        let mut fields = Vec::new();
        for field in lines.take_while(|field| !field.is_empty()) {
            let (name, value) = field
                .split_once(':')
                .ok_or_else(|| WireError::Malformed(format!("no colon in {field:?}")))?;
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(WireError::Malformed(format!("{name:?} is no field name")));
            }
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        Ok(Self { status, line: line.to_owned(), headers: Headers(fields) })
    }
}

/// A final response with its whole body.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status line and header lines.
    pub head: Head,
    /// The body after the transfer coding was taken off.
    pub body: Vec<u8>,
}

/// Everything the server said to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The 1xx heads, oldest first.
    pub interim: Vec<Head>,
    /// The final response.
    pub response: Response,
}

/// How the end of a response body is found (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Sized(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    pub(super) fn of(head: &Head, method: &str) -> Result<Self, WireError> {
        if method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304 {
            return Ok(Self::Empty);
        }
        let codings = head.headers.list("Transfer-Encoding");
        if codings.iter().any(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Ok(Self::Chunked);
        }
        match head.headers.get("Content-Length") {
            None => Ok(Self::UntilClose),
            Some(value) => value
                .parse()
                .map(Self::Sized)
                .map_err(|_| WireError::Malformed(format!("Content-Length is {value:?}"))),
        }
    }
}

fn is_named((present, _): &(String, String), name: &str) -> bool {
    present.eq_ignore_ascii_case(name)
}

fn status_of(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let code = rest.split(' ').next()?;
    (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| code.parse().ok())
        .flatten()
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_keeps_every_line_of_a_field() {
        let head =
            Head::parse(b"HTTP/1.1 204 No Content\r\nVary: a\r\nvary:  b, c \r\n\r\n").unwrap();
        assert_eq!(head.status, 204);
        assert_eq!(head.headers.list("VARY"), ["a", "b", "c"]);
    }

    #[test]
    fn bytes_above_ascii_stay_visible() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nX: \xE9\r\n\r\n").unwrap();
        assert!(!head.headers.get("x").unwrap().is_ascii());
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for bytes in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/1.1 20 x\r\n\r\n", b"HTTP/2 200\r\n\r\n"] {
            assert!(matches!(Head::parse(bytes), Err(WireError::NotHttp { .. })));
        }
    }

    #[test]
    fn an_answer_to_head_has_no_body_whatever_it_announces() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap();
        assert_eq!(Framing::of(&head, "HEAD").unwrap(), Framing::Empty);
        assert_eq!(Framing::of(&head, "GET").unwrap(), Framing::Sized(5));
    }
}
