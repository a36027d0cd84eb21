//! Every key of hmac-file-server, and what becomes of it. `docs/from-hmac-file-server.md` holds the
//! same list for people; a test compares them.

use super::rules::Rule;

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its section.
    pub(super) section: &'static str,
    /// Its name, lower-case, as the server compares names.
    pub(super) name: &'static str,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// Its value decides.
    Carried(Rule),
    /// The name an older version had for this key of the same section.
    Older(&'static str),
    /// That server does not use it, or only logs it.
    Idle,
    /// It is not needed here, or done otherwise.
    Changed(&'static str),
    /// It restricts or protects something in a way that is not there: somebody has to decide, if it
    /// is in use.
    Refused(When, &'static str),
}

/// When a key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// If it is true.
    True,
    /// If it is false.
    False,
    /// If it is a list or a table with something in it, or a text.
    Filled,
    /// If this other key of its section is true and it is not empty.
    With(&'static str),
}

const fn key(section: &'static str, name: &'static str, fate: Fate) -> Key {
    Key { section, name, fate }
}

const ONE_LOG: &str = "the log goes to standard error; journald or the container keeps it";
const SIDE: &str = "operators have the admin side, on this machine only";
const DEDUPLICATION: &str = "every upload has its own bytes; there, a file of the same name made \
                             the server drop the new one";
const PROXY_RATE: &str = "let the proxy in front bound requests (nginx: limit_req)";
const SCANNER: &str = "nothing here scans files; scan the data directory from outside, or keep \
                       the old server for those who need it";
const CONTENT: &str = "nothing here looks into files; the XMPP server can bound types only with \
                       http_file_share_allowed_file_types";
const QUOTA: &str = "the tokens do not say who uploads, so nobody's share can be counted; give the \
                     XMPP server http_file_share or the component (docs/xmpp.md), where `quota` \
                     of a tenant bounds each user";
const STORE: &str = "sessions are kept in the data directory";
const BY_JWT: &str = "a slot takes the XMPP server's tokens alone; for other clients name the \
                      secret in [[auth.jwt.keys]] and let them use tus, chunks or forms";
const NO_ADDRESS: &str = "an upload is never bound to a client's address here";

/// Every key that version 3.4 knows or shows, and those of 3.2 that had another name.
pub(super) const KEYS: &[Key] = &[
    key("server", "listen_address", Fate::Carried(Rule::Listen)),
    key("server", "listenport", Fate::Older("listen_address")),
    key("server", "bind_ip", Fate::Carried(Rule::BindIp)),
    key("server", "storage_path", Fate::Carried(Rule::StoragePath)),
    key("server", "storagepath", Fate::Older("storage_path")),
    key("server", "max_upload_size", Fate::Carried(Rule::MaxUploadSize)),
    key("server", "min_free_bytes", Fate::Carried(Rule::MinFreeBytes)),
    key("server", "file_naming", Fate::Carried(Rule::FileNaming)),
    key("server", "force_protocol", Fate::Idle),
    key("server", "filettl", Fate::Carried(Rule::FileTtl)),
    key("server", "filettlenabled", Fate::Carried(Rule::FileTtlEnabled)),
    key("server", "max_file_age", Fate::Carried(Rule::MaxFileAge)),
    key(
        "server",
        "cleanup_interval",
        Fate::Changed("what expired is removed within storage.reap_interval, a minute"),
    ),
    key("server", "deduplication_enabled", Fate::Changed(DEDUPLICATION)),
    key("server", "metricsenabled", Fate::Changed(SIDE)),
    key("server", "metricsport", Fate::Carried(Rule::MetricsPort)),
    key("server", "metrics_path", Fate::Idle),
    key("server", "pidfilepath", Fate::Changed("there is no PID file; systemd knows the process")),
    key("server", "pid_file", Fate::Idle),
    key("server", "max_header_bytes", Fate::Idle),
    key("server", "clean_upon_exit", Fate::Changed("there is no PID file to be removed")),
    key("server", "unixsocket", Fate::Carried(Rule::UnixSocket)),
    key("server", "autoadjustworkers", Fate::Idle),
    key("server", "networkevents", Fate::Changed("uploads go on over any network by themselves")),
    key("server", "precaching", Fate::Idle),
    key("server", "pre_cache", Fate::Idle),
    key("server", "pre_cache_workers", Fate::Idle),
    key("server", "pre_cache_interval", Fate::Idle),
    key("server", "global_extensions", Fate::Idle),
    key("server", "enable_dynamic_workers", Fate::Idle),
    key("server", "worker_scale_up_thresh", Fate::Idle),
    key("server", "worker_scale_down_thresh", Fate::Idle),
    key(
        "uploads",
        "allowed_extensions",
        Fate::Refused(
            When::Filled,
            "names are not judged here; files are served so that no browser runs them. If only \
             some may be uploaded, let the proxy in front refuse the others",
        ),
    ),
    key("uploads", "allowedextensions", Fate::Older("allowed_extensions")),
    key("uploads", "chunk_size", Fate::Carried(Rule::ChunkSize)),
    key("uploads", "chunksize", Fate::Older("chunk_size")),
    key("uploads", "chunked_uploads_enabled", Fate::Carried(Rule::ChunkedUploads)),
    key("uploads", "chunkeduploadsenabled", Fate::Older("chunked_uploads_enabled")),
    key("uploads", "resumable_uploads_enabled", Fate::Idle),
    key("uploads", "resumableuploadsenabled", Fate::Older("resumable_uploads_enabled")),
    key("uploads", "sessiontimeout", Fate::Idle),
    key("uploads", "maxretries", Fate::Idle),
    key("downloads", "allowed_extensions", Fate::Idle),
    key("downloads", "allowedextensions", Fate::Older("allowed_extensions")),
    key("downloads", "chunked_downloads_enabled", Fate::Idle),
    key("downloads", "chunkeddownloadsenabled", Fate::Older("chunked_downloads_enabled")),
    key("downloads", "chunk_size", Fate::Idle),
    key("downloads", "chunksize", Fate::Older("chunk_size")),
    key("downloads", "resumable_downloads_enabled", Fate::Idle),
    key("security", "secret", Fate::Carried(Rule::Secret)),
    key("security", "enablejwt", Fate::Refused(When::True, BY_JWT)),
    key("security", "jwtsecret", Fate::Changed("not taken over; see security.enablejwt")),
    key("security", "jwtalgorithm", Fate::Idle),
    key("security", "jwtexpiration", Fate::Idle),
    key("security", "enhanced_security", Fate::Idle),
    key("security", "challenge_on_network_change", Fate::Idle),
    key("security", "reauth_on_long_standby", Fate::Idle),
    key("security", "standby_threshold_minutes", Fate::Idle),
    key("security", "long_standby_threshold_hours", Fate::Idle),
    key(
        "session_store",
        "enabled",
        Fate::Changed("an upload goes on with its token; no session id stands in for one"),
    ),
    key("session_store", "redis_url", Fate::Changed(STORE)),
    key("timeouts", "readtimeout", Fate::Carried(Rule::ReadTimeout)),
    key(
        "timeouts",
        "writetimeout",
        Fate::Changed("a download may take its time, and ends when nobody reads for a minute"),
    ),
    key(
        "timeouts",
        "idletimeout",
        Fate::Changed("an idle connection is closed after timeouts.idletimeout, a minute"),
    ),
    key("timeouts", "shutdown", Fate::Idle),
    key("logging", "level", Fate::Carried(Rule::LogLevel)),
    key("logging", "file", Fate::Changed(ONE_LOG)),
    key("logging", "max_size", Fate::Changed(ONE_LOG)),
    key("logging", "max_backups", Fate::Changed(ONE_LOG)),
    key("logging", "max_age", Fate::Changed(ONE_LOG)),
    key("logging", "compress", Fate::Changed(ONE_LOG)),
    key(
        "audit",
        "enabled",
        Fate::Refused(
            When::True,
            "there is no log of its own for audits; log.format = \"json\" writes every request \
             with its upload and its outcome, which journald can keep as long as you need",
        ),
    ),
    key("audit", "output", Fate::Changed(ONE_LOG)),
    key("audit", "path", Fate::Changed(ONE_LOG)),
    key("audit", "format", Fate::Changed(ONE_LOG)),
    key("audit", "events", Fate::Changed(ONE_LOG)),
    key("audit", "max_size", Fate::Changed(ONE_LOG)),
    key("audit", "max_age", Fate::Changed(ONE_LOG)),
    key("deduplication", "enabled", Fate::Changed(DEDUPLICATION)),
    key("deduplication", "directory", Fate::Carried(Rule::DedupDirectory)),
    key("deduplication", "maxsize", Fate::Changed(DEDUPLICATION)),
    key("clamav", "clamavenabled", Fate::Refused(When::True, SCANNER)),
    key("clamav", "clamavsocket", Fate::Changed("see clamav.clamavenabled")),
    key("clamav", "numscanworkers", Fate::Changed("see clamav.clamavenabled")),
    key("clamav", "scanfileextensions", Fate::Changed("see clamav.clamavenabled")),
    key("clamav", "maxscansize", Fate::Changed("see clamav.clamavenabled")),
    key("validation", "check_magic_bytes", Fate::Refused(When::True, CONTENT)),
    key("validation", "allowed_types", Fate::Refused(When::With("check_magic_bytes"), CONTENT)),
    key("validation", "blocked_types", Fate::Refused(When::With("check_magic_bytes"), CONTENT)),
    key("validation", "max_file_size", Fate::Idle),
    key("validation", "strict_mode", Fate::Refused(When::With("check_magic_bytes"), CONTENT)),
    key("quotas", "enabled", Fate::Refused(When::True, QUOTA)),
    key("quotas", "default", Fate::Refused(When::With("enabled"), QUOTA)),
    key("quotas", "tracking", Fate::Changed("see quotas.enabled")),
    key("quotas", "custom", Fate::Refused(When::With("enabled"), QUOTA)),
    key("rate_limit", "enabled", Fate::Refused(When::True, PROXY_RATE)),
    key("rate_limit", "requests_per_minute", Fate::Refused(When::With("enabled"), PROXY_RATE)),
    key("rate_limit", "burst_size", Fate::Refused(When::With("enabled"), PROXY_RATE)),
    key("rate_limit", "cleanup_interval", Fate::Changed("see rate_limit.enabled")),
    key("rate_limit", "by_jid", Fate::Refused(When::With("enabled"), PROXY_RATE)),
    key("rate_limit", "by_ip", Fate::Refused(When::With("enabled"), PROXY_RATE)),
    key("rate_limit", "whitelisted_ips", Fate::Changed("see rate_limit.enabled")),
    key("rate_limit", "whitelisted_jids", Fate::Changed("see rate_limit.enabled")),
    key(
        "key_rotation",
        "enabled",
        Fate::Refused(
            When::True,
            "no XMPP server could learn the new keys, and the old one stayed good. Change the \
             secret in the XMPP server and in the secret file at the same time",
        ),
    ),
    key("key_rotation", "rotation_interval", Fate::Changed("see key_rotation.enabled")),
    key("key_rotation", "grace_period", Fate::Changed("see key_rotation.enabled")),
    key("key_rotation", "key_storage", Fate::Changed("see key_rotation.enabled")),
    key("metadata", "enabled", Fate::Changed(STORE)),
    key("metadata", "db_path", Fate::Changed(STORE)),
    key("metadata", "purge_age", Fate::Idle),
    key("redis", "redisenabled", Fate::Changed(STORE)),
    key("redis", "redisdbindex", Fate::Changed(STORE)),
    key("redis", "redisaddr", Fate::Changed(STORE)),
    key("redis", "redispassword", Fate::Changed(STORE)),
    key("redis", "redishealthcheckinterval", Fate::Idle),
    key("workers", "numworkers", Fate::Idle),
    key("workers", "uploadqueuesize", Fate::Idle),
    key("versioning", "enableversioning", Fate::Idle),
    key("versioning", "backend", Fate::Idle),
    key("versioning", "maxversions", Fate::Idle),
    key(
        "iso",
        "enabled",
        Fate::Refused(
            When::True,
            "files are not kept in a container here. Files that lie in one: mount it, and import \
             from the mount point",
        ),
    ),
    key("iso", "size", Fate::Changed("see iso.enabled")),
    key("iso", "mountpoint", Fate::Changed("see iso.enabled")),
    key("iso", "charset", Fate::Changed("see iso.enabled")),
    key("iso", "containerfile", Fate::Changed("see iso.enabled")),
    key("network_resilience", "fast_detection", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "quality_monitoring", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "predictive_switching", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "mobile_optimizations", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "detection_interval", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "quality_check_interval", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "max_detection_interval", Fate::Changed(NO_ADDRESS)),
    key("network_resilience", "multi_interface_enabled", Fate::Idle),
    key("network_resilience", "interface_priority", Fate::Idle),
    key("network_resilience", "auto_switch_enabled", Fate::Idle),
    key("network_resilience", "switch_threshold_latency", Fate::Idle),
    key("network_resilience", "switch_threshold_packet_loss", Fate::Idle),
    key("network_resilience", "quality_degradation_threshold", Fate::Idle),
    key("network_resilience", "max_switch_attempts", Fate::Idle),
    key("network_resilience", "switch_detection_interval", Fate::Idle),
    key("client_network_support", "session_based_tracking", Fate::Changed(NO_ADDRESS)),
    key("client_network_support", "allow_ip_changes", Fate::Refused(When::False, NO_ADDRESS)),
    key("client_network_support", "session_migration_timeout", Fate::Changed(NO_ADDRESS)),
    key("client_network_support", "max_ip_changes_per_session", Fate::Changed(NO_ADDRESS)),
    key("client_network_support", "client_connection_detection", Fate::Idle),
    key("client_network_support", "adapt_to_client_network", Fate::Idle),
    key("admin", "enabled", Fate::Changed(SIDE)),
    key("admin", "bind", Fate::Idle),
    key("admin", "path_prefix", Fate::Changed(SIDE)),
    key("admin.auth", "type", Fate::Changed(SIDE)),
    key("admin.auth", "token", Fate::Changed(SIDE)),
    key("admin.auth", "username", Fate::Changed(SIDE)),
    key("admin.auth", "password", Fate::Changed(SIDE)),
    key("compression", "enabled", Fate::Idle),
    key("compression", "algorithm", Fate::Idle),
    key("compression", "level", Fate::Idle),
    key("compression", "threshold", Fate::Idle),
    key("compression", "adaptive_compression", Fate::Idle),
    key("compression", "compression_negotiation", Fate::Idle),
    key("build", "version", Fate::Changed("only a number in a log line")),
];

/// The key of this name, which is lower-case.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The key whose name is nearest to one that does not exist.
pub(super) fn nearest(section: &str, name: &str) -> Option<&'static Key> {
    let wanted = format!("{section}.{name}");
    let near = |key: &&Key| {
        strsim::normalized_damerau_levenshtein(&wanted, &format!("{}.{}", key.section, key.name))
    };
    let best = KEYS.iter().max_by(|one, other| near(one).total_cmp(&near(other)))?;
    (near(&best) > 0.75).then_some(best)
}
