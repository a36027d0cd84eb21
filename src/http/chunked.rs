//! The handlers of chunk headers: find the session, ask the engine, pour the body, answer.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::auth::{Grant, Verb};
use crate::engine::{ChunkOrder, ChunkStart, EngineError};
use crate::protocol::chunked::address::{is_ours, session_at, session_in};
use crate::protocol::chunked::chunk::{Arrival, Opening, stored};
use crate::protocol::chunked::name::{self, Named};
use crate::protocol::chunked::terminate::{allowed, methods_of_a_session, terminated};
use crate::protocol::chunked::{Called, SessionName, begin, inspect, refused};
use crate::protocol::head::{BodyLength, ResponseHead};
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::upload::geometry::{Against, Contradiction, Statement};
use crate::upload::{NewSession, Owner, Refusal, UploadId};

use super::body::Body;
use super::call::Call;
use super::failure::Failure;
use super::gateway::{Chunking, Gateway};
use super::reply::{Tail, response};

type Outcome = Result<(ResponseHead, Tail), Failure>;

/// The methods of the endpoint.
const OF_THE_ENDPOINT: &str = "OPTIONS, POST, PUT";
/// The methods of the status.
const OF_THE_STATUS: &str = "OPTIONS, GET, HEAD";

/// The endpoint: `POST` and `PUT` begin a session, or bring a chunk of the one that a field names.
pub(super) async fn endpoint(
    request: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
) -> HttpResponse {
    let mut call = Call::new(&gateway, request.head()).by(request.conn_data());
    let body = Body::new(payload, request.conn_data());
    let outcome = match (call.method, &gateway.chunks) {
        (_, None) => Err(Problem::NotFound.into()),
        (Method::Options, Some(_)) => Ok(offered(OF_THE_ENDPOINT)),
        (Method::Post | Method::Put, Some(chunking)) => {
            if begin::is_meant(&call.head) {
                begin(&mut call, chunking, body).await
            } else {
                let named = name::read(&call.head, &call.place);
                add(&call, chunking, named, body).await
            }
        }
        (Method::Head | Method::Get | Method::Patch | Method::Delete | Method::Other, Some(_)) => {
            Err(Problem::MethodNotAllowed { allow: OF_THE_ENDPOINT }.into())
        }
    };
    answer(&call, outcome)
}

/// A session: `PUT` and `POST` bring a chunk, `GET` and `HEAD` ask, `DELETE` cancels.
pub(super) async fn session(
    request: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
) -> HttpResponse {
    let call = Call::new(&gateway, request.head()).by(request.conn_data());
    let name = session_at(call.head.path).unwrap_or(Err(Problem::NotFound));
    let outcome = match (call.method, &gateway.chunks) {
        (_, None) => Err(Problem::NotFound.into()),
        (Method::Options, Some(chunking)) => Ok(offered(methods_of_a_session(&chunking.terms))),
        (Method::Post | Method::Put, Some(chunking)) => {
            let named = name.and_then(|name| not_otherwise(&call, name)).map(Some);
            add(&call, chunking, named, Body::new(payload, request.conn_data())).await
        }
        (Method::Head | Method::Get, Some(chunking)) => look(&call, chunking, name).await,
        (Method::Delete, Some(chunking)) => cancel(&call, chunking, name).await,
        (Method::Patch | Method::Other, Some(chunking)) => {
            Err(Problem::MethodNotAllowed { allow: methods_of_a_session(&chunking.terms) }.into())
        }
    };
    answer(&call, outcome)
}

/// The status of the session that the query names.
pub(super) async fn status(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let call = Call::new(&gateway, request.head()).by(request.conn_data());
    let outcome = match (call.method, &gateway.chunks) {
        (_, None) => Err(Problem::NotFound.into()),
        (Method::Options, Some(_)) => Ok(offered(OF_THE_STATUS)),
        (Method::Head | Method::Get, Some(chunking)) => {
            look(&call, chunking, session_in(request.query_string())).await
        }
        (Method::Post | Method::Put | Method::Patch | Method::Delete | Method::Other, Some(_)) => {
            Err(Problem::MethodNotAllowed { allow: OF_THE_STATUS }.into())
        }
    };
    answer(&call, outcome)
}

