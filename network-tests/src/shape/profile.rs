//! Links that people have.
//!
//! | profile | up | down | one way | jitter | and then | source |
//! |---|---|---|---|---|---|---|
//! | ethernet | 1 Gbit/s | 1 Gbit/s | 0.25 ms | 0.05 ms | – | chosen: a switch in the house |
//! | wifi | 40 Mbit/s | 80 Mbit/s | 3 ms | 4 ms | stands still for 50 to 250 ms every 2 to 6 s | chosen: 802.11n two rooms away |
//! | lte | 12 Mbit/s | 12 Mbit/s | 35 ms | 10 ms | stands still for 100 to 400 ms every 8 to 15 s | rates and round trip as WebPageTest's "LTE"; jitter and handovers chosen |
//! | 3g | 768 kbit/s | 1.6 Mbit/s | 150 ms | 40 ms | stands still for 0.5 to 2 s every 10 to 20 s | rates and round trip as WebPageTest's "3G"; the rest chosen |
//! | train | 12 Mbit/s, then 400 kbit/s | 12 Mbit/s, then 1 Mbit/s | 40 ms, then 200 ms | 20 ms, then 100 ms | good for 3 to 6 s, slow for 2 to 4 s, nothing for 1 to 3 s, good again, cut for 0.2 to 1 s | chosen |

use std::time::Duration;

use super::schedule::{Link, Plan, Stage, Weather};

/// A kind of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// A cable in the house.
    Ethernet,
    /// A room or two away from the access point.
    Wifi,
    /// A phone with good reception.
    Lte,
    /// A phone in the country.
    #[value(name = "3g")]
    ThreeG,
    /// A phone on a train: good, slow, nothing at all, cut.
    Train,
}

const WIFI: Link = Link {
    up: kilobits(40_000),
    down: kilobits(80_000),
    latency: Duration::from_millis(3),
    jitter: Duration::from_millis(4),
};
const LTE: Link = Link {
    up: kilobits(12_000),
    down: kilobits(12_000),
    latency: Duration::from_millis(35),
    jitter: Duration::from_millis(10),
};
const THREE_G: Link = Link {
    up: kilobits(768),
    down: kilobits(1600),
    latency: Duration::from_millis(150),
    jitter: Duration::from_millis(40),
};
const GOOD: Link = Link {
    up: kilobits(12_000),
    down: kilobits(12_000),
    latency: Duration::from_millis(40),
    jitter: Duration::from_millis(20),
};
const SLOW: Link = Link {
    up: kilobits(400),
    down: kilobits(1000),
    latency: Duration::from_millis(200),
    jitter: Duration::from_millis(100),
};
const CABLE: Link = Link {
    up: kilobits(1_000_000),
    down: kilobits(1_000_000),
    latency: Duration::from_micros(250),
    jitter: Duration::from_micros(50),
};

impl Profile {
    /// What this link goes through.
    #[must_use]
    pub fn plan(self) -> Plan {
        match self {
            Self::Ethernet => Plan::steady(Weather::Open(CABLE)),
            Self::Wifi => standing_still(WIFI, (2000, 6000), (50, 250)),
            Self::Lte => standing_still(LTE, (8000, 15_000), (100, 400)),
            Self::ThreeG => standing_still(THREE_G, (10_000, 20_000), (500, 2000)),
            Self::Train => {
                let good = stage(Weather::Open(GOOD), (3000, 6000));
                let slow = stage(Weather::Open(SLOW), (2000, 4000));
                let nothing = stage(Weather::BlackHole, (1000, 3000));
                let cut = stage(Weather::Cut, (200, 1000));
                Plan::rounds(good, vec![slow, nothing, good, cut])
            }
        }
    }
}

/// A link on which, at times, nothing comes for a moment.
fn standing_still(link: Link, passes: (u64, u64), stands: (u64, u64)) -> Plan {
    Plan::rounds(stage(Weather::Open(link), passes), vec![stage(Weather::BlackHole, stands)])
}

const fn stage(weather: Weather, (shortest, longest): (u64, u64)) -> Stage {
    let (shortest, longest) = (Duration::from_millis(shortest), Duration::from_millis(longest));
    Stage { weather, shortest, longest }
}

/// Kilobits a second, in bytes a second.
const fn kilobits(number: u64) -> u64 {
    number.saturating_mul(125)
}
