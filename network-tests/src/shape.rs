//! A link with the manners of a network, for a client and a gateway of the same machine.
//!
//! [`Proxy`] carries TCP connections and makes them as slow, as far away and as unreliable as a
//! [`Profile`] says. What happens when is decided by pure functions that are told the time:
//! [`schedule`] knows the weather of every moment, [`lane`] when a byte arrives. [`proxy`] does it.
//!
//! What it can't show: a packet that is lost and sent again, and what the kernel of the gateway
//! measures (`TCP_INFO`), whose round trip ends at the proxy. The switch of a real interface is
//! [`crate::lab`]'s.

pub mod lane;
pub mod profile;
mod proxy;
pub mod schedule;
mod socket;

pub use profile::Profile;
pub use proxy::{Counts, Proxy};
pub use schedule::{Link, Plan, Stage, Weather};
