//! `Authorization: Bearer` (RFC 6750).

use super::field::single;
use super::head::RequestHead;

/// The token a request carries; `None` if it carries none, or something else.
///
/// The scheme is compared without case. What the token is worth is decided in constant time by
/// whoever knows the tokens.
#[must_use]
pub fn token<'a>(head: &RequestHead<'a>) -> Option<&'a [u8]> {
    let line = single(head, "Authorization").ok().flatten()?;
    let (scheme, rest) = line.split_at_checked("Bearer ".len())?;
    let token = rest.trim_ascii();
    let visible = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
    (scheme.eq_ignore_ascii_case(b"Bearer ") && visible).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;

    fn read(lines: &[&'static [u8]]) -> Option<&'static [u8]> {
        let fields = lines.iter().map(|line| ("authorization", *line)).collect();
        token(&RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty })
    }

    #[test]
    fn only_a_single_well_formed_bearer_token_counts() {
        assert_eq!(read(&[b"Bearer secret"]), Some(&b"secret"[..]));
        assert_eq!(read(&[b"bearer  secret "]), Some(&b"secret"[..]));
        for lines in [
            &[][..],
            &[&b""[..]][..],
            &[&b"Bearer"[..]][..],
            &[&b"Bearer "[..]][..],
            &[&b"Bearer two words"[..]][..],
            &[&b"Bearer \xff"[..]][..],
            &[&b"Basic c2VjcmV0"[..]][..],
            &[&b"Bearer a"[..], &b"Bearer a"[..]][..],
        ] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }
}
