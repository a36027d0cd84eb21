//! `GET`, and the download side of `HEAD`.

use actix_http::body::BoxBody;

use crate::auth::Verb;
use crate::engine::{Download, EngineError, Reader};
use crate::protocol::download::{self, Representation, Sharing};
use crate::protocol::head::ResponseHead;
use crate::tuning::Direction;
use crate::upload::{Session, UploadId};

use super::call::Call;
use super::failure::Failure;
use super::file_body::FileBody;
use super::gateway::Gateway;
use super::reply::{LengthOnly, Tail};

/// `GET` of a finished upload.
pub(super) async fn get(call: &Call<'_>, id: UploadId) -> Result<(ResponseHead, Tail), Failure> {
    let opened = opened(call, id).await?;
    let sharing = sharing(call, opened.session());
    send(call, opened, sharing)
}

/// What a `GET` of an opened upload is answered with.
pub(super) fn send(
    call: &Call<'_>,
    opened: Download,
    sharing: Sharing,
) -> Result<(ResponseHead, Tail), Failure> {
    let file = representation(opened.session(), sharing);
    // As unguessable as an id, so that no upload contains it.
    let boundary = UploadId::generate().to_string();
    let answer = download::answer(&call.head, &file, &boundary, call.gateway.now())?;
    if answer.content.length() == 0 {
        return Ok((answer.head, Tail::Nothing));
    }
    let Gateway { settings, memory, tuner, .. } = call.gateway;
    let (memory, id) = (memory.downloads.clone(), opened.session().id());
    let course = tuner.course(Direction::Down, id, settings.read_buffer_bytes, None);
    let body = FileBody::new(opened, answer.content, course, memory);
    let body = body.over(call.connection().cloned());
    Ok((answer.head, Tail::Body(BoxBody::new(body))))
}

/// `HEAD` of a finished upload by somebody who may download but not see the upload itself.
pub(super) async fn head(call: &Call<'_>, id: UploadId) -> Result<(ResponseHead, Tail), Failure> {
    let opened = opened(call, id).await?;
    look(call, opened.session())
}

/// The download side of a finished upload, without its bytes.
pub(super) fn look(call: &Call<'_>, session: &Session) -> Result<(ResponseHead, Tail), Failure> {
    show(call, session, sharing(call, session))
}

/// What a `HEAD` of an opened upload is answered with.
pub(super) fn show(
    call: &Call<'_>,
    session: &Session,
    sharing: Sharing,
) -> Result<(ResponseHead, Tail), Failure> {
    let file = representation(session, sharing);
    let answer = download::look(&call.head, &file, call.gateway.now())?;
    // Only a real `HEAD` may announce bytes that do not follow; an overridden `POST` may not.
    let announces = call.head.method == "HEAD" && answer.head.status == 200;
    let tail = if announces {
        Tail::Body(BoxBody::new(LengthOnly(answer.content.length())))
    } else {
        Tail::Nothing
    };
    Ok((answer.head, tail))
}

/// Opens a finished upload for whoever may read it.
async fn opened(call: &Call<'_>, id: UploadId) -> Result<Download, Failure> {
    if let Some(opened) = by_address(call, id).await {
        return Ok(opened?);
    }
    let owner = call.grant(Verb::Download).await?.owner;
    Ok(call.gateway.engine.read(id, Reader::Owner(owner)).await?)
}

/// Opens a finished upload whose address is its key; `None` where it takes authorisation.
///
/// An upload that is not there, or not open, is `None` alike, unless every download is open.
pub(super) async fn by_address(
    call: &Call<'_>,
    id: UploadId,
) -> Option<Result<Download, EngineError>> {
    let Gateway { engine, authority, settings, .. } = call.gateway;
    if settings.public_downloads {
        return Some(engine.read(id, Reader::Anyone).await);
    }
    if !authority.opens_any_downloads() {
        return None;
    }
    let opened = engine.read(id, Reader::Anyone).await.ok()?;
    authority.opens_downloads_of(opened.session().owner()).then_some(Ok(opened))
}

fn sharing(call: &Call<'_>, session: &Session) -> Sharing {
    let Gateway { authority, settings, .. } = call.gateway;
    let open = settings.public_downloads
        || authority.is_open()
        || authority.opens_downloads_of(session.owner());
    if open { Sharing::Public } else { Sharing::Private }
}

fn representation(session: &Session, sharing: Sharing) -> Representation {
    Representation::of(session, sharing, |ending| Some(media_type(ending)))
}

/// The media type that the ending of a name suggests.
#[must_use]
pub fn media_type(ending: &str) -> String {
    actix_files::file_extension_to_mime(ending).essence_str().to_owned()
}
