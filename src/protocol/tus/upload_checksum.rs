//! `Upload-Checksum` and `Tus-Checksum-Algorithm`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::protocol::field::single;
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;
use crate::upload::{Digest, DigestAlgorithm};

/// The digest that the body of this request has.
pub const UPLOAD_CHECKSUM: &str = "Upload-Checksum";
/// The algorithms that may be used (T-53).
pub const TUS_CHECKSUM_ALGORITHM: &str = "Tus-Checksum-Algorithm";

const EXPECTED: &str =
    "an algorithm, a space and the base64 of the body's digest, such as `Upload-Checksum: sha1 …`";

/// Reads `Upload-Checksum = algorithm SP base64` (T-112 to T-116).
///
/// # Errors
///
/// [`Problem::UnknownChecksum`] for an algorithm that is not offered; repeated or malformed.
pub fn read(head: &RequestHead<'_>) -> Result<Option<Digest>, Problem> {
    let Some(line) = single(head, UPLOAD_CHECKSUM)? else { return Ok(None) };
    let malformed = || Problem::MalformedField { field: UPLOAD_CHECKSUM, expected: EXPECTED };
    let text = std::str::from_utf8(line).map_err(|_| malformed())?;
    let (name, digest) = text.split_once(' ').ok_or_else(malformed)?;
    let algorithm: DigestAlgorithm = name.parse().map_err(|_| Problem::UnknownChecksum)?;
    let digest = STANDARD.decode(digest).map_err(|_| malformed())?;
    Digest::new(algorithm, digest).map(Some).ok_or_else(malformed)
}

/// The value of `Tus-Checksum-Algorithm` (T-111).
#[must_use]
pub fn algorithms() -> String {
    DigestAlgorithm::ALL.map(DigestAlgorithm::name).join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    fn parse(line: &[u8]) -> Result<Option<Digest>, Problem> {
        let fields = vec![("upload-checksum", line)];
        read(&RequestHead { method: "PATCH", path: "/", fields, body: BodyLength::Empty })
    }

    #[test]
    fn a_digest_of_a_known_algorithm_is_read() {
        let digest = parse(b"sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=").unwrap().unwrap();
        assert_eq!(digest.algorithm(), DigestAlgorithm::Sha1);
        assert_eq!(digest.bytes()[..4], [0xa9, 0x99, 0x3e, 0x36]);
    }

    #[test]
    fn an_algorithm_that_is_not_offered_has_its_own_answer() {
        for line in [&b"sha3 YQ=="[..], b"SHA1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", b" YQ=="] {
            assert_eq!(parse(line), Err(Problem::UnknownChecksum), "{line:?}");
        }
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_refused() {
        for line in [
            &b""[..],
            b"sha1",
            b"sha1 ",
            b"sha1 YQ==",
            b"sha1 !!!!",
            b"sha1  qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
            b"sha1 qZk-NkcGgWq6PiVxeFDCbJzQ2J0=",
            b"sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0= x",
            b"sha1 \xff",
        ] {
            assert!(matches!(parse(line), Err(Problem::MalformedField { .. })), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn every_digest_reads_back(which in 0..DigestAlgorithm::ALL.len(), seed: [u8; 64]) {
            let algorithm = DigestAlgorithm::ALL[which];
            let bytes = &seed[..algorithm.digest_bytes()];
            let line = format!("{algorithm} {}", STANDARD.encode(bytes));
            let digest = parse(line.as_bytes()).unwrap().unwrap();
            prop_assert_eq!(digest.algorithm(), algorithm);
            prop_assert_eq!(digest.bytes(), bytes);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}
