//! One upload, written by tus and by chunks.
//!
//! [`continued`] does one after the other, [`meeting`] both at once.

pub mod continued;
pub mod meeting;

use crate::case::Group;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&continued::GROUP, &meeting::GROUP];

/// What every group here needs.
pub(crate) const NEEDS: &[&str] = &["creation", crate::target::CHUNK_HEADERS];
