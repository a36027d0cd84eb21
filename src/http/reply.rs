//! Response heads become responses.

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::header::{HeaderName, HeaderValue};
use actix_http::{Response, StatusCode};
use actix_web::web::Bytes;

use crate::protocol::head::ResponseHead;

/// What follows a head.
pub(super) enum Tail {
    /// The head's own short text, if it has one.
    Own,
    /// Nothing, whatever the head has: the answer to `HEAD` (T-28).
    Nothing,
    /// This body.
    Body(BoxBody),
}

/// Makes a response of a head.
///
/// `ends_connection` tells HTTP/1 not to go on with this connection: the rest of a body is still
/// on its way, and nobody wants it.
pub(super) fn response(head: ResponseHead, tail: Tail, ends_connection: bool) -> Response<BoxBody> {
    let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (body, drops_type) = match (tail, head.body) {
        (Tail::Body(body), _) => (body, false),
        (Tail::Own, Some(text)) => (BoxBody::new(text), false),
        // A type without anything that has it would only mislead.
        (Tail::Nothing, Some(_)) => (BoxBody::new(()), true),
        (Tail::Own | Tail::Nothing, None) => (BoxBody::new(()), false),
    };
    let mut response = Response::with_body(status, body);
    response.head_mut().reason = head.reason;
    if ends_connection {
        response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
    }
    for (name, value) in head.fields {
        if drops_type && name == "Content-Type" {
            continue;
        }
        // The writers in `protocol` make visible ASCII; a value that is none is left out rather
        // than sent broken.
        match (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => response.headers_mut().append(name, value),
            (Err(_), _) | (_, Err(_)) => tracing::error!(field = name, "a field cannot be sent"),
        }
    }
    response
}

/// A body of which only the length is told: the answer to `HEAD` on a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct LengthOnly(pub(super) u64);

impl MessageBody for LengthOnly {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0)
    }

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, Self::Error>>> {
        std::task::Poll::Ready(None)
    }
}
