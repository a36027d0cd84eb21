//! How a component's stream begins and ends (XEP-0114).

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use crate::protocol::xep0363::Secret;

use super::element::Element;
use super::stanza::COMPONENT;
use super::stream::STREAMS;

/// What ends a stream.
pub const CLOSING: &str = "</stream:stream>";

/// What opens a stream to the component's own domain.
#[must_use]
pub fn opening(domain: &str) -> String {
    let to = Element::new("x", "").with("to", domain).written_in("");
    let to = to.trim_start_matches("<x").trim_end_matches("/>");
    format!("<?xml version='1.0'?><stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'{to}>")
}

/// What shows that we know the secret: the SHA-1 of the stream's id and the secret. It is what
/// the protocol prescribes; the connection belongs on loopback or into a tunnel.
#[must_use]
pub fn proof(stream_id: &str, secret: &Secret) -> Element {
    let digest = Sha1::new().chain_update(stream_id).chain_update(secret.bytes()).finalize();
    let mut hex = String::with_capacity(40);
    for byte in digest {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Element::new("handshake", COMPONENT).saying(hex)
}

/// Whether the server accepts the proof.
#[must_use]
pub fn is_accepted(stanza: &Element) -> bool {
    stanza.is("handshake", COMPONENT)
}

/// The condition of a stream error (`not-authorized`, `conflict`, …); `None` if it is none.
#[must_use]
pub fn stream_error(stanza: &Element) -> Option<String> {
    if !stanza.is("error", STREAMS) {
        return None;
    }
    let condition = stanza.elements().next().map_or("undefined-condition", |child| &child.name);
    // It goes to the log: no more of it than a condition has.
    Some(condition.chars().filter(char::is_ascii_graphic).take(64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::stream::{Received, StreamReader};

    #[test]
    fn the_proof_is_the_one_that_servers_accept() {
        let secret = Secret::new("comp-secret").unwrap();
        for (id, expected) in [
            ("476b3b13-63c3-493e-b567-3a3bd94528e3", "794a3cbb44ca0a29abbfa9dddadd00e1082355fa"),
            ("3BF96D32", "6b6f9791d88226942448f5fa7697892d5db3b226"),
        ] {
            assert_eq!(proof(id, &secret).text(), expected);
        }
    }

    #[test]
    fn the_opening_is_a_stream_whatever_the_domain() {
        assert_eq!(
            opening("up.localhost"),
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' to='up.localhost'>"
        );
        for domain in ["up.localhost", "a'b<c", "пример"] {
            let received = StreamReader::new(100).push(opening(domain).as_bytes()).unwrap();
            assert_eq!(received, [Received::Opened { id: String::new() }]);
        }
    }

    #[test]
    fn a_stream_error_has_a_condition() {
        let condition = Element::new("not-authorized", "urn:ietf:params:xml:ns:xmpp-streams");
        let error = Element::new("error", STREAMS).containing(condition);
        assert_eq!(stream_error(&error).as_deref(), Some("not-authorized"));
        let empty = Element::new("error", STREAMS);
        assert_eq!(stream_error(&empty).as_deref(), Some("undefined-condition"));
        assert_eq!(stream_error(&Element::new("error", COMPONENT)), None);
    }
}
