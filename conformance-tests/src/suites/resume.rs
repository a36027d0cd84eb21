//! What survives cuts, silence, races and takeovers.
//!
//! [`cuts`] break connections, [`takeovers`] let two requests meet on one upload.

pub mod cuts;
pub mod takeovers;

use crate::case::Group;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&cuts::GROUP, &takeovers::GROUP];
