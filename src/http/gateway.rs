//! What the handlers share.

use std::net::IpAddr;
use std::sync::Arc;

use crate::auth::Authority;
use crate::engine::{Clock as _, Engine, SystemClock};
use crate::protocol::chunked::{NameKey, Terms};
use crate::protocol::cors::{CorsPolicy, Origins};
use crate::protocol::head::RequestHead;
use crate::protocol::location::{Outside, Place};
use crate::protocol::tus::create::Create;
use crate::protocol::tus::{Extension, Profile};
use crate::upload::{NewSession, Timestamp};

use super::arrival;
use super::client::Clients;
use super::memory::Memory;
use super::metrics::ArmMetrics;
use super::service_url::ServiceUrl;
use super::settings::{CorsSettings, ExtensionSettings, HttpSettings};
use super::switches::Switches;
use super::tuner::Tuner;

/// The engine and how it is offered over HTTP; one per process, shared by every worker.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub(super) engine: Engine,
    pub(super) authority: Arc<Authority>,
    pub(super) settings: HttpSettings,
    pub(super) profile: Profile,
    pub(super) cors: CorsPolicy,
    /// What bodies on their way may take.
    pub(super) memory: Memory,
    /// How large the buffers of transfers are.
    pub(super) tuner: Tuner,
    /// What is remembered of clients, if anything is.
    pub(super) clients: Option<Clients>,
    /// By which way each upload came last.
    pub(super) switches: Switches,
    /// Chunk headers, if they are on.
    pub(super) chunks: Option<Chunking>,
    /// Where ejabberd asks for slots.
    pub(super) service_urls: Vec<ServiceUrl>,
    /// The configured public URL, if there is one.
    outside: Option<Outside>,
}

/// How chunk headers are offered.
#[derive(Clone, Debug)]
pub(super) struct Chunking {
    pub(super) terms: Terms,
    pub(super) names: NameKey,
}

/// Why the settings make no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The public URL is not one.
    #[error("public_url has to be http(s)://host[:port][/prefix], not {0:?}")]
    PublicUrl(String),
}

impl Gateway {
    /// Puts the engine behind HTTP. What is advertised is what the settings want and the engine's
    /// stores can do.
    ///
    /// # Errors
    ///
    /// [`GatewayError::PublicUrl`].
    pub fn new(
        engine: Engine,
        authority: Arc<Authority>,
        settings: HttpSettings,
    ) -> Result<Self, GatewayError> {
        let outside = match &settings.public_url {
            None => None,
            Some(url) => Some(
                Outside::from_public_url(url)
                    .ok_or_else(|| GatewayError::PublicUrl(url.clone()))?,
            ),
        };
        let extensions = extensions(settings.extensions, engine.can_concatenate());
        let profile = Profile::new(extensions, engine.limits());
        let cors = cors(&settings.cors);
        let chunks = settings.chunks.as_ref().map(|chunks| {
            let cancel = profile.has(Extension::Termination);
            let terms = Terms::new(chunks.chunk_bytes, engine.limits(), cancel);
            Chunking { terms, names: chunks.names.clone() }
        });
        let service_urls = Vec::new();
        let memory = Memory::new(settings.memory_bytes);
        let tuner = Tuner::new(settings.tuning, settings.lots.clone(), ArmMetrics::default());
        let switches = Switches::new(settings.remembered_paths);
        Ok(Self {
            engine,
            authority,
            settings,
            profile,
            cors,
            memory,
            tuner,
            clients: None,
            switches,
            chunks,
            service_urls,
            outside,
        })
    }

    /// Lets ejabberd ask for slots at these addresses.
    #[must_use]
    pub fn asked_at(self, service_urls: Vec<ServiceUrl>) -> Self {
        Self { service_urls, ..self }
    }

    /// Lets `tuner` decide about buffers.
    #[must_use]
    pub fn tuned_by(self, tuner: Tuner) -> Self {
        Self { tuner, ..self }
    }

    /// Lets what `clients` remember count.
    #[must_use]
    pub fn remembering(self, clients: Clients) -> Self {
        Self { clients: Some(clients), ..self }
    }

    /// A new upload with what its owner may have, if it has an owner in particular.
    pub(super) fn counted(&self, new: NewSession) -> NewSession {
        let quota = self.settings.quota.filter(|_| new.owner.name().is_some());
        NewSession { quota, ..new }
    }

    /// As [`Gateway::counted`]. A final upload brings no bytes of its own.
    pub(super) fn counted_in(&self, create: Create) -> Create {
        match create {
            Create::Upload(new) => Create::Upload(self.counted(new)),
            Create::WithBody(new, first) => Create::WithBody(self.counted(new), first),
            Create::Final(order) => Create::Final(order),
        }
    }

    /// Where the upload endpoint is, as the client of this request sees it, and where that client
    /// is. What a proxy says about that is believed as [`arrival::said`] has it.
    pub(super) fn arrival(
        &self,
        head: &RequestHead<'_>,
        peer: Option<IpAddr>,
    ) -> (Place, Option<IpAddr>) {
        let said = arrival::said(&self.settings.trusted_proxies, peer, || head);
        let outside = self.outside.clone().unwrap_or(said.outside);
        let base_path = self.settings.base_path.clone();
        (Place { base_path, outside, link: None }, said.client.or(peer))
    }

    /// The time of day.
    pub(super) fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// The extensions that are switched on.
fn extensions(wanted: ExtensionSettings, can_concatenate: bool) -> impl Iterator<Item = Extension> {
    let concatenation = wanted.concatenation && can_concatenate;
    [
        (wanted.creation, Extension::Creation),
        (wanted.creation_with_upload, Extension::CreationWithUpload),
        (wanted.creation_defer_length, Extension::CreationDeferLength),
        (wanted.expiration, Extension::Expiration),
        (wanted.checksum, Extension::Checksum),
        (wanted.termination, Extension::Termination),
        (concatenation, Extension::Concatenation),
        (concatenation, Extension::ConcatenationUnfinished),
    ]
    .into_iter()
    .filter_map(|(on, extension)| on.then_some(extension))
}

fn cors(settings: &CorsSettings) -> CorsPolicy {
    let origins = if !settings.enabled {
        Origins::Nobody
    } else if settings.origins.is_empty() {
        Origins::Any
    } else {
        Origins::Listed(settings.origins.clone())
    };
    CorsPolicy { origins, credentials: settings.credentials, max_age: settings.max_age }
}
