//! ejabberd asking for a slot over HTTP: its `service_url`.
//!
//! ejabberd up to 25.07 escapes the URLs it gets once more, and none of its versions hands on
//! headers: slots made here are issued with [`super::slot::Carrier::Path`].

use percent_encoding::percent_decode_str;

use crate::protocol::field::decimal;
use crate::protocol::head::ResponseHead;

use super::query::parameter;
use super::slot::{Purpose, Slot, SlotOrder, SlotRefusal};

/// Reads `?jid=…&name=…&size=…&content_type=…`. The purpose is always a message: ejabberd drops it.
///
/// # Errors
///
/// [`SlotRefusal::BadRequest`] for what is missing, doubled or malformed.
pub fn order(query: &str) -> Result<SlotOrder, SlotRefusal> {
    let size = decimal(required(query, "size")?.as_bytes());
    Ok(SlotOrder {
        uploader: required(query, "jid")?,
        file_name: required(query, "name")?,
        size: size.ok_or(SlotRefusal::BadRequest("size is not a number"))?,
        media_type: optional(query, "content_type")?,
        purpose: Purpose::Message,
    })
}

/// The answer with a slot: two lines and nothing else; anything else is an error to ejabberd.
#[must_use]
pub fn granted(slot: &Slot) -> ResponseHead {
    text(200, format!("{}\n{}", slot.put, slot.get))
}

/// The answer without one: 402, 403 and 413 become the stanza errors for quota, permission and
/// size; ejabberd takes every other one as a failure of the service.
#[must_use]
pub fn refused(refusal: &SlotRefusal) -> ResponseHead {
    let status = match refusal {
        SlotRefusal::BadRequest(_) => 400,
        SlotRefusal::QuotaReached { .. } => 402,
        SlotRefusal::MediaTypeNotAllowed
        | SlotRefusal::PurposeNotOffered
        | SlotRefusal::NotAllowed => 403,
        SlotRefusal::TooLarge { .. } => 413,
        SlotRefusal::Unavailable => 503,
    };
    text(status, format!("{refusal}\n"))
}

fn text(status: u16, body: String) -> ResponseHead {
    let mut head = ResponseHead::new(status)
        .with("Content-Type", "text/plain; charset=utf-8")
        .with("Cache-Control", "no-store");
    head.body = Some(body);
    head
}

fn required(query: &str, name: &str) -> Result<String, SlotRefusal> {
    let value = optional(query, name)?;
    value.ok_or(SlotRefusal::BadRequest("send jid, name and size"))
}

/// The decoded value; an empty one counts as none. A plus is a plus.
fn optional(query: &str, name: &str) -> Result<Option<String>, SlotRefusal> {
    let doubled = SlotRefusal::BadRequest("a parameter is there twice");
    let Some(value) = parameter(query, name).map_err(|_| doubled)? else { return Ok(None) };
    let decoded = percent_decode_str(value).decode_utf8();
    let decoded = decoded.map_err(|_| SlotRefusal::BadRequest("a parameter is not UTF-8"))?;
    Ok(Some(decoded.into_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::path::SlotPath;
    use super::*;
    use crate::upload::UploadLength;

    #[test]
    fn the_query_of_a_real_ejabberd_is_read() {
        let query =
            "jid=alice%40localhost&name=tr%C3%A8s%20cool.jpg&size=11&content_type=image/jpeg";
        let order = order(query).unwrap();
        assert_eq!(order.uploader, "alice@localhost");
        assert_eq!((order.file_name.as_str(), order.size), ("très cool.jpg", 11));
        assert_eq!(order.media_type.as_deref(), Some("image/jpeg"));
        assert_eq!(order.purpose, Purpose::Message);
    }

    #[test]
    fn a_plus_is_a_plus_and_the_type_may_be_missing() {
        let order = order("size=1&name=a+b%2Bc&jid=a%40b&content_type=").unwrap();
        assert_eq!((order.file_name.as_str(), order.media_type), ("a+b+c", None));
    }

    #[test]
    fn what_is_missing_doubled_or_malformed_is_a_bad_request() {
        for query in [
            "",
            "jid=a%40b&name=x",
            "jid=a%40b&size=1",
            "name=x&size=1",
            "jid=&name=x&size=1",
            "jid=a%40b&name=x&size=-1",
            "jid=a%40b&name=x&size=1.5",
            "jid=a%40b&name=x&size=1&size=1",
            "jid=a%40b&name=%ff&size=1",
            "jid=a%40b&name=x&size=99999999999999999999",
        ] {
            let refusal = order(query).unwrap_err();
            assert_eq!(refused(&refusal).status, 400, "{query}");
        }
    }

    #[test]
    fn a_slot_is_two_lines_that_both_begin_with_http() {
        let slot = Slot {
            put: "https://a.example/s/t/x".to_owned(),
            get: "https://a.example/s/x".to_owned(),
            authorization: None,
            path: SlotPath::new("s/x").unwrap(),
        };
        let head = granted(&slot);
        assert_eq!(head.status, 200);
        let body = head.body.unwrap();
        assert_eq!(body.split('\n').collect::<Vec<_>>(), [slot.put, slot.get]);
    }

    #[test]
    fn refusals_have_the_statuses_that_ejabberd_understands() {
        let max = UploadLength::new(1).unwrap();
        for (refusal, status) in [
            (SlotRefusal::QuotaReached { retry_at: None }, 402),
            (SlotRefusal::NotAllowed, 403),
            (SlotRefusal::MediaTypeNotAllowed, 403),
            (SlotRefusal::TooLarge { max }, 413),
            (SlotRefusal::Unavailable, 503),
        ] {
            assert_eq!(refused(&refusal).status, status, "{refusal:?}");
        }
    }
}
