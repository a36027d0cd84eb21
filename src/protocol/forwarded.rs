//! What proxies say about the client's side: `Forwarded` (RFC 7239) and `X-Forwarded-*`.
//!
//! Everything here is worth exactly as much as the peer that sent it; the caller asks only when
//! the peer is a configured proxy. What does not parse is ignored as a whole.

use std::net::IpAddr;

use super::head::RequestHead;
use super::location::{self, Outside};

/// What proxies set, whatever the standard says.
const CUSTOMARY: [&str; 3] = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"];

/// What a believed proxy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// The first address behind the last believed proxy.
    pub client: Option<IpAddr>,
    /// Scheme, host and prefix as the client sees them.
    pub outside: Outside,
}

/// Reads what the proxies in front of us say; `believed` tells which addresses are such proxies.
///
/// Each proxy appends, so the chain is read from its end, for as long as the proxies are believed:
/// what a client wrote in front of it is never reached. `Forwarded` counts only where no proxy wrote
/// `X-Forwarded-For`, `-Proto` or `-Host`: nearly all of them set these, and hand on a `Forwarded` that
/// the client made up.
#[must_use]
pub fn read(head: &RequestHead<'_>, believed: impl Fn(IpAddr) -> bool) -> Forwarded {
    let is_customary = CUSTOMARY.iter().any(|name| head.has(name));
    let hops = if is_customary { customary(head) } else { standard(head) };
    let mut outermost = None;
    for hop in hops.into_iter().rev() {
        let goes_on = hop.client.is_some_and(&believed);
        outermost = Some(hop);
        if !goes_on {
            break;
        }
    }
    let hop = outermost.unwrap_or_default();
    let origin =
        hop.scheme.zip(hop.host).and_then(|(scheme, host)| location::origin(&scheme, &host));
    let prefix = head.text("X-Forwarded-Prefix").and_then(location::prefix).unwrap_or_default();
    Forwarded { client: hop.client, outside: Outside { origin, prefix } }
}

/// What one proxy saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hop {
    client: Option<IpAddr>,
    scheme: Option<String>,
    host: Option<String>,
}

/// `X-Forwarded-For` is a list, one address per hop; scheme and host are the nearest proxy's word.
fn customary(head: &RequestHead<'_>) -> Vec<Hop> {
    let nearest = |name: &str| {
        let line = head.lines(name).last()?;
        let text = std::str::from_utf8(line).ok()?;
        text.rsplit(',').next().map(|value| value.trim().to_owned())
    };
    let (scheme, host) = (nearest("X-Forwarded-Proto"), nearest("X-Forwarded-Host"));
    let mut hops: Vec<Hop> = Vec::new();
    for line in head.lines("X-Forwarded-For") {
        for address in line.split(|byte| *byte == b',') {
            let client = std::str::from_utf8(address).ok().and_then(|text| node(text.trim()));
            hops.push(Hop { client, scheme: scheme.clone(), host: host.clone() });
        }
    }
    if hops.is_empty() {
        hops.push(Hop { client: None, scheme, host });
    }
    hops
}

/// `Forwarded: for=192.0.2.1;proto=https;host=example.org, …`; empty if any of it is malformed.
fn standard(head: &RequestHead<'_>) -> Vec<Hop> {
    let mut hops = Vec::new();
    for line in head.lines("Forwarded") {
        let elements = std::str::from_utf8(line).ok().and_then(|text| split(text, ','));
        for element in elements.unwrap_or_default() {
            match hop(element) {
                Some(hop) => hops.push(hop),
                None => return Vec::new(),
            }
        }
    }
    hops
}

fn hop(element: &str) -> Option<Hop> {
    let mut hop = Hop::default();
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        let value = unquote(value)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.client = node(&value),
            "proto" => hop.scheme = Some(value),
            "host" => hop.host = Some(value),
            _ => {}
        }
    }
    Some(hop)
}

