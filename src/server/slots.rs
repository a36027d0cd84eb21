//! Issuers of slots, put together from the settings.

use crate::config::tenant::{SlotScheme, TenantError, TenantSettings};
use crate::config::{Settings, Size};
use crate::http::settings::{SlotSettings, SlotTenant};
use crate::protocol::xep0363::tenant::MediaTypeRule;
use crate::protocol::xep0363::{BasePath, Scheme, Secret, SlotKey, Tenant};
use crate::upload::UploadLength;

use super::data_dir::DataDir;
use super::error::ServerError;
use super::secret::SLOT;

/// The issuers that `settings` describe. Reads files: blocking.
///
/// # Errors
///
/// [`ServerError::Tenant`] if one cannot be used, [`ServerError::Secret`] if ids cannot be made.
pub fn build(data: &DataDir, settings: &Settings) -> Result<SlotSettings, ServerError> {
    let tenant = |settings: &TenantSettings| {
        tenant(settings).map_err(|source| {
            let base_path = settings.base_path.clone();
            ServerError::Tenant { base_path, source }
        })
    };
    let tenants = settings.xep0363.tenants.iter().map(tenant).collect::<Result<_, _>>()?;
    Ok(SlotSettings { tenants, ids: SlotKey::new(data.secret()?.key_for(SLOT)) })
}

fn tenant(settings: &TenantSettings) -> Result<SlotTenant, TenantError> {
    let delete_secret = settings.deletes_with()?.and_then(Secret::new);
    let tenant = Tenant {
        base: BasePath::new(&settings.base_path).map_err(|_| TenantError::Path)?,
        scheme: scheme(settings.scheme, delete_secret),
        secret: Secret::new(settings.signs_with()?.unwrap_or_default()).ok_or(TenantError::Empty)?,
    };
    let max_length = settings.max_size.map(Size::get).and_then(UploadLength::new);
    Ok(SlotTenant { tenant, max_length })
}

fn scheme(scheme: SlotScheme, delete_secret: Option<Secret>) -> Scheme {
    match scheme {
        SlotScheme::Prosody => Scheme::Prosody,
        SlotScheme::Ejabberd => Scheme::Ejabberd,
        SlotScheme::Metronome => Scheme::Metronome { delete_secret },
        SlotScheme::HttpFileShare => Scheme::FileShare { media_type: MediaTypeRule::Lenient },
        SlotScheme::HmacFileServer => Scheme::HmacFileServer,
        SlotScheme::Own => Scheme::Own,
    }
}
