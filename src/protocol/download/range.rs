//! `Range` (RFC 9110, section 14.2).

use crate::protocol::field::decimal;
use crate::protocol::head::RequestHead;

/// Most ranges that one request may ask for; with more, the field is ignored.
pub const MAX_RANGES: usize = 16;

/// Bytes of a representation that are sent: never empty, always within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// How many, at least one.
    pub bytes: u64,
}

impl ByteRange {
    /// The byte after the last.
    const fn end(self) -> u64 {
        self.start.saturating_add(self.bytes)
    }

    /// The value of `Content-Range` (section 14.4).
    #[must_use]
    pub fn content_range(self, length: u64) -> String {
        format!("bytes {}-{}/{length}", self.start, self.end().saturating_sub(1))
    }
}

/// What a request wants of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: there is no usable `Range`.
    Whole,
    /// These stretches, none of which touches another; one or more.
    Some(Vec<ByteRange>),
    /// Only bytes that do not exist: 416.
    Nothing,
}

/// Reads `Range` against a representation of `length` bytes.
///
/// A unit we do not know, a malformed list and more than [`MAX_RANGES`] ranges mean that the field
/// is ignored, as the RFC allows. Ranges that overlap or touch are joined and then sent in
/// ascending order, so that no request gets more bytes than the representation has.
#[must_use]
pub fn wanted(head: &RequestHead<'_>, length: u64) -> Wanted {
    let mut lines = head.lines("Range");
    let (Some(line), None) = (lines.next(), lines.next()) else { return Wanted::Whole };
    let Some(specs) = specs(line) else { return Wanted::Whole };
    if length == 0 && specs.iter().any(|spec| matches!(spec, Spec::Last(count) if *count > 0)) {
        // Satisfiable by the letter, but no `Content-Range` can say so.
        return Wanted::Whole;
    }
    let ranges: Vec<ByteRange> = specs.into_iter().filter_map(|spec| spec.within(length)).collect();
    if ranges.is_empty() { Wanted::Nothing } else { Wanted::Some(coalesced(ranges)) }
}

/// One range as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// `first-last`, both inclusive.
    Between(u64, u64),
    /// `first-`
    From(u64),
    /// `-count`
    Last(u64),
}

impl Spec {
    /// The bytes that exist of it.
    fn within(self, length: u64) -> Option<ByteRange> {
        let (start, end) = match self {
            Self::Between(first, last) => (first, last.saturating_add(1).min(length)),
            Self::From(first) => (first, length),
            Self::Last(count) => (length.saturating_sub(count), length),
        };
        let bytes = end.checked_sub(start).filter(|bytes| *bytes > 0)?;
        Some(ByteRange { start, bytes })
    }
}

/// Reads `bytes=` and its list; `None` for anything we may ignore.
fn specs(line: &[u8]) -> Option<Vec<Spec>> {
    let (unit, list) = line.split_at_checked("bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let mut specs = Vec::new();
    for item in list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        // Recipients have to accept empty list elements (section 5.6.1.2).
        if item.is_empty() {
            continue;
        }
        if specs.len() >= MAX_RANGES {
            return None;
        }
        specs.push(spec(item)?);
    }
    (!specs.is_empty()).then_some(specs)
}

fn spec(item: &[u8]) -> Option<Spec> {
    let dash = item.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (item.get(..dash)?, item.get(dash.checked_add(1)?..)?);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => decimal(last).map(Spec::Last),
        (false, true) => decimal(first).map(Spec::From),
        (false, false) => {
            let (first, last) = (decimal(first)?, decimal(last)?);
            (first <= last).then_some(Spec::Between(first, last))
        }
    }
}

