//! The handlers of slots: XEP-0363 uploads below the base paths of their issuers.
//!
//! A slot is an upload like any other; what is special is who may write it: whoever holds a token
//! that the issuer signed. Reading takes the address alone.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::engine::{EngineError, PutOrder, PutStart, Reader, WhenCut};
use crate::protocol::chunked::content_range::CONTENT_RANGE;
use crate::protocol::download as wire;
use crate::protocol::head::ResponseHead;
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::protocol::tus as speaking;
use crate::protocol::tus::append;
use crate::protocol::xep0363::{
    Intent, SlotRequest, TokenError, Verified, answers, name, put, refused, status,
};
use crate::upload::{NewSession, Refusal, Session, UploadId, UploadLength};

use super::body::Body;
use super::call::{Call, within};
use super::download;
use super::failure::Failure;
use super::gateway::Gateway;
use super::reply::{Tail, response};
use super::settings::SlotTenant;
use super::{routes, tus};

mod continued;

type Outcome = Result<(ResponseHead, Tail), Failure>;

/// Whatever has no address of its own: a slot, or nothing.
pub(super) async fn elsewhere(
    request: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
) -> HttpResponse {
    let call = Call::new(&gateway, request.head()).by(request.conn_data());
    let Some(tenant) = tenant_of(&call) else { return tus::elsewhere(&call) };
    let outcome = match call.method {
        Method::Put | Method::Post if call.brings_a_chunk() => match &gateway.chunks {
            Some(chunking) => {
                let body = Body::new(payload, request.conn_data());
                continued::bring(&call, (tenant, chunking), body).await
            }
            None => Err(Problem::NotFound.into()),
        },
        Method::Options => Ok((answers::options(&tenant.tenant.scheme), Tail::Own)),
        Method::Put => store(&call, tenant, Body::new(payload, request.conn_data())).await,
        Method::Patch if !gateway.settings.resumption => {
            let allow = answers::allow_whole(&tenant.tenant.scheme);
            Err(Problem::MethodNotAllowed { allow }.into())
        }
        Method::Head if speaks_tus(&call) && gateway.settings.resumption => {
            continued::stand(&call, tenant).await
        }
        Method::Patch => {
            continued::add(&call, tenant, Body::new(payload, request.conn_data())).await
        }
        Method::Get if call.head.method == "HEAD" => look(&call, tenant).await,
        Method::Get => fetch(&call, tenant).await,
        Method::Head => look(&call, tenant).await,
        Method::Delete if tenant.deletes() => remove(&call, tenant).await,
        Method::Delete | Method::Post | Method::Other => {
            Err(Problem::MethodNotAllowed { allow: answers::allow(&tenant.tenant.scheme) }.into())
        }
    };
    answer(&call, outcome)
}

/// What can be said before the body, without a store; `None` elsewhere than at slots.
pub(super) fn judged(call: &Call<'_>) -> Option<Result<(), Failure>> {
    if routes::are_fixed(call.head.path, call.gateway) {
        return None;
    }
    let tenant = tenant_of(call)?;
    Some(match call.method {
        Method::Put | Method::Post if call.brings_a_chunk() => Ok(()),
        Method::Put => Order::read(call, tenant).map(|_| ()),
        Method::Patch => {
            append::read(&call.head, &call.gateway.profile).map(|_| ()).map_err(Failure::from)
        }
        // Whatever else it is, its handler answers; nothing is gained by refusing it here.
        Method::Options
        | Method::Head
        | Method::Get
        | Method::Post
        | Method::Delete
        | Method::Other => Ok(()),
    })
}

/// The issuer whose slots live where the request goes.
fn tenant_of<'a>(call: &Call<'a>) -> Option<&'a SlotTenant> {
    let tenants = &call.gateway.settings.slots.tenants;
    let theirs = tenants.iter().filter(|tenant| tenant.tenant.base.holds(call.head.path));
    // Only the root holds other base paths: it has what is left over.
    theirs.max_by_key(|tenant| tenant.tenant.base.as_str().len())
}

/// A `PUT` whose token is genuine.
struct Order {
    put: PutOrder,
    new: NewSession,
    length: UploadLength,
}

impl Order {
    /// Reads a `PUT` and refuses what cannot be taken; touches no store.
    fn read(call: &Call<'_>, tenant: &SlotTenant) -> Result<Self, Failure> {
        let put = put::read(&call.head, call.query())?;
        let verified = verified(call, tenant, &put.request)?;
        let length = put.request.length.and_then(UploadLength::new);
        let length = length.ok_or(Problem::ContentLengthRequired)?;
        let resumption = call.gateway.settings.resumption;
        if !resumption && put.body_bytes != length.get() {
            let expected = "the whole file without it: uploads cannot be continued here";
            return Err(Problem::MalformedField { field: CONTENT_RANGE, expected }.into());
        }
        within(tenant.max_length, length.get())?;
        call.has_room_for(put.body_bytes)?;
        let owner = name::owner(&tenant.tenant.base, verified.owner.as_ref());
        let metadata = name::metadata(&verified).map_err(Problem::InvalidMetadata)?;
        let new = NewSession::of(owner.clone(), Some(length), metadata);
        let new = tenant.opened(new, &verified, call.gateway.now());
        let order = PutOrder {
            id: id(call, tenant, &verified),
            owner,
            from: put.from,
            body_bytes: Some(put.body_bytes),
            opens: None,
            when_cut: if resumption { WhenCut::Keep } else { WhenCut::Discard },
        };
        Ok(Self { put: order, new, length })
    }
}

