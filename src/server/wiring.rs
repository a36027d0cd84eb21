//! The only file that names adapters: sled and local files, and the engine over them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::auth::Authority;
use crate::config::Settings;
use crate::config::settings::Durability;
use crate::engine::events::{Event, Observer};
use crate::engine::{Engine, EngineParts, SystemClock};
use crate::http::admin::Admin;
use crate::http::client::Clients;
use crate::http::connection::OpenConnections;
use crate::http::listener::Hooks;
use crate::http::metrics::Metrics;
use crate::http::settings::HttpSettings;
use crate::http::tuner::Tuner;
use crate::http::{Gateway, sides};
use crate::network::Lines;
use crate::protocol::chunked::NameKey;
use crate::slots::Witness;
use crate::storage::blob::fs::{FsBlobStore, FsSettings};
use crate::storage::session::sled::{SledSessionStore, SledSettings};
use crate::storage::{BlobCare, BlobStore, ProfileStore, SessionStore, StorageError};
use crate::tuning::LotKey;

use super::components::Components;
use super::data_dir::DataDir;
use super::error::ServerError;
use super::network::Network;
use super::secret::{CHUNK_SESSION_ID, LOT};
use super::serve::{Sides, Started};
use super::{authority, boot, clients, descriptors, doors, slots, translate};

/// The stores of one data directory.
pub struct Stores {
    /// Remembers sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Remembers clients, as long as nothing happens to it.
    pub profiles: Arc<dyn ProfileStore>,
    /// Holds bytes.
    pub blobs: Arc<dyn BlobStore>,
}

/// Puts a whole gateway together: stores, engine, listeners. It accepts connections once its
/// listeners are run.
///
/// # Errors
///
/// [`ServerError`], with what to do about it. Nothing is left running then.
pub(super) async fn start(data: &DataDir, settings: &Settings) -> Result<Started, ServerError> {
    let guard = authority::build(data, settings)?;
    let secret = data.secret()?;
    let names = NameKey::new(secret.key_for(CHUNK_SESSION_ID));
    let keys = translate::Keys { names, lots: LotKey::new(secret.key_for(LOT)) };
    let http = translate::http(settings, keys, slots::build(data, settings)?);
    let connections = OpenConnections::default();
    let metrics = Metrics::new(connections.clone());
    let lines = Lines::new(Arc::<Metrics>::clone(&metrics));
    let observer: Arc<dyn Observer> = Arc::<Metrics>::clone(&metrics);
    let stores = open(data, settings, &observer).await?;
    let remembered = clients::build(data, settings, Arc::clone(&stores.profiles))?;
    let engine = engine(stores, settings, observer)?;
    let network = Network::new(lines.clone(), settings);
    let hooks = Hooks { connections, lines, ..Hooks::default() };
    let clients = remembered.as_ref().map(|remembered| remembered.clients.clone());
    let parts = Parts { engine: &engine, authority: &guard.authority, clients, metrics };
    match listen(parts, settings, http, hooks) {
        Ok((sides, components)) => {
            Ok(Started { engine, sides, guard, network, components, remembered })
        }
        Err(error) => {
            engine.stop().await;
            Err(error)
        }
    }
}

/// What both sides need.
struct Parts<'a> {
    engine: &'a Engine,
    authority: &'a Arc<Authority>,
    clients: Option<Clients>,
    metrics: Arc<Metrics>,
}

/// Binds both sides, and puts the components together.
fn listen(
    parts: Parts<'_>,
    settings: &Settings,
    http: HttpSettings,
    hooks: Hooks,
) -> Result<(Sides, Components), ServerError> {
    let Parts { engine, authority, clients, metrics } = parts;
    let bounds = translate::connections(settings, &http);
    let witness: Arc<dyn Witness> = Arc::<Metrics>::clone(&metrics);
    let doors = doors::build(settings, &http.slots, engine, &witness)?;
    let tuner = Tuner::new(http.tuning, http.lots.clone(), metrics.arms());
    let gateway = Gateway::new(engine.clone(), Arc::clone(authority), http)?;
    let gateway = gateway.asked_at(doors.service_urls).tuned_by(tuner.clone());
    let gateway = match clients.clone() {
        Some(clients) => gateway.remembering(clients),
        None => gateway,
    };
    let listeners = translate::listeners(settings);
    let uploads = sides::uploads(&listeners, &bounds, gateway, &metrics, hooks)
        .map_err(ServerError::listen("server.listen"))?;
    let stopping = Arc::new(AtomicBool::new(false));
    let admin = Admin {
        engine: engine.clone(),
        metrics,
        stopping: Arc::clone(&stopping),
        tuner: tuner.clone(),
        clients,
        components: doors.components.standings(),
    };
    let operators = sides::operators(settings.server.admin_listen, &bounds, admin)
        .map_err(ServerError::listen("server.admin_listen"))?;
    Ok((Sides { uploads, operators, stopping, tuner }, doors.components))
}

