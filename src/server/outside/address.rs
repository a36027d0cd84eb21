//! [`Address`]: where something is on the web, taken apart.

use std::fmt;

use hyper::Uri;

/// An `http` or `https` address. Shown without its query, which may hold a signed link.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether it is `https`.
    pub secure: bool,
    /// Name or number of the host; an IPv6 address without brackets.
    pub host: String,
    /// Its port, also where it is the default one.
    pub port: u16,
    /// Its path, `/` at least.
    pub path: String,
    /// Its query, without the question mark.
    pub query: Option<String>,
}

/// The text is not an address that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It does not begin with `http://` or `https://`, or does not go on as it should.
    #[error("write the upload endpoint as clients do, for instance https://example.org/up/files")]
    Malformed,
    /// It carries a password, which would end up in logs.
    #[error("leave the password out of the address, and give --header 'Authorization: ..' instead")]
    Password,
}

impl Address {
    /// Takes `text` apart.
    ///
    /// # Errors
    ///
    /// [`NotAnAddress`].
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let uri: Uri = text.parse().map_err(|_| NotAnAddress::Malformed)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(NotAnAddress::Malformed),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(NotAnAddress::Password);
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(NotAnAddress::Malformed)?;
        Ok(Self {
            secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            path: uri.path().to_owned(),
            query: uri.query().map(ToOwned::to_owned),
        })
    }

    /// The address that `Location: text` in an answer from here means (RFC 9110, 10.2.2); `None` if it
    /// means none.
    #[must_use]
    pub fn joined(&self, text: &str) -> Option<Self> {
        let absolute = if text.contains("://") {
            text.to_owned()
        } else if let Some(rest) = text.strip_prefix("//") {
            format!("{}://{rest}", self.scheme())
        } else if text.starts_with('/') {
            format!("{}{text}", self.origin())
        } else {
            let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}{folder}/{text}", self.origin())
        };
        Self::parse(&absolute).ok()
    }

    /// Another path, and perhaps a query, on the same host.
    #[must_use]
    pub fn at(&self, path: String, query: Option<String>) -> Self {
        Self { path, query, ..self.clone() }
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// `host` or `host:port`, as in the field `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// `scheme://host[:port]`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    /// Path and query, as on a request line.
    #[must_use]
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_taken_apart_and_shown_without_its_query() {
        let whole = address("https://Example.org:8443/up/files?link=hush");
        assert_eq!((whole.host.as_str(), whole.port), ("example.org", 8443));
        assert_eq!(whole.target(), "/up/files?link=hush");
        assert_eq!(whole.to_string(), "https://example.org:8443/up/files");
        assert_eq!(format!("{whole:?}"), "Address(https://example.org:8443/up/files)");
        assert_eq!(address("http://[::1]:80").to_string(), "http://[::1]/");
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for text in ["", "example.org/files", "ftp://a/b", "/files", "http://", "https://a b/"] {
            assert_eq!(Address::parse(text), Err(NotAnAddress::Malformed), "{text}");
        }
        assert_eq!(Address::parse("https://me:pw@a/files"), Err(NotAnAddress::Password));
    }

    #[test]
    fn a_location_is_meant_from_where_it_was_given() {
        let endpoint = address("https://a.example/up/files");
        for (location, meant) in [
            ("/files/1", "https://a.example/files/1"),
            ("http://b.example/x", "http://b.example/x"),
            ("//c.example/x", "https://c.example/x"),
            ("1", "https://a.example/up/1"),
        ] {
            assert_eq!(endpoint.joined(location).unwrap().to_string(), meant, "{location}");
        }
        assert_eq!(endpoint.joined("mailto://x y"), None);
    }
}
