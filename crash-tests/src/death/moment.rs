//! How and when a gateway dies.

use std::fmt;
use std::time::Duration;

use crate::chance::Chance;

/// How a gateway dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// SIGKILL under load.
    Killed,
    /// SIGKILL before it is ready, or as soon as it is.
    WhileStarting,
    /// SIGTERM; it ends by itself.
    Asked,
    /// SIGTERM, and SIGKILL while it is ending.
    AskedAndKilled,
    /// SIGSTOP, and SIGKILL once nothing moves any more: then the kernel knows what it had received.
    Frozen,
    /// SIGSTOP; clients come back by other connections; SIGCONT; SIGKILL a while later.
    StoodStill,
}

impl Death {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Killed,
        Self::WhileStarting,
        Self::Asked,
        Self::AskedAndKilled,
        Self::Frozen,
        Self::StoodStill,
    ];

    /// One of them; those that tell most come most often.
    pub fn chosen(chance: &mut Chance) -> Self {
        match chance.below(13) {
            0 => Self::WhileStarting,
            1 | 2 => Self::Asked,
            3 => Self::AskedAndKilled,
            4..=6 => Self::Frozen,
            7 | 8 => Self::StoodStill,
            _ => Self::Killed,
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "killed",
            Self::WhileStarting => "killed while starting",
            Self::Asked => "asked to end",
            Self::AskedAndKilled => "asked, then killed",
            Self::Frozen => "stopped, then killed",
            Self::StoodStill => "stopped, continued, then killed",
        })
    }
}

/// Lets a while pass that is below `bound`: a moment by chance, not a wait for anything.
pub fn pass(chance: &mut Chance, bound: Duration) {
    let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    let until = std::time::Instant::now() + Duration::from_micros(chance.below(micros));
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        // May return early; the loop knows.
        std::thread::park_timeout(left);
    }
}
