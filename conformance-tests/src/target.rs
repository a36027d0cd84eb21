//! Where the server under test is, and what it says it can do.

mod probe;

pub use probe::{CHUNK_HEADERS, Offers, ProbeError};

use crate::exchange::Route;
use crate::wire::http2::{self, Way};
use crate::wire::{Answer, Connection, Limits, Request, Tls, TlsError, WireError};

/// Why a URL or a header line given on the command line is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The URL is not one this suite can speak to.
    #[error("{url:?} is not a target: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What would be right.
        reason: &'static str,
    },
    /// A header line is not `Name: value`.
    #[error("{0:?} is not a header line; write it as 'Name: value'")]
    Header(String),
    /// TLS cannot be spoken to it.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// The creation URL of the server under test.
#[derive(Clone, Debug)]
pub struct Target {
    tls: Option<Tls>,
    http2: bool,
    host: String,
    address: String,
    path: String,
    chunked: String,
    always: Vec<(String, String)>,
    other: Option<Vec<(String, String)>>,
}

impl Target {
    /// Reads `http://host[:port]/path`, or the same with `https`.
    ///
    /// # Errors
    ///
    /// [`TargetError::Url`] for anything else, [`TargetError::Tls`] for a host without a name.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let wrong = |reason| TargetError::Url { url: url.to_owned(), reason };
        let (secure, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(wrong("write http://host:port/path, or https://")),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() || host.contains(['@', ' ', '?', '#']) {
            return Err(wrong("the host is missing or malformed"));
        }
        if path.contains(['?', '#', ' ']) {
            return Err(wrong("the path must not contain a query, a fragment or blanks"));
        }
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok() && !host.ends_with(']'));
        let port = if secure { 443 } else { 80 };
        let address = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        let name = address.rsplit_once(':').map_or(host, |(name, _)| name);
        let tls = if secure { Some(Tls::to(name, None)?) } else { None };
        Ok(Self {
            tls,
            http2: false,
            host: host.to_owned(),
            address,
            path: format!("/{path}"),
            chunked: "/chunked-upload".to_owned(),
            always: Vec::new(),
            other: None,
        })
    }

    /// Believes the authorities in `pem` besides those of the system.
    ///
    /// # Errors
    ///
    /// [`TargetError::Tls`] when there are none in it.
    pub fn trusting(mut self, pem: Option<&[u8]>) -> Result<Self, TargetError> {
        if let (Some(_), Some(pem)) = (&self.tls, pem) {
            let name = self.address.rsplit_once(':').map_or("", |(name, _)| name);
            self.tls = Some(Tls::to(name, Some(pem))?);
        }
        Ok(self)
    }

    /// Speaks HTTP/2 where a case does not write HTTP/1.1 by hand.
    #[must_use]
    pub fn by_http2(self, http2: bool) -> Self {
        Self { http2, ..self }
    }

    /// Whether HTTP/2 is spoken.
    pub fn speaks_http2(&self) -> bool {
        self.http2
    }

    /// Opens a connection for HTTP/1.1.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`] and [`Connection::open_secure`].
    pub fn connect(&self, limits: Limits) -> Result<Connection, WireError> {
        match &self.tls {
            Some(tls) => Connection::open_secure(&self.address, limits, tls),
            None => Connection::open(&self.address, limits),
        }
    }

    /// Sends a request over HTTP/2 and reads the answer.
    ///
    /// # Errors
    ///
    /// As [`http2::exchange`].
    pub fn exchange_by_http2(
        &self,
        limits: Limits,
        request: &Request,
    ) -> Result<Answer, WireError> {
        let tls = self.tls.as_ref();
        let way = Way { address: &self.address, authority: &self.host, tls };
        http2::exchange(way, limits, request, &self.always)
    }

    /// Says where chunks go, as a path or as a URL on the same host.
    ///
    /// # Errors
    ///
    /// [`TargetError::Url`] for anything else.
    pub fn chunked_at(mut self, url: Option<&str>) -> Result<Self, TargetError> {
        let Some(url) = url else { return Ok(self) };
        let after = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let path = after.and_then(|rest| rest.strip_prefix(self.host()));
        let path = path.unwrap_or(url).trim_end_matches('/');
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
            let reason = "write a path, or a URL on the host of the target";
            return Err(TargetError::Url { url: url.to_owned(), reason });
        }
        path.clone_into(&mut self.chunked);
        Ok(self)
    }

    /// Adds header lines (`Name: value`) that every request of the suite carries.
    ///
    /// # Errors
    ///
    /// [`TargetError::Header`] when one is malformed.
    pub fn always(mut self, lines: &[String]) -> Result<Self, TargetError> {
        self.always = fields(lines)?;
        Ok(self)
    }

    /// The header lines of a second user, for the cases about ownership.
    ///
    /// # Errors
    ///
    /// [`TargetError::Header`] when one is malformed.
    pub fn other_user(mut self, lines: &[String]) -> Result<Self, TargetError> {
        self.other = if lines.is_empty() { None } else { Some(fields(lines)?) };
        Ok(self)
    }

    /// The same target as its second user sees it, if one was named.
    pub fn as_other_user(&self) -> Option<Self> {
        let always = self.other.clone()?;
        Some(Self { always, other: None, ..self.clone() })
    }

    /// What `Host` says.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where to connect, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The path of the creation URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path that chunks go to.
    pub fn chunked(&self) -> &str {
        &self.chunked
    }

    /// The path of the status of a chunked session, with its query; `name` is not encoded.
    pub fn status_of(&self, name: &str) -> String {
        let folder = self.chunked.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/upload-status?session_id={name}")
    }

    /// The fields every request carries.
    pub fn fields(&self) -> &[(String, String)] {
        &self.always
    }

    /// Whether the suite was given credentials.
    pub fn authenticates(&self) -> bool {
        self.always.iter().any(|(name, _)| name.eq_ignore_ascii_case("Authorization"))
    }

    /// The path of the upload named `id` below the creation URL; `id` is not encoded.
    pub fn below(&self, id: &str) -> String {
        format!("{}/{id}", self.path.trim_end_matches('/'))
    }

    /// The whole URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.host)
    }

    /// How a request goes out, for showing it.
    pub fn route(&self, request: &Request) -> Route {
        let names = self.always.iter().map(|(name, _)| name.clone());
        let options = match (self.http2, &self.tls) {
            (true, Some(_)) => vec!["--http2".to_owned()],
            (true, None) => vec!["--http2-prior-knowledge".to_owned()],
            (false, Some(_)) => vec!["--http1.1".to_owned()],
            (false, None) => Vec::new(),
        };
        let credentials = if request.is_anonymous() { Vec::new() } else { names.collect() };
        Route { url: self.url(request.target()), credentials, options }
    }

    /// The path a `Location` leads to: absolute URLs keep their path only, since a proxy may have
    /// another name for the host; relative ones are resolved against the creation URL.
    pub fn resolve(&self, location: &str) -> String {
        let after_scheme = location
            .strip_prefix("http:")
            .or_else(|| location.strip_prefix("https:"))
            .unwrap_or(location);
        if let Some(rest) = after_scheme.strip_prefix("//") {
            return format!("/{}", rest.split_once('/').map_or("", |(_, path)| path));
        }
        if location.starts_with('/') {
            return location.to_owned();
        }
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{location}")
    }
}

