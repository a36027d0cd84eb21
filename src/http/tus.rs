//! The handlers of tus: parse, ask the engine, pour the body, answer.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::auth::Verb;
use crate::engine::{AppendOrder, Body as FirstBody, EngineError, WhenCut};
use crate::protocol::download as wire;
use crate::protocol::head::{BodyLength, ResponseHead};
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::protocol::tus::create::{Create, created, cut_short};
use crate::protocol::tus::inspect::{self, Asker};
use crate::protocol::tus::{append, carries_bytes, options, refused, terminate};
use crate::upload::{Relation, Session, UploadId};

use super::body::Body;
use super::call::Call;
use super::failure::Failure;
use super::gateway::Gateway;
use super::reply::{Tail, response};
use super::{chunked, download};

type Outcome = Result<(ResponseHead, Tail), Failure>;

/// The upload endpoint: `POST` creates.
pub(super) async fn endpoint(
    request: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
) -> HttpResponse {
    let mut call = Call::new(&gateway, request.head()).by(request.conn_data());
    let outcome = match call.method {
        Method::Options if !gateway.settings.resumption => Ok(offered(options::NOTHING)),
        Method::Options => Ok((options::offered(&gateway.profile), Tail::Own)),
        Method::Post if !gateway.settings.resumption => {
            Err(Problem::MethodNotAllowed { allow: options::NOTHING }.into())
        }
        Method::Post => create(&mut call, Body::new(payload, request.conn_data())).await,
        Method::Head
        | Method::Get
        | Method::Put
        | Method::Patch
        | Method::Delete
        | Method::Other => {
            Err(Problem::MethodNotAllowed { allow: gateway.profile.methods_of_the_endpoint() }
                .into())
        }
    };
    answer(&call, None, outcome)
}

/// An upload: `PATCH` adds, `HEAD` asks, `GET` downloads, `DELETE` removes; a chunk is a chunk.
pub(super) async fn upload(
    request: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
) -> HttpResponse {
    let call = Call::new(&gateway, request.head()).by(request.conn_data());
    let id = request.match_info().get("id").and_then(|text| text.parse::<UploadId>().ok());
    if call.brings_a_chunk() {
        return chunked::upload(&call, id, Body::new(payload, request.conn_data())).await;
    }
    let of_a_file = gateway.profile.methods_of_a_file();
    let outcome = match (call.method, id) {
        (Method::Options, _) if !gateway.settings.resumption => Ok(offered(of_a_file)),
        (Method::Patch, _) if !gateway.settings.resumption => {
            Err(Problem::MethodNotAllowed { allow: of_a_file }.into())
        }
        // What is offered does not depend on the upload, so it need not exist (T-50).
        (Method::Options, _) => Ok((options::offered(&gateway.profile), Tail::Own)),
        (Method::Post | Method::Put | Method::Other, _) => {
            Err(Problem::MethodNotAllowed { allow: gateway.profile.methods_of_an_upload() }.into())
        }
        (Method::Head | Method::Get | Method::Patch | Method::Delete, None) => {
            Err(Problem::NotFound.into())
        }
        (Method::Head, Some(id)) => look(&call, id).await,
        (Method::Get, Some(id)) if call.head.method == "HEAD" => look(&call, id).await,
        (Method::Get, Some(id)) => download::get(&call, id).await,
        (Method::Patch, Some(id)) => add(&call, id, Body::new(payload, request.conn_data())).await,
        (Method::Delete, Some(id)) => remove(&call, id).await,
    };
    answer(&call, id, outcome)
}

/// Anything else.
pub(super) fn elsewhere(call: &Call<'_>) -> HttpResponse {
    let endpoint = call.place.endpoint().into();
    answer(call, None, Err(Problem::UnknownAddress { endpoint }.into()))
}

/// `204` where uploads cannot be continued: nothing of tus, only the methods of an address.
fn offered(methods: &'static str) -> (ResponseHead, Tail) {
    (ResponseHead::new(204).with("Allow", methods), Tail::Own)
}

