//! `POST` to the endpoint: creates an upload (T-61 to T-98, T-141 to T-159).

use crate::protocol::head::{BodyLength, RequestHead, ResponseHead};
use crate::protocol::location::Place;
use crate::protocol::problem::Problem;
use crate::upload::transition::ConcatOrder;
use crate::upload::{Digest, NewSession, Owner, Relation, Session, UploadLength};

use super::extensions::{Extension, Profile};
use super::upload_concat::UploadConcat;
use super::{
    carries_bytes, refused, speaking, upload_checksum, upload_concat, upload_expires,
    upload_length, upload_metadata, version,
};

/// What a client asks for with `POST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Create {
    /// An upload that is to receive its bytes later.
    Upload(NewSession),
    /// An upload, and its first bytes with it (T-91).
    WithBody(NewSession, FirstBytes),
    /// A final upload, made of parts (T-142).
    Final(ConcatOrder),
}

/// The body of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstBytes {
    /// Its length, where the request says it.
    pub bytes: Option<u64>,
    /// The digest it has to have (T-98).
    pub digest: Option<Digest>,
}

impl Create {
    /// The same, for an upload that may not become longer than `max_length`, whatever it says now.
    #[must_use]
    pub fn bounded(self, max_length: Option<UploadLength>) -> Self {
        match self {
            Self::Upload(new) => Self::Upload(NewSession { max_length, ..new }),
            Self::WithBody(new, first) => Self::WithBody(NewSession { max_length, ..new }, first),
            Self::Final(order) => Self::Final(ConcatOrder { max_length, ..order }),
        }
    }
}

/// Reads a creation.
///
/// # Errors
///
/// The [`Problem`] that the client is told; nothing is created then.
pub fn read(
    head: &RequestHead<'_>,
    profile: &Profile,
    place: &Place,
    owner: Owner,
) -> Result<Create, Problem> {
    version::required(head)?;
    if !profile.has(Extension::Creation) {
        return Err(Problem::MethodNotAllowed { allow: profile.methods_of_the_endpoint() });
    }
    let concat = upload_concat::read(head, place, profile.max_parts)?;
    if concat.is_some() {
        profile.require(Extension::Concatenation)?;
    }
    let metadata = upload_metadata::read(head, profile.max_metadata_bytes)?;
    let relation = match concat {
        Some(UploadConcat::Final { parts, as_received }) => {
            without_length_and_body(head)?;
            let max_length = None;
            let order = ConcatOrder { owner, metadata, parts, as_received, max_length };
            return Ok(Create::Final(order));
        }
        Some(UploadConcat::Partial) => Relation::Partial,
        None => Relation::Whole,
    };
    let length = promised_length(head, profile)?;
    let session = NewSession { relation, ..NewSession::of(owner, length, metadata) };
    with_first_bytes(head, profile, session)
}

/// A final upload is as long as its parts and made of them (T-145, T-157).
fn without_length_and_body(head: &RequestHead<'_>) -> Result<(), Problem> {
    if upload_length::length(head)?.is_some() || upload_length::deferred(head)? {
        return Err(Problem::FinalWithLength);
    }
    match head.body {
        BodyLength::Empty => Ok(()),
        BodyLength::Known(_) | BodyLength::Unknown => Err(Problem::FinalWithBody),
    }
}

/// The length, or `None` if it is deferred; one of both has to be said (T-62, T-63).
fn promised_length(
    head: &RequestHead<'_>,
    profile: &Profile,
) -> Result<Option<UploadLength>, Problem> {
    match (upload_length::length(head)?, upload_length::deferred(head)?) {
        (Some(_), true) => Err(Problem::LengthTwice),
        (None, false) => Err(Problem::LengthRequired),
        (None, true) => {
            profile.require(Extension::CreationDeferLength)?;
            Ok(None)
        }
        (Some(length), false) => {
            profile.admit(length.get())?;
            Ok(Some(length))
        }
    }
}

/// Decides what the body is: bytes, nothing, or something that is not taken (T-91, T-95, T-96).
fn with_first_bytes(
    head: &RequestHead<'_>,
    profile: &Profile,
    session: NewSession,
) -> Result<Create, Problem> {
    let digest = upload_checksum::read(head)?;
    if !carries_bytes(head) {
        return match head.body {
            BodyLength::Empty => Ok(Create::Upload(session)),
            BodyLength::Known(_) | BodyLength::Unknown => Err(Problem::UnsupportedMediaType),
        };
    }
    if digest.is_some() {
        profile.require(Extension::Checksum)?;
    }
    let bytes = head.body.bytes();
    match (bytes, session.length) {
        (Some(0), _) if digest.is_none() => return Ok(Create::Upload(session)),
        (Some(bytes), Some(length)) if bytes > length.get() => {
            return Err(Problem::PastTheEnd { length });
        }
        (Some(bytes), None) => profile.admit(bytes)?,
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    profile.require(Extension::CreationWithUpload)?;
    Ok(Create::WithBody(session, FirstBytes { bytes, digest }))
}

/// Bytes that will have to fit somewhere, where the creation says it; for refusing early.
#[must_use]
pub fn needed_bytes(create: &Create) -> u64 {
    let promised = |session: &NewSession| session.length.map_or(0, UploadLength::get);
    match create {
        Create::Upload(session) => promised(session),
        // A body that is longer than the upload is not refused for want of room.
        Create::WithBody(session, body) => {
            session.length.map_or(body.bytes.unwrap_or(0), UploadLength::get)
        }
        Create::Final(_) => 0,
    }
}

/// `201`: the upload is there.
#[must_use]
pub fn created(session: &Session, place: &Place, profile: &Profile) -> ResponseHead {
    let mut head = speaking(201).with("Location", place.of(session.id()));
    match session.relation() {
        Relation::Whole | Relation::Partial => {
            head = head.with(upload_length::UPLOAD_OFFSET, session.offset().to_string());
        }
        // A final upload may still be joining its parts: HEAD tells when it is there (T-150).
        Relation::Final { .. } => {}
    }
    upload_expires::add(head, session, profile)
}

/// The refusal of a creation whose body broke off: the upload is there with what arrived, and the
/// client learns where (T-92).
#[must_use]
pub fn cut_short(problem: &Problem, location: String) -> ResponseHead {
    refused(problem).with("Location", location)
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
