//! How XMPP servers ask a tenant for slots: by a component, or at a `service_url`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::{TenantError, one_of};
use crate::config::duration::Span;
use crate::config::settings::{networks, written};
use crate::config::size::Size;
use crate::config::token::Secret;

/// `[xep0363.tenants.component]`: an external component (XEP-0114).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentTable {
    /// `host:port` of the XMPP server's component port.
    #[serde(default = "component_port")]
    pub server: String,
    /// What the XMPP server calls it: `upload.example.org`.
    pub domain: String,
    /// The secret that both know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A file with it; white space around it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Domains whose accounts may upload.
    #[serde(default)]
    pub users: Vec<String>,
    /// Further accounts that may.
    #[serde(default)]
    pub jids: Vec<String>,
    /// Longest stanza that is kept.
    #[serde(default = "max_stanza")]
    pub max_stanza: Size,
    /// Most slots in the making.
    #[serde(default = "max_pending")]
    pub max_pending: usize,
    /// Connecting, and the handshake after it, may each take this long.
    #[serde(default = "ten_seconds")]
    pub connect_timeout: Span,
    /// Writing an answer may take this long.
    #[serde(default = "ten_seconds")]
    pub write_timeout: Span,
    /// Making a slot may take this long.
    #[serde(default = "ten_seconds")]
    pub slot_timeout: Span,
    /// A server that says nothing for this long is pinged …
    #[serde(default = "minute")]
    pub ping_after: Span,
    /// … and left after this long without an answer.
    #[serde(default = "twenty_seconds")]
    pub ping_timeout: Span,
    /// The first wait before it connects again; each failure doubles it …
    #[serde(default = "second")]
    pub reconnect_first: Span,
    /// … up to this one.
    #[serde(default = "minute")]
    pub reconnect_longest: Span,
}

impl ComponentTable {
    /// The secret; never empty. Reads the file, if it is in one.
    ///
    /// # Errors
    ///
    /// A [`TenantError`] that says what would be right.
    pub fn secret(&self) -> Result<Vec<u8>, TenantError> {
        one_of(self.secret.as_ref(), self.secret_file.as_deref())?.ok_or(TenantError::Source)
    }
}

/// `[xep0363.tenants.service_url]`: where ejabberd asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceUrlTable {
    /// The path at which it asks. Who knows it is half way to getting slots, so it is never shown.
    pub path: Secret,
    /// From where it asks.
    #[serde(default = "loopback", serialize_with = "written", deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    /// Domains whose accounts may upload; with no `jids` either, whom ejabberd asks for.
    #[serde(default)]
    pub users: Vec<String>,
    /// Further accounts that may.
    #[serde(default)]
    pub jids: Vec<String>,
}

fn component_port() -> String {
    "127.0.0.1:5347".to_owned()
}

const fn max_stanza() -> Size {
    Size::kib(64)
}

const fn max_pending() -> usize {
    64
}

const fn second() -> Span {
    Span::seconds(1)
}

const fn ten_seconds() -> Span {
    Span::seconds(10)
}

const fn twenty_seconds() -> Span {
    Span::seconds(20)
}

const fn minute() -> Span {
    Span::seconds(60)
}

fn loopback() -> Vec<IpNet> {
    let four = Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8).map(IpNet::V4);
    let six = Ipv6Net::new(Ipv6Addr::LOCALHOST, 128).map(IpNet::V6);
    [four, six].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_default() {
        let table: ComponentTable = toml::from_str("domain = \"up.example\"").unwrap();
        assert_eq!(table.server, "127.0.0.1:5347");
        assert!(matches!(table.secret(), Err(TenantError::Source)));
        let table: ServiceUrlTable = toml::from_str("path = \"/x\"").unwrap();
        let allowed: Vec<String> = table.allow.iter().map(ToString::to_string).collect();
        assert_eq!(allowed, ["127.0.0.0/8", "::1/128"]);
    }

    #[test]
    fn what_no_door_knows_is_refused() {
        for text in ["path = \"/x\"\nalow = []", "path = \"/x\"\nallow = [\"everywhere\"]", ""] {
            assert!(toml::from_str::<ServiceUrlTable>(text).is_err(), "{text}");
        }
        assert!(toml::from_str::<ComponentTable>("domain = \"x\"\nport = 5347").is_err());
    }

    #[test]
    fn a_secret_is_never_printed() {
        let text = "domain = \"up.example\"\nsecret = \"it-is-secret\"";
        let table: ComponentTable = toml::from_str(text).unwrap();
        assert_eq!(table.secret().unwrap(), b"it-is-secret");
        assert!(!format!("{table:?}").contains("it-is-secret"));
        assert!(!toml::to_string(&table).unwrap().contains("it-is-secret"));
        let table: ServiceUrlTable = toml::from_str("path = \"/it-is-secret\"").unwrap();
        assert!(!format!("{table:?}").contains("it-is-secret"));
        assert!(!toml::to_string(&table).unwrap().contains("it-is-secret"));
    }
}
