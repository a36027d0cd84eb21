//! What the kernel says about the network, and who has to hear of it.
//!
//! Uses nothing of ours: `http` tells which connections there are, and `server` lets it run.
//!
//! | | |
//! |---|---|
//! | `lines` | the TCP connections, by their addresses |
//! | `path` | what the kernel measured on one of them |
//! | `sampler` | asks for that, all connections at once |
//! | `netlink` | asks the kernel (Linux) |

mod lines;
#[cfg(target_os = "linux")]
mod netlink;
mod path;
mod sampler;

pub use lines::{Carried, Line, Lines};
pub use path::{Path, PathSample};
pub use sampler::sample;

/// Somebody who wants to know. Called inline: must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// A connection has carried something since the last look, and this is how.
    fn sampled(&self, sample: &PathSample);

    /// A connection that was looked at has ended.
    fn ended(&self, last: &PathSample);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn sampled(&self, _: &PathSample) {}

    fn ended(&self, _: &PathSample) {}
}
