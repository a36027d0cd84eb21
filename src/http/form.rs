//! HTML forms: one file and its answer, in one request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_core::Stream as _;

use crate::auth::Grant;
use crate::engine::{Body as FirstBody, WhenCut};
use crate::protocol::form::{self, Event, Reader, refused, stored};
use crate::protocol::head::ResponseHead;
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::upload::{Metadata, NewSession};

use super::body::{Body, Cut, Source};
use super::call::Call;
use super::connection::Connection;
use super::failure::Failure;
use super::gateway::Gateway;
use super::reply::{Tail, response};

/// The address of forms: `POST` takes one.
pub(super) async fn endpoint(
    request: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
) -> HttpResponse {
    let call = Call::new(&gateway, request.head()).by(request.conn_data());
    let outcome = match call.method {
        Method::Options => Ok(form::offered()),
        Method::Post => take(&call, payload, request.conn_data()).await,
        Method::Head
        | Method::Get
        | Method::Put
        | Method::Patch
        | Method::Delete
        | Method::Other => Err(Problem::MethodNotAllowed { allow: form::METHODS }),
    };
    let (head, ends_connection) = match outcome {
        Ok(head) => (head, false),
        Err(problem) => (refused(&problem), problem.ends_connection()),
    };
    let tail = if call.method == Method::Head { Tail::Nothing } else { Tail::Own };
    HttpResponse::from(response(call.with_cors(head), tail, ends_connection))
}

/// Stores the file of a form. Unless the form comes to its proper end, nothing of it stays (F-15).
async fn take(
    call: &Call<'_>,
    payload: Payload,
    connection: Option<&Connection>,
) -> Result<ResponseHead, Problem> {
    let began = Instant::now();
    let (grant, boundary) = call.form().await.map_err(|failure| failure.problem(None))?;
    let (gateway, settings) = (call.gateway, &call.gateway.settings);
    let reader = Reader::new(&boundary, gateway.profile.max_metadata_bytes);
    let mut body = Body::of(Form::new(payload, reader), connection);
    body.ahead(settings, Form::poll_file).await?;

    let first = FirstBody { bytes: None, digest: None, when_cut: WhenCut::Discard };
    let body = body.of_client(call.client_of(&grant.owner));
    let new = gateway.counted(of_unknown_length(grant));
    let transfer = gateway.engine.create_with_body(new, first).await;
    let transfer = transfer.map_err(|error| Failure::from(error).problem(None))?;
    let id = transfer.id();
    let poured = body.pour(transfer, call).await;
    let session = poured.map_err(|failure| failure.problem(Some(id)).with_nothing_kept())?;
    Ok(stored(&session, &call.place, began.elapsed()))
}

/// How long it is and what it is called is known at the end of the form.
fn of_unknown_length(grant: Grant) -> NewSession {
    let new = NewSession::of(grant.owner, None, Metadata::default());
    NewSession { max_length: grant.max_length, ..new }
}

/// The file within a form.
struct Form {
    payload: Pin<Box<Payload>>,
    reader: Reader,
    /// What has arrived and was not read yet.
    rest: Bytes,
    metadata: Option<Metadata>,
}

impl Form {
    fn new(payload: Payload, reader: Reader) -> Self {
        Self { payload: Box::pin(payload), reader, rest: Bytes::new(), metadata: None }
    }

    /// Reads up to the file. A form without one has come to an end that is refused.
    fn poll_file(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        self.poll_event(cx).map_ok(|_| ())
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Cut>> {
        loop {
            if let Some(event) = self.reader.next(&mut self.rest).map_err(Cut::Refused)? {
                return Poll::Ready(Ok(Some(event)));
            }
            match ready!(self.payload.as_mut().poll_next(cx)) {
                Some(piece) => self.rest = piece.map_err(|_| Cut::Broken)?,
                None => {
                    self.metadata = Some(self.reader.finish().map_err(Cut::Refused)?);
                    return Poll::Ready(Ok(None));
                }
            }
        }
    }
}

impl Source for Form {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            match ready!(self.poll_event(cx)) {
                Ok(Some(Event::Bytes(bytes))) => return Poll::Ready(Some(Ok(bytes))),
                Ok(Some(Event::File)) => {}
                Ok(None) => return Poll::Ready(None),
                Err(cut) => return Poll::Ready(Some(Err(cut))),
            }
        }
    }

    fn closing(&mut self) -> Option<Metadata> {
        self.metadata.take()
    }
}
