//! What the value of a key becomes.

use std::net::{IpAddr, SocketAddr};

use crate::config::duration::Span;
use crate::config::size::Size;

use super::old::{Old, lifetime, size};
use super::report::{Told, Verdict};

/// The keys whose value decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Listen,
    BindIp,
    UnixSocket,
    MetricsPort,
    StoragePath,
    MaxUploadSize,
    MinFreeBytes,
    FileNaming,
    FileTtl,
    FileTtlEnabled,
    MaxFileAge,
    ChunkSize,
    ChunkedUploads,
    Secret,
    ReadTimeout,
    LogLevel,
    DedupDirectory,
}

/// A line of the new settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// As TOML.
    pub(super) value: String,
}

/// What is said of a key, and what it sets.
pub(super) type Outcome = (Told, Option<Setting>);

/// Where that server listens if it is told to use a Unix socket.
const SOCKET: &str = "unix:/tmp/hmac-file-server.sock";
/// Its port if it is told none.
const PORT: &str = "8080";
/// Secrets that stand in its templates.
const TEMPLATES: [&str; 4] = ["your-very-secret", "change-this", "changeme", "f6g4ldpvqm7o2utf"];
/// Its lifetime of files if it is told none.
const LIFETIME: &str = "720h";

impl Rule {
    pub(super) fn apply(self, value: &str, old: &Old) -> Outcome {
        match self {
            Self::Listen | Self::BindIp => (told_of_listen(value, old), None),
            Self::UnixSocket if old.is_true("server", "unixsocket") => {
                (Told::renamed("server.listen", "the socket has the same place"), None)
            }
            Self::UnixSocket => (Told::idle("it is off"), None),
            Self::MetricsPort => (told_of_metrics(old), None),
            Self::StoragePath => (
                Told::changed(
                    "server.data_dir is a directory of its own; `--import` takes the files over",
                ),
                None,
            ),
            Self::MaxUploadSize => in_bytes(value, "tus", "max_size", "bounds every upload"),
            Self::MinFreeBytes => {
                in_bytes(value, "storage", "reserve", "held at all times, not only at the start")
            }
            Self::FileNaming => (told_of_naming(value), None),
            Self::FileTtl | Self::FileTtlEnabled | Self::MaxFileAge => self.lifetime(old),
            Self::ChunkSize => in_bytes(value, "uploads", "chunksize", "for clients that ask none"),
            Self::ChunkedUploads => chunked(old),
            Self::Secret => (told_of_secret(value), None),
            Self::ReadTimeout => time_of_a_request(value),
            Self::LogLevel => level(value),
            Self::DedupDirectory => {
                (Told::changed("left out by `--import`: its files have other names as well"), None)
            }
        }
    }