/// Splits at `separator` outside of quoted strings; `None` if a quote stays open.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let pieces: Vec<&str> = text
        .split(|character: char| {
            let splits = character == separator && !quoted;
            if escaped {
                escaped = false;
            } else if quoted && character == '\\' {
                escaped = true;
            } else if character == '"' {
                quoted = !quoted;
            }
            splits
        })
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .collect();
    (!quoted).then_some(pieces)
}

fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"') else {
        return super::field::is_token(value).then(|| value.to_owned());
    };
    let mut text = String::new();
    let mut characters = inner.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}

/// An address with an optional port; obfuscated and unknown nodes are nobody.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, _port) = rest.split_once(']')?;
        return address.parse().ok();
    }
    let without_port = text.split_once(':').map_or(text, |(address, _port)| address);
    text.parse().or_else(|_| without_port.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use proptest::prelude::*;

    fn read_lines(lines: &[(&'static str, &'static str)]) -> Forwarded {
        let fields = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let head = RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty };
        read(&head, |address| address.to_string().starts_with("10."))
    }

    fn origin(lines: &[(&'static str, &'static str)]) -> Option<String> {
        read_lines(lines).outside.origin
    }

    #[test]
    fn scheme_host_and_prefix_of_a_proxy_make_the_outside() {
        let said = read_lines(&[
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "up.example.org:443"),
            ("X-Forwarded-Prefix", "/in/"),
            ("X-Forwarded-For", "192.0.2.7"),
        ]);
        assert_eq!(said.outside.origin.as_deref(), Some("https://up.example.org"));
        assert_eq!(said.outside.prefix, "/in");
        assert_eq!(said.client, Some("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn the_standard_field_is_understood_quoted_or_not() {
        assert_eq!(
            origin(&[(
                "Forwarded",
                "for=192.0.2.1;proto=https;host=\"a.example:8443\";by=10.0.0.1"
            )]),
            Some("https://a.example:8443".to_owned())
        );
        let said = read_lines(&[("Forwarded", "For=\"[2001:db8::1]:4711\"")]);
        assert_eq!(said.client, Some("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_standard_field_that_a_client_made_up_does_not_stand_against_a_proxy() {
        for set in [
            &[("X-Forwarded-For", "192.0.2.7")][..],
            &[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https")][..],
        ] {
            let made_up = [("Forwarded", "for=127.0.0.1;proto=https;host=evil.example")];
            let said = read_lines(&[&made_up[..], set].concat());
            assert_eq!(said.client, Some("192.0.2.7".parse().unwrap()));
            assert_eq!(said.outside.origin, None);
        }
    }

    #[test]
    fn what_a_client_wrote_in_front_of_the_chain_is_never_reached() {
        assert_eq!(
            origin(&[(
                "Forwarded",
                "for=1.1.1.1;proto=https;host=evil.example, for=192.0.2.1;proto=https;host=a.example, \
                 for=10.0.0.9;proto=http;host=inner"
            )]),
            Some("https://a.example".to_owned())
        );
        let said = read_lines(&[("X-Forwarded-For", "1.1.1.1, 192.0.2.7, 10.0.0.9")]);
        assert_eq!(said.client, Some("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn nonsense_is_ignored() {
        for lines in [
            &[("X-Forwarded-Proto", "javascript"), ("X-Forwarded-Host", "a.example")][..],
            &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a b")][..],
            &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example/x")][..],
            &[("X-Forwarded-Host", "a.example")][..],
            &[("Forwarded", "proto=https;host=\"a.example")][..],
            &[("Forwarded", "proto=https;host")][..],
            &[("Forwarded", "")][..],
        ] {
            assert_eq!(origin(lines), None, "{lines:?}");
        }
        assert_eq!(read_lines(&[("X-Forwarded-Prefix", "//evil.example")]).outside.prefix, "");
        assert_eq!(read_lines(&[("X-Forwarded-For", "unknown")]).client, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[ -~]{0,80}") {
            let _ = split(&text, ',').map(|pieces| pieces.into_iter().map(hop).collect::<Vec<_>>());
            let _ = node(&text);
        }
    }
}
