//! Where an upload lives, and which upload a URL means.

use std::net::IpAddr;

use crate::upload::UploadId;

use super::token::link;

/// Under which address clients reach the upload endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path of the endpoint without a trailing slash: `/files`; empty at the root.
    pub base_path: String,
    /// Scheme, host and prefix in front of it, as clients see them.
    pub outside: Outside,
    /// The signed link by which the client came, so that it comes by it again.
    pub link: Option<String>,
}

/// What lies between a client and our base path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// `https://host` or `https://host:port`; `None` keeps `Location` path-absolute.
    pub origin: Option<String>,
    /// A path prefix that a proxy strips, such as `/uploads`; without a trailing slash.
    pub prefix: String,
}

impl Outside {
    /// Splits a configured public URL; `None` if it is not `http(s)://host[:port][/prefix]`.
    #[must_use]
    pub fn from_public_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let cut = rest.find('/').unwrap_or(rest.len());
        let (host, prefix) = rest.split_at_checked(cut)?;
        Some(Self { origin: Some(origin(scheme, host)?), prefix: self::prefix(prefix)? })
    }
}

/// `scheme://host`, lower-case and without a default port; `None` unless it is http or https and
/// a plausible host.
#[must_use]
pub fn origin(scheme: &str, host: &str) -> Option<String> {
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let host = host.strip_suffix(default_port).unwrap_or(host);
    is_host(host).then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
}

/// `host[:port]` with a host name, an IPv4 address or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if is_ipv6(address) => ("v6", port),
            Some(_) | None => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let named = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let ported = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| {
            digits.parse::<u16>().is_ok() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    named && ported
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6())
}

/// A path prefix without a trailing slash; `None` if it is not a plain absolute path.
#[must_use]
pub fn prefix(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
    let segments_are_plain = !text.split('/').any(|segment| segment == "." || segment == "..");
    let absolute = text.is_empty() || (text.starts_with('/') && !text.starts_with("//"));
    let taken = absolute && segments_are_plain && text.bytes().all(plain);
    taken.then(|| text.to_owned())
}

impl Place {
    /// The URL of an upload: path-absolute unless the outside has an origin (T-61); with the link by
    /// which the client came, if it did.
    #[must_use]
    pub fn of(&self, id: UploadId) -> String {
        let origin = self.outside.origin.as_deref().unwrap_or_default();
        self.by_link(format!("{origin}{}{}/{id}", self.outside.prefix, self.base_path))
    }

    /// The URL with the link by which the client came, if it did.
    #[must_use]
    pub fn by_link(&self, url: String) -> String {
        let Some(link) = self.link.as_deref() else { return url };
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{}={link}", link::PARAMETER)
    }

    /// The URL of a path that does not lie below the base path, such as `/upload-status`; with the
    /// link by which the client came, if it did.
    #[must_use]
    pub fn beside(&self, path: &str) -> String {
        let origin = self.outside.origin.as_deref().unwrap_or_default();
        self.by_link(format!("{origin}{}{path}", self.outside.prefix))
    }

    /// The address of the endpoint itself, for messages.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let origin = self.outside.origin.as_deref().unwrap_or_default();
        format!("{origin}{}{}", self.outside.prefix, self.base_path)
    }

    /// The upload that `url` means, if its path is one of ours (T-143).
    ///
    /// Scheme and host are ignored, since proxies rewrite them; nothing is ever fetched. The path
    /// may or may not carry the prefix that a proxy strips.
    #[must_use]
    pub fn upload_at(&self, url: &str) -> Option<UploadId> {
        let path = path_of(without_link(url))?;
        let with_prefix = path.strip_prefix(self.outside.prefix.as_str());
        [with_prefix, Some(path)].into_iter().flatten().find_map(|path| {
            let id = path.strip_prefix(self.base_path.as_str())?.strip_prefix('/')?;
            id.parse().ok()
        })
    }
}

/// A URL without the signed link at its end, which is a credential and not part of the address.
#[must_use]
pub fn without_link(url: &str) -> &str {
    let cut = url.split_once('?').filter(|(_, query)| {
        let link = query.strip_prefix(link::PARAMETER).and_then(|rest| rest.strip_prefix('='));
        link.is_some_and(|link| link.bytes().all(link::is_written_with))
    });
    cut.map_or(url, |(address, _)| address)
}

