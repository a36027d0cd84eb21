//! What the kernel says about the network, and who has to hear of it.
//!
//! Uses nothing of ours: `http` tells which connections there are, and `server` lets it run.
//!
//! | | |
//! |---|---|
//! | `lines` | the TCP connections, by their addresses |
//! | `path` | what the kernel measured on one of them |
//! | `sampler` | asks for that, all connections at once |
//! | `watch` | hears of changes of the network, and tells those whom they concern |
//! | `change` | which changes concern our connections (pure) |
//! | `settling` | when transfers wait because of one (pure) |
//! | `addresses` | asks which addresses this machine has |
//! | `netlink` | asks the kernel (Linux) |

mod addresses;
mod change;
mod lines;
#[cfg(target_os = "linux")]
mod netlink;
mod path;
mod sampler;
mod settling;
mod watch;

pub use lines::{Carried, Line, Lines, Severed};
pub use path::{Path, PathSample};
pub use sampler::sample;
pub use settling::Settling;
pub use watch::watch;

use std::time::Duration;

/// Somebody who wants to know. Called inline: must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// A connection has carried something since the last look, and this is how.
    fn sampled(&self, sample: &PathSample);

    /// A connection that was looked at has ended.
    fn ended(&self, last: &PathSample);

    /// Addresses that connections have went, came back, or are on a link that went down or up.
    fn changed(&self, gone: usize, come: usize, links: usize);

    /// Addresses changed that no connection has.
    fn changed_elsewhere(&self);

    /// Transfers are to pause for this long.
    fn settles(&self, pause: Duration);

    /// A transfer has paused for this long.
    fn paused(&self, took: Duration);

    /// A transfer by an address that is gone was committed this long after it was told.
    fn severed(&self, took: Duration);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn sampled(&self, _: &PathSample) {}

    fn ended(&self, _: &PathSample) {}

    fn changed(&self, _: usize, _: usize, _: usize) {}

    fn changed_elsewhere(&self) {}

    fn settles(&self, _: Duration) {}

    fn paused(&self, _: Duration) {}

    fn severed(&self, _: Duration) {}
}
