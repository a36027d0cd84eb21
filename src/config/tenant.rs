//! Issuers of XEP-0363 slots: where their slots live, and the secret they sign with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::quota::QuotaSettings;
use super::size::Size;
use super::token::Secret;

mod doors;
mod kept;
mod purposes;

pub use doors::{ComponentTable, ServiceUrlTable};
pub use kept::Kept;
pub use purposes::{PurposeTable, PurposesTable};

/// No secret file is longer.
const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// How long a slot of ours waits for its first byte, unless it is set.
const SLOT_LIFETIME: Span = Span::seconds(300);

/// One of `[[xep0363.tenants]]`; exactly one of `secret` and `secret_file` is given, or neither
/// where the gateway issues the slots itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSettings {
    /// The path below which its slots live.
    #[serde(default = "upload")]
    pub base_path: String,
    /// How it signs.
    pub scheme: SlotScheme,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A file with what it signs with; white space around it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// What a `DELETE` of Metronome's has to sign; without it nothing is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_secret: Option<Secret>,
    /// Longest file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Size>,
    /// How long its files are kept; `None` as `uploads.retention` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Kept>,
    /// How long a slot that we issue waits for its first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_lifetime: Option<Span>,
    /// Scheme, host and prefix of the slots that we issue; `None` as `server.public_url` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Media types that we issue slots for; none allows every type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_types: Vec<String>,
    /// What one uploader may have; `None` as `[quota]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaSettings>,
    /// What else than messages we issue slots for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purposes: Option<PurposesTable>,
    /// The component that answers requests for slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentTable>,
    /// Where ejabberd asks for slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_url: Option<ServiceUrlTable>,
}

/// How an issuer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotScheme {
    /// Prosody's `http_upload_external`.
    Prosody,
    /// ejabberd's `external_secret`.
    Ejabberd,
    /// Metronome's `http_upload_external`.
    Metronome,
    /// Prosody's `http_file_share`.
    HttpFileShare,
    /// What hmac-file-server takes.
    HmacFileServer,
    /// Tokens of the gateway's own kind.
    Own,
}

impl SlotScheme {
    /// Whether its tokens say who uploads.
    #[must_use]
    pub const fn names_uploaders(self) -> bool {
        match self {
            Self::Ejabberd | Self::HttpFileShare | Self::Own => true,
            Self::Prosody | Self::Metronome | Self::HmacFileServer => false,
        }
    }
}

fn upload() -> String {
    "/upload".to_owned()
}

/// A tenant that cannot be used. Says why without saying a secret.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// Neither source of the secret is given, or both.
    #[error("give exactly one of secret and secret_file")]
    Source,
    /// Everybody knows that secret.
    #[error("the secret is empty; write what its issuer signs with")]
    Empty,
    /// There is nothing that could sign a `DELETE`.
    #[error("delete_secret is for the scheme \"metronome\" alone, and not empty")]
    Delete,
    /// Nothing says where clients reach its slots, or it is no address.
    #[error(
        "public_url, or else server.public_url, has to say where clients reach its slots: \
         http(s)://host[:port][/prefix]"
    )]
    PublicUrl,
    /// The path is no base path.
    #[error("base_path is not a path; write for instance \"/upload\"")]
    Path,
    /// The file cannot be read.
    #[error("the secret file {} cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl TenantSettings {
    /// A tenant of this scheme about which nothing else is said.
    #[must_use]
    pub fn of(scheme: SlotScheme) -> Self {
        Self {
            base_path: upload(),
            scheme,
            secret: None,
            secret_file: None,
            delete_secret: None,
            max_size: None,
            retention: None,
            slot_lifetime: None,
            public_url: None,
            media_types: Vec::new(),
            quota: None,
            purposes: None,
            component: None,
            service_url: None,
        }
    }

    /// What its issuer signs with; never empty. `None` if that is left to the gateway, which only
    /// the scheme of our own can do. Reads the file, if it is in one.
    ///
    /// # Errors
    ///
    /// A [`TenantError`] that says what would be right.
    pub fn signs_with(&self) -> Result<Option<Vec<u8>>, TenantError> {
        match one_of(self.secret.as_ref(), self.secret_file.as_deref())? {
            None if self.scheme != SlotScheme::Own => Err(TenantError::Source),
            secret => Ok(secret),
        }
    }

    /// How long a slot that we issue waits for its first byte.
    #[must_use]
    pub fn slot_lifetime(&self) -> Span {
        self.slot_lifetime.unwrap_or(SLOT_LIFETIME)
    }

    /// Whether anybody can ask it for slots.
    #[must_use]
    pub const fn has_a_door(&self) -> bool {
        self.component.is_some() || self.service_url.is_some()
    }

    /// What a `DELETE` has to sign, if any may.
    ///
    /// # Errors
    ///
    /// [`TenantError::Delete`] for a scheme that cannot delete.
    pub fn deletes_with(&self) -> Result<Option<&[u8]>, TenantError> {
        let Some(secret) = &self.delete_secret else { return Ok(None) };
        let usable = self.scheme == SlotScheme::Metronome && !secret.expose().is_empty();
        usable.then(|| Some(secret.expose().as_bytes())).ok_or(TenantError::Delete)
    }
}