    /// Where it went, for people.
    #[cfg(test)]
    pub(super) const fn place(self) -> &'static str {
        match self {
            Self::Listen | Self::BindIp | Self::UnixSocket => "`server.listen`",
            Self::MetricsPort => "`server.admin_listen`, on this machine only",
            Self::StoragePath => "`--import` takes the files over",
            Self::MaxUploadSize => "`tus.max_size`",
            Self::MinFreeBytes => "`storage.reserve`",
            Self::FileNaming => "`original` and `None` are how it is; `HMAC` is refused",
            Self::FileTtl | Self::FileTtlEnabled | Self::MaxFileAge => {
                "`uploads.retention`, if `filettlenabled` is true"
            }
            Self::ChunkSize => "`uploads.chunksize`",
            Self::ChunkedUploads => "`uploads.chunkeduploadsenabled`",
            Self::Secret => "`xep0363.tenants.secret_file`",
            Self::ReadTimeout => "`timeouts.uploadtimeout`",
            Self::LogLevel => "`log.level`",
            Self::DedupDirectory => "left out by `--import`",
        }
    }

    /// Whether it bounds or protects something, so that it must not get lost.
    pub(super) const fn bounds(self) -> bool {
        match self {
            Self::Listen
            | Self::BindIp
            | Self::UnixSocket
            | Self::MaxUploadSize
            | Self::MinFreeBytes
            | Self::FileTtl
            | Self::FileTtlEnabled
            | Self::MaxFileAge
            | Self::ChunkedUploads
            | Self::Secret
            | Self::ReadTimeout => true,
            Self::MetricsPort
            | Self::StoragePath
            | Self::FileNaming
            | Self::ChunkSize
            | Self::LogLevel
            | Self::DedupDirectory => false,
        }
    }

    fn lifetime(self, old: &Old) -> Outcome {
        if !old.is_true("server", "filettlenabled") {
            return (Told::idle("server.filettlenabled is not true, so files are kept"), None);
        }
        let (ttl, age) = (old.text("server", "filettl"), old.text("server", "max_file_age"));
        let source = if !ttl.is_empty() {
            (Self::FileTtl, ttl)
        } else if !age.is_empty() {
            (Self::MaxFileAge, age)
        } else {
            (Self::FileTtlEnabled, LIFETIME.to_owned())
        };
        if self == Self::MaxFileAge && source.0 != self {
            return (Told::idle("server.filettl counts"), None);
        }
        match lifetime(&source.1) {
            Some(life) => {
                let value = quoted(&humantime::format_duration(life).to_string());
                let setting = Setting { section: "uploads", key: "retention", value };
                let told = Told::renamed("uploads.retention", "files go at this age, as there");
                (told, (source.0 == self).then_some(setting))
            }
            None => {
                let text = format!("{:?} is no lifetime; set uploads.retention yourself", source.1);
                (Told::refused(&text), None)
            }
        }
    }
}

/// Where to listen, as that server would.
pub(super) fn listen(old: &Old) -> Result<String, String> {
    if old.is_true("server", "unixsocket") {
        return Ok(SOCKET.to_owned());
    }
    let (said, ip) = (old.text("server", "listen_address"), old.text("server", "bind_ip"));
    let said = if said.is_empty() { PORT } else { said.trim().trim_start_matches(':') };
    if let Ok(whole) = said.parse::<SocketAddr>() {
        return Ok(whole.to_string());
    }
    let port = said.parse::<u16>().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| format!("{said:?} is no port; set server.listen yourself"))?;
    if ip.is_empty() {
        return Ok(format!("[::]:{port}"));
    }
    let ip = ip.trim().trim_matches(['[', ']']).parse::<IpAddr>();
    let ip =
        ip.map_err(|_| "server.bind_ip is no IP address; set server.listen yourself".to_owned())?;
    Ok(SocketAddr::new(ip, port).to_string())
}

/// Where operators connect, if not at the built-in place.
pub(super) fn admin(old: &Old) -> Option<String> {
    let clients = listen(old).ok().and_then(|at| at.rsplit_once(':')?.1.parse::<u16>().ok());
    let wanted = old.text("server", "metricsport").trim().parse::<u16>().ok();
    let wanted = wanted.filter(|_| old.is_true("server", "metricsenabled"));
    let built_in = 9090;
    let port = wanted.filter(|port| *port > 0 && Some(*port) != clients).unwrap_or(built_in);
    let port = if Some(port) == clients { port.checked_add(1)? } else { port };
    (port != built_in).then(|| format!("127.0.0.1:{port}"))
}

fn told_of_listen(_value: &str, old: &Old) -> Told {
    match listen(old) {
        Ok(at) => Told::renamed("server.listen", &format!("together they make {at}")),
        Err(text) => Told::refused(&text),
    }
}

fn told_of_metrics(old: &Old) -> Told {
    if old.is_true("server", "metricsenabled") {
        let text = "on this machine only; let Prometheus come through a tunnel or a proxy";
        Told::renamed("server.admin_listen", text)
    } else {
        Told::idle("server.metricsenabled is not true")
    }
}

