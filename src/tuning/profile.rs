//! What is remembered of a client between its transfers.
//!
//! Averages and a time, nothing that says who it is or what it sent. A client can lie about itself only by
//! being slow, or by hints that count where nothing was measured; whichever it does, the answer is bounded and
//! its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::upload::Timestamp;

use super::chunk_size;
use super::measure::{PathMeasure, per_second};

/// A transfer that brings less says nothing of its client's rate.
const LEAST_BYTES: u64 = 64 * 1024;

/// A profile recommends something after so many transfers.
const LEAST_TRANSFERS: u32 = 3;

/// The newest transfer has this part in an average.
const PART: u64 = 4;

/// No client is believed to be faster: 100 Gbit/s.
const FASTEST: u64 = 12_500_000_000;

/// How a client is connected, as far as that can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// Short ways and high rates: the same building, or fibre.
    Wired,
    /// As Wi-Fi, cable and DSL are.
    Broadband,
    /// As LTE is.
    Mobile,
    /// As 2G and 3G are, or a train.
    Slow,
}

impl Connection {
    /// Every one of them, the fastest first.
    pub const ALL: [Self; 4] = [Self::Wired, Self::Broadband, Self::Mobile, Self::Slow];

    /// As metrics call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wired => "wired",
            Self::Broadband => "broadband",
            Self::Mobile => "mobile",
            Self::Slow => "slow",
        }
    }

    /// As [`Connection::measured`], of a client that was taken for `before`. Where no round trip is known this time
    /// (short transfers are over before the kernel was asked), one that was long before still is.
    fn judged(before: Option<Self>, rate: u64, rtt: Option<Duration>) -> Self {
        let by_radio = Self::measured(rate, Some(Duration::MAX));
        match rtt {
            None if before == Some(by_radio) => by_radio,
            None | Some(_) => Self::measured(rate, rtt),
        }
    }

    /// Judges by rate, and by the time of a round trip where it is known: a fast client whose round trips
    /// are long goes by radio.
    fn measured(rate: u64, rtt: Option<Duration>) -> Self {
        let long = |millis| rtt.is_some_and(|rtt| rtt >= Duration::from_millis(millis));
        match rate {
            0..125_000 => Self::Slow,
            125_000..1_250_000 => Self::Mobile,
            1_250_000..12_500_000 if long(50) => Self::Mobile,
            1_250_000..12_500_000 => Self::Broadband,
            _ if long(20) => Self::Broadband,
            _ => Self::Wired,
        }
    }
}

/// What a client says of its connection; none of it has to be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Bytes per second.
    pub rate: Option<u64>,
    /// A round trip.
    pub rtt: Option<Duration>,
    /// The kind it says.
    pub kind: Option<Connection>,
    /// Whether it wants to send and receive little.
    pub saves_data: bool,
}

/// What one transfer teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Bytes that went through.
    pub bytes: u64,
    /// What it took, without what was waited for that is not the client's.
    pub took: Duration,
    /// Whether it ended as it should.
    pub went_well: bool,
    /// Where its buffer stood in the end, if that was fitted.
    pub buffer_bytes: Option<u64>,
    /// What the kernel said of its path.
    pub path: Option<PathMeasure>,
    /// What the client said.
    pub hints: Hints,
}

/// What is remembered of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientProfile {
    /// Transfers that it is made of, as far as they were counted.
    transfers: u32,
    /// Average throughput in bytes per second; 0 while none was measured.
    rate: u64,
    /// Of a thousand transfers so many ended as they should.
    reliability: u16,
    /// How it is connected.
    connection: Option<Connection>,
    /// The buffer that suits it; 0 while none was fitted.
    buffer_bytes: u64,
    /// The chunk size that suits it.
    chunk_bytes: u64,
    /// When it was last seen, in milliseconds since 1970.
    seen_at: u64,
}

/// What a profile is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the type of a client's connection is told.
    pub detects_connections: bool,
    /// Largest chunk that is recommended.
    pub most_chunk_bytes: usize,
}

