//! IMF-fixdate (RFC 9110, section 5.6.7), both ways; RFC 3339 for JSON.

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

/// Writes a moment as RFC 3339 does, in UTC and rounded down to the second. What lies past the year
/// 9999 is shown as its end.
#[must_use]
pub fn write_rfc3339(moment: Timestamp) -> String {
    let seconds = moment.unix_seconds().min(LAST_SECOND);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
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
    fn a_date_in_json_is_written_by_rfc_3339_up_to_the_end_of_dates() {
        let write = |milliseconds| write_rfc3339(Timestamp::from_unix_milliseconds(milliseconds));
        assert_eq!(write(1_403_712_000_999), "2014-06-25T16:00:00Z");
        assert_eq!(write(u64::MAX), "9999-12-31T23:59:59Z");
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