/// Stores what a `PUT` brings: 201 once all of it is durable and can be fetched.
async fn store(call: &Call<'_>, tenant: &SlotTenant, body: Body) -> Outcome {
    let Order { put, new, length } = Order::read(call, tenant)?;
    let (gateway, id) = (call.gateway, put.id);
    noted(id);
    let known = gateway.engine.session(id).await?;
    // Not every scheme signs the length; the first request of a slot then fixes it.
    if let Some(signed) = known.as_ref().and_then(Session::length).filter(|known| *known != length)
        && known.as_ref().is_some_and(|session| !session.is_complete())
    {
        return Err(Problem::SlotLength { length: signed }.into());
    }
    let body = body.of_client(call.client_of(&new.owner));
    let order = PutOrder { opens: Some(new), ..put };
    let session = match gateway.engine.put(order).await.map_err(gone)? {
        // An empty file is complete as soon as there is one.
        PutStart::There(session) if known.is_none() && length == UploadLength::ZERO => *session,
        PutStart::There(_) => return Err(Problem::SlotComplete.into()),
        PutStart::Receive(transfer) => body.pour(transfer, call).await?,
    };
    Ok((put::answered(&session), Tail::Own))
}

/// Whether the client named the version of tus that it speaks.
fn speaks_tus(call: &Call<'_>) -> bool {
    call.head.has("Tus-Resumable")
}

async fn fetch(call: &Call<'_>, tenant: &SlotTenant) -> Outcome {
    let opened = call.gateway.engine.read(named(call, tenant)?, Reader::Anyone).await?;
    download::send(call, opened, wire::Sharing::Public)
}

async fn look(call: &Call<'_>, tenant: &SlotTenant) -> Outcome {
    let opened = call.gateway.engine.read(named(call, tenant)?, Reader::Anyone).await?;
    download::show(call, opened.session(), wire::Sharing::Public)
}

/// Deletes a slot's file; one that is gone already is as good.
async fn remove(call: &Call<'_>, tenant: &SlotTenant) -> Outcome {
    let request = SlotRequest::whole(&call.head, call.query(), Intent::Delete);
    let request = request.map_err(|why| turned_away(call, &why))?;
    let verified = verified(call, tenant, &request)?;
    let id = id(call, tenant, &verified);
    noted(id);
    let owner = name::owner(&tenant.tenant.base, verified.owner.as_ref());
    match call.gateway.engine.terminate(id, &owner).await {
        Ok(())
        | Err(
            EngineError::NotFound | EngineError::Refused(Refusal::Expired | Refusal::Terminated),
        ) => Ok((answers::deleted(), Tail::Own)),
        Err(error) => Err(error.into()),
    }
}

fn verified(
    call: &Call<'_>,
    tenant: &SlotTenant,
    request: &SlotRequest<'_>,
) -> Result<Verified, Problem> {
    let verified = tenant.tenant.verify(request, call.gateway.now());
    verified.map_err(|why| turned_away(call, &why))
}

/// Notes a refused token for whoever bans guessers.
fn turned_away(call: &Call<'_>, why: &TokenError) -> Problem {
    call.note_turned_away("slot", why);
    status::problem(why)
}

fn id(call: &Call<'_>, tenant: &SlotTenant, verified: &Verified) -> UploadId {
    call.gateway.settings.slots.ids.upload(&tenant.tenant.base, &verified.path)
}

/// The upload of the slot that the path names.
fn named(call: &Call<'_>, tenant: &SlotTenant) -> Result<UploadId, Problem> {
    let base = &tenant.tenant.base;
    let slot = base.slot(call.head.path).map_err(|_| Problem::SlotPath)?;
    let id = call.gateway.settings.slots.ids.upload(base, &slot);
    noted(id);
    Ok(id)
}

fn noted(id: UploadId) {
    tracing::Span::current().record("upload", tracing::field::display(id));
}

/// A slot whose file is gone takes no other: only holders of its token learn that.
fn gone(error: EngineError) -> Failure {
    match error {
        EngineError::NotFound | EngineError::Refused(Refusal::Terminated) => {
            Problem::Expired.into()
        }
        error @ (EngineError::Refused(_)
        | EngineError::ChecksumMismatch { .. }
        | EngineError::TakenOver { .. }
        | EngineError::Busy
        | EngineError::NoRoom { .. }
        | EngineError::Overloaded
        | EngineError::ShuttingDown
        | EngineError::Storage(_)) => error.into(),
    }
}

/// The outcome as a response, with what browsers have to be told.
fn answer(call: &Call<'_>, outcome: Outcome) -> HttpResponse {
    let (head, tail, ends_connection) = match outcome {
        Ok((head, tail)) => (head, tail, false),
        Err(failure) => {
            let problem = failure.problem(None);
            let tail = if call.head.method == "HEAD" { Tail::Nothing } else { Tail::Own };
            (refusal(call, &problem), tail, problem.ends_connection())
        }
    };
    HttpResponse::from(response(call.with_cors(head), tail, ends_connection))
}

/// A refusal; of a download it has what downloads need, such as `Content-Range`.
pub(super) fn refusal(call: &Call<'_>, problem: &Problem) -> ResponseHead {
    if speaks_tus(call) {
        return speaking::refused(problem);
    }
    let head = refused(problem);
    match call.method {
        Method::Get => {
            let of_download = wire::refused(problem);
            ResponseHead { status: head.status, ..of_download }
        }
        Method::Options
        | Method::Head
        | Method::Post
        | Method::Put
        | Method::Patch
        | Method::Delete
        | Method::Other => head,
    }
}
