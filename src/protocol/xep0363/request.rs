//! What a request says about the slot it means.

use crate::protocol::field::single;
use crate::protocol::head::RequestHead;

use super::tenant::TokenError;

/// The media type of a slot that names none: what issuers sign then.
pub const OCTET_STREAM: &str = "application/octet-stream";
/// Longest media type a token may sign; longer ones name nothing that exists.
const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// What a token has to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Bytes for the slot: a `PUT`, or whatever continues one.
    Put,
    /// The removal of its file: Metronome's `DELETE`.
    Delete,
}

/// What a request says about the slot it means, before anything of it is believed.
///
/// `length` and `media_type` are those of the **whole file**, because these are what a token
/// signs: those of a plain `PUT` are its own; whoever continues a slot brings what is stored.
#[derive(Clone, Copy, Debug)]
pub struct SlotRequest<'a> {
    /// The path, still percent-encoded, without the query.
    pub path: &'a str,
    /// What follows the question mark; empty if nothing does.
    pub query: &'a str,
    /// What it wants.
    pub intent: Intent,
    /// Bytes of the whole file; `None` if the request does not say.
    pub length: Option<u64>,
    /// The media type of the whole file, as the field was sent; never by a name's ending.
    pub media_type: &'a str,
    /// The only line of `Authorization`.
    pub authorization: Option<&'a [u8]>,
}

impl<'a> SlotRequest<'a> {
    /// A plain `PUT` or `DELETE`: its body is the whole file.
    ///
    /// # Errors
    ///
    /// [`TokenError::Repeated`] for a field that is there twice, [`TokenError::MediaType`] for a
    /// `Content-Type` that is none.
    pub fn whole(
        head: &RequestHead<'a>,
        query: &'a str,
        intent: Intent,
    ) -> Result<Self, TokenError> {
        Ok(Self {
            path: head.path,
            query,
            intent,
            length: head.body.bytes(),
            media_type: media_type(head)?,
            authorization: only_line(head, "Authorization")?,
        })
    }

    /// A request that adds bytes to a slot whose length and media type are known from before.
    ///
    /// # Errors
    ///
    /// [`TokenError::Repeated`] for an `Authorization` that is there twice.
    pub fn continuing(
        head: &RequestHead<'a>,
        query: &'a str,
        length: Option<u64>,
        media_type: &'a str,
    ) -> Result<Self, TokenError> {
        let authorization = only_line(head, "Authorization")?;
        let intent = Intent::Put;
        Ok(Self { path: head.path, query, intent, length, media_type, authorization })
    }
}

/// `Content-Type` as it was sent, parameters and case included.
fn media_type<'a>(head: &RequestHead<'a>) -> Result<&'a str, TokenError> {
    let line = only_line(head, "Content-Type")?.unwrap_or_default();
    let visible = |byte: &u8| *byte == b' ' || byte.is_ascii_graphic();
    let text = std::str::from_utf8(line).map_err(|_| TokenError::MediaType)?.trim();
    if text.is_empty() {
        return Ok(OCTET_STREAM);
    }
    let sound = text.len() <= MAX_MEDIA_TYPE_BYTES && text.as_bytes().iter().all(visible);
    sound.then_some(text).ok_or(TokenError::MediaType)
}

fn only_line<'a>(
    head: &RequestHead<'a>,
    name: &'static str,
) -> Result<Option<&'a [u8]>, TokenError> {
    single(head, name).map_err(|_| TokenError::Repeated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;

    fn read<'a>(fields: &[(&'a str, &'a [u8])]) -> Result<SlotRequest<'a>, TokenError> {
        let fields = fields.to_vec();
        let head = RequestHead { method: "PUT", path: "/D/x", fields, body: BodyLength::Known(7) };
        SlotRequest::whole(&head, "v=1", Intent::Put)
    }

    #[test]
    fn a_put_says_what_its_head_says() {
        let request =
            read(&[("content-type", b"text/plain; charset=utf-8"), ("authorization", b"Bearer x")]);
        let request = request.unwrap();
        assert_eq!((request.path, request.query, request.length), ("/D/x", "v=1", Some(7)));
        assert_eq!(request.media_type, "text/plain; charset=utf-8");
        assert_eq!(request.authorization, Some(&b"Bearer x"[..]));
    }

    #[test]
    fn a_missing_content_type_is_octet_stream_whatever_the_name_ends_in() {
        for fields in [&[][..], &[("Content-Type", &b""[..])], &[("Content-Type", &b"  "[..])]] {
            assert_eq!(read(fields).unwrap().media_type, OCTET_STREAM);
        }
    }

    #[test]
    fn a_body_of_unknown_length_says_no_length() {
        let head =
            RequestHead { method: "PUT", path: "/", fields: vec![], body: BodyLength::Unknown };
        assert_eq!(SlotRequest::whole(&head, "", Intent::Put).unwrap().length, None);
        let head = RequestHead { body: BodyLength::Empty, ..head };
        assert_eq!(SlotRequest::whole(&head, "", Intent::Put).unwrap().length, Some(0));
    }

    #[test]
    fn doubled_fields_and_odd_types_are_refused() {
        let long = [b'a'; MAX_MEDIA_TYPE_BYTES + 1];
        for (fields, error) in [
            (&[("Content-Type", &b"a/b"[..]), ("Content-Type", b"a/b")][..], TokenError::Repeated),
            (&[("Authorization", b"Bearer x"), ("Authorization", b"y")], TokenError::Repeated),
            (&[("Content-Type", &long)], TokenError::MediaType),
            (&[("Content-Type", b"a/b\x00c")], TokenError::MediaType),
            (&[("Content-Type", "é/b".as_bytes())], TokenError::MediaType),
            (&[("Content-Type", b"\xff")], TokenError::MediaType),
        ] {
            assert_eq!(read(fields).unwrap_err(), error, "{fields:?}");
        }
    }
}
