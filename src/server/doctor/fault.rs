//! What can be wrong with one upload, and what would be done about it.

use crate::upload::{Session, UploadId};

use super::{Finding, Grade};

/// Something that is wrong with one upload.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) id: UploadId,
    pub(super) grade: Grade,
    /// What it is, in words for the operator.
    pub(super) what: String,
    pub(super) remedy: Remedy,
}

/// What `doctor --repair` does about it.
#[derive(Debug)]
pub(super) enum Remedy {
    /// Nothing: it heals by itself, or somebody has to decide.
    None,
    /// The label is written from the record.
    Relabel,
    /// The record is made from the label.
    Restore(Box<Session>),
    /// Record and blob are cut back to what is still what arrived.
    CutBack,
    /// What lies behind the end of a finished blob is moved into the quarantine.
    CutTail,
    /// A whole blob is given its final name.
    Publish,
    /// All that is stored is moved into the quarantine, and the record becomes a tombstone.
    SetAside,
    /// What is left of a removed upload is removed.
    FinishDeletion,
}

impl Remedy {
    /// What would be done; `None` if nothing.
    const fn plan(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Relabel => Some("writes the label from the record"),
            Self::Restore(_) => Some("makes the record from the label"),
            Self::CutBack => Some("cuts it back to its last sound stretch"),
            Self::CutTail => Some("moves what is too much into the quarantine"),
            Self::Publish => Some("publishes it"),
            Self::SetAside => Some("moves what is there into the quarantine"),
            Self::FinishDeletion => Some("removes them"),
        }
    }
}

impl Fault {
    pub(super) fn new(id: UploadId, what: impl Into<String>, remedy: Remedy) -> Self {
        Self { id, grade: Grade::Wrong, what: what.into(), remedy }
    }

    /// One that heals by itself, or matters only if something else breaks.
    pub(super) fn note(id: UploadId, what: impl Into<String>, remedy: Remedy) -> Self {
        Self { grade: Grade::Note, ..Self::new(id, what, remedy) }
    }

    /// What is told by a doctor who only looks.
    pub(super) fn finding(&self) -> Finding {
        let Self { id, grade, what, remedy } = self;
        let text = match remedy.plan() {
            Some(plan) => format!("{id}: {what}; `tidegate doctor --repair` {plan}"),
            None => format!("{id}: {what}"),
        };
        Finding::new(*grade, text)
    }
}