impl ClientProfile {
    /// What is known of a client that nobody has seen.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            transfers: 0,
            rate: 0,
            reliability: 1000,
            connection: None,
            buffer_bytes: 0,
            chunk_bytes: 0,
            seen_at: 0,
        }
    }

    /// The profile after one more transfer.
    #[must_use]
    pub fn after(self, lesson: &Lesson, now: Timestamp, rules: &Rules) -> Self {
        let well = if lesson.went_well { 1000 } else { 0 };
        let reliability = average(u64::from(self.reliability), well);
        let reliability = u16::try_from(reliability).unwrap_or(1000);
        let rate = self.rate_after(lesson);
        let measured = (rate > 0).then(|| {
            let rtt = lesson.path.map(|path| path.rtt).or(lesson.hints.rtt);
            Connection::judged(self.connection, rate, rtt)
        });
        let connection = measured.or_else(|| lesson.hints.connection());
        let chunk_bytes = match (rate, lesson.hints.rate) {
            (0, None) => self.chunk_bytes,
            (0, Some(told)) => self.chunk_for(told.min(FASTEST), reliability, rules),
            (rate, _) => self.chunk_for(rate, reliability, rules),
        };
        Self {
            transfers: self.transfers.saturating_add(1),
            rate,
            reliability,
            connection,
            buffer_bytes: lesson.buffer_bytes.unwrap_or(self.buffer_bytes),
            chunk_bytes: if lesson.hints.saves_data { chunk_size::LEAST } else { chunk_bytes },
            seen_at: now.unix_milliseconds(),
        }
        .under(rules)
    }

    /// As much of it as `rules` let be known.
    #[must_use]
    pub fn under(self, rules: &Rules) -> Self {
        Self { connection: self.connection.filter(|_| rules.detects_connections), ..self }
    }

    fn rate_after(&self, lesson: &Lesson) -> u64 {
        let seen = per_second(lesson.bytes, lesson.took).min(FASTEST);
        match self.rate {
            rate if lesson.bytes < LEAST_BYTES => rate,
            0 => seen,
            rate => average(rate, seen),
        }
    }

    fn chunk_for(&self, rate: u64, reliability: u16, rules: &Rules) -> u64 {
        chunk_size::recommended(self.chunk_bytes, rate, reliability, rules.most_chunk_bytes)
    }

    /// The chunk size to recommend; `None` while too little is known.
    #[must_use]
    pub fn chunk_bytes(&self) -> Option<u64> {
        (self.transfers >= LEAST_TRANSFERS && self.chunk_bytes > 0).then_some(self.chunk_bytes)
    }

    /// The buffer to begin with; `None` if none was ever fitted.
    #[must_use]
    pub fn buffer_bytes(&self) -> Option<u64> {
        (self.buffer_bytes > 0).then_some(self.buffer_bytes)
    }

    /// How the client is connected; `None` if that is not known, or not to be.
    #[must_use]
    pub const fn connection(&self) -> Option<Connection> {
        self.connection
    }

    /// When the client was last seen.
    #[must_use]
    pub const fn seen_at(&self) -> Timestamp {
        Timestamp::from_unix_milliseconds(self.seen_at)
    }
}

impl Default for ClientProfile {
    fn default() -> Self {
        Self::new()
    }
}

impl Hints {
    fn connection(&self) -> Option<Connection> {
        let rated = self.rate.map(|rate| Connection::measured(rate.min(FASTEST), self.rtt));
        self.kind.or(rated)
    }
}

