//! Where to listen.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One place to listen: `"127.0.0.1:8080"`, `"[::1]:8080"` or `"unix:/run/tidegate/http.sock"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP; port 0 asks the system for a free one.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl Address {
    /// Whether only processes on this machine can reach it.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an address; write an IP address with a port (\"127.0.0.1:8080\", \"[::1]:8080\") \
     or a Unix socket (\"unix:/run/tidegate/http.sock\")"
)]
pub struct NotAnAddress {
    text: String,
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let address = text.parse().map(Self::Tcp);
        address.map_err(|_| NotAnAddress { text: text.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// One or more places to listen: a string, several separated by commas, or a list of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen(Vec<Address>);

impl Listen {
    /// Listens on one TCP address.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        Self(vec![Address::Tcp(address)])
    }

    /// The places, in the order they were written; at least one.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an address such as \"127.0.0.1:8080\", or a list of them")]
enum Written {
    One(String),
    Several(Vec<String>),
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        match texts.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match Written::deserialize(deserializer)? {
            Written::One(text) => text.split(',').map(str::to_owned).collect(),
            Written::Several(texts) => texts,
        };
        let addresses = texts.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>();
        let addresses = addresses.map_err(serde::de::Error::custom)?;
        if addresses.is_empty() {
            return Err(serde::de::Error::custom("at least one address is needed"));
        }
        Ok(Self(addresses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_unix_sockets_are_local_and_the_rest_is_not() {
        for local in ["127.0.0.1:1", "127.3.2.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a"] {
            assert!(local.parse::<Address>().unwrap().is_local(), "{local}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "192.168.1.1:1", "8.8.8.8:1"] {
            assert!(!open.parse::<Address>().unwrap().is_local(), "{open}");
        }
    }

    #[test]
    fn an_address_reads_back_from_what_it_prints() {
        for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/tidegate/http.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in ["", "8080", ":8080", "127.0.0.1", "localhost:8080", "unix:", "1.2.3.4:70000"] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
