//! Where XMPP servers ask for slots: desks, and the doors to them, from the settings.

use std::sync::Arc;

use crate::config::tenant::{
    ComponentTable, PurposeTable, ServiceUrlTable, TenantError, TenantSettings,
};
use crate::config::{Settings, Size};
use crate::engine::{Engine, SystemClock};
use crate::http::service_url::ServiceUrl;
use crate::http::settings::{SlotSettings, SlotTenant};
use crate::protocol::xep0363::Secret;
use crate::protocol::xep0363::slot::Issuer;
use crate::slots::{Access, DeskParts, Offer, Offers, SlotDesk, Witness};
use crate::upload::UploadLength;
use crate::xmpp::backoff::Backoff;
use crate::xmpp::{Component, ComponentSettings, Timings};

use super::components::Components;
use super::error::ServerError;
use super::slots::{failed, keeping};

/// Everything by which slots are asked for.
pub(super) struct Doors {
    /// Where ejabberd asks.
    pub(super) service_urls: Vec<ServiceUrl>,
    /// The components, not started yet.
    pub(super) components: Components,
}

/// The doors that `settings` describe; `slots` are the tenants made of the same. Reads files:
/// blocking.
///
/// # Errors
///
/// [`ServerError::Tenant`] if one cannot be used.
pub(super) fn build(
    settings: &Settings,
    slots: &SlotSettings,
    engine: &Engine,
    witness: &Arc<dyn Witness>,
) -> Result<Doors, ServerError> {
    let mut doors = Doors { service_urls: Vec::new(), components: Components::default() };
    for (tenant, built) in settings.xep0363.tenants.iter().zip(&slots.tenants) {
        if !tenant.has_a_door() {
            continue;
        }
        let parts = |issuer| DeskParts {
            engine: engine.clone(),
            issuer,
            ids: slots.ids.clone(),
            base: built.tenant.base.clone(),
            offers: offers(settings, tenant),
            lifetime: tenant.slot_lifetime().get(),
            quota: built.quota,
            clock: Arc::new(SystemClock),
            witness: Arc::clone(witness),
        };
        let issuer = issuer(settings, tenant, built).map_err(failed(tenant))?;
        let desk = Arc::new(SlotDesk::new(parts(issuer)));
        if let Some(table) = &tenant.service_url {
            doors.service_urls.push(service_url(table, Arc::clone(&desk)));
        }
        if let Some(table) = &tenant.component {
            let component = component(table, &desk).map_err(failed(tenant))?;
            doors.components.add(component, desk);
        }
    }
    Ok(doors)
}

fn issuer(
    settings: &Settings,
    tenant: &TenantSettings,
    built: &SlotTenant,
) -> Result<Issuer, TenantError> {
    let url = tenant.public_url.as_deref().or(settings.server.public_url.as_deref());
    let (base, secret) = (built.tenant.base.clone(), built.tenant.secret.clone());
    if url.is_some_and(|url| url.starts_with("http://")) {
        let tenant = &tenant.base_path;
        tracing::warn!(
            tenant,
            "slots are handed out with http addresses; many clients take https only"
        );
    }
    url.and_then(|url| Issuer::new(url, base, secret, tenant.slot_lifetime().get()))
        .ok_or(TenantError::PublicUrl)
}

fn offers(settings: &Settings, tenant: &TenantSettings) -> Offers {
    // Clients are told what would be refused for any upload.
    let most = settings.tus.max_size;
    let length = |size: Option<Size>| {
        size.into_iter().chain(most).min().map(Size::get).and_then(UploadLength::new)
    };
    let offer = |table: &PurposeTable| Offer {
        max_size: length(table.max_size.or(tenant.max_size)),
        keeping: keeping(table.retention.or(tenant.retention)),
    };
    let purposes = tenant.purposes.clone().unwrap_or_default();
    Offers {
        message: Offer { max_size: length(tenant.max_size), keeping: keeping(tenant.retention) },
        profile: purposes.profile.as_ref().map(offer),
        ephemeral: purposes.ephemeral.as_ref().map(offer),
        permanent: purposes.permanent.as_ref().map(offer),
        media_types: tenant.media_types.clone(),
    }
}

fn service_url(table: &ServiceUrlTable, desk: Arc<SlotDesk>) -> ServiceUrl {
    // Without a word about who may, ejabberd's own rule is all there is.
    let said = !table.users.is_empty() || !table.jids.is_empty();
    ServiceUrl {
        path: table.path.expose().to_owned(),
        allow: table.allow.clone(),
        access: said.then(|| Access::new(&table.users, &table.jids)),
        desk,
    }
}

fn component(table: &ComponentTable, desk: &SlotDesk) -> Result<ComponentSettings, TenantError> {
    Ok(ComponentSettings {
        server: table.server.clone(),
        secret: Secret::new(table.secret()?).ok_or(TenantError::Empty)?,
        component: Component {
            domain: table.domain.clone(),
            access: Access::new(&table.users, &table.jids),
            limits: desk.limits().clone(),
        },
        max_stanza_bytes: table.max_stanza.in_memory(),
        max_pending: table.max_pending,
        timings: Timings {
            connect: table.connect_timeout.get(),
            write: table.write_timeout.get(),
            slot: table.slot_timeout.get(),
            silence: table.ping_after.get(),
            pong: table.ping_timeout.get(),
            backoff: Backoff {
                first: table.reconnect_first.get(),
                longest: table.reconnect_longest.get(),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(text: &str) -> TenantSettings {
        toml::from_str(&format!("scheme = \"own\"\n{text}")).unwrap()
    }

    #[test]
    fn what_is_not_said_of_a_component_is_what_the_component_has_by_itself() {
        let table: ComponentTable = toml::from_str("domain = \"up\"\nsecret = \"s\"").unwrap();
        let timings = Timings {
            connect: table.connect_timeout.get(),
            write: table.write_timeout.get(),
            slot: table.slot_timeout.get(),
            silence: table.ping_after.get(),
            pong: table.ping_timeout.get(),
            backoff: Backoff {
                first: table.reconnect_first.get(),
                longest: table.reconnect_longest.get(),
            },
        };
        assert_eq!(timings, Timings::default());
    }

    #[test]
    fn what_a_purpose_does_not_say_is_as_for_messages() {
        let tenant = tenant(
            "max_size = \"1MB\"\nretention = \"30d\"
             purposes = { profile = { max_size = \"1KB\", retention = \"none\" }, permanent = {} }",
        );
        let offers = offers(&Settings::default(), &tenant);
        let profile = offers.profile.unwrap();
        assert_eq!(profile.max_size, UploadLength::new(1000));
        assert_eq!(profile.keeping, crate::slots::Keeping::Own(None));
        assert_eq!(offers.permanent, Some(offers.message));
        assert_eq!(offers.message.max_size, UploadLength::new(1_000_000));
        assert_eq!(offers.ephemeral, None);
    }

    #[test]
    fn no_larger_file_is_offered_than_is_taken_of_anybody() {
        let mut settings = Settings::default();
        settings.tus.max_size = Some(Size::kib(1));
        for said in ["", "max_size = \"1MB\""] {
            let offered = offers(&settings, &tenant(said)).message.max_size;
            assert_eq!(offered, UploadLength::new(1024), "{said}");
        }
    }
}