/// A chunk at the upload's own URL.
pub(super) async fn upload(call: &Call<'_>, id: Option<UploadId>, body: Body) -> HttpResponse {
    let outcome = match (id, &call.gateway.chunks) {
        (Some(id), Some(chunking)) => add(call, chunking, Ok(Some(Named::Upload(id))), body).await,
        (None, _) | (_, None) => Err(Problem::NotFound.into()),
    };
    answer(call, outcome)
}

/// What can be said before the body about a request of this protocol; `None` for any other, and for a form or a
/// creation that has a chunk's fields (C-42).
pub(super) async fn judged(call: &Call<'_>, at_an_upload: bool) -> Option<Result<(), Failure>> {
    let chunking = call.gateway.chunks.as_ref()?;
    let ours = is_ours(call.head.path);
    let stores = matches!(call.method, Method::Post | Method::Put);
    if !(ours && stores || at_an_upload && call.brings_a_chunk()) {
        return None;
    }
    Some(if ours && begin::is_meant(&call.head) {
        call.beginning(&chunking.terms).await.map(|_| ())
    } else {
        call.chunk(&chunking.terms).await.map(|_| ())
    })
}

async fn begin(call: &mut Call<'_>, chunking: &Chunking, mut body: Body) -> Outcome {
    let (gateway, terms) = (call.gateway, &chunking.terms);
    if call.head.body == BodyLength::Unknown {
        // Before waiting for a byte, whoever may not create is sent away.
        call.grant(Verb::Create).await?;
        if body.is_empty(&gateway.settings).await? {
            call.head.body = BodyLength::Empty;
        }
    }
    let (grant, begin) = call.beginning(terms).await?;
    let geometry = begin.geometry;
    let new = NewSession {
        geometry: Some(geometry),
        expects: begin.expects,
        max_length: grant.max_length,
        ..NewSession::of(grant.owner, None, begin.metadata)
    };
    let session = gateway.engine.create(gateway.counted(new)).await?;
    let name = SessionName::of(session.id());
    let called = Called { name: &name, session: &session };
    Ok((begin::begun(&called, &geometry, &call.place, terms), Tail::Own))
}

async fn add(
    call: &Call<'_>,
    chunking: &Chunking,
    named: Result<Option<Named>, Problem>,
    body: Body,
) -> Outcome {
    let (owner, chunk) = call.chunk(&chunking.terms).await?;
    let named = named?.ok_or(Problem::MissingField {
        field: name::X_UPLOAD_SESSION_ID,
        expected: name::EXPECTED,
    })?;
    let meant = Meant::by(call, chunking, named, &owner).await?;
    let opens = meant.opening(call, chunk.opening).await?;
    let terms = call.suited(&chunking.terms, &owner);
    let body = body.of_client(call.client_of(&owner));
    let order = ChunkOrder { id: meant.id, opens, owner, claim: chunk.claim, digest: chunk.digest };
    let started = call.gateway.engine.chunk(order).await;
    let started = started.map_err(|error| meant.explained(error))?;
    let (session, arrival) = match started {
        ChunkStart::There(session) => (session, Arrival::Before),
        ChunkStart::Receive(transfer) => {
            let poured = body.pour(transfer, call).await;
            (poured.map_err(settled)?, Arrival::Now)
        }
    };
    let called = Called { name: &meant.name, session: &session };
    let head = stored(&called, chunk.claim.chunk, arrival, &call.place, &terms);
    Ok((head, Tail::Own))
}

async fn look(call: &Call<'_>, chunking: &Chunking, name: Result<SessionName, Problem>) -> Outcome {
    let owner = call.grant(Verb::Inspect).await?.owner;
    let meant = Meant::by(call, chunking, Named::Session(name?), &owner).await?;
    let session = call.gateway.engine.peek(meant.id, &owner).await?;
    let terms = call.suited(&chunking.terms, &owner);
    call.has_looked_at(meant.id);
    let called = Called { name: &meant.name, session: &session };
    let tail = if call.head.method == "HEAD" { Tail::Nothing } else { Tail::Own };
    Ok((inspect::inspected(&called, &call.place, &terms), tail))
}

async fn cancel(
    call: &Call<'_>,
    chunking: &Chunking,
    name: Result<SessionName, Problem>,
) -> Outcome {
    let owner = call.grant(Verb::Terminate).await?.owner;
    allowed(&chunking.terms)?;
    let meant = Meant::by(call, chunking, Named::Session(name?), &owner).await?;
    call.gateway.engine.terminate(meant.id, &owner).await?;
    Ok((terminated(), Tail::Own))
}

