//! May pages of other origins upload?

use super::answer::Answer;
use super::proxy::Trouble;
use super::site::Request;
use super::visit::{UPLOAD_BYTES, Visit};

/// A page that nobody has (RFC 2606).
const NOBODY: &str = "https://doctor.invalid";
/// What a page asks to send.
const ASKED: [&str; 4] = ["tus-resumable", "upload-length", "upload-offset", "upload-metadata"];
/// What a page has to read.
const READ: [&str; 3] = ["Location", "Upload-Offset", "Tus-Resumable"];
const ALLOWED: &str = "Access-Control-Allow-Origin";

/// Asks as a browser does before it lets a page upload, and looks at what the page would get to read.
pub(super) fn look(visit: &mut Visit<'_>) {
    let origin = visit.options.origin.clone().unwrap_or_else(|| NOBODY.to_owned());
    let preflight = Request::new("OPTIONS", &visit.site.endpoint)
        .with("Origin", origin.as_str())
        .with("Access-Control-Request-Method", "PATCH")
        .with("Access-Control-Request-Headers", ASKED.join(","));
    let creation = visit.creation(UPLOAD_BYTES).with("Origin", origin.as_str());
    let (Ok(asked), Ok(created)) = (visit.ask(&preflight), visit.ask(&creation)) else {
        return visit.note("pages of other origins were not looked at: no answer came");
    };
    visit.taken(&created);
    if asked.field(ALLOWED).is_none() && created.field(ALLOWED).is_none() {
        let text = format!("pages of {origin} may not upload (cors.enabled, cors.origins)");
        return match visit.options.origin {
            // It was asked for by name.
            Some(_) => visit.wrong(Trouble::Cors, text),
            None => visit.note(text + "; --origin looks for one that may"),
        };
    }
    let wrong = wrong_with(&asked, &created, &origin);
    if wrong.is_empty() {
        return visit.sound("pages of other origins may upload, and read what they need");
    }
    visit.wrong(Trouble::Cors, format!("pages of other origins fail: {}", wrong.join("; ")));
}

fn wrong_with(asked: &Answer, created: &Answer, origin: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !(200..300).contains(&asked.status) {
        wrong.push(format!("a preflight is answered {}", asked.status));
    }
    for (answer, what) in [(asked, "a preflight"), (created, "a creation")] {
        match answer.lines(ALLOWED).collect::<Vec<_>>().as_slice() {
            [] => wrong.push(format!("{ALLOWED} is missing in the answer to {what}")),
            [one] if *one == "*" || *one == origin => {}
            [one] => wrong.push(format!("{ALLOWED} of {what} is {}", super::visit::shown(one, 80))),
            _ => wrong.push(format!("{ALLOWED} is there more than once in the answer to {what}")),
        }
    }
    if asked.field(ALLOWED).is_some() && !asked.lists("Access-Control-Allow-Methods", "PATCH") {
        wrong.push("Access-Control-Allow-Methods does not name PATCH".to_owned());
    }
    let unsent = ASKED.iter().filter(|name| !asked.lists("Access-Control-Allow-Headers", name));
    let unread = READ.iter().filter(|name| !created.lists("Access-Control-Expose-Headers", name));
    for (names, field) in [
        (unsent.copied().collect::<Vec<_>>(), "Access-Control-Allow-Headers"),
        (unread.copied().collect(), "Access-Control-Expose-Headers"),
    ] {
        if !names.is_empty() {
            wrong.push(format!("{field} does not name {}", names.join(", ")));
        }
    }
    wrong
}
