//! Field grammars that protocols share: exactly one line, and integers.

use super::head::RequestHead;
use super::problem::Problem;

/// The only line of a field that may be absent.
///
/// A repeated field is refused even if its lines are equal: two writers put them there, and which
/// of them to believe is not ours to guess.
///
/// # Errors
///
/// [`Problem::RepeatedField`].
pub fn single<'a>(
    head: &RequestHead<'a>,
    field: &'static str,
) -> Result<Option<&'a [u8]>, Problem> {
    let mut lines = head.lines(field);
    let line = lines.next();
    if lines.next().is_some() {
        return Err(Problem::RepeatedField { field });
    }
    Ok(line)
}

/// The value of a field that holds `1*DIGIT` and may be absent (T-6, T-7).
///
/// # Errors
///
/// [`Problem::RepeatedField`], and [`Problem::MalformedField`] for anything but digits and for
/// numbers past 2^63 - 1.
pub fn integer(
    head: &RequestHead<'_>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<u64>, Problem> {
    let Some(line) = single(head, field)? else { return Ok(None) };
    let value = decimal(line).filter(|value| *value <= crate::upload::quantity::MAX_BYTES);
    value.map(Some).ok_or(Problem::MalformedField { field, expected })
}

/// Reads `1*DIGIT`; `None` for anything else, and past `u64::MAX`.
///
/// Stricter than `str::parse`, which would also take `+5`.
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte.wrapping_sub(b'0')))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether `text` is a `token` (RFC 9110, section 5.6.2).
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    fn read(lines: &[&'static [u8]]) -> Result<Option<u64>, Problem> {
        let fields = lines.iter().map(|line| ("upload-offset", *line)).collect();
        let head = RequestHead { method: "PATCH", path: "/", fields, body: BodyLength::Empty };
        integer(&head, "Upload-Offset", "a number")
    }

    #[test]
    fn an_integer_field_takes_digits_and_nothing_else() {
        for (text, value) in
            [(&b"0"[..], 0), (b"42", 42), (b"007", 7), (b"9223372036854775807", (1 << 63) - 1)]
        {
            assert_eq!(read(&[text]), Ok(Some(value)));
        }
        let malformed =
            Err(Problem::MalformedField { field: "Upload-Offset", expected: "a number" });
        for text in [
            &b""[..],
            b" ",
            b"-1",
            b"+5",
            b"1.5",
            b"0x10",
            b"1e3",
            b"1,2",
            b"1 2",
            b"\xc2\xb2",
            b"\0",
            b"9223372036854775808",
            b"18446744073709551616",
            b"99999999999999999999999999999999",
        ] {
            assert_eq!(read(&[text]), malformed, "{text:?}");
        }
    }

    #[test]
    fn absence_is_not_an_error_and_repetition_is_one_even_if_the_lines_agree() {
        assert_eq!(read(&[]), Ok(None));
        let repeated = Err(Problem::RepeatedField { field: "Upload-Offset" });
        assert_eq!(read(&[b"1", b"2"]), repeated);
        assert_eq!(read(&[b"1", b"1"]), repeated);
    }

    #[test]
    fn a_token_has_no_separators() {
        assert!(is_token("offset+octet-stream"));
        for bad in ["", "a b", "a/b", "a;b", "a\"", "é", "a\r\n"] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_reads_back(value: u64) {
            prop_assert_eq!(decimal(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn what_reads_as_a_number_is_digits(text: Vec<u8>) {
            if decimal(&text).is_some() {
                prop_assert!(text.iter().all(u8::is_ascii_digit));
            }
        }
    }
}
