//! Settings, as the layers below understand them.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::config::quota as config;
use crate::config::settings::{Durability, QuotaSettings, Settings};
use crate::config::{Address, Size, Span};
use crate::engine::{self, EngineSettings};
use crate::http::settings::{
    ChunkSettings, CorsSettings, ExtensionSettings, HttpSettings, ListenAddress, ListenerSettings,
    ServerSettings, SlotSettings, TlsSettings,
};
use crate::http::tuner::TuningSettings;
use crate::protocol::chunked::NameKey;
use crate::tuning::{Bounds, GuardSettings, LotKey, Rollout};
use crate::upload::quota::{Total, WhenFull};
use crate::upload::{Limits, Quota, UploadLength};

/// The engine's bounds.
#[must_use]
pub fn engine(settings: &Settings) -> EngineSettings {
    let storage = &settings.storage;
    EngineSettings {
        limits: limits(settings),
        durability: durability(storage.durability),
        checkpoint_bytes: storage.checkpoint_bytes.get(),
        checkpoint_interval: storage.checkpoint_interval.get(),
        silent_after: storage.silent_after.get(),
        takeover_timeout: storage.takeover_timeout.get(),
        slow_write: storage.slow_write.get(),
        storage_retries: storage_retries(settings),
        reap_interval: storage.reap_interval.get(),
        orphan_age: storage.orphan_age.get(),
        assemble_wait: storage.assemble_wait.get(),
        threads: settings.performance.engine_threads,
        blocking_threads: settings.performance.blocking_threads,
    }
}

const fn storage_retries(settings: &Settings) -> u32 {
    if settings.streaming.automatic_retry { settings.uploads.maxretries } else { 0 }
}

const fn durability(durability: Durability) -> engine::Durability {
    match durability {
        Durability::Fsync => engine::Durability::Fsync,
        Durability::Os => engine::Durability::Os,
    }
}

fn limits(settings: &Settings) -> Limits {
    let (tus, uploads) = (&settings.tus, &settings.uploads);
    Limits {
        max_length: tus.max_size.map(Size::get).and_then(UploadLength::new),
        max_metadata_bytes: tus.max_metadata_size.in_memory(),
        max_parts: tus.max_parts,
        max_chunks: uploads.max_chunks,
        session_timeout: uploads.sessiontimeout.get(),
        retention: uploads.retention.map(Span::get),
        tombstone_retention: uploads.tombstone_retention.get(),
    }
}

/// How chunk headers are offered, if they are.
fn chunks(settings: &Settings, names: NameKey) -> Option<ChunkSettings> {
    let uploads = &settings.uploads;
    let chunk_bytes = NonZeroU64::new(uploads.chunksize.get())?;
    uploads.chunkeduploadsenabled.then_some(ChunkSettings { chunk_bytes, names })
}

/// Keys of the data directory that the upload endpoint needs.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Leads session ids that clients chose to uploads.
    pub names: NameKey,
    /// Draws the sessions whose transfers are fitted.
    pub lots: LotKey,
}

/// How the upload endpoint behaves; `slots` are served.
#[must_use]
pub fn http(settings: &Settings, keys: Keys, slots: SlotSettings) -> HttpSettings {
    let Keys { names, lots } = keys;
    let (server, timeouts) = (&settings.server, &settings.timeouts);
    HttpSettings {
        base_path: server.base_path.clone(),
        form_path: settings.uploads.form_path.clone(),
        public_url: server.public_url.clone(),
        trusted_proxies: server.trusted_proxies.clone(),
        cors: cors(settings),
        public_downloads: settings.auth.public_downloads,
        extensions: extensions(settings),
        chunks: chunks(settings, names),
        slots,
        quota: quota(&settings.quota),
        read_timeout: timeouts.readtimeout.get(),
        write_timeout: timeouts.writetimeout.get(),
        idle_timeout: timeouts.idletimeout.get(),
        upload_timeout: timeouts.uploadtimeout.map(Span::get),
        min_rate_bytes_per_second: settings.network.min_rate.get(),
        tuning: tuning(settings),
        tells_chunk_size: settings.streaming.quality_adaptation,
        lots,
        batch_bytes: settings.performance.batch_size.in_memory(),
        read_buffer_bytes: settings.performance.read_buffer.in_memory(),
        memory_bytes: settings.performance.memory_budget.in_memory(),
        linger: timeouts.linger.get(),
        linger_bytes: settings.network.linger_size.get(),
        max_streams: settings.server.max_streams,
        remembered_paths: settings.network.remembered_paths,
        resumption: settings.uploads.resumableuploadsenabled,
    }
}

