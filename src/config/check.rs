//! What only several keys together, or a look at the machine, can get wrong.
//!
//! Each complaint is a sentence that names the keys and says what would be right.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::address::Address;
use super::problem::{Origin, Problem};
use super::settings::Settings;

mod auth;
mod doors;
mod quota;
mod xep0363;

/// Something that cannot be used as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The keys it is about, the one to look at first in front.
    keys: Vec<(&'static str, &'static str)>,
    text: String,
}

impl Doubt {
    /// Whether it is about this key.
    #[must_use]
    pub fn concerns(&self, section: &str, key: &str) -> bool {
        self.keys.contains(&(section, key))
    }

    /// The problem, with the place where somebody set the first of its keys that was set.
    #[must_use]
    pub fn located(self, origins: &BTreeMap<(String, String), Origin>) -> Problem {
        let said = self.keys.iter().find_map(|&(section, key)| {
            origins.get(&(section.to_owned(), key.to_owned())).cloned()
        });
        Problem { origin: said.unwrap_or(Origin::BuiltIn), text: self.text }
    }
}

/// Everything that is doubtful about `settings`; nothing means that they can be used.
#[must_use]
pub fn check(settings: &Settings) -> Vec<Doubt> {
    let mut doubts = Doubts::default();
    listeners(settings, &mut doubts);
    addresses(settings, &mut doubts);
    tls(settings, &mut doubts);
    auth::check(settings, &mut doubts);
    quota::check(settings, &mut doubts);
    xep0363::check(settings, &mut doubts);
    origins(settings, &mut doubts);
    extensions(settings, &mut doubts);
    counts(settings, &mut doubts);
    sizes(settings, &mut doubts);
    times(settings, &mut doubts);
    doubts.0
}

/// What was found so far.
#[derive(Default)]
struct Doubts(Vec<Doubt>);

impl Doubts {
    fn add(&mut self, keys: &[(&'static str, &'static str)], text: impl Into<String>) {
        self.0.push(Doubt { keys: keys.to_vec(), text: text.into() });
    }
}

fn listeners(settings: &Settings, doubts: &mut Doubts) {
    let server = &settings.server;
    let open = server.listen.addresses().iter().find(|address| !address.is_local());
    if let Some(open) = open
        && settings.auth.is_open()
        && !server.allow_public_without_auth
    {
        doubts.add(
            &[("server", "listen"), ("auth", "required"), ("server", "allow_public_without_auth")],
            format!(
                "server.listen = {open} can be reached from other machines while nothing \
                 authenticates; add a token to auth.tokens, listen on 127.0.0.1, or, if everybody \
                 shall upload, set server.allow_public_without_auth = true"
            ),
        );
    }
    if !server.admin_listen.ip().to_canonical().is_loopback() {
        doubts.add(
            &[("server", "admin_listen")],
            format!(
                "server.admin_listen = {} can be reached from other machines; the admin side has \
                 no authentication and listens on loopback only, for instance 127.0.0.1:9090",
                server.admin_listen
            ),
        );
    }
    let taken = |address: &Address| {
        *address == Address::Tcp(server.admin_listen) && server.admin_listen.port() != 0
    };
    if server.listen.addresses().iter().any(taken) {
        doubts.add(
            &[("server", "admin_listen"), ("server", "listen")],
            format!(
                "server.listen and server.admin_listen are both {}; give them different ports",
                server.admin_listen
            ),
        );
    }
}

