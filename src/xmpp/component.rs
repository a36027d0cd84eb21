//! Stanza in, what to do about it out. Pure.

use crate::protocol::xep0363::slot::{SlotLimits, SlotOrder, SlotRefusal};
use crate::slots::{Access, BareJid};

use super::disco::{self, INFO, ITEMS, PING};
use super::element::Element;
use super::stanza::{Asking, COMPONENT, Kind, Reply, Request};
use super::upload::{self, UPLOAD};

/// What we are called, what we offer, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Our address: `upload.example.org`.
    pub domain: String,
    /// Who may upload.
    pub access: Access,
    /// What is said about sizes and purposes; whoever makes slots judges by the same.
    pub limits: SlotLimits,
}

/// What a stanza asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Silence,
    /// To be answered with this.
    Answer(Element),
    /// A slot that is refused already.
    Refuse {
        /// Why.
        refusal: SlotRefusal,
        /// The answer that says so.
        answer: Element,
    },
    /// A slot: to be made, and then answered by way of the reply.
    Ask {
        /// Which slot; who asks for it may upload.
        order: SlotOrder,
        /// Where the answer goes.
        reply: Reply,
    },
}

impl Component {
    /// Judges a stanza.
    #[must_use]
    pub fn judge(&self, stanza: &Element) -> Turn {
        let Some(request) = Request::of(stanza, &self.domain) else { return Turn::Silence };
        let Some(payload) = request.payload else {
            let text = "an IQ request has something in it";
            return Turn::Answer(request.reply.error(Kind::Modify, "bad-request", text, None));
        };
        let named = |name: &str, namespace: &str| {
            request.asking == Asking::Get && payload.is(name, namespace)
        };
        let reply = &request.reply;
        if named("request", UPLOAD) {
            return self.slot(payload, request.from, request.reply);
        }
        let plain = |answer: Element| match payload.attribute("node") {
            None | Some("") => reply.result(Some(answer)),
            Some(_) => reply.error(Kind::Cancel, "item-not-found", "", None),
        };
        Turn::Answer(if named("query", INFO) {
            plain(disco::info(&self.limits))
        } else if named("query", ITEMS) {
            plain(disco::items())
        } else if named("ping", PING) {
            reply.result(None)
        } else {
            reply.error(Kind::Cancel, "service-unavailable", "", None)
        })
    }

    /// Answers a stanza that was too large to be kept.
    #[must_use]
    pub fn judge_oversized(&self, head: &Element) -> Turn {
        let Some(request) = Request::of(head, &self.domain) else { return Turn::Silence };
        let text = "the stanza is too large";
        Turn::Answer(request.reply.error(Kind::Modify, "policy-violation", text, None))
    }

    fn slot(&self, payload: &Element, from: &str, reply: Reply) -> Turn {
        // Who asks is judged before what: strangers learn nothing of our limits.
        let uploader = BareJid::of(from).filter(|who| self.access.allows(who));
        let order = uploader
            .ok_or(SlotRefusal::NotAllowed)
            .and_then(|uploader| upload::order(payload, &uploader));
        match order {
            Ok(order) => Turn::Ask { order, reply },
            Err(refusal) => Turn::Refuse { answer: upload::refused(&reply, &refusal), refusal },
        }
    }