fn told_of_naming(value: &str) -> Told {
    match value.to_lowercase().as_str() {
        "" | "original" | "none" => Told::taken("a file keeps the name in its address"),
        _ => Told::refused(
            "files were stored under names that no address leads to; what lies there under such a \
             name is served under that name, which nobody was ever told",
        ),
    }
}

fn told_of_secret(value: &str) -> Told {
    let lower = value.to_lowercase();
    if value.trim().is_empty() {
        Told::refused("it is empty; write what the XMPP server signs with into the secret file")
    } else if value.trim() != value {
        Told::refused(
            "it begins or ends with white space, which a secret file cannot hold; give the XMPP \
             server and the secret file another one",
        )
    } else if TEMPLATES.iter().any(|template| lower.contains(template)) {
        Told::refused(
            "taken over, but it stands in that server's templates, so that everybody knows it; \
             give the XMPP server and the secret file another one",
        )
    } else {
        Told::renamed("xep0363.tenants.secret_file", "in a file of its own, not printed")
    }
}

fn in_bytes(value: &str, section: &'static str, key: &'static str, why: &str) -> Outcome {
    match size(value).map(Size::bytes) {
        Some(bytes) => {
            let setting = Setting { section, key, value: quoted(&bytes.to_string()) };
            let text = format!("{why}; {value:?} counts in 1024s there, so {bytes}");
            (Told::renamed(&format!("{section}.{key}"), &text), Some(setting))
        }
        None => {
            let text = format!("{value:?} is no size there; set {section}.{key} yourself");
            (Told::refused(&text), None)
        }
    }
}

fn chunked(old: &Old) -> Outcome {
    if old.is_true("uploads", "chunked_uploads_enabled") {
        return (Told::renamed("uploads.chunkeduploadsenabled", "on, as it is by itself"), None);
    }
    let (section, key) = ("uploads", "chunkeduploadsenabled");
    let setting = Setting { section, key, value: "false".to_owned() };
    let text = "there it switched nothing off; here it does";
    (Told::renamed("uploads.chunkeduploadsenabled", text), Some(setting))
}

fn time_of_a_request(value: &str) -> Outcome {
    match value.parse::<Span>() {
        Ok(span) if span.get().is_zero() => (Told::taken("no bound, as by itself"), None),
        Ok(span) => {
            let (section, key) = ("timeouts", "uploadtimeout");
            let setting = Setting { section, key, value: quoted(&span.to_string()) };
            let text = "the bound on a whole request; a body that is silent for \
                        timeouts.readtimeout ends earlier";
            (Told::renamed("timeouts.uploadtimeout", text), Some(setting))
        }
        Err(_) => {
            let text = format!("{value:?} is not understood; set timeouts.uploadtimeout yourself");
            (Told::refused(&text), None)
        }
    }
}

fn level(value: &str) -> Outcome {
    let level = match value.to_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "warn" | "warning" => "warn",
        "error" | "fatal" | "panic" => "error",
        _ => "info",
    };
    let setting = Setting { section: "log", key: "level", value: quoted(level) };
    (Told::renamed("log.level", level), Some(setting))
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Told {
    fn taken(text: &str) -> Self {
        Self { verdict: Verdict::TakenOver, text: text.to_owned() }
    }

    fn renamed(to: &str, text: &str) -> Self {
        Self { verdict: Verdict::Renamed(to.to_owned()), text: text.to_owned() }
    }

    pub(super) fn changed(text: &str) -> Self {
        Self { verdict: Verdict::Changed, text: text.to_owned() }
    }

    pub(super) fn idle(text: &str) -> Self {
        Self { verdict: Verdict::NoEffect, text: text.to_owned() }
    }

    pub(super) fn refused(text: &str) -> Self {
        Self { verdict: Verdict::Refused, text: text.to_owned() }
    }
}
