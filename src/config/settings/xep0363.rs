//! `[xep0363]`

use serde::{Deserialize, Serialize};

use crate::config::tenant::TenantSettings;

/// `[xep0363]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xep0363 {
    /// Whose slots are served.
    pub tenants: Vec<TenantSettings>,
}
