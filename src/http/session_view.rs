//! [`SessionView`]: a session as the operator sees it. Names of files stay out.

use serde::{Deserialize, Serialize};

use crate::protocol::date::write_rfc3339;
use crate::upload::session::Phase;
use crate::upload::{Departure, Relation, Session};

/// One session of `/sessions`; the command line reads it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// Who created it, if anything authenticates.
    pub owner: Option<String>,
    /// `receiving`, `assembling`, `complete`, `terminated` or `expired`.
    pub phase: String,
    /// Bytes that are there.
    pub offset: u64,
    /// Bytes of the whole upload, once known.
    pub length: Option<u64>,
    /// `whole`, `partial` or `final`.
    pub relation: String,
    /// Ids of the parts of a final upload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// When it was created (RFC 3339).
    pub created_at: String,
    /// When its last byte became visible.
    pub completed_at: Option<String>,
    /// When it expires; not there if it is kept.
    pub expires_at: Option<String>,
}

impl SessionView {
    /// What is shown of `session`.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let (relation, parts) = match session.relation() {
            Relation::Whole => ("whole", Vec::new()),
            Relation::Partial => ("partial", Vec::new()),
            Relation::Final { parts, .. } => {
                ("final", parts.iter().map(ToString::to_string).collect())
            }
        };
        Self {
            id: session.id().to_string(),
            owner: session.owner().name().map(ToOwned::to_owned),
            phase: phase(session.phase()).to_owned(),
            offset: session.offset().get(),
            length: session.length().map(crate::upload::UploadLength::get),
            relation: relation.to_owned(),
            parts,
            created_at: write_rfc3339(session.created_at()),
            completed_at: session.completed_at().map(write_rfc3339),
            expires_at: session.expires_at().map(write_rfc3339),
        }
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Receiving => "receiving",
        Phase::Assembling => "assembling",
        Phase::Complete => "complete",
        Phase::Gone(Departure::Terminated) => "terminated",
        Phase::Gone(Departure::Expired) => "expired",
    }
}
