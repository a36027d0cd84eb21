//! Version 1: before chunks.

use serde::Deserialize;

use crate::upload::metadata::Metadata;
use crate::upload::relation::Relation;
use crate::upload::session::{BootId, Memory, Owner, Phase, Retention};
use crate::upload::sums::Sums;
use crate::upload::time::Timestamp;

use super::RecordV2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordV1 {
    id: String,
    #[serde(default)]
    owner: Owner,
    length: Option<u64>,
    offset: u64,
    #[serde(default)]
    metadata: Metadata,
    relation: Relation,
    phase: Phase,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    sums: Sums,
    boot: BootId,
    synced: bool,
}

impl From<RecordV1> for RecordV2 {
    fn from(old: RecordV1) -> Self {
        Self {
            id: old.id,
            owner: old.owner,
            length: old.length,
            max_length: None,
            expects: None,
            keep_until: None,
            retention: Retention::Configured,
            memory: Memory::ForAWhile,
            spent: 0,
            offset: old.offset,
            metadata: old.metadata,
            relation: old.relation,
            phase: old.phase,
            created_at: old.created_at,
            active_at: old.completed_at.unwrap_or(old.created_at),
            completed_at: old.completed_at,
            expires_at: old.expires_at,
            sums: old.sums,
            chunks: None,
            boot: old.boot,
            synced: old.synced,
        }
    }
}
