//! Slots of XMPP servers (`protocol-spec/xep-0363.md`).

pub mod asked;
pub mod continued;
pub mod put;

use crate::case::Group;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&put::GROUP, &continued::GROUP, &continued::CHUNKS, &asked::GROUP];