fn fields(lines: &[String]) -> Result<Vec<(String, String)>, TargetError> {
    lines
        .iter()
        .map(|line| {
            let (name, value) =
                line.split_once(':').ok_or_else(|| TargetError::Header(line.clone()))?;
            let broken = name.is_empty() || name.contains(' ') || line.contains(['\r', '\n']);
            if broken {
                return Err(TargetError::Header(line.clone()));
            }
            Ok((name.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_host_a_port_and_a_path() {
        let target = Target::parse("http://localhost:8080/files").unwrap();
        assert_eq!((target.address(), target.path()), ("localhost:8080", "/files"));
        assert_eq!(Target::parse("http://example.org/files/").unwrap().address(), "example.org:80");
        assert_eq!(Target::parse("http://[::1]:9/f").unwrap().address(), "[::1]:9");
        assert_eq!(Target::parse("http://[::1]/f").unwrap().address(), "[::1]:80");
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused() {
        for url in [
            "ftp://a/files",
            "https://a b/files",
            "a:80/files",
            "http:///files",
            "http://a/b?c",
            "",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn every_kind_of_location_leads_to_a_path() {
        let target = Target::parse("http://h:1/api/files/").unwrap();
        assert_eq!(target.resolve("https://proxy/api/files/x"), "/api/files/x");
        assert_eq!(target.resolve("//proxy/api/files/x"), "/api/files/x");
        assert_eq!(target.resolve("/api/files/x"), "/api/files/x");
        assert_eq!(target.resolve("x"), "/api/files/x");
        assert_eq!(target.below("x"), "/api/files/x");
    }

    #[test]
    fn chunks_go_to_a_path_on_the_same_host() {
        let target = || Target::parse("http://h:1/files").unwrap();
        assert_eq!(target().chunked_at(None).unwrap().chunked(), "/chunked-upload");
        let elsewhere = target().chunked_at(Some("http://h:1/in/chunked-upload/")).unwrap();
        assert_eq!(elsewhere.chunked(), "/in/chunked-upload");
        assert_eq!(elsewhere.status_of("x"), "/in/upload-status?session_id=x");
        for url in ["http://other/x", "x", "/a?b", ""] {
            assert!(target().chunked_at(Some(url)).is_err(), "{url}");
        }
    }

    #[test]
    fn a_header_line_needs_a_colon_and_no_line_break() {
        let target = || Target::parse("http://h/").unwrap();
        assert!(target().always(&["Authorization: Bearer x".to_owned()]).unwrap().authenticates());
        for line in ["Authorization", "a b: c", "a: b\r\nc: d", ": x"] {
            assert!(target().always(&[line.to_owned()]).is_err(), "{line:?}");
        }
    }
}
