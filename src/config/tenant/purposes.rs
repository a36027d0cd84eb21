//! What else than messages a tenant takes files for.

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use crate::config::size::Size;

/// `purposes` of a tenant: what is there is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PurposesTable {
    /// Avatars and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<PurposeTable>,
    /// What has to vanish at a moment that the client names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<PurposeTable>,
    /// What has to stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permanent: Option<PurposeTable>,
}

/// What one purpose allows. What is not said is as for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PurposeTable {
    /// Longest file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Size>,
    /// How long its files are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Kept>,
}
