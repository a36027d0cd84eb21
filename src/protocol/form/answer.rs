//! Response heads of the form endpoint (F-40 to F-45).

use std::time::Duration;

use crate::protocol::head::ResponseHead;
use crate::protocol::location::Place;
use crate::protocol::problem::Problem;
use crate::protocol::tus;
use crate::upload::Session;

/// What the address of forms takes (F-6).
pub const METHODS: &str = "OPTIONS, POST";

/// The answer to `OPTIONS`.
#[must_use]
pub fn offered() -> ResponseHead {
    ResponseHead::new(204).with("Allow", METHODS)
}

/// `200`: the file is there (F-40, F-41). `took` is how long that took since the request came in.
///
/// Where the client is, is its own business and does not appear.
#[must_use]
pub fn stored(session: &Session, place: &Place, took: Duration) -> ResponseHead {
    let url = place.of(session.id());
    let filename = session.metadata().get("filename");
    let answer = serde_json::json!({
        "success": true,
        "filename": filename.map(|name| String::from_utf8_lossy(&name).into_owned()),
        "size": session.offset().get(),
        "duration": format!("{:.3}s", took.as_secs_f64()),
        "timestamp": session.completed_at().map(|moment| moment.unix_seconds()),
        "id": session.id().to_string(),
        "url": url,
    });
    let mut head = safe(ResponseHead::new(200).with("Location", url));
    head.body = Some(format!("{answer}\n"));
    head.with("Content-Type", "application/json")
}

/// The head of a refusal; the status is that of tus (F-43).
#[must_use]
pub fn refused(problem: &Problem) -> ResponseHead {
    let head = safe(ResponseHead::new(tus::status::status(problem)));
    problem.described_in(problem.with_common_fields(head))
}

/// A browser that submits a form shows the answer.
fn safe(head: ResponseHead) -> ResponseHead {
    head.with("X-Content-Type-Options", "nosniff").with("Cache-Control", "no-store")
}