/// Joins ranges that overlap or touch; leaves the asked order alone if none do.
fn coalesced(ranges: Vec<ByteRange>) -> Vec<ByteRange> {
    let mut sorted = ranges.clone();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<ByteRange> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end() => {
                last.bytes = last.end().max(range.end()).saturating_sub(last.start);
            }
            Some(_) | None => joined.push(range),
        }
    }
    if joined.len() == ranges.len() { ranges } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    fn read(line: &[u8], length: u64) -> Wanted {
        let fields = vec![("range", line)];
        wanted(&RequestHead { method: "GET", path: "/", fields, body: BodyLength::Empty }, length)
    }

    fn some(ranges: &[(u64, u64)]) -> Wanted {
        Wanted::Some(
            ranges
                .iter()
                .map(|(start, bytes)| ByteRange { start: *start, bytes: *bytes })
                .collect(),
        )
    }

    #[test]
    fn single_ranges_are_cut_to_what_exists() {
        for (line, expected) in [
            (&b"bytes=0-0"[..], some(&[(0, 1)])),
            (b"bytes=2-4", some(&[(2, 3)])),
            (b"Bytes=2-", some(&[(2, 8)])),
            (b"bytes=-3", some(&[(7, 3)])),
            (b"bytes=-300", some(&[(0, 10)])),
            (b"bytes=9-99999999999999999", some(&[(9, 1)])),
            (b"bytes=0-18446744073709551615", some(&[(0, 10)])),
            (b"bytes=10-", Wanted::Nothing),
            (b"bytes=10-20", Wanted::Nothing),
            (b"bytes=-0", Wanted::Nothing),
        ] {
            assert_eq!(read(line, 10), expected, "{line:?}");
        }
    }

    #[test]
    fn several_ranges_keep_their_order_and_lose_what_does_not_exist() {
        assert_eq!(read(b"bytes=8-9, 0-1, 50-", 10), some(&[(8, 2), (0, 2)]));
        assert_eq!(read(b"bytes=,0-1,,4-5,", 10), some(&[(0, 2), (4, 2)]));
    }

    #[test]
    fn ranges_that_overlap_or_touch_are_joined() {
        assert_eq!(read(b"bytes=4-6,0-4", 10), some(&[(0, 7)]));
        assert_eq!(read(b"bytes=0-1,2-3,8-9", 10), some(&[(0, 4), (8, 2)]));
        assert_eq!(read(b"bytes=0-,0-,0-,0-", 10), some(&[(0, 10)]));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for line in [
            &b""[..],
            b"bytes",
            b"bytes=",
            b"bytes=,",
            b"bytes=-",
            b"bytes=a-b",
            b"bytes=4-2",
            b"items=0-1",
            b"bytes=0-1,x",
            b"bytes=+1-2",
            b"bytes=1",
            b"bytes=--1",
            b"bytes=18446744073709551616-",
            b"bytes 0-1",
            b"bytes=0 - 1",
            b"\xff",
        ] {
            assert_eq!(read(line, 10), Wanted::Whole, "{line:?}");
        }
    }

    #[test]
    fn more_ranges_than_the_bound_are_ignored() {
        let list = |count: usize| {
            let ranges: Vec<_> = (0..count).map(|at| format!("{}-{}", at * 4, at * 4)).collect();
            format!("bytes={}", ranges.join(","))
        };
        let taken = read(list(MAX_RANGES).as_bytes(), 1000);
        assert!(matches!(taken, Wanted::Some(ranges) if ranges.len() == MAX_RANGES));
        assert_eq!(read(list(MAX_RANGES + 1).as_bytes(), 1000), Wanted::Whole);
    }

    #[test]
    fn of_nothing_only_the_end_can_be_wanted() {
        assert_eq!(read(b"bytes=0-", 0), Wanted::Nothing);
        assert_eq!(read(b"bytes=-5", 0), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn stretches_lie_within_and_never_touch(
            specs in prop::collection::vec((0..200_u64, 0..200_u64), 1..10),
            length in 0..150_u64,
        ) {
            let list: Vec<_> = specs.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            if let Wanted::Some(mut ranges) = read(format!("bytes={}", list.join(",")).as_bytes(), length) {
                ranges.sort_by_key(|range| range.start);
                prop_assert!(ranges.iter().all(|range| range.bytes > 0 && range.end() <= length));
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start));
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(line: Vec<u8>, length: u64) {
            let _ = read(&line, length);
            let _ = read(&[b"bytes=", line.as_slice()].concat(), length);
        }
    }
}
