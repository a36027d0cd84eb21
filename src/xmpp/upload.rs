//! XEP-0363 in stanzas: slot requests, slots, refusals.

use crate::protocol::field::decimal;
use crate::protocol::xep0363::datetime;
use crate::protocol::xep0363::slot::{Purpose, Slot, SlotLimits, SlotOrder, SlotRefusal};
use crate::slots::BareJid;

use super::element::Element;
use super::stanza::{Kind, Reply};

/// Namespace of the protocol.
pub const UPLOAD: &str = "urn:xmpp:http:upload:0";
/// Namespace of purposes.
pub const PURPOSE: &str = "urn:xmpp:http:upload:purpose:0";

/// Reads `<request filename size content-type/>` and the purpose in it.
///
/// # Errors
///
/// [`SlotRefusal::BadRequest`] for what is missing or malformed.
pub fn order(request: &Element, uploader: &BareJid) -> Result<SlotOrder, SlotRefusal> {
    let missing = SlotRefusal::BadRequest("filename and size are required");
    let file_name = request.attribute("filename").ok_or(missing)?;
    let size = request.attribute("size").ok_or(missing)?;
    let malformed = SlotRefusal::BadRequest("size has to be a positive integer");
    Ok(SlotOrder {
        uploader: uploader.as_str().to_owned(),
        file_name: file_name.to_owned(),
        size: decimal(size.as_bytes()).ok_or(malformed)?,
        media_type: request.attribute("content-type").map(str::to_owned),
        purpose: purpose(request)?,
    })
}

/// The purpose; a message if none is named. Children of other namespaces do not matter.
fn purpose(request: &Element) -> Result<Purpose, SlotRefusal> {
    let mut named = request.elements().filter(|child| child.namespace == PURPOSE);
    let Some(child) = named.next() else { return Ok(Purpose::Message) };
    if named.next().is_some() {
        return Err(SlotRefusal::BadRequest("a slot has one purpose"));
    }
    match child.name.as_str() {
        "message" => Ok(Purpose::Message),
        "profile" => Ok(Purpose::Profile),
        "permanent" => Ok(Purpose::Permanent),
        "ephemeral" => {
            let stamp = child.attribute("expire-before").and_then(datetime::read);
            let missing = SlotRefusal::BadRequest("expire-before has to be a DateTime");
            Ok(Purpose::Ephemeral { expire_before: stamp.ok_or(missing)? })
        }
        _ => Err(SlotRefusal::PurposeNotOffered),
    }
}

/// `<slot>` with its two URLs.
#[must_use]
pub fn granted(slot: &Slot) -> Element {
    let mut put = Element::new("put", UPLOAD).with("url", slot.put.as_str());
    if let Some(value) = &slot.authorization {
        let header = Element::new("header", UPLOAD).with("name", "Authorization");
        put = put.containing(header.saying(value.as_str()));
    }
    let get = Element::new("get", UPLOAD).with("url", slot.get.as_str());
    Element::new("slot", UPLOAD).containing(put).containing(get)
}

/// The error that a refusal is answered with.
#[must_use]
pub fn refused(reply: &Reply, refusal: &SlotRefusal) -> Element {
    let text = refusal.to_string();
    let error = |kind, condition, further| reply.error(kind, condition, &text, further);
    match refusal {
        SlotRefusal::BadRequest(_) => error(Kind::Modify, "bad-request", None),
        SlotRefusal::TooLarge { max } => {
            let size = Element::new("max-file-size", UPLOAD).saying(max.to_string());
            let further = Element::new("file-too-large", UPLOAD).containing(size);
            error(Kind::Modify, "not-acceptable", Some(further))
        }
        SlotRefusal::MediaTypeNotAllowed => error(Kind::Modify, "not-acceptable", None),
        SlotRefusal::PurposeNotOffered => error(Kind::Cancel, "feature-not-implemented", None),
        SlotRefusal::NotAllowed => error(Kind::Auth, "forbidden", None),
        SlotRefusal::QuotaReached { retry_at } => {
            let stamp =
                |moment| Element::new("retry", UPLOAD).with("stamp", datetime::write(moment));
            error(Kind::Wait, "resource-constraint", retry_at.map(stamp))
        }
        SlotRefusal::Unavailable => error(Kind::Wait, "internal-server-error", None),
    }
}