/// A secret that is given directly or in a file; never empty.
fn one_of(secret: Option<&Secret>, file: Option<&Path>) -> Result<Option<Vec<u8>>, TenantError> {
    let secret = match (secret, file) {
        (Some(secret), None) => secret.expose().as_bytes().to_vec(),
        (None, Some(path)) => read(path)?.trim_ascii().to_vec(),
        (Some(_), Some(_)) => return Err(TenantError::Source),
        (None, None) => return Ok(None),
    };
    if secret.is_empty() { Err(TenantError::Empty) } else { Ok(Some(secret)) }
}

fn read(path: &Path) -> Result<Vec<u8>, TenantError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|source| TenantError::File { path: path.to_owned(), source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(scheme: SlotScheme) -> TenantSettings {
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        TenantSettings { secret: secret("it-is-secret"), ..TenantSettings::of(scheme) }
    }

    #[test]
    fn a_secret_and_its_file_are_the_same_and_one_of_them_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "it-is-secret\n").unwrap();
        let direct = tenant(SlotScheme::Prosody);
        let file = TenantSettings { secret: None, secret_file: Some(path), ..direct.clone() };
        assert_eq!(direct.signs_with().unwrap().unwrap(), b"it-is-secret");
        assert_eq!(file.signs_with().unwrap().unwrap(), b"it-is-secret");
        let both = TenantSettings { secret: direct.secret.clone(), ..file.clone() };
        let none = TenantSettings { secret_file: None, ..file };
        assert!(matches!(both.signs_with(), Err(TenantError::Source)));
        assert!(matches!(none.signs_with(), Err(TenantError::Source)));
        assert_eq!(TenantSettings::of(SlotScheme::Own).signs_with().unwrap(), None);
        let empty = TenantSettings { secret: Some(Secret::new(String::new())), ..direct };
        assert!(matches!(empty.signs_with(), Err(TenantError::Empty)));
    }

    #[test]
    fn a_tenant_with_everything_can_be_shown() {
        let text = "scheme = \"own\"
            retention = \"none\"
            slot_lifetime = \"60s\"
            media_types = [\"image/*\"]
            quota = { total = \"1GB\", when_full = \"delete_oldest\" }
            purposes = { profile = { max_size = \"1MB\", retention = \"1h\" }, permanent = {} }
            [component]
            domain = \"up.example\"
            users = [\"example\"]
            [service_url]
            path = \"/x\"";
        let tenant: TenantSettings = toml::from_str(text).unwrap();
        let shown: TenantSettings = toml::from_str(&toml::to_string(&tenant).unwrap()).unwrap();
        let hidden = ServiceUrlTable {
            path: Secret::new("(hidden)".to_owned()),
            ..tenant.service_url.clone().unwrap()
        };
        assert_eq!(shown, TenantSettings { service_url: Some(hidden), ..tenant });
    }

    #[test]
    fn only_metronome_deletes() {
        let delete_secret = Some(Secret::new("delete".to_owned()));
        for (scheme, deletes) in [(SlotScheme::Metronome, true), (SlotScheme::Ejabberd, false)] {
            let tenant = TenantSettings { delete_secret: delete_secret.clone(), ..tenant(scheme) };
            assert_eq!(tenant.deletes_with().is_ok(), deletes, "{scheme:?}");
        }
        assert_eq!(tenant(SlotScheme::Ejabberd).deletes_with().unwrap(), None);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let tenant = tenant(SlotScheme::Own);
        assert!(!format!("{tenant:?}").contains("it-is-secret"));
        assert!(!toml::to_string(&tenant).unwrap().contains("it-is-secret"));
    }
}
