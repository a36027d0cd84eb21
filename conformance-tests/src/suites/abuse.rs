//! What hostile or broken requests can do: be refused, and nothing else.

pub mod bodies;
pub mod heads;
pub mod ids;

use crate::case::Group;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&ids::GROUP, &heads::GROUP, &bodies::GROUP];
