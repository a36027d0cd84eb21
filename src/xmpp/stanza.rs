//! IQ stanzas: what is asked, and the shapes of answers and errors.

use super::element::Element;

/// Namespace of everything directly inside of a component's stream.
pub const COMPONENT: &str = "jabber:component:accept";
/// Namespace of the conditions of stanza errors.
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// What kind of IQ asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// `get`
    Get,
    /// `set`
    Set,
}

/// An IQ that has to be answered.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Which kind.
    pub asking: Asking,
    /// Who asks, as the server says.
    pub from: &'a str,
    /// What is asked: its first element.
    pub payload: Option<&'a Element>,
    /// Where the answer goes.
    pub reply: Reply,
}

impl<'a> Request<'a> {
    /// The request in a stanza; `None` if nobody waits for an answer, or none can be given.
    #[must_use]
    pub fn of(stanza: &'a Element, domain: &str) -> Option<Self> {
        if !stanza.is("iq", COMPONENT) {
            return None;
        }
        let asking = match stanza.attribute("type")? {
            "get" => Asking::Get,
            "set" => Asking::Set,
            _ => return None,
        };
        let from = stanza.attribute("from")?;
        let us = stanza.attribute("to").unwrap_or(domain).to_owned();
        let id = stanza.attribute("id")?.to_owned();
        let reply = Reply { us, them: from.to_owned(), id };
        Some(Self { asking, from, payload: stanza.elements().next(), reply })
    }
}

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    us: String,
    them: String,
    id: String,
}

/// What an error says about trying again (RFC 6120, section 8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not as this user.
    Auth,
    /// Not at all.
    Cancel,
    /// Not like this.
    Modify,
    /// Not now.
    Wait,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }
}

impl Reply {
    /// An answer with this in it, or with nothing.
    #[must_use]
    pub fn result(&self, payload: Option<Element>) -> Element {
        let iq = self.iq("result");
        match payload {
            Some(payload) => iq.containing(payload),
            None => iq,
        }
    }

    /// An error: a condition, a text for people, and what a protocol adds.
    #[must_use]
    pub fn error(
        &self,
        kind: Kind,
        condition: &str,
        text: &str,
        further: Option<Element>,
    ) -> Element {
        let mut error = Element::new("error", COMPONENT)
            .with("type", kind.as_str())
            .containing(Element::new(condition, STANZAS));
        if !text.is_empty() {
            error = error.containing(Element::new("text", STANZAS).saying(text));
        }
        if let Some(further) = further {
            error = error.containing(further);
        }
        self.iq("error").containing(error)
    }

    fn iq(&self, kind: &str) -> Element {
        Element::new("iq", COMPONENT)
            .with("type", kind)
            .with("from", self.us.as_str())
            .with("to", self.them.as_str())
            .with("id", self.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iq(kind: &str) -> Element {
        Element::new("iq", COMPONENT)
            .with("type", kind)
            .with("from", "a@b/c")
            .with("to", "up.b")
            .with("id", "<1>")
    }

    #[test]
    fn an_answer_goes_back_where_the_request_came_from() {
        let stanza = iq("get").containing(Element::new("query", "x"));
        let request = Request::of(&stanza, "up.b").unwrap();
        assert_eq!((request.asking, request.from), (Asking::Get, "a@b/c"));
        assert_eq!(request.payload.unwrap().name, "query");
        assert_eq!(
            request.reply.result(None).written_in(COMPONENT),
            "<iq type='result' from='up.b' to='a@b/c' id='&lt;1&gt;'/>"
        );
    }

    #[test]
    fn what_nobody_waits_for_is_no_request() {
        for stanza in [
            iq("result"),
            iq("error"),
            iq("GET"),
            Element::new("iq", COMPONENT).with("from", "a@b").with("id", "1"),
            Element::new("iq", COMPONENT).with("type", "get").with("id", "1"),
            Element::new("iq", COMPONENT).with("type", "get").with("from", "a@b"),
            Element { name: "message".to_owned(), ..iq("get") },
            Element { namespace: "jabber:client".to_owned(), ..iq("get") },
        ] {
            assert!(Request::of(&stanza, "up.b").is_none(), "{stanza:?}");
        }
    }

    #[test]
    fn an_error_has_a_condition_then_a_text_then_the_rest() {
        let reply = Request::of(&iq("set"), "up.b").unwrap().reply;
        let error = reply.error(Kind::Wait, "gone", "why", Some(Element::new("x", "y")));
        assert_eq!(
            error.written_in(COMPONENT),
            "<iq type='error' from='up.b' to='a@b/c' id='&lt;1&gt;'><error type='wait'>\
             <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>why</text><x xmlns='y'/>\
             </error></iq>"
        );
    }
}