/// The features that limits stand for: the protocol, and each purpose that is offered.
#[must_use]
pub fn features(limits: &SlotLimits) -> Vec<String> {
    let offered = [
        ("message", true),
        ("profile", limits.profile.is_some()),
        ("ephemeral", limits.ephemeral.is_some()),
        ("permanent", limits.permanent.is_some()),
    ];
    let purposes = offered.iter().filter(|(_, offered)| *offered);
    let features = purposes.map(|(name, _)| format!("{PURPOSE}#{name}"));
    std::iter::once(UPLOAD.to_owned()).chain(features).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::xep0363::SlotPath;
    use crate::upload::{Timestamp, UploadLength};
    use crate::xmpp::stanza::{COMPONENT, Request};

    fn alice() -> BareJid {
        BareJid::of("alice@localhost/phone").unwrap()
    }

    fn request() -> Element {
        Element::new("request", UPLOAD)
            .with("filename", "très cool.jpg")
            .with("size", "23456")
            .with("content-type", "image/jpeg")
    }

    fn with_purpose(child: Element) -> Result<Purpose, SlotRefusal> {
        order(&request().containing(child), &alice()).map(|order| order.purpose)
    }

    #[test]
    fn a_request_becomes_an_order() {
        let order = order(&request(), &alice()).unwrap();
        assert_eq!(order.uploader, "alice@localhost");
        assert_eq!((order.file_name.as_str(), order.size), ("très cool.jpg", 23456));
        assert_eq!(order.media_type.as_deref(), Some("image/jpeg"));
        assert_eq!(order.purpose, Purpose::Message);
    }

    #[test]
    fn sizes_that_are_no_numbers_and_missing_attributes_are_bad_requests() {
        for size in ["-1", "1.5", "", "abc", "0x10", "1e3", "+1", " 1", "18446744073709551616"] {
            let request = Element::new("request", UPLOAD).with("filename", "x").with("size", size);
            assert!(matches!(order(&request, &alice()), Err(SlotRefusal::BadRequest(_))), "{size}");
        }
        for request in [
            Element::new("request", UPLOAD),
            Element::new("request", UPLOAD).with("size", "1"),
            Element::new("request", UPLOAD).with("filename", "x"),
        ] {
            assert!(matches!(order(&request, &alice()), Err(SlotRefusal::BadRequest(_))));
        }
    }

    #[test]
    fn purposes_are_read_and_strange_children_do_not_matter() {
        for (name, purpose) in [
            ("message", Purpose::Message),
            ("profile", Purpose::Profile),
            ("permanent", Purpose::Permanent),
        ] {
            assert_eq!(with_purpose(Element::new(name, PURPOSE)), Ok(purpose));
        }
        let stamp =
            Element::new("ephemeral", PURPOSE).with("expire-before", "1970-01-01T00:00:07Z");
        let expire_before = Timestamp::from_unix_milliseconds(7000);
        assert_eq!(with_purpose(stamp), Ok(Purpose::Ephemeral { expire_before }));
        assert_eq!(with_purpose(Element::new("profile", "other")), Ok(Purpose::Message));
        let unknown = with_purpose(Element::new("other", PURPOSE));
        assert_eq!(unknown, Err(SlotRefusal::PurposeNotOffered));
        for bad in [
            Element::new("ephemeral", PURPOSE),
            Element::new("ephemeral", PURPOSE).with("expire-before", "tomorrow"),
        ] {
            assert!(matches!(with_purpose(bad), Err(SlotRefusal::BadRequest(_))));
        }
        let two = request()
            .containing(Element::new("message", PURPOSE))
            .containing(Element::new("profile", PURPOSE));
        assert!(matches!(order(&two, &alice()), Err(SlotRefusal::BadRequest(_))));
    }

    #[test]
    fn a_slot_has_one_put_with_its_header_and_one_get() {
        let slot = Slot {
            put: "https://a.example/s/x?a&b".to_owned(),
            get: "https://a.example/s/x".to_owned(),
            authorization: Some("Bearer t".to_owned()),
            path: SlotPath::new("s/x").unwrap(),
        };
        assert_eq!(
            granted(&slot).written_in(UPLOAD),
            "<slot><put url='https://a.example/s/x?a&amp;b'><header name='Authorization'>Bearer t\
             </header></put><get url='https://a.example/s/x'/></slot>"
        );
        let bare = Slot { authorization: None, ..slot };
        assert!(!granted(&bare).written_in(UPLOAD).contains("header"));
    }

    /// Kind, condition and what the protocol adds.
    fn told(refusal: SlotRefusal) -> (String, String, Option<Element>) {
        let iq =
            Element::new("iq", COMPONENT).with("type", "get").with("from", "a@b").with("id", "1");
        let reply = Request::of(&iq, "up.b").unwrap().reply;
        let answer = refused(&reply, &refusal);
        let error = answer.child("error", COMPONENT).unwrap();
        let condition = error.elements().next().unwrap().name.clone();
        let further = error.elements().find(|child| child.namespace == UPLOAD).cloned();
        (error.attribute("type").unwrap().to_owned(), condition, further)
    }

    #[test]
    fn every_refusal_has_its_stanza_error() {
        let max = UploadLength::new(20_000).unwrap();
        let retry_at = Some(Timestamp::from_unix_milliseconds(1_795_245_084_000));
        for (refusal, kind, condition) in [
            (SlotRefusal::BadRequest("x"), "modify", "bad-request"),
            (SlotRefusal::TooLarge { max }, "modify", "not-acceptable"),
            (SlotRefusal::MediaTypeNotAllowed, "modify", "not-acceptable"),
            (SlotRefusal::PurposeNotOffered, "cancel", "feature-not-implemented"),
            (SlotRefusal::NotAllowed, "auth", "forbidden"),
            (SlotRefusal::QuotaReached { retry_at }, "wait", "resource-constraint"),
            (SlotRefusal::QuotaReached { retry_at: None }, "wait", "resource-constraint"),
            (SlotRefusal::Unavailable, "wait", "internal-server-error"),
        ] {
            let (told_kind, told_condition, _) = told(refusal);
            assert_eq!((told_kind.as_str(), told_condition.as_str()), (kind, condition));
        }
        let (_, _, further) = told(SlotRefusal::TooLarge { max });
        assert_eq!(
            further.unwrap().written_in(UPLOAD),
            "<file-too-large><max-file-size>20000</max-file-size></file-too-large>"
        );
        let (_, _, further) = told(SlotRefusal::QuotaReached { retry_at });
        assert_eq!(further.unwrap().written_in(UPLOAD), "<retry stamp='2026-11-21T07:11:24Z'/>");
        let (_, _, further) = told(SlotRefusal::QuotaReached { retry_at: None });
        assert_eq!(further, None);
    }

    #[test]
    fn only_offered_purposes_are_features() {
        let limits = SlotLimits {
            profile: Some(crate::protocol::xep0363::slot::PurposeLimits::default()),
            ..SlotLimits::default()
        };
        assert_eq!(
            features(&limits),
            [
                "urn:xmpp:http:upload:0",
                "urn:xmpp:http:upload:purpose:0#message",
                "urn:xmpp:http:upload:purpose:0#profile"
            ]
        );
    }
}
