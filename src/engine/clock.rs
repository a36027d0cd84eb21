//! Time, asked for in one place.

use std::time::SystemTime;

use crate::upload::Timestamp;

/// Tells the time of day; expiries are compared against it.
pub trait Clock: Send + Sync + 'static {
    /// The current moment.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 nothing has expired: the zero timestamp is the safe reading of a broken clock.
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let milliseconds = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
        Timestamp::from_unix_milliseconds(u64::try_from(milliseconds).unwrap_or(u64::MAX))
    }
}
