//! How finished uploads are served: by RFC 9110, and without harm to who opens them.

pub mod conditional;
pub mod content;
pub mod ranges;

use crate::case::Group;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&content::GROUP, &ranges::GROUP, &conditional::GROUP];