fn addresses(settings: &Settings, doubts: &mut Doubts) {
    let base = &settings.server.base_path;
    let based = path("server", "base_path", base, "/files", doubts);
    if let Some(form) = &settings.uploads.form_path {
        let formed = path("uploads", "form_path", form, "/upload", doubts);
        let inside = form.strip_prefix(base.as_str());
        let inside = inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if based && formed && inside {
            doubts.add(
                &[("uploads", "form_path"), ("server", "base_path")],
                format!(
                    "uploads.form_path = {form:?} is where uploads live by server.base_path = \
                     {base:?}; give forms a path outside of it, or \"none\""
                ),
            );
        }
    }
    let first = base.split('/').nth(1).unwrap_or_default();
    if settings.uploads.chunkeduploadsenabled
        && ["chunked-upload", "upload-status"].contains(&first)
    {
        doubts.add(
            &[("server", "base_path"), ("uploads", "chunkeduploadsenabled")],
            format!(
                "server.base_path = {base:?} is where chunk headers live; take another path, or \
                 set uploads.chunkeduploadsenabled = false"
            ),
        );
    }
    if let Some(url) = &settings.server.public_url
        && !is_public_url(url)
    {
        doubts.add(
            &[("server", "public_url")],
            format!(
                "server.public_url = {url:?} is not an address that clients could use; write \
                 http:// or https://, a host and perhaps a prefix, without query and fragment, for \
                 instance \"https://upload.example.org\""
            ),
        );
    }
}

/// Whether a path can be routed; complains if it cannot.
fn path(
    section: &'static str,
    key: &'static str,
    path: &str,
    example: &str,
    doubts: &mut Doubts,
) -> bool {
    let segment = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    let well_formed = path.strip_prefix('/').is_some_and(|path| path.split('/').all(segment));
    if !well_formed {
        doubts.add(
            &[(section, key)],
            format!(
                "{section}.{key} = {path:?} is not a path; write it with a slash in front and \
                 none at the end, of letters, digits and -._~, for instance {example:?}"
            ),
        );
    }
    well_formed
}

fn is_public_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\\"<>{}|^`".contains(&byte);
    !host.is_empty() && !host.starts_with(':') && rest.bytes().all(plain)
}

fn tls(settings: &Settings, doubts: &mut Doubts) {
    let tls = &settings.tls;
    for (name, path) in [("certificate", &tls.certificate), ("key", &tls.key)] {
        if let Some(path) = path.as_deref().filter(|path| !is_readable(path)) {
            doubts.add(
                &[("tls", name)],
                format!("tls.{name} = {:?} cannot be read; name a PEM file that exists", path),
            );
        }
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        doubts.add(
            &[("tls", "certificate"), ("tls", "key")],
            "tls.certificate and tls.key belong together; set both of them or neither",
        );
    }
}

fn is_readable(path: &Path) -> bool {
    let metadata = std::fs::File::open(path).and_then(|file| file.metadata());
    metadata.is_ok_and(|metadata| metadata.is_file())
}

fn origins(settings: &Settings, doubts: &mut Doubts) {
    let cors = &settings.cors;
    for origin in &cors.origins {
        let host = origin.split_once("://").map(|(_, host)| host);
        let well_formed = host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
        });
        if !well_formed {
            doubts.add(
                &[("cors", "origins")],
                format!(
                    "cors.origins: {origin:?} is not an origin; write scheme and host, perhaps a \
                     port, without a path, for instance \"https://app.example.org\""
                ),
            );
        }
    }
    if cors.credentials && cors.origins.is_empty() {
        doubts.add(
            &[("cors", "credentials"), ("cors", "origins")],
            "cors.credentials = true with any origin would let every site act for its visitors; \
             list the origins in cors.origins",
        );
    }
}

fn extensions(settings: &Settings, doubts: &mut Doubts) {
    let tus = &settings.tus;
    for (name, on) in [
        ("creation_with_upload", tus.creation_with_upload),
        ("creation_defer_length", tus.creation_defer_length),
        ("concatenation", tus.concatenation),
    ] {
        if on && !tus.creation {
            doubts.add(
                &[("tus", "creation"), ("tus", name)],
                format!("tus.{name} needs tus.creation; switch creation on or {name} off"),
            );
        }
    }
}

