//! IMF-fixdate (RFC 9110, section 5.6.7), both ways.

use std::time::{Duration, UNIX_EPOCH};

use crate::upload::Timestamp;

/// The last second that IMF-fixdate can write: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Writes a moment as IMF-fixdate, rounded down to the second (T-103).
#[must_use]
pub fn write(moment: Timestamp) -> String {
    let seconds = moment.unix_seconds().min(LAST_SECOND);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Reads a date in any of the three forms recipients have to know; whole seconds since the epoch.
#[must_use]
pub fn read_unix_seconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_date_is_written_in_gmt_with_fixed_width() {
        let moment = Timestamp::from_unix_milliseconds(1_403_712_000_999);
        assert_eq!(write(moment), "Wed, 25 Jun 2014 16:00:00 GMT");
        assert_eq!(
            write(Timestamp::from_unix_milliseconds(u64::MAX)),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in [&b""[..], b"yesterday", b"Wed, 31 Feb 2014 16:00:00 GMT", b"\xff", b"0"] {
            assert_eq!(read_unix_seconds(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_second_reads_back(seconds in 0..=LAST_SECOND) {
            let text = write(Timestamp::from_unix_milliseconds(seconds * 1000));
            prop_assert_eq!(read_unix_seconds(text.as_bytes()), Some(seconds));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(text: Vec<u8>) {
            let _ = read_unix_seconds(&text);
        }
    }
}
