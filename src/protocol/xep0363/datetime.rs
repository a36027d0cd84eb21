//! `DateTime` of XEP-0082: `2026-11-21T07:11:24Z`, both ways.

use crate::upload::Timestamp;

const MILLISECONDS_PER_DAY: u64 = 86_400_000;

/// Writes whole seconds in UTC, which is what a `retry` stamp has to be.
#[must_use]
pub fn write(moment: Timestamp) -> String {
    let (days, rest) = (
        moment.unix_milliseconds() / MILLISECONDS_PER_DAY,
        moment.unix_milliseconds() % MILLISECONDS_PER_DAY / 1000,
    );
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads `CCYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; `None` for anything else, and before 1970.
///
/// A leap second counts as the second after it; fractions count to the millisecond.
#[must_use]
pub fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, offset_minutes) = zone(time)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let in_day = hour < 24 && minute < 60 && second <= 60;
    if !in_day || year < 1970 || !(1..=12).contains(&month) || !exists(year, month, day) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let seconds = i64::try_from(seconds).ok()?.checked_sub(offset_minutes * 60)?;
    let milliseconds = u64::try_from(seconds).ok()? * 1000 + milliseconds(fraction)?;
    Some(Timestamp::from_unix_milliseconds(milliseconds))
}

/// The clock without its zone, and the minutes by which that is ahead of UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.find(['+', '-'])?;
    let (clock, zone) = time.split_at_checked(at)?;
    let (sign, zone) = zone.split_at_checked(1)?;
    let [hours, minutes] = numbers(zone, ':', [2, 2])?;
    let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
    let minutes = i64::try_from(minutes).ok()?;
    Some((clock, if sign == "-" { -minutes } else { minutes }))
}

/// Numbers of exactly these widths, and nothing else.
fn numbers<const N: usize>(text: &str, between: char, widths: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *number = crate::protocol::field::decimal(part.as_bytes())?;
    }
    parts.next().is_none().then_some(numbers)
}

fn milliseconds(fraction: &str) -> Option<u64> {
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let three: String = fraction.chars().chain("000".chars()).take(3).collect();
    (digits && !fraction.is_empty()).then(|| three.parse().ok())?
}

fn exists(year: u64, month: u64, day: u64) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=last).contains(&day)
}

/// Days between 1970-01-01 and a date. Years begin in March here, so that the odd day of leap
/// years is the last one, and months before it have a length that a line fits.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    before + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

/// Days from March of the year 0 to 1970-01-01.
const DAYS_TO_1970: u64 = 719_468;

/// The date that many days after 1970-01-01: the inverse of [`days`].
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (year + era * 400, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(text: &str) -> Option<u64> {
        read(text).map(Timestamp::unix_seconds)
    }

    #[test]
    fn known_moments_are_read_and_written() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2016-12-31T23:59:59Z", 1_483_228_799),
            ("2026-11-21T07:11:24Z", 1_795_245_084),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(text), Some(unix), "{text}");
            assert_eq!(write(Timestamp::from_unix_milliseconds(unix * 1000 + 999)), text);
        }
    }

    #[test]
    fn zones_and_fractions_are_understood() {
        assert_eq!(seconds("1969-12-31T23:00:00-01:00"), None);
        assert_eq!(seconds("1970-01-01T01:30:00+01:30"), Some(0));
        assert_eq!(seconds("1970-01-01T00:00:00-00:01"), Some(60));
        assert_eq!(seconds("2016-12-31T23:59:60Z"), Some(1_483_228_800));
        for (text, milliseconds) in [("0.5", 500), ("0.1239", 123), ("0.04", 40), ("0", 0)] {
            let text = format!("1970-01-01T00:00:0{text}Z");
            assert_eq!(read(&text).unwrap().unix_milliseconds(), milliseconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "T",
            "Z",
            "2026-11-21",
            "2026-11-21T07:11:24",
            "2026-11-21 07:11:24Z",
            "2026-11-21t07:11:24z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T07:60:00Z",
            "2026-11-21T07:11:61Z",
            "2026-11-21T7:11:24Z",
            "2026-11-21T07:11:24.Z",
            "2026-11-21T07:11:24.xZ",
            "2026-11-21T07:11:24+1:00",
            "2026-11-21T07:11:24+24:00",
            "2026-11-21T07:11:24Z ",
            "+026-11-21T07:11:24Z",
            "12026-11-21T07:11:24Z",
            "1969-12-31T23:59:59Z",
            "２026-11-21T07:11:24Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_until_the_year_9999_reads_back(unix in 0_u64..253_402_300_800) {
            let moment = Timestamp::from_unix_milliseconds(unix * 1000);
            prop_assert_eq!(read(&write(moment)), Some(moment));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9TZ:.+-]{0,30}|\\PC{0,30}") {
            let _ = read(&text);
        }
    }
}