async fn create(call: &mut Call<'_>, mut body: Body) -> Outcome {
    let (gateway, settings) = (call.gateway, &call.gateway.settings);
    if call.head.body == BodyLength::Unknown && !carries_bytes(&call.head) {
        // Before waiting for a byte, whoever may not create is sent away.
        call.grant(Verb::Create).await?;
        if body.is_empty(settings).await? {
            call.head.body = BodyLength::Empty;
        }
    }
    let session = match call.creation().await? {
        Create::Upload(new) => gateway.engine.create(new).await?,
        Create::Final(order) => gateway.engine.concatenate(order).await?,
        Create::WithBody(new, first) => {
            let first =
                FirstBody { bytes: first.bytes, digest: first.digest, when_cut: WhenCut::Keep };
            let body = body.of_client(call.client_of(&new.owner));
            let transfer = gateway.engine.create_with_body(new, first).await?;
            let (id, location) = (transfer.id(), call.place.of(transfer.id()));
            let poured = body.pour(transfer, &*call).await;
            poured.map_err(|failure| failure.in_creation(id, location))?
        }
    };
    Ok((created(&session, &call.place, &gateway.profile), Tail::Own))
}

async fn add(call: &Call<'_>, id: UploadId, body: Body) -> Outcome {
    let (owner, append::Append { request, digest }) = call.addition().await?;
    let body = body.of_client(call.client_of(&owner));
    let order = AppendOrder { id, owner, request, digest };
    let transfer = call.gateway.engine.append(order).await?;
    let session = body.pour(transfer, call).await?;
    Ok((append::appended(&session, &call.gateway.profile), Tail::Own))
}

async fn look(call: &Call<'_>, id: UploadId) -> Outcome {
    let asker = inspect::read(&call.head)?;
    let anybody = asker == Asker::Anybody;
    // Where the address is the key, whoever has it may see the file, but not the upload.
    if anybody
        && !call.has_credential()
        && let Some(opened) = download::by_address(call, id).await
    {
        return download::look(call, opened?.session());
    }
    let owner = match call.grant(Verb::Inspect).await {
        // Who may download but not ask is told what a download would be.
        Err(Problem::Forbidden) if anybody => return download::head(call, id).await,
        granted => granted?.owner,
    };
    let session = match call.gateway.engine.inspect(id, &owner).await {
        Err(EngineError::NotFound) if anybody => match download::by_address(call, id).await {
            Some(opened) => return download::look(call, opened?.session()),
            None => return Err(EngineError::NotFound.into()),
        },
        looked => looked?,
    };
    call.has_looked_at(id);
    let standing = inspect::inspected(&session, &call.gateway.profile);
    if asker == Asker::Tus || !is_served(&session) {
        return Ok((standing, Tail::Nothing));
    }
    let (file, tail) = download::look(call, &session)?;
    let status = file.status;
    Ok((ResponseHead { status, ..standing.with_missing(file) }, tail))
}

async fn remove(call: &Call<'_>, id: UploadId) -> Outcome {
    let owner = call.grant(Verb::Terminate).await?.owner;
    terminate::read(&call.head, &call.gateway.profile)?;
    call.gateway.engine.terminate(id, &owner).await?;
    Ok((terminate::terminated(), Tail::Own))
}

/// Whether a `GET` would get it.
fn is_served(session: &Session) -> bool {
    match session.relation() {
        Relation::Partial => false,
        Relation::Whole | Relation::Final { .. } => session.is_complete(),
    }
}

/// The outcome as a response, with what browsers have to be told.
fn answer(call: &Call<'_>, id: Option<UploadId>, outcome: Outcome) -> HttpResponse {
    let (head, tail, ends_connection) = match outcome {
        Ok((head, tail)) => (head, tail, false),
        Err(Failure::LeftBehind { problem, location }) => {
            (cut_short(&problem, location), Tail::Own, problem.ends_connection())
        }
        Err(failure) => {
            let problem = failure.problem(id);
            let head = match call.method {
                Method::Get => wire::refused(&problem),
                Method::Options
                | Method::Head
                | Method::Post
                | Method::Put
                | Method::Patch
                | Method::Delete
                | Method::Other => refused(&problem),
            };
            let tail = if call.method == Method::Head { Tail::Nothing } else { Tail::Own };
            (head, tail, problem.ends_connection())
        }
    };
    HttpResponse::from(response(call.with_cors(head), tail, ends_connection))
}
