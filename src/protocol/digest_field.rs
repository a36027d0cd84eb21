//! `Content-Digest` and `Repr-Digest` (RFC 9530).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::upload::{Digest, DigestAlgorithm};

use super::head::RequestHead;
use super::problem::Problem;

/// The digest of the body of this request.
pub const CONTENT_DIGEST: &str = "Content-Digest";
/// The digest of the whole upload.
pub const REPR_DIGEST: &str = "Repr-Digest";

/// The algorithms we compute, as `Want-Content-Digest` and `Want-Repr-Digest` say it.
pub const WANTED: &str = "sha-256=10, sha-512=9";

const EXPECTED: &str = "a digest such as `sha-256=:` + its base64 + `:`";

/// Padding may be missing (RFC 9651, section 4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads `digests = Dictionary of byte sequences`, over all its lines; `None` if it is absent.
///
/// sha-256 before sha-512; what we do not compute is skipped beside one of them.
///
/// # Errors
///
/// [`Problem::MalformedField`], also for a digest of the wrong length and for one that is there
/// twice; [`Problem::UnknownDigest`] if we compute none of the algorithms: whoever asks for a check
/// must not believe that it was made.
pub fn read(head: &RequestHead<'_>, field: &'static str) -> Result<Option<Digest>, Problem> {
    let lines: Vec<&[u8]> = head.lines(field).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let malformed = || Problem::MalformedField { field, expected: EXPECTED };
    let text = String::from_utf8(lines.join(&b","[..])).map_err(|_| malformed())?;
    let members = members(&text).ok_or_else(malformed)?;
    let mut known: Vec<(DigestAlgorithm, &str)> = Vec::new();
    for (key, value) in members {
        let Some(algorithm) = algorithm(key) else { continue };
        if known.iter().any(|(other, _)| *other == algorithm) {
            return Err(malformed());
        }
        known.push((algorithm, value));
    }
    known.sort_by_key(|(algorithm, _)| algorithm.digest_bytes());
    let (algorithm, value) = *known.first().ok_or(Problem::UnknownDigest { field })?;
    let bytes = BASE64.decode(value).map_err(|_| malformed())?;
    Digest::new(algorithm, bytes).map(Some).ok_or_else(malformed)
}

/// The algorithm with this key; those that RFC 9530 calls insecure are not offered.
fn algorithm(key: &str) -> Option<DigestAlgorithm> {
    match key {
        "sha-256" => Some(DigestAlgorithm::Sha256),
        "sha-512" => Some(DigestAlgorithm::Sha512),
        _ => None,
    }
}

/// The members of the dictionary: key and base64. `None` if a value is no byte sequence.
///
/// The base64 alphabet has no comma and no semicolon, so that neither can hide in a value.
fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let member = |member: &'_ str| -> Option<(usize, usize, usize)> {
        let (key, rest) = member.split_once('=')?;
        let rest = rest.strip_prefix(':')?;
        let (value, parameters) = rest.split_once(':')?;
        let ends = parameters.is_empty() || parameters.starts_with(';');
        (is_key(key) && ends).then_some((key.len(), key.len().checked_add(2)?, value.len()))
    };
    text.split(',')
        .map(|text| {
            let text = text.trim_matches([' ', '\t']);
            let (key, start, length) = member(text)?;
            Some((text.get(..key)?, text.get(start..start.checked_add(length)?)?))
        })
        .collect()
}

/// `key = ( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" )`.
fn is_key(text: &str) -> bool {
    let first = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'*';
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
    text.as_bytes().first().is_some_and(first) && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    /// SHA-256 of `abc`.
    const ABC: &str = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";

    fn parse(lines: &[&str]) -> Result<Option<Digest>, Problem> {
        let fields = lines.iter().map(|line| ("content-digest", line.as_bytes())).collect();
        let head = RequestHead { method: "PUT", path: "/", fields, body: BodyLength::Empty };
        read(&head, CONTENT_DIGEST)
    }

    fn sha512() -> String {
        format!("sha-512=:{}:", BASE64.encode([7; 64]))
    }

    #[test]
    fn a_known_algorithm_is_read_whatever_stands_beside_it() {
        let (first, both) = (format!("unknown=:AA==:, {ABC}"), format!("{}, {ABC}", sha512()));
        let unpadded = ABC.replace('=', "").replace("sha-256", "sha-256=");
        let more = format!("{ABC};x=1");
        for lines in [&[ABC][..], &[&first], &[&both], &[&sha512(), ABC], &[&unpadded], &[&more]] {
            let digest = parse(lines).unwrap().unwrap();
            assert_eq!(digest.algorithm(), DigestAlgorithm::Sha256, "{lines:?}");
            assert_eq!(digest.bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
        }
        let digest = parse(&[&sha512()]).unwrap().unwrap();
        assert_eq!((digest.algorithm(), digest.bytes()), (DigestAlgorithm::Sha512, &[7; 64][..]));
        assert_eq!(parse(&[]), Ok(None));
    }

    #[test]
    fn a_check_that_cannot_be_made_is_refused() {
        let refusal = Err(Problem::UnknownDigest { field: CONTENT_DIGEST });
        for line in ["md5=:kAFQmDzST7DWlj99KOF/cg==:", "crc32c=:AAAAAA==:", "sha-257=:AA==:"] {
            assert_eq!(parse(&[line]), refusal, "{line}");
        }
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_refused() {
        let twice = format!("{ABC}, {ABC}");
        for line in [
            "",
            "sha-256",
            "sha-256=",
            "sha-256=::",
            "sha-256=:AA==:",
            "sha-256=:!!!!:",
            "sha-256=ungWv48Bz",
            "sha-256=\"ungWv48Bz\"",
            "SHA-256=:AA==:",
            "sha-256 = :AA==:",
            ",",
            &format!("{ABC},"),
            &format!("{ABC} x"),
            &twice,
        ] {
            assert!(matches!(parse(&[line]), Err(Problem::MalformedField { .. })), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn every_digest_reads_back(bytes: [u8; 32]) {
            let line = format!("sha-256=:{}:", BASE64.encode(bytes));
            let digest = parse(&[&line]).unwrap().unwrap();
            prop_assert_eq!(digest.bytes(), bytes);
        }

        #[test]
        fn no_text_makes_the_reader_panic(line in ".{0,60}") {
            let _ = parse(&[&line]);
        }
    }
}
