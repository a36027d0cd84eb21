//! Which fields and methods get through?

use super::address::Address;
use super::answer::Answer;
use super::proxy::Trouble;
use super::site::{Request, Unasked};
use super::visit::{METADATA, UPLOAD_BYTES, Visit, parent};

/// Looks at an upload, adds to it, removes it.
pub(super) fn look(visit: &mut Visit<'_>) {
    let Some(upload) = visit.upload(UPLOAD_BYTES) else {
        return visit.note("no further upload could be created, so nothing more was looked at");
    };
    let mut fine = offers(visit);
    fine &= stands(visit, &upload);
    fine &= grows(visit, &upload);
    fine &= chunk_fields(visit);
    fine &= goes(visit, &upload);
    if fine {
        visit.sound("the fields and methods of uploads pass, both ways");
    }
}

fn offers(visit: &mut Visit<'_>) -> bool {
    let answer = visit.ask(&Request::new("OPTIONS", &visit.site.endpoint));
    let Ok(answer) = answer else { return true };
    if answer.field("Tus-Version").is_some() || answer.field("Tus-Resumable").is_some() {
        return true;
    }
    let text = format!(
        "OPTIONS is answered {} without Tus-Version, so not by the gateway: clients do not learn what it \
         can do",
        answer.status
    );
    visit.wrong(Trouble::Cors, text);
    false
}

fn stands(visit: &mut Visit<'_>, upload: &Address) -> bool {
    let answer = visit.ask(&Request::tus("HEAD", upload));
    let Some(answer) = passed(visit, "HEAD", answer) else { return false };
    let fields = ["Upload-Offset", "Upload-Length", "Tus-Resumable"];
    let missing: Vec<&str> =
        fields.into_iter().filter(|name| answer.field(name).is_none()).collect();
    if !missing.is_empty() {
        let text = format!("{} is missing in the answer to HEAD", missing.join(", "));
        visit.wrong(Trouble::AnswerFields, text);
        return false;
    }
    if answer.field("Upload-Metadata") != Some(METADATA) {
        visit.wrong(
            Trouble::RequestFields,
            "Upload-Metadata did not reach the gateway, or did not come back",
        );
        return false;
    }
    true
}

fn grows(visit: &mut Visit<'_>, upload: &Address) -> bool {
    let answer = visit.ask(&Request::append(upload, 0, 1));
    let Some(answer) = passed(visit, "PATCH", answer) else { return false };
    if answer.field("Upload-Offset") != Some("1") {
        visit.wrong(Trouble::AnswerFields, "Upload-Offset is missing in the answer to PATCH");
        return false;
    }
    true
}

fn goes(visit: &mut Visit<'_>, upload: &Address) -> bool {
    let answer = visit.ask(&Request::tus("DELETE", upload));
    // A server need not know how to; a proxy that refuses it says so in its own words.
    let own = answer.as_ref().is_ok_and(|answer| answer.field("Tus-Resumable").is_some());
    own || passed(visit, "DELETE", answer).is_some()
}

/// The answer, if the method was let through and did what it should.
fn passed(visit: &mut Visit<'_>, method: &str, answer: Result<Answer, Unasked>) -> Option<Answer> {
    match answer {
        Ok(answer) if answer.status < 300 => Some(answer),
        Ok(answer) => {
            let text = format!("{method} on an upload is answered {}", answer.status);
            let trouble = match answer.status {
                401 | 412 | 415 => Trouble::RequestFields,
                400..=499 if answer.field("Tus-Resumable").is_some() => Trouble::RequestFields,
                _ => Trouble::Methods,
            };
            visit.wrong(trouble, text);
            None
        }
        Err(error) => {
            visit.wrong(Trouble::Methods, format!("{method} on an upload fails: {error}"));
            None
        }
    }
}

/// A chunk without its number: the refusal tells whether the session's id arrived, and nothing begins.
fn chunk_fields(visit: &mut Visit<'_>) -> bool {
    let endpoint = &visit.site.endpoint;
    let path = format!("{}/chunked-upload", parent(&endpoint.path));
    let there = endpoint.at(path, endpoint.query.clone());
    let request = Request::new("PUT", &there).with("X-Upload-Session-ID", "doctor");
    let Ok(answer) = visit.ask(&request) else { return true };
    let lost = answer.status == 400 && answer.text().contains("X-Upload-Session-ID");
    if lost {
        visit.wrong(Trouble::RequestFields, "X-Upload-Session-ID does not reach the gateway");
    }
    !lost
}
