//! Issuers of slots, put together from the settings.

use crate::config::tenant::{Kept, SlotScheme, TenantError, TenantSettings};
use crate::config::{Settings, Size, Span};
use crate::http::settings::{SlotSettings, SlotTenant};
use crate::protocol::xep0363::tenant::MediaTypeRule;
use crate::protocol::xep0363::{BasePath, Scheme, Secret, SlotKey, Tenant};
use crate::slots::Keeping;
use crate::upload::UploadLength;

use super::data_dir::DataDir;
use super::error::ServerError;
use super::secret::{self, SLOT, SLOT_TOKEN};
use super::translate;

/// The issuers that `settings` describe, in their order. Reads files: blocking.
///
/// # Errors
///
/// [`ServerError::Tenant`] if one cannot be used, [`ServerError::Secret`] if ids cannot be made.
pub fn build(data: &DataDir, settings: &Settings) -> Result<SlotSettings, ServerError> {
    let secret = data.secret()?;
    let build =
        |tenant: &TenantSettings| build_one(settings, tenant, &secret).map_err(failed(tenant));
    let tenants = settings.xep0363.tenants.iter().map(build).collect::<Result<_, _>>()?;
    Ok(SlotSettings { tenants, ids: SlotKey::new(secret.key_for(SLOT)) })
}

/// Says which tenant cannot be used.
pub(super) fn failed(tenant: &TenantSettings) -> impl FnOnce(TenantError) -> ServerError {
    let base_path = tenant.base_path.clone();
    move |source| ServerError::Tenant { base_path, source }
}

fn build_one(
    settings: &Settings,
    tenant: &TenantSettings,
    ours: &secret::Secret,
) -> Result<SlotTenant, TenantError> {
    let delete_secret = tenant.deletes_with()?.and_then(Secret::new);
    // Every tenant has a key of its own: a slot of one must be none of another.
    let key = || ours.key_for(&format!("{SLOT_TOKEN} {}", tenant.base_path)).to_vec();
    let issuer = Tenant {
        base: BasePath::new(&tenant.base_path).map_err(|_| TenantError::Path)?,
        scheme: scheme(tenant.scheme, delete_secret),
        secret: Secret::new(tenant.signs_with()?.unwrap_or_else(key)).ok_or(TenantError::Empty)?,
    };
    let quota = tenant.quota.as_ref().unwrap_or(&settings.quota);
    Ok(SlotTenant {
        tenant: issuer,
        max_length: tenant.max_size.map(Size::get).and_then(UploadLength::new),
        keeping: keeping(tenant.retention),
        quota: translate::quota(quota),
    })
}

/// How long files are kept.
pub(super) fn keeping(kept: Option<Kept>) -> Keeping {
    match kept {
        None => Keeping::Configured,
        Some(Kept::ForEver) => Keeping::Own(None),
        Some(Kept::For(span)) => Keeping::Own(Some(Span::get(span))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::Quota;

    fn built(folder: &std::path::Path, text: &str) -> Vec<SlotTenant> {
        let xep0363 = toml::from_str(text).unwrap();
        let quota = toml::from_str("running = 1").unwrap();
        let settings = Settings { xep0363, quota, ..Settings::default() };
        build(&DataDir::claim(folder).unwrap(), &settings).unwrap().tenants
    }

    #[test]
    fn a_tenant_without_a_secret_has_a_key_of_its_own_that_stays() {
        let folder = tempfile::tempdir().unwrap();
        let two = "[[tenants]]\nscheme = \"own\"\nbase_path = \"/a\"
            [[tenants]]\nscheme = \"own\"\nbase_path = \"/b\"";
        let (one, again) = (built(folder.path(), two), built(folder.path(), two));
        assert_eq!(one[0].tenant.secret, again[0].tenant.secret);
        assert_ne!(one[0].tenant.secret, one[1].tenant.secret);
        let given = built(folder.path(), "[[tenants]]\nscheme = \"own\"\nsecret = \"given\"");
        assert_eq!(Some(given[0].tenant.secret.clone()), Secret::new("given"));
    }

    #[test]
    fn a_table_of_a_tenant_stands_in_place_of_the_global_one() {
        let folder = tempfile::tempdir().unwrap();
        let running = |most| Some(Quota { running: Some(most), ..Quota::default() });
        for (table, quota) in
            [("", running(1)), ("quota = {}", None), ("quota = { running = 2 }", running(2))]
        {
            let text = format!("[[tenants]]\nscheme = \"own\"\n{table}");
            assert_eq!(built(folder.path(), &text)[0].quota, quota, "{table}");
        }
    }

    #[test]
    fn none_is_for_ever_and_nothing_is_as_configured() {
        assert_eq!(keeping(None), Keeping::Configured);
        assert_eq!(keeping(Some(Kept::ForEver)), Keeping::Own(None));
        let hour = Span::hours(1);
        assert_eq!(keeping(Some(Kept::For(hour))), Keeping::Own(Some(hour.get())));
    }
}