/// The path of a path-absolute, network-path or absolute http(s) URL.
fn path_of(url: &str) -> Option<&str> {
    let behind_scheme = if let Some(rest) = url.strip_prefix("//") {
        rest
    } else if url.starts_with('/') {
        // Whatever follows, a scheme inside of it too, is path.
        return Some(url);
    } else {
        let (scheme, rest) = url.split_once("://")?;
        let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        http.then_some(rest)?
    };
    // A query or a fragment ends the host as a slash does, and what is in there is no path.
    let end = behind_scheme.find(['/', '?', '#']).filter(|end| *end > 0)?;
    behind_scheme.get(end..).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn place(public_url: Option<&str>) -> Place {
        let outside = public_url.map_or_else(Outside::default, |url| {
            Outside::from_public_url(url).expect("a public URL")
        });
        Place { base_path: "/files".to_owned(), outside, link: None }
    }

    #[test]
    fn a_location_is_path_absolute_unless_a_public_url_says_more() {
        let id = ID.parse().unwrap();
        assert_eq!(place(None).of(id), format!("/files/{ID}"));
        assert_eq!(
            place(Some("https://Up.Example.org:443/in/")).of(id),
            format!("https://up.example.org/in/files/{ID}")
        );
        assert_eq!(
            place(Some("http://[::1]:8080")).of(id),
            format!("http://[::1]:8080/files/{ID}")
        );
    }

    #[test]
    fn only_http_with_a_plausible_host_is_a_public_url() {
        for bad in [
            "",
            "example.org",
            "ftp://example.org",
            "https://",
            "https:///x",
            "https://a b",
            "https://user@host",
            "https://host:port",
            "https://host:99999",
            "https://host:+80",
            "https://host/a b",
            "https://host/../x",
            "https://host//x",
            "https://[::1",
            "https://[x]",
            "https://host\r\nX: y",
            "https://host?x",
            "javascript://host",
        ] {
            assert_eq!(Outside::from_public_url(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_part_is_found_by_its_path_whatever_the_host() {
        let id = ID.parse().ok();
        for url in [
            format!("/files/{ID}"),
            format!("https://anything.example:8443/files/{ID}"),
            format!("HTTP://anything/files/{ID}"),
            format!("//anything/files/{ID}"),
            format!("/in/files/{ID}"),
            format!("https://up.example.org/in/files/{ID}"),
        ] {
            assert_eq!(place(Some("https://up.example.org/in")).upload_at(&url), id, "{url}");
        }
    }

    #[test]
    fn a_prefix_with_a_scheme_inside_is_a_path_all_the_same() {
        let prefix = prefix("/a://b/c").unwrap();
        let outside = Outside { origin: None, prefix };
        let place = Place { outside, ..place(None) };
        let id = ID.parse().unwrap();
        assert_eq!(place.upload_at(&place.of(id)), Some(id));
    }

    #[test]
    fn who_came_by_a_link_is_sent_on_with_it_and_still_means_the_same_upload() {
        let by_link = Place { link: Some("tgl1.A-_".to_owned()), ..place(None) };
        let url = by_link.of(ID.parse().unwrap());
        assert_eq!(url, format!("/files/{ID}?link=tgl1.A-_"));
        assert_eq!(by_link.upload_at(&url), ID.parse().ok());
        assert_eq!(without_link(&url), format!("/files/{ID}"));
        assert_eq!(by_link.endpoint(), "/files");
        for other in ["/files/x?link=a&x", "/files/x?x&link=a", "/files/x?link", "/files/x?link=%"]
        {
            assert_eq!(without_link(other), other);
        }
    }

    #[test]
    fn a_url_outside_the_endpoint_means_no_upload() {
        for url in [
            String::new(),
            ID.to_owned(),
            format!("files/{ID}"),
            format!("/other/{ID}"),
            format!("/in/files/{ID}"),
            format!("/filesx/{ID}"),
            format!("/files/{ID}/"),
            format!("/files/{ID}?x"),
            format!("/files/../files/{ID}"),
            format!("/files//{ID}"),
            "/files/../../etc/passwd".to_owned(),
            format!("https:///files/{ID}"),
            format!("file:///files/{ID}"),
            format!("file://host/files/{ID}"),
            format!("https://files/{ID}"),
            format!("https://host?/files/{ID}"),
            format!("//host#x/files/{ID}"),
            format!("/files/x://host/files/{ID}"),
            format!("/files/{}", ID.to_uppercase()),
        ] {
            assert_eq!(place(None).upload_at(&url), None, "{url}");
        }
    }

    proptest! {
        #[test]
        fn every_location_leads_back_to_its_upload(bytes: [u8; 16], outside in 0..3_usize) {
            let id = UploadId::from_bytes(bytes);
            let urls = [None, Some("https://a.example"), Some("http://b.example:81/x/y")];
            let place = place(urls[outside]);
            prop_assert_eq!(place.upload_at(&place.of(id)), Some(id));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,60}") {
            let _ = place(None).upload_at(&text);
            let _ = Outside::from_public_url(&text);
        }
    }
}
