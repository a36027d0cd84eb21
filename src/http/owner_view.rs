//! [`OwnerView`]: what one owner has, as the operator sees it.

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError};
use crate::protocol::xep0363::name;
use crate::upload::{Owner, Usage};

use super::client::Clients;

/// The answer of `GET /owners`; the command line reads it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerView {
    /// Whose uploads were counted.
    pub owner: String,
    /// Uploads that are there, finished or not.
    pub uploads: usize,
    /// The unfinished ones among them.
    pub running: usize,
    /// Bytes that they have, or were promised.
    pub bytes: u64,
    /// Bytes of the last 24 hours, whether they are still there or not.
    pub day_bytes: u64,
}

/// The answer of `DELETE /owners`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRemoved {
    /// Uploads that were removed.
    pub removed: usize,
}

impl OwnerView {
    /// What `owner` has under every name that the gateway may know it by.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::usage`].
    pub async fn of(engine: &Engine, owner: &str) -> Result<Self, EngineError> {
        let mut all = Usage::default();
        for name in names(owner) {
            let usage = engine.usage(&name).await?;
            all = Usage {
                uploads: all.uploads.saturating_add(usage.uploads),
                running: all.running.saturating_add(usage.running),
                bytes: all.bytes.saturating_add(usage.bytes),
                day_bytes: all.day_bytes.saturating_add(usage.day_bytes),
            };
        }
        let Usage { uploads, running, bytes, day_bytes } = all;
        Ok(Self { owner: owner.to_owned(), uploads, running, bytes, day_bytes })
    }
}

impl OwnerRemoved {
    /// Removes everything that `owner` has under every name that the gateway may know it by, and what
    /// `clients` remember of its devices.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::remove_owner`].
    pub async fn carry_out(
        engine: &Engine,
        clients: Option<&Clients>,
        owner: &str,
    ) -> Result<Self, EngineError> {
        let mut removed = 0_usize;
        for name in names(owner) {
            removed = removed.saturating_add(engine.remove_owner(&name).await?);
            clients.map_or(Ok(()), |clients| clients.forget(&name))?;
        }
        Ok(Self { removed })
    }
}

fn names(owner: &str) -> Vec<Owner> {
    let named = Owner::named(owner.to_owned());
    name::hashed(&named).into_iter().chain([named]).collect()
}
