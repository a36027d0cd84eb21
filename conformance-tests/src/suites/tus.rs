//! The tus 1.0 protocol: one file per part of the specification.

pub mod checksum;
pub mod concatenation;
pub mod core;
pub mod cors;
pub mod creation;
pub mod defer_length;
pub mod expiration;
pub mod head;
pub mod metadata;
pub mod options;
pub mod patch;
pub mod termination;
pub mod with_upload;

use crate::case::Group;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[
    &core::GROUP,
    &head::GROUP,
    &patch::GROUP,
    &options::GROUP,
    &creation::GROUP,
    &creation::OFF,
    &metadata::GROUP,
    &defer_length::ANNOUNCED,
    &defer_length::GROUP,
    &with_upload::ANNOUNCED,
    &with_upload::GROUP,
    &expiration::ANNOUNCED,
    &expiration::GROUP,
    &checksum::ANNOUNCED,
    &checksum::GROUP,
    &termination::ANNOUNCED,
    &termination::GROUP,
    &concatenation::ANNOUNCED,
    &concatenation::GROUP,
    &concatenation::FINAL,
    &concatenation::UNFINISHED,
    &cors::GROUP,
];
