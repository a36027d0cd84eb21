//! `GET`, and the download side of `HEAD`.

use actix_http::body::BoxBody;

use crate::engine::Reader;
use crate::protocol::download::{self, Representation, Sharing};
use crate::protocol::head::ResponseHead;
use crate::upload::{Session, UploadId};

use super::call::Call;
use super::failure::Failure;
use super::file_body::FileBody;
use super::reply::{LengthOnly, Tail};

/// `GET` of a finished upload.
pub(super) async fn get(call: &Call<'_>, id: UploadId) -> Result<(ResponseHead, Tail), Failure> {
    let opened = call.gateway.engine.read(id, reader(call)?).await?;
    let file = representation(call, opened.session());
    // As unguessable as an id, so that no upload contains it.
    let boundary = UploadId::generate().to_string();
    let answer = download::answer(&call.head, &file, &boundary, call.gateway.now())?;
    if answer.content.length() == 0 {
        return Ok((answer.head, Tail::Nothing));
    }
    let buffer_bytes = call.gateway.settings.read_buffer_bytes;
    let body = FileBody::new(opened, answer.content, buffer_bytes);
    Ok((answer.head, Tail::Body(BoxBody::new(body))))
}

/// `HEAD` of a finished upload by somebody who may download but not see the upload itself.
pub(super) async fn head(call: &Call<'_>, id: UploadId) -> Result<(ResponseHead, Tail), Failure> {
    let opened = call.gateway.engine.read(id, reader(call)?).await?;
    look(call, opened.session())
}

/// The download side of a finished upload, without its bytes.
pub(super) fn look(call: &Call<'_>, session: &Session) -> Result<(ResponseHead, Tail), Failure> {
    let file = representation(call, session);
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

/// Who may read: with public downloads the address is the key.
fn reader(call: &Call<'_>) -> Result<Reader, Failure> {
    if call.gateway.settings.auth.public_downloads {
        Ok(Reader::Anyone)
    } else {
        Ok(Reader::Owner(call.owner()?))
    }
}

fn representation(call: &Call<'_>, session: &Session) -> Representation {
    let auth = &call.gateway.settings.auth;
    let open = auth.public_downloads || auth.tokens.is_empty();
    let sharing = if open { Sharing::Public } else { Sharing::Private };
    Representation::of(session, sharing, |ending| {
        Some(actix_files::file_extension_to_mime(ending).essence_str().to_owned())
    })
}