/// The average that goes on: what was, and a part of what is new.
fn average(before: u64, new: u64) -> u64 {
    let (before, new) = (u128::from(before), u128::from(new));
    let part = u128::from(PART);
    let average = (before.saturating_mul(part - 1).saturating_add(new)) / part;
    u64::try_from(average).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { detects_connections: true, most_chunk_bytes: 16 * 1024 * 1024 };
    const KIB: u64 = 1024;

    fn now() -> Timestamp {
        Timestamp::from_unix_milliseconds(1_000_000)
    }

    fn lesson(rate: u64, went_well: bool) -> Lesson {
        Lesson {
            bytes: rate.saturating_mul(10),
            took: Duration::from_secs(10),
            went_well,
            buffer_bytes: None,
            path: None,
            hints: Hints::default(),
        }
    }

    fn learned(lessons: impl IntoIterator<Item = Lesson>) -> ClientProfile {
        let lessons = lessons.into_iter();
        lessons.fold(ClientProfile::new(), |profile, lesson| profile.after(&lesson, now(), &RULES))
    }

    #[test]
    fn a_profile_recommends_after_three_transfers_and_less_to_whoever_breaks_off() {
        let few = learned([lesson(1_000_000, true); 2]);
        assert_eq!(few.chunk_bytes(), None);
        let good = learned([lesson(1_000_000, true); 10]);
        assert_eq!(good.chunk_bytes(), Some(8 * 1024 * KIB));
        let bad = learned([lesson(1_000_000, false); 10]);
        assert_eq!(bad.chunk_bytes(), Some(1024 * KIB));
        let slow = learned([lesson(20_000, true); 10]);
        assert_eq!(slow.chunk_bytes(), Some(256 * KIB));
    }

    #[test]
    fn the_connection_is_what_was_measured_and_a_hint_counts_only_without_a_measurement() {
        let hints = Hints { kind: Some(Connection::Wired), ..Hints::default() };
        let lying = Lesson { hints, ..lesson(50_000, true) };
        assert_eq!(learned([lying]).connection(), Some(Connection::Slow));
        let tiny = Lesson { bytes: 10, hints, ..lying };
        assert_eq!(learned([tiny]).connection(), Some(Connection::Wired));
        let path = PathMeasure { rtt: Duration::from_millis(60), delivery_rate: None };
        let radio = Lesson { path: Some(path), ..lesson(5_000_000, true) };
        assert_eq!(learned([radio]).connection(), Some(Connection::Mobile));
        assert_eq!(learned([lesson(5_000_000, true)]).connection(), Some(Connection::Broadband));
        let rules = Rules { detects_connections: false, ..RULES };
        assert_eq!(ClientProfile::new().after(&radio, now(), &rules).connection(), None);
    }

    #[test]
    fn who_goes_by_radio_still_does_after_a_transfer_whose_round_trips_nobody_measured() {
        let path =
            |millis| Some(PathMeasure { rtt: Duration::from_millis(millis), delivery_rate: None });
        let short = lesson(5_000_000, true);
        let radio = Lesson { path: path(60), ..short };
        let cable = Lesson { path: path(5), ..short };
        assert_eq!(learned([radio, short, short]).connection(), Some(Connection::Mobile));
        assert_eq!(learned([radio, short, cable]).connection(), Some(Connection::Broadband));
        assert_eq!(learned([short, short]).connection(), Some(Connection::Broadband));
        let faster = lesson(1_000_000_000, true);
        assert_eq!(learned([radio, faster]).connection(), Some(Connection::Wired));
    }

    #[test]
    fn a_hint_recommends_until_something_is_measured() {
        let hints = Hints { rate: Some(1_000_000), ..Hints::default() };
        let told = Lesson { bytes: 10, hints, ..lesson(1, true) };
        assert_eq!(learned([told; 3]).chunk_bytes(), Some(8 * 1024 * KIB));
        let measured = Lesson { hints, ..lesson(20_000, true) };
        assert_eq!(learned([told, told, told, measured]).chunk_bytes(), Some(256 * KIB));
        let saving = Hints { saves_data: true, ..hints };
        let saving = Lesson { hints: saving, ..lesson(1_000_000, true) };
        assert_eq!(learned([saving; 3]).chunk_bytes(), Some(256 * KIB));
    }

    #[test]
    fn a_profile_is_read_back_as_it_was_written() {
        let profile = learned([lesson(1_000_000, true); 5]);
        let text = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<ClientProfile>(&text).unwrap(), profile);
    }

    proptest! {
        #[test]
        fn whatever_a_client_does_or_says_what_it_is_told_is_bounded(
            seen in prop::collection::vec(
                (any::<u64>(), any::<u64>(), any::<bool>(), prop::option::of(any::<u64>()), any::<bool>()),
                1..20,
            ),
        ) {
            let lessons = seen.into_iter().map(|(bytes, took, went_well, rate, saves_data)| Lesson {
                bytes,
                took: Duration::from_nanos(took),
                went_well,
                buffer_bytes: None,
                path: None,
                hints: Hints { rate, saves_data, ..Hints::default() },
            });
            let profile = learned(lessons);
            prop_assert!(profile.rate <= FASTEST);
            prop_assert!(profile.reliability <= 1000);
            if let Some(bytes) = profile.chunk_bytes() {
                prop_assert!((256 * KIB..=16 * 1024 * KIB).contains(&bytes));
                prop_assert_eq!(bytes % (256 * KIB), 0);
            }
        }
    }
}
