//! A slot that was begun and goes on by tus, or comes in chunks: with its own token, at its own
//! address.
//!
//! The token is for the whole file, so that it is judged with what the first request said of that.

use crate::engine::{AppendOrder, ChunkOrder, ChunkStart, EngineError};
use crate::protocol::chunked::chunk;
use crate::protocol::problem::Problem;
use crate::protocol::tus::{append, inspect};
use crate::protocol::xep0363::request::OCTET_STREAM;
use crate::protocol::xep0363::{Intent, SlotRequest, TokenError, name, put};
use crate::upload::{NewSession, Owner, Session, UploadId};

use super::super::body::Body;
use super::super::call::{Call, within};
use super::super::failure::Failure;
use super::super::gateway::Chunking;
use super::super::reply::Tail;
use super::super::settings::SlotTenant;
use super::{Outcome, gone, noted, turned_away, verified};

/// Where a slot stands, for tus clients that hold its token.
pub(super) async fn stand(call: &Call<'_>, tenant: &SlotTenant) -> Outcome {
    inspect::read(&call.head)?;
    let (id, owner) = continued(call, tenant).await?;
    let session = call.gateway.engine.inspect(id, &owner).await?;
    call.has_looked_at(id);
    Ok((inspect::inspected(&session, &call.gateway.profile), Tail::Nothing))
}

/// Adds bytes to a slot by tus.
pub(super) async fn add(call: &Call<'_>, tenant: &SlotTenant, body: Body) -> Outcome {
    let append::Append { request, digest } = append::read(&call.head, &call.gateway.profile)?;
    let (id, owner) = continued(call, tenant).await?;
    let body = body.of_client(call.client_of(&owner));
    let order = AppendOrder { id, owner, request, digest };
    let transfer = call.gateway.engine.append(order).await?;
    let session = body.pour(transfer, call).await?;
    Ok((append::appended(&session, &call.gateway.profile), Tail::Own))
}

/// Brings a chunk of a slot: 201 once all of it can be fetched.
pub(super) async fn bring(
    call: &Call<'_>,
    (tenant, chunking): (&SlotTenant, &Chunking),
    body: Body,
) -> Outcome {
    let chunk = chunk::read(&call.head, &chunking.terms)?;
    let claim = chunk.claim;
    let whole = SlotRequest::whole(&call.head, call.query(), Intent::Put);
    let whole = whole.map_err(|why| turned_away(call, &why))?;
    let id = named(call, tenant)?;
    let known = Known::of(call, id).await?;
    let said = claim.length.or_else(|| claim.range.map(|range| range.complete));
    let length = known.as_ref().map(|known| known.length).or(said).unwrap_or(0);
    let media_type = known.as_ref().map_or(whole.media_type, |known| &known.media_type);
    let request = SlotRequest { length: Some(length), media_type, ..whole };
    let verified = verified(call, tenant, &request)?;
    within(tenant.max_length, length)?;
    let owner = name::owner(&tenant.tenant.base, verified.owner.as_ref());
    let metadata = name::metadata(&verified).map_err(Problem::InvalidMetadata)?;
    let new = NewSession {
        expects: chunk.opening.expects,
        max_length: tenant.max_length,
        ..NewSession::of(owner.clone(), None, metadata)
    };
    let new = tenant.opened(new, &verified, call.gateway.now());
    let opens = known.is_none().then_some(new);
    let body = body.of_client(call.client_of(&owner));
    let order = ChunkOrder { id, owner, claim, digest: chunk.digest, opens };
    let session = match call.gateway.engine.chunk(order).await.map_err(gone)? {
        ChunkStart::There(session) => session,
        ChunkStart::Receive(transfer) => body.pour(transfer, call).await.map_err(settled)?,
    };
    Ok((put::answered(&session), Tail::Own))
}

/// A body is judged before the whole file is: a mismatch that leaves no offset is the file's.
fn settled(failure: Failure) -> Failure {
    if matches!(failure, Failure::Engine(EngineError::ChecksumMismatch { offset: None })) {
        return Problem::UploadMismatch.into();
    }
    failure
}

/// What the first request of a slot said of its file.
struct Known {
    length: u64,
    media_type: String,
}

impl Known {
    /// `None` if there was none, or the file is gone.
    async fn of(call: &Call<'_>, id: UploadId) -> Result<Option<Self>, Failure> {
        let session = call.gateway.engine.session(id).await?;
        Ok(session.as_ref().and_then(|session: &Session| {
            let said = session.metadata().get("filetype");
            let media_type = said.and_then(|said| String::from_utf8(said).ok());
            let media_type = media_type.unwrap_or_else(|| OCTET_STREAM.to_owned());
            Some(Self { length: session.length()?.get(), media_type })
        }))
    }
}

/// The upload that a token's request is about, before the token is judged.
fn named(call: &Call<'_>, tenant: &SlotTenant) -> Result<UploadId, Problem> {
    let slot = tenant.tenant.slot(call.head.path).map_err(|_| Problem::SlotPath)?;
    let id = call.gateway.settings.slots.ids.upload(&tenant.tenant.base, &slot);
    noted(id);
    Ok(id)
}

/// The upload of a slot that was begun, if the token allows to go on with it.
async fn continued(call: &Call<'_>, tenant: &SlotTenant) -> Result<(UploadId, Owner), Failure> {
    let id = named(call, tenant)?;
    let known = Known::of(call, id).await?;
    // Without anything stored, any length does to tell a forged token from a genuine one.
    let (length, media_type) =
        known.as_ref().map_or((0, OCTET_STREAM), |known| (known.length, &known.media_type));
    let request = SlotRequest::continuing(&call.head, call.query(), Some(length), media_type);
    let issuer = &tenant.tenant;
    let judged = request.and_then(|request| issuer.verify(&request, call.gateway.now()));
    match (known, judged) {
        (Some(_), Ok(verified)) => Ok((id, name::owner(&issuer.base, verified.owner.as_ref()))),
        (None, Ok(_) | Err(TokenError::OtherLength { .. } | TokenError::MediaType)) => {
            Err(Problem::NotFound.into())
        }
        (Some(_) | None, Err(why)) => Err(turned_away(call, &why).into()),
    }
}
