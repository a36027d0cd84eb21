//! What we say we are: XEP-0030, with the form of XEP-0128.

use crate::protocol::xep0363::slot::SlotLimits;

use super::element::Element;
use super::upload::{UPLOAD, features};

/// Namespace of disco#info.
pub const INFO: &str = "http://jabber.org/protocol/disco#info";
/// Namespace of disco#items.
pub const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Namespace of pings (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Namespace of forms.
const FORM: &str = "jabber:x:data";

/// The answer to disco#info.
#[must_use]
pub fn info(limits: &SlotLimits) -> Element {
    // slixmpp and others find an upload service by this identity.
    let identity = Element::new("identity", INFO)
        .with("category", "store")
        .with("type", "file")
        .with("name", "HTTP File Upload");
    let mut query = Element::new("query", INFO).containing(identity);
    let ours = [INFO, ITEMS, PING].map(str::to_owned);
    for feature in ours.into_iter().chain(features(limits)) {
        query = query.containing(Element::new("feature", INFO).with("var", feature));
    }
    // Without a bound there is no form: clients then take the size to be unlimited.
    match limits.message.max_size {
        Some(max) => query.containing(form(&max.to_string())),
        None => query,
    }
}

/// The answer to disco#items: there are none.
#[must_use]
pub fn items() -> Element {
    Element::new("query", ITEMS)
}

fn form(max_file_size: &str) -> Element {
    let field = |name: &str, value: &str| {
        let value = Element::new("value", FORM).saying(value);
        Element::new("field", FORM).with("var", name).containing(value)
    };
    Element::new("x", FORM)
        .with("type", "result")
        .containing(field("FORM_TYPE", UPLOAD).with("type", "hidden"))
        .containing(field("max-file-size", max_file_size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::xep0363::slot::PurposeLimits;
    use crate::upload::UploadLength;

    #[test]
    fn the_size_is_in_a_form_exactly_if_there_is_a_bound() {
        let message = PurposeLimits { max_size: UploadLength::new(1_000_000), retention: None };
        let info = info(&SlotLimits { message, ..SlotLimits::default() });
        let form = info.child("x", FORM).unwrap();
        assert_eq!(
            form.written_in(FORM),
            "<x type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0\
             </value></field><field var='max-file-size'><value>1000000</value></field></x>"
        );
        assert_eq!(super::info(&SlotLimits::default()).child("x", FORM), None);
    }

    #[test]
    fn the_identity_and_the_features_are_there() {
        let info = info(&SlotLimits::default());
        let identity = info.child("identity", INFO).unwrap();
        assert_eq!(identity.attribute("category"), Some("store"));
        assert_eq!(identity.attribute("type"), Some("file"));
        let features: Vec<_> = info.elements().filter_map(|child| child.attribute("var")).collect();
        assert!(features.contains(&"urn:xmpp:http:upload:0"));
        assert!(features.contains(&"urn:xmpp:http:upload:purpose:0#message"));
        assert!(!features.contains(&"urn:xmpp:http:upload:purpose:0#permanent"));
    }
}
