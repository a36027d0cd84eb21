//! Chunk headers: one file per part of the specification.

pub mod begin;
pub mod chunk;
pub mod contradictions;
pub mod cors;
pub mod cuts;
pub mod digests;
pub mod ending;
pub mod errors;
pub mod ids;
pub mod numbers;
pub mod races;
pub mod status;

use crate::case::Group;

/// What every group here needs.
pub(crate) const NEEDS: &[&str] = &[crate::target::CHUNK_HEADERS];

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[
    &ids::GROUP,
    &begin::GROUP,
    &begin::FIRST_CHUNK,
    &chunk::GROUP,
    &numbers::GROUP,
    &races::GROUP,
    &contradictions::GROUP,
    &cuts::GROUP,
    &digests::GROUP,
    &status::GROUP,
    &ending::GROUP,
    &errors::GROUP,
    &errors::OFF,
    &cors::GROUP,
];