fn counts(settings: &Settings, doubts: &mut Doubts) {
    let workers = settings.server.workers.map_or(1, usize::from);
    let max_chunks = usize::try_from(settings.uploads.max_chunks).unwrap_or(usize::MAX);
    let max_retries = usize::try_from(settings.uploads.maxretries).unwrap_or(usize::MAX);
    let max_streams = usize::try_from(settings.server.max_streams).unwrap_or(usize::MAX);
    let per_address = settings.server.max_connections_per_address.map_or(1, |count| count.0);
    let margin = usize::from(settings.performance.rollback_margin);
    let transfers = settings.performance.rollback_transfers;
    let transfers = usize::try_from(transfers).unwrap_or(usize::MAX);
    for (section, key, value, least, most) in [
        ("server", "workers", workers, 1, 1024),
        ("server", "max_connections", settings.server.max_connections, 1, 1_000_000),
        ("server", "max_connections_per_address", per_address, 1, 1_000_000),
        ("server", "max_streams", max_streams, 16, 65_536),
        ("tus", "max_parts", settings.tus.max_parts, 1, 100_000),
        ("uploads", "max_chunks", max_chunks, 1, 1_000_000),
        ("uploads", "maxretries", max_retries, 0, 10),
        ("network", "remembered_paths", settings.network.remembered_paths, 0, 1_000_000),
        ("auth.forward", "max_requests", settings.auth.forward.max_requests, 1, 10_000),
        ("auth.forward", "cache_entries", settings.auth.forward.cache_entries, 0, 1_000_000),
        ("performance", "rollout", usize::from(settings.performance.rollout), 0, 100),
        ("performance", "rollback_margin", margin, 1, 90),
        ("performance", "rollback_transfers", transfers, 64, 1_000_000),
        ("performance", "max_profiles", settings.performance.max_profiles, 2, 1_000_000),
        ("performance", "engine_threads", settings.performance.engine_threads, 1, 256),
        ("performance", "blocking_threads", settings.performance.blocking_threads, 1, 512),
    ] {
        if !(least..=most).contains(&value) {
            doubts.add(
                &[(section, key)],
                format!("{section}.{key} = {value} is out of range; write {least} to {most}"),
            );
        }
    }
}

fn sizes(settings: &Settings, doubts: &mut Doubts) {
    use super::size::Size;
    let (tus, storage) = (&settings.tus, &settings.storage);
    let (performance, jwt) = (&settings.performance, &settings.auth.jwt);
    let (smallest, largest) = (performance.min_buffer_size, performance.max_buffer_size);
    let most = Size::bytes(i64::MAX.unsigned_abs());
    for (section, key, value, least, most) in [
        ("tus", "max_metadata_size", tus.max_metadata_size, Size::bytes(0), Size::kib(64)),
        ("uploads", "chunksize", settings.uploads.chunksize, Size::kib(1), most),
        ("auth.jwt", "max_token_size", jwt.max_token_size, Size::bytes(256), Size::kib(64)),
        ("storage", "session_cache", storage.session_cache, Size::mib(1), most),
        ("storage", "checkpoint_bytes", storage.checkpoint_bytes, Size::kib(64), most),
        ("performance", "batch_size", performance.batch_size, Size::kib(4), Size::mib(64)),
        ("performance", "read_buffer", performance.read_buffer, Size::kib(4), Size::mib(64)),
        ("performance", "min_buffer_size", smallest, Size::kib(4), Size::mib(64)),
        ("performance", "max_buffer_size", largest, Size::kib(4), Size::mib(64)),
        ("performance", "max_chunk_size", performance.max_chunk_size, Size::kib(256), most),
        ("performance", "memory_budget", performance.memory_budget, Size::mib(1), most),
    ] {
        if value < least || value > most {
            let range = format!("between {least} and {most}");
            doubts.add(
                &[(section, key)],
                format!("{section}.{key} = {value} is out of range; write a size {range}"),
            );
        }
    }
    if smallest > largest {
        doubts.add(
            &[("performance", "min_buffer_size"), ("performance", "max_buffer_size")],
            format!(
                "performance.min_buffer_size = {smallest} is larger than performance.max_buffer_size = \
                 {largest}; give the smaller one first"
            ),
        );
    }
    if storage.checkpoint_bytes < performance.batch_size {
        doubts.add(
            &[("storage", "checkpoint_bytes"), ("performance", "batch_size")],
            format!(
                "storage.checkpoint_bytes = {} is smaller than performance.batch_size = {}; a \
                 checkpoint covers at least one batch",
                storage.checkpoint_bytes, performance.batch_size
            ),
        );
    }
}