/// Which transfers are fitted to their clients. The only part that may change while it runs.
#[must_use]
pub fn tuning(settings: &Settings) -> TuningSettings {
    let performance = &settings.performance;
    let rollout = if performance.adaptive_buffers { performance.rollout } else { 0 };
    let (least, most) = (performance.min_buffer_size, performance.max_buffer_size);
    TuningSettings {
        rollout: Rollout::percent(rollout),
        follows: settings.streaming.adaptive_streaming,
        buffers: Bounds::new(least.in_memory(), most.in_memory()),
        guard: GuardSettings {
            window: performance.rollback_window.get(),
            margin_percent: performance.rollback_margin,
            least_transfers: performance.rollback_transfers,
        },
    }
}

/// What one owner may have; `None` if nothing is bounded.
#[must_use]
pub fn quota(settings: &QuotaSettings) -> Option<Quota> {
    let total = settings.total.map(|total| Total {
        bytes: total.get(),
        when_full: match settings.when_full {
            config::WhenFull::Refuse => WhenFull::Refuse,
            config::WhenFull::DeleteOldest => {
                WhenFull::DeleteOldest { down_to: settings.delete_down_to.unwrap_or(total).get() }
            }
        },
    });
    settings.is_bounded().then_some(Quota {
        running: settings.running.map(|count| count.0),
        bytes_per_day: settings.per_day.map(Size::get),
        total,
    })
}

fn cors(settings: &Settings) -> CorsSettings {
    let cors = &settings.cors;
    CorsSettings {
        enabled: cors.enabled,
        origins: cors.origins.clone(),
        credentials: cors.credentials,
        max_age: cors.max_age.get(),
    }
}

const fn extensions(settings: &Settings) -> ExtensionSettings {
    let tus = &settings.tus;
    ExtensionSettings {
        creation: tus.creation,
        creation_with_upload: tus.creation_with_upload,
        creation_defer_length: tus.creation_defer_length,
        expiration: tus.expiration,
        checksum: tus.checksum,
        termination: tus.termination,
        concatenation: tus.concatenation,
    }
}

/// The listeners of the upload side; TLS is for TCP alone.
#[must_use]
pub fn listeners(settings: &Settings) -> Vec<ListenerSettings> {
    let listener = |address: &Address| match address {
        Address::Tcp(address) => ListenerSettings {
            address: ListenAddress::Tcp(*address),
            tls: tls(settings),
            h2c: settings.server.h2c,
        },
        Address::Unix(path) => ListenerSettings {
            address: ListenAddress::Unix(path.clone()),
            tls: None,
            h2c: settings.server.h2c,
        },
    };
    settings.server.listen.addresses().iter().map(listener).collect()
}

/// Processors of this machine, as far as this process may use them.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// How connections are taken, held and let go.
#[must_use]
pub fn connections(settings: &Settings, http: &HttpSettings) -> ServerSettings {
    let workers = settings.server.workers.map_or_else(processors, usize::from);
    ServerSettings {
        workers,
        // The workers share them evenly; none is left without.
        max_connections_per_worker: settings.server.max_connections.div_ceil(workers),
        max_connections_per_address: settings
            .server
            .max_connections_per_address
            .map(|count| count.0),
        trusted_proxies: settings.server.trusted_proxies.clone(),
        keep_alive_interval: Some(settings.network.keepaliveinterval.get()),
        user_timeout: Some(user_timeout(settings)),
        stop_timeout: settings.timeouts.shutdown.get(),
        bounds: http.connection_bounds(),
        ..ServerSettings::default()
    }
}

/// Behind what ends a connection for less: nothing that is read slowly, or asked whether it lives, is cut
/// by it.
fn user_timeout(settings: &Settings) -> Duration {
    let (network, write) = (&settings.network, settings.timeouts.writetimeout.get());
    let auto = || write.max(network.keepaliveinterval.get()).saturating_mul(2);
    network.usertimeout.map_or_else(auto, Span::get)
}