/// Which upload a request means, and by which name.
struct Meant {
    id: UploadId,
    name: SessionName,
    /// Whether the name was chosen by the client: only then may a chunk begin the session (C-15).
    is_chosen: bool,
}

impl Meant {
    /// Finds it (C-2, C-3, C-5). Whether it is there at all is for the engine to say.
    async fn by(
        call: &Call<'_>,
        chunking: &Chunking,
        named: Named,
        owner: &Owner,
    ) -> Result<Self, Failure> {
        let meant = match named {
            Named::Upload(id) => Self { id, name: SessionName::of(id), is_chosen: false },
            Named::Session(name) => match name.issued() {
                Some(id) if is_theirs(call, id, owner).await? => {
                    Self { id, name, is_chosen: false }
                }
                Some(_) | None => {
                    let id = chunking.names.upload(owner, &name);
                    Self { id, name, is_chosen: true }
                }
            },
        };
        tracing::Span::current().record("upload", tracing::field::display(meant.id));
        Ok(meant)
    }

    /// What a chunk begins, if there is no session yet: that takes the right to create one.
    async fn opening(
        &self,
        call: &Call<'_>,
        opening: Opening,
    ) -> Result<Option<NewSession>, Failure> {
        if !self.is_chosen || call.gateway.engine.session(self.id).await?.is_some() {
            return Ok(None);
        }
        let Grant { owner, max_length, .. } = call.grant(Verb::Create).await?;
        let new = NewSession::of(owner, None, opening.metadata);
        let new = NewSession { expects: opening.expects, max_length, ..new };
        Ok(Some(call.gateway.counted(new)))
    }

    /// What the engine says, in the words of this protocol.
    fn explained(&self, error: EngineError) -> Failure {
        let begins_nothing = matches!(error, EngineError::Refused(Refusal::GeometryUnknown));
        if begins_nothing && self.is_chosen && self.name.issued().is_some() {
            // Who used an id of ours did not mean to begin anything: the session is gone (C-16).
            return Problem::NotFound.into();
        }
        if let EngineError::Refused(Refusal::OffsetMismatch { expected }) = error {
            // The chunk is there up to here, which is not where the upload stands (C-61).
            let (statement, against) = (Statement::RangeStart, Against::Session);
            let expected = expected.get();
            return Problem::ChunkContradicts(Contradiction { statement, against, expected })
                .into();
        }
        error.into()
    }
}

/// A body is judged before the whole upload is: a mismatch that leaves no offset is the upload's.
fn settled(failure: Failure) -> Failure {
    if matches!(failure, Failure::Engine(EngineError::ChecksumMismatch { offset: None })) {
        return Problem::UploadMismatch.into();
    }
    failure
}

/// Whether the owner has an upload with this id; disturbs nobody who writes it.
async fn is_theirs(call: &Call<'_>, id: UploadId, owner: &Owner) -> Result<bool, EngineError> {
    let session = call.gateway.engine.session(id).await?;
    Ok(session.is_some_and(|session| session.owner() == owner))
}

/// The session of the URL, unless the field names another one (C-6).
fn not_otherwise(call: &Call<'_>, name: SessionName) -> Result<Named, Problem> {
    let url = Named::Session(name);
    match name::read(&call.head, &call.place)? {
        Some(field) if field != url => Err(Problem::MalformedField {
            field: name::X_UPLOAD_SESSION_ID,
            expected: "the session id that the URL has, or leave it out",
        }),
        Some(_) | None => Ok(url),
    }
}

/// `204`: the methods of an address.
fn offered(methods: &'static str) -> (ResponseHead, Tail) {
    (ResponseHead::new(204).with("Allow", methods), Tail::Own)
}

/// The outcome as a response, with what browsers have to be told.
fn answer(call: &Call<'_>, outcome: Outcome) -> HttpResponse {
    let (head, tail, ends_connection) = match outcome {
        Ok((head, tail)) => (head, tail, false),
        Err(failure) => {
            let problem = failure.problem(None);
            let tail = if call.head.method == "HEAD" { Tail::Nothing } else { Tail::Own };
            (refused(&problem), tail, problem.ends_connection())
        }
    };
    HttpResponse::from(response(call.with_cors(head), tail, ends_connection))
}