    /// A ping to ourselves, by way of the server: its answer shows that the server still routes.
    #[must_use]
    pub fn ping(&self, number: u64) -> Element {
        Element::new("iq", COMPONENT)
            .with("type", "get")
            .with("from", self.domain.as_str())
            .with("to", self.domain.as_str())
            .with("id", format!("ping-{number}"))
            .containing(Element::new("ping", PING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::xep0363::slot::{Purpose, PurposeLimits};
    use crate::upload::UploadLength;

    fn component() -> Component {
        let message = PurposeLimits { max_size: UploadLength::new(1000), retention: None };
        Component {
            domain: "up.localhost".to_owned(),
            access: Access::new(&["localhost".to_owned()], &[]),
            limits: SlotLimits { message, ..SlotLimits::default() },
        }
    }

    fn iq(kind: &str, from: &str, payload: Element) -> Element {
        Element::new("iq", COMPONENT)
            .with("type", kind)
            .with("from", from)
            .with("to", "up.localhost")
            .with("id", "1")
            .containing(payload)
    }

    fn answered(stanza: &Element) -> Element {
        let turn = component().judge(stanza);
        let (Turn::Answer(answer) | Turn::Refuse { answer, .. }) = turn else { panic!("{turn:?}") };
        answer
    }

    fn condition(answer: &Element) -> (String, String) {
        let error = answer.child("error", COMPONENT).unwrap();
        let condition = error.elements().next().unwrap().name.clone();
        (error.attribute("type").unwrap().to_owned(), condition)
    }

    fn request() -> Element {
        Element::new("request", UPLOAD).with("filename", "x").with("size", "7")
    }

    #[test]
    fn a_user_of_ours_gets_as_far_as_an_order() {
        let turn = component().judge(&iq("get", "alice@localhost/phone", request()));
        let Turn::Ask { order, reply } = turn else { panic!("{turn:?}") };
        assert_eq!((order.uploader.as_str(), order.size), ("alice@localhost", 7));
        assert_eq!(order.purpose, Purpose::Message);
        assert_eq!(reply.result(None).attribute("to"), Some("alice@localhost/phone"));
    }

    #[test]
    fn strangers_are_forbidden_whatever_they_ask_for() {
        let broken = Element::new("request", UPLOAD);
        for from in ["eve@elsewhere.example/x", "localhost", "localhost.evil", "", "@", "a@b@c"] {
            for payload in [request(), broken.clone()] {
                let answer = answered(&iq("get", from, payload));
                assert_eq!(
                    condition(&answer),
                    ("auth".to_owned(), "forbidden".to_owned()),
                    "{from}"
                );
            }
        }
    }

    #[test]
    fn a_broken_request_of_a_user_is_a_bad_request() {
        let broken = request().with("size", "x");
        let broken =
            Element { attributes: broken.attributes.into_iter().rev().collect(), ..broken };
        let answer = answered(&iq("get", "alice@localhost", broken));
        assert_eq!(condition(&answer), ("modify".to_owned(), "bad-request".to_owned()));
    }

    #[test]
    fn every_request_is_answered_and_nothing_else_is() {
        for (kind, payload, expected) in [
            ("set", request(), "service-unavailable"),
            ("set", Element::new("query", INFO), "service-unavailable"),
            ("get", Element::new("query", "jabber:iq:version"), "service-unavailable"),
            ("get", Element::new("vCard", "vcard-temp"), "service-unavailable"),
            ("get", Element::new("query", INFO).with("node", "x"), "item-not-found"),
        ] {
            let answer = answered(&iq(kind, "eve@elsewhere.example", payload));
            assert_eq!(condition(&answer), ("cancel".to_owned(), expected.to_owned()));
        }
        let empty = Element { children: Vec::new(), ..iq("get", "a@localhost", request()) };
        assert_eq!(condition(&answered(&empty)).1, "bad-request");
        for stanza in [
            iq("result", "up.localhost", Element::new("ping", PING)),
            iq("error", "a@localhost", request()),
            Element { name: "message".to_owned(), ..iq("get", "a@localhost", request()) },
            Element { name: "presence".to_owned(), ..iq("get", "a@localhost", request()) },
        ] {
            assert_eq!(component().judge(&stanza), Turn::Silence, "{stanza:?}");
        }
    }

    #[test]
    fn discovery_and_pings_are_answered_for_everybody() {
        for (payload, child) in [
            (Element::new("query", INFO), Some(INFO)),
            (Element::new("query", ITEMS), Some(ITEMS)),
            (Element::new("ping", PING), None),
        ] {
            let answer = answered(&iq("get", "eve@elsewhere.example/x", payload));
            assert_eq!(answer.attribute("type"), Some("result"));
            assert_eq!(answer.elements().next().map(|child| child.namespace.as_str()), child);
        }
    }

    #[test]
    fn our_own_ping_comes_back_as_a_request_that_we_answer() {
        let ping = component().ping(3);
        let answer = answered(&ping);
        assert_eq!(answer.attribute("to"), Some("up.localhost"));
        assert_eq!(component().judge(&answer), Turn::Silence);
    }

    #[test]
    fn an_oversized_request_is_answered_and_an_oversized_message_is_not() {
        let head = Element { children: Vec::new(), ..iq("set", "a@b", request()) };
        let Turn::Answer(answer) = component().judge_oversized(&head) else { panic!("silent") };
        assert_eq!(condition(&answer), ("modify".to_owned(), "policy-violation".to_owned()));
        let message = Element { name: "message".to_owned(), ..head };
        assert_eq!(component().judge_oversized(&message), Turn::Silence);
    }
}