fn tls(settings: &Settings) -> Option<TlsSettings> {
    let tls = &settings.tls;
    Some(TlsSettings {
        certificate: tls.certificate.clone()?,
        key: tls.key.clone()?,
        reload_interval: tls.reload_interval.get(),
        handshake_timeout: tls.handshake_timeout.get(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::xep0363::SlotKey;

    #[test]
    fn the_built_in_settings_are_the_engine_s_own_defaults() {
        assert_eq!(engine(&Settings::default()), EngineSettings::default());
    }

    #[test]
    fn a_peer_that_acknowledges_nothing_is_waited_for_longer_than_one_that_reads_nothing() {
        let mut settings = Settings::default();
        assert_eq!(user_timeout(&settings), Duration::from_secs(120));
        settings.network.keepaliveinterval = Span::seconds(90);
        assert_eq!(user_timeout(&settings), Duration::from_secs(180));
        settings.network.usertimeout = Some(Span::seconds(70));
        assert_eq!(user_timeout(&settings), Duration::from_secs(70));
    }

    #[test]
    fn what_is_set_about_networks_reaches_its_place() {
        let seconds = Duration::from_secs;
        let mut settings = Settings::default();
        let (uploads, timeouts) = (&mut settings.uploads, &mut settings.timeouts);
        uploads.resumableuploadsenabled = false;
        uploads.chunksize = Size::mb(7);
        uploads.sessiontimeout = Span::seconds(70);
        timeouts.readtimeout = Span::seconds(71);
        timeouts.writetimeout = Span::seconds(72);
        timeouts.idletimeout = Span::seconds(73);
        timeouts.uploadtimeout = Some(Span::seconds(74));
        settings.network.keepaliveinterval = Span::seconds(75);
        settings.network.remembered_paths = 76;
        let http = |settings: &Settings| {
            let slots = SlotSettings { tenants: Vec::new(), ids: SlotKey::new([2; 32]) };
            let keys = Keys { names: NameKey::new([1; 32]), lots: LotKey::new([3; 32]) };
            http(settings, keys, slots)
        };
        let told = http(&settings);
        assert!(!told.resumption);
        assert_eq!(told.chunks.as_ref().unwrap().chunk_bytes.get(), 7_000_000);
        assert_eq!(engine(&settings).limits.session_timeout, seconds(70));
        let times = [told.read_timeout, told.write_timeout, told.idle_timeout];
        assert_eq!(times, [71, 72, 73].map(seconds));
        assert_eq!(told.upload_timeout, Some(seconds(74)));
        assert_eq!(connections(&settings, &told).keep_alive_interval, Some(seconds(75)));
        assert_eq!(told.remembered_paths, 76);
        settings.uploads.chunkeduploadsenabled = false;
        assert!(http(&settings).chunks.is_none());
    }

    #[test]
    fn what_is_set_about_buffers_reaches_its_place() {
        let mut settings = Settings::default();
        let performance = &mut settings.performance;
        (performance.adaptive_buffers, performance.rollout) = (true, 40);
        performance.min_buffer_size = Size::kib(32);
        performance.max_buffer_size = Size::kib(64);
        settings.streaming.adaptive_streaming = false;
        let told = tuning(&settings);
        assert_eq!((told.rollout, told.follows), (Rollout::percent(40), false));
        assert_eq!(told.buffers, Bounds::new(32 * 1024, 64 * 1024));
        settings.performance.adaptive_buffers = false;
        assert_eq!(tuning(&settings).rollout, Rollout::percent(0));
    }

    #[test]
    fn the_device_gets_as_many_chances_as_are_set_and_none_when_that_is_off() {
        let mut settings = Settings::default();
        assert_eq!(engine(&settings).storage_retries, 5);
        settings.uploads.maxretries = 2;
        assert_eq!(engine(&settings).storage_retries, 2);
        settings.streaming.automatic_retry = false;
        assert_eq!(engine(&settings).storage_retries, 0);
    }

    #[test]
    fn what_is_deleted_down_to_is_the_total_unless_it_is_set() {
        let read = |text: &str| quota(&toml::from_str(text).unwrap());
        assert_eq!(read(""), None);
        let bounded = read("running = 2\nper_day = 7").unwrap();
        assert_eq!((bounded.running, bounded.bytes_per_day), (Some(2), Some(7)));
        assert_eq!(bounded.total, None);
        let full = |text| read(text).unwrap().total.unwrap().when_full;
        assert_eq!(full("total = 9"), WhenFull::Refuse);
        let deletes = "total = 9\nwhen_full = \"delete_oldest\"";
        assert_eq!(full(deletes), WhenFull::DeleteOldest { down_to: 9 });
        let further = format!("{deletes}\ndelete_down_to = 4");
        assert_eq!(full(&further), WhenFull::DeleteOldest { down_to: 4 });
    }
}
