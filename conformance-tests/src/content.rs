//! Bodies, digests, metadata and dates the cases use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// `length` printable bytes that differ by position and by `seed`, so that a shifted, repeated or
/// mixed-up piece is noticed.
pub fn letters(seed: u64, length: usize) -> Vec<u8> {
    let mut numbers = Numbers::seeded(seed);
    (0..length)
        .map(|_| {
            let letter = u8::try_from(numbers.below(26)).unwrap_or_default();
            b'a'.saturating_add(letter)
        })
        .collect()
}

/// The number of bytes as the wire counts them.
pub fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Base64 with padding.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// `name` with its value in base64, as one pair of `Upload-Metadata`.
pub fn pair(name: &str, value: impl AsRef<[u8]>) -> String {
    format!("{name} {}", base64(value))
}

/// The value of `Upload-Checksum` for `bytes`; `None` for an algorithm we cannot compute.
///
/// A crc32 (IEEE) is written as its four bytes, most significant first.
pub fn checksum(algorithm: &str, bytes: &[u8]) -> Option<String> {
    let digest = match algorithm {
        "md5" => Md5::digest(bytes).to_vec(),
        "sha1" => Sha1::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        "sha512" => Sha512::digest(bytes).to_vec(),
        "crc32" => crc32fast::hash(bytes).to_be_bytes().to_vec(),
        _ => return None,
    };
    Some(format!("{algorithm} {}", base64(digest)))
}

/// The sha1 form of [`checksum`], which every server with the extension must know.
pub fn sha1(bytes: &[u8]) -> String {
    format!("sha1 {}", base64(Sha1::digest(bytes)))
}

/// Pseudo-random numbers that are the same in every run (xorshift).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Starts a sequence.
    pub fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11).checked_rem(bound).unwrap_or(0)
    }
}

/// The instant `patience` from now.
pub fn after(patience: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(patience).unwrap_or(now)
}

/// Seconds since 1970 by this machine's clock.
pub fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since 1970 of an IMF-fixdate (`Wed, 25 Jun 2014 16:00:00 GMT`); `None` for any other
/// form of date, a wrong weekday, or a year before 1970.
pub fn imf_fixdate_seconds(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    if text.len() != 29 {
        return None;
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [weekday, day, month, year, time, "GMT"] = words.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)?;
    let days = days_since_1970(digits(year, 4)?, u64::try_from(month).ok()?, digits(day, 2)?)?;
    let index = usize::try_from(days.checked_rem(7)?).ok()?;
    if weekday.strip_suffix(',')? != *WEEKDAYS.get(index)? {
        return None;
    }
    let parts: Vec<&str> = time.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    let (hours, minutes, seconds) = (digits(hours, 2)?, digits(minutes, 2)?, digits(seconds, 2)?);
    (hours < 24 && minutes < 60 && seconds < 61)
        .then(|| days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

/// Days from 1970-01-01; `month` counts from 0. `None` for a day the month does not have.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let month_days = |month: u64| match month {
        1 => 28 + u64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    if year < 1970 || day == 0 || day > month_days(month) {
        return None;
    }
    let years: u64 = (1970..year).map(|past| 365 + u64::from(leap(past))).sum();
    let months: u64 = (0..month).map(month_days).sum();
    Some(years + months + day - 1)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imf_fixdate_is_read_and_every_other_form_is_not() {
        assert_eq!(imf_fixdate_seconds("Wed, 25 Jun 2014 16:00:00 GMT"), Some(1_403_712_000));
        assert_eq!(imf_fixdate_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(imf_fixdate_seconds("Sat, 29 Feb 2020 23:59:59 GMT"), Some(1_583_020_799));
        for other in [
            "Tue, 25 Jun 2014 16:00:00 GMT",
            "Wed, 25 Jun 2014 16:00:00 UTC",
            "Wednesday, 25-Jun-14 16:00:00 GMT",
            "Wed Jun 25 16:00:00 2014",
            "Sun, 29 Feb 2021 00:00:00 GMT",
            "2014-06-25T16:00:00Z",
            "",
        ] {
            assert_eq!(imf_fixdate_seconds(other), None, "{other}");
        }
    }

    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(checksum("crc32", b"123456789").unwrap(), "crc32 y/Q5Jg==");
        assert_eq!(sha1(b"hello world"), "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=");
        assert_eq!(checksum("md5", b"").unwrap(), "md5 1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(checksum("whirlpool", b""), None);
    }

    #[test]
    fn bodies_of_different_seeds_differ() {
        assert_ne!(letters(1, 64), letters(2, 64));
        assert_eq!(letters(3, 64), letters(3, 64));
    }
}