/// Opens the stores of a data directory, making them if there is nothing yet.
///
/// # Errors
///
/// [`ServerError::SessionsLost`] if there are uploads but no session store: a new one would make
/// them unreachable. Otherwise what the stores say.
pub async fn open(
    data: &DataDir,
    settings: &Settings,
    observer: &Arc<dyn Observer>,
) -> Result<Stores, ServerError> {
    let new = !has_sessions(data);
    let blobs = open_blobs(data, settings)?;
    if new && holds_uploads(blobs.as_ref()).await? {
        return Err(ServerError::SessionsLost { path: data.path().to_owned() });
    }
    let sessions = open_sled(&data.sessions(), settings, observer)?;
    let profiles = Arc::new(sessions.profile_store());
    Ok(Stores { sessions: Arc::new(sessions), profiles, blobs })
}

/// Opens the session store in `path`, making it if there is none. Blocking.
///
/// # Errors
///
/// [`ServerError::Sessions`] if it is damaged or cannot be used.
pub fn open_sessions(
    path: &Path,
    settings: &Settings,
    observer: &Arc<dyn Observer>,
) -> Result<Arc<dyn SessionStore>, ServerError> {
    Ok(Arc::new(open_sled(path, settings, observer)?))
}

fn open_sled(
    path: &Path,
    settings: &Settings,
    observer: &Arc<dyn Observer>,
) -> Result<SledSessionStore, ServerError> {
    let observer = Arc::clone(observer);
    let opened = SledSessionStore::open(&SledSettings {
        observer: Some(Arc::new(move || observer.observe(Event::Flushed))),
        ..sled_settings(path, settings)
    });
    opened.map_err(|source| match source {
        StorageError::NoRoom => ServerError::Full { path: path.to_owned() },
        source @ (StorageError::Conflict
        | StorageError::Missing(_)
        | StorageError::NoDescriptor
        | StorageError::Damaged { .. }
        | StorageError::Record { .. }
        | StorageError::Io { .. }
        | StorageError::Database(_)
        | StorageError::Closed) => ServerError::Sessions { path: path.to_owned(), source },
    })
}

/// Opens a session store that was set aside, for whatever can still be read of it. Blocking.
///
/// # Errors
///
/// [`ServerError::Sessions`] if that is nothing.
pub fn salvage_sessions(
    path: &Path,
    settings: &Settings,
) -> Result<Arc<dyn SessionStore>, ServerError> {
    let settings = SledSettings { salvage: true, ..sled_settings(path, settings) };
    let opened = SledSessionStore::open(&settings);
    Ok(Arc::new(opened.map_err(|source| ServerError::Sessions { path: path.to_owned(), source })?))
}

fn sled_settings(path: &Path, settings: &Settings) -> SledSettings {
    SledSettings {
        cache_bytes: settings.storage.session_cache.get(),
        sync: is_synced(settings),
        ..SledSettings::new(path.to_owned())
    }
}

/// Whether there is a session store, whatever it is worth.
pub fn has_sessions(data: &DataDir) -> bool {
    SledSessionStore::exists(&data.sessions())
}

/// Opens the blob store of a data directory, making it if there is none. Blocking.
///
/// # Errors
///
/// [`ServerError::Blobs`] if its directory cannot be used.
pub fn open_blobs(data: &DataDir, settings: &Settings) -> Result<Arc<dyn BlobCare>, ServerError> {
    let opened = FsBlobStore::open(&FsSettings {
        root: data.blobs(),
        sync: is_synced(settings),
        reserve_bytes: settings.storage.reserve.get(),
        max_open: descriptors::files(settings),
    });
    let opened = opened.map_err(|source| ServerError::Blobs { path: data.blobs(), source })?;
    Ok(Arc::new(opened))
}

/// Whether anything was ever uploaded.
///
/// # Errors
///
/// [`ServerError::Storage`] if the directory cannot be listed.
pub async fn holds_uploads(blobs: &dyn BlobStore) -> Result<bool, ServerError> {
    Ok(!blobs.labels(None, 1).await?.ids.is_empty())
}

/// Starts the engine over `stores`.
///
/// # Errors
///
/// [`ServerError::Engine`] if its threads do not start.
pub fn engine(
    stores: Stores,
    settings: &Settings,
    observer: Arc<dyn Observer>,
) -> Result<Engine, ServerError> {
    let parts = EngineParts {
        sessions: stores.sessions,
        blobs: stores.blobs,
        settings: translate::engine(settings),
        clock: Arc::new(SystemClock),
        boot: boot::current(),
        observer,
    };
    Ok(Engine::start(parts)?)
}

/// Whether the stores wait for the device.
const fn is_synced(settings: &Settings) -> bool {
    match settings.storage.durability {
        Durability::Fsync => true,
        Durability::Os => false,
    }
}
