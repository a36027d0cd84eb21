//! `GET` and `HEAD` of a session: where it stands (C-80 to C-86).

use serde::Serialize;

use crate::protocol::head::ResponseHead;
use crate::protocol::location::Place;

use super::fields::{X_CHUNK_SIZE, X_TOTAL_CHUNKS};
use super::json;
use super::standing::{Called, moment};
use super::terms::Terms;

/// Most missing stretches that are listed (C-81).
pub const MAX_LISTED: usize = 1000;

#[derive(Serialize)]
struct Status<'a> {
    session_id: &'a str,
    filename: Option<String>,
    total_size: Option<u64>,
    uploaded_bytes: u64,
    progress: f64,
    completed: bool,
    last_activity: String,
    chunks: u32,
    offset: u64,
    chunk_size: Option<u64>,
    total_chunks: Option<u32>,
    missing: Vec<Stretch>,
    missing_truncated: bool,
    recommended_chunk_size: u64,
    expires_at: Option<String>,
    upload_url: String,
}

/// First and last byte, both included, as in `Content-Range`.
#[derive(Serialize)]
struct Stretch {
    from: u64,
    to: u64,
}

/// `200`: where the session stands, in fields and in JSON.
#[must_use]
pub fn inspected(called: &Called<'_>, place: &Place, terms: &Terms) -> ResponseHead {
    let session = called.session;
    let chunks = session.chunks();
    let geometry = chunks.map(crate::upload::Chunks::geometry);
    // While nobody knows how long the upload is to be, nobody knows what is missing.
    let missing = session.length().into_iter().flat_map(|all| session.received().missing(all));
    let mut missing: Vec<Stretch> = missing
        .take(MAX_LISTED.saturating_add(1))
        .map(|span| Stretch { from: span.start, to: span.end.saturating_sub(1) })
        .collect();
    let missing_truncated = missing.len() > MAX_LISTED;
    missing.truncate(MAX_LISTED);
    let head = ResponseHead::new(200).with("Cache-Control", "no-store");
    let mut head = called.told_in(head, terms);
    if let Some(geometry) = geometry {
        head = head
            .with(X_CHUNK_SIZE, geometry.chunk_bytes().to_string())
            .with(X_TOTAL_CHUNKS, geometry.total_chunks().to_string());
    }
    let content = Status {
        session_id: called.name.as_str(),
        filename: called.filename(),
        total_size: called.total_bytes(),
        uploaded_bytes: called.received_bytes(),
        progress: called.progress(),
        completed: session.is_complete(),
        last_activity: moment(session.active_at()),
        chunks: chunks.map_or(0, |chunks| chunks.map().count()),
        offset: session.offset().get(),
        chunk_size: geometry.map(|geometry| geometry.chunk_bytes().get()),
        total_chunks: geometry.map(crate::upload::Geometry::total_chunks),
        missing,
        missing_truncated,
        recommended_chunk_size: called.recommended(terms),
        expires_at: session.expires_at().map(moment),
        upload_url: place.of(session.id()),
    };
    json(head, &content)
}