fn times(settings: &Settings, doubts: &mut Doubts) {
    let (uploads, timeouts, storage) = (&settings.uploads, &settings.timeouts, &settings.storage);
    let (instant, second) = (Duration::from_millis(1), Duration::from_secs(1));
    for (section, key, value, least) in [
        ("tls", "reload_interval", settings.tls.reload_interval, second),
        ("tls", "handshake_timeout", settings.tls.handshake_timeout, second),
        ("auth.jwt", "reload_interval", settings.auth.jwt.reload_interval, second),
        ("auth.forward", "timeout", settings.auth.forward.timeout, instant),
        ("uploads", "sessiontimeout", uploads.sessiontimeout, second),
        ("timeouts", "readtimeout", timeouts.readtimeout, instant),
        ("timeouts", "writetimeout", timeouts.writetimeout, instant),
        ("timeouts", "idletimeout", timeouts.idletimeout, instant),
        ("network", "keepaliveinterval", settings.network.keepaliveinterval, second),
        ("network", "reconnectdelay", settings.network.reconnectdelay, instant),
        ("performance", "profile_lifetime", settings.performance.profile_lifetime, second),
        ("performance", "rollback_window", settings.performance.rollback_window, second),
        ("storage", "checkpoint_interval", storage.checkpoint_interval, instant),
        ("storage", "silent_after", storage.silent_after, instant),
        ("storage", "takeover_timeout", storage.takeover_timeout, instant),
        ("storage", "slow_write", storage.slow_write, instant),
        ("storage", "reap_interval", storage.reap_interval, instant),
    ] {
        if value.get() < least {
            let least = humantime::format_duration(least);
            doubts.add(
                &[(section, key)],
                format!("{section}.{key} = {value} is too short; write at least {least}"),
            );
        }
    }
    network(settings, doubts);
    if storage.silent_after >= timeouts.readtimeout {
        doubts.add(
            &[("storage", "silent_after"), ("timeouts", "readtimeout")],
            format!(
                "storage.silent_after = {} must be shorter than timeouts.readtimeout = {}: who is \
                 silent that long has been ended already",
                storage.silent_after, timeouts.readtimeout
            ),
        );
    }
}

/// Longest pause of uploads: clients give up by then.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

fn network(settings: &Settings, doubts: &mut Doubts) {
    let (network, write) = (&settings.network, settings.timeouts.writetimeout);
    if network.reconnectdelay.get() > LONGEST_PAUSE {
        doubts.add(
            &[("network", "reconnectdelay")],
            format!(
                "network.reconnectdelay = {} is too long; write at most {}, or set \
                 network.uploadpauseonchange = false",
                network.reconnectdelay,
                humantime::format_duration(LONGEST_PAUSE)
            ),
        );
    }
    if let Some(timeout) = network.usertimeout.filter(|timeout| timeout.get() < write.get()) {
        doubts.add(
            &[("network", "usertimeout"), ("timeouts", "writetimeout")],
            format!(
                "network.usertimeout = {timeout} is shorter than timeouts.writetimeout = {write}, so that \
                 it would end what that lets go on; write a longer one, or \"auto\""
            ),
        );
    }
}

#[cfg(test)]
mod tests;
