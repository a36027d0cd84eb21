//! Everything that was counted while gateways died.

use std::fmt;
use std::time::Duration;

use crate::tally::{Loss, Tally};

use super::kept::{self, Sample};
use super::moment::Death;

/// What was counted.
#[derive(Debug, Default)]
pub struct Report {
    /// Deaths, in their order.
    pub deaths: Vec<Death>,
    /// Looks, and losses.
    pub tally: Tally,
    /// How long starts took, to the line `ready`.
    pub starts: Vec<Duration>,
    /// How long ends took that were asked for.
    pub stops: Vec<Duration>,
    /// Bytes that the gateway had read from its socket.
    pub received: Vec<Sample>,
    /// Bytes that the client's kernel had taken; the gateway may not have read all of them.
    pub handed: Vec<Sample>,
}

impl Report {
    /// Adds what another counted.
    pub fn add(&mut self, other: Self) {
        self.deaths.extend(other.deaths);
        self.tally.add(other.tally);
        self.starts.extend(other.starts);
        self.stops.extend(other.stops);
        self.received.extend(other.received);
        self.handed.extend(other.handed);
    }

    fn died(&self, death: Death) -> usize {
        self.deaths.iter().filter(|other| **other == death).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deaths = Death::ALL.map(|death| format!("{} {death}", self.died(death)));
        writeln!(f, "{} deaths: {}", self.deaths.len(), deaths.join(", "))?;
        let tally = &self.tally;
        writeln!(
            f,
            "{} looks at uploads with {} acknowledged bytes, {} files compared",
            tally.looks, tally.acknowledged, tally.files
        )?;
        writeln!(
            f,
            "lost: {} acknowledged bytes; {} files wrong, {} deleted that came back, {} starts \
             failed, {} unexplained by doctor, {} wrong answers",
            tally.lost_bytes(),
            tally.count(&Loss::File),
            tally.count(&Loss::CameBack),
            tally.count(&Loss::Start),
            tally.count(&Loss::Doctor),
            tally.count(&Loss::Answer),
        )?;
        writeln!(f, "ready after the start: {}", kept::times(&self.starts))?;
        writeln!(f, "ended after SIGTERM: {}", kept::times(&self.stops))?;
        let (received, handed) = (self.received.len(), self.handed.len());
        writeln!(
            f,
            "\nnot acknowledged, and kept all the same ({received} bodies measured at rest, {handed} in flight):\n{}\n{}\n{}",
            kept::HEAD,
            kept::rows("read by the gateway", &self.received),
            kept::rows("given to the client's kernel", &self.handed)
        )
    }
}
