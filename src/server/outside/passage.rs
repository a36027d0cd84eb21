//! Which fields and methods get through?

use super::address::Address;
use super::answer::Answer;
use super::proxy::Trouble;
use super::site::{Request, Unasked};
use super::visit::{METADATA, UPLOAD_BYTES, Visit, parent};

/// What got lost, and whose fault that is.
type Loss = (Trouble, String);

/// Looks at an upload, adds to it, removes it.
pub(super) fn look(visit: &mut Visit<'_>) {
    let Some(upload) = visit.upload(UPLOAD_BYTES) else {
        return visit.note("no further upload could be created, so nothing more was looked at");
    };
    let losses = [
        offers(visit),
        stands(visit, &upload),
        grows(visit, &upload),
        chunk_fields(visit),
        goes(visit, &upload),
    ];
    let losses: Vec<Loss> = losses.into_iter().filter_map(Result::err).collect();
    if losses.is_empty() {
        return visit.sound("the fields and methods of uploads pass, both ways");
    }
    // One cause shows at several requests.
    for trouble in [Trouble::Cors, Trouble::RequestFields, Trouble::AnswerFields, Trouble::Methods]
    {
        let texts = losses.iter().filter(|(of, _)| *of == trouble).map(|(_, text)| text.as_str());
        let texts = texts.collect::<Vec<_>>().join("; ");
        if !texts.is_empty() {
            visit.wrong(trouble, texts);
        }
    }
}

fn offers(visit: &Visit<'_>) -> Result<(), Loss> {
    let answer = visit.ask(&Request::new("OPTIONS", &visit.site.endpoint));
    let Ok(answer) = answer else { return Ok(()) };
    if answer.field("Tus-Version").is_some() || answer.field("Tus-Resumable").is_some() {
        return Ok(());
    }
    let text = format!(
        "OPTIONS is answered {} without Tus-Version, so not by the gateway: clients do not learn what it \
         can do",
        answer.status
    );
    Err((Trouble::Cors, text))
}

fn stands(visit: &Visit<'_>, upload: &Address) -> Result<(), Loss> {
    let answer = passed("HEAD", visit.ask(&Request::tus("HEAD", upload)))?;
    let fields = ["Upload-Offset", "Upload-Length", "Tus-Resumable"];
    let missing: Vec<&str> =
        fields.into_iter().filter(|name| answer.field(name).is_none()).collect();
    if !missing.is_empty() {
        let text = format!("{} is missing in the answer to HEAD", missing.join(", "));
        return Err((Trouble::AnswerFields, text));
    }
    if answer.field("Upload-Metadata") != Some(METADATA) {
        let text = "Upload-Metadata did not reach the gateway, or did not come back";
        return Err((Trouble::RequestFields, text.to_owned()));
    }
    Ok(())
}

fn grows(visit: &Visit<'_>, upload: &Address) -> Result<(), Loss> {
    let answer = passed("PATCH", visit.ask(&Request::append(upload, 0, 1)))?;
    if answer.field("Upload-Offset") != Some("1") {
        let text = "Upload-Offset is missing in the answer to PATCH";
        return Err((Trouble::AnswerFields, text.to_owned()));
    }
    Ok(())
}

fn goes(visit: &Visit<'_>, upload: &Address) -> Result<(), Loss> {
    let answer = visit.ask(&Request::tus("DELETE", upload));
    // A server need not know how to; a proxy that refuses it says so in its own words.
    if answer.as_ref().is_ok_and(|answer| answer.field("Tus-Resumable").is_some()) {
        return Ok(());
    }
    passed("DELETE", answer).map(drop)
}

/// The answer, if the method was let through and did what it should.
fn passed(method: &str, answer: Result<Answer, Unasked>) -> Result<Answer, Loss> {
    match answer {
        Ok(answer) if answer.status < 300 => Ok(answer),
        Ok(answer) => {
            let text = format!("{method} on an upload is answered {}", answer.status);
            let by_the_gateway = answer.field("Tus-Resumable").is_some();
            let trouble = match answer.status {
                401 | 412 | 415 => Trouble::RequestFields,
                _ if by_the_gateway => Trouble::RequestFields,
                _ => Trouble::Methods,
            };
            Err((trouble, text))
        }
        Err(error) => Err((Trouble::Methods, format!("{method} on an upload fails: {error}"))),
    }
}

/// A chunk of a session that nobody began, without saying which: what the refusal asks for next tells
/// whether the session's id arrived. Nothing begins by that.
fn chunk_fields(visit: &Visit<'_>) -> Result<(), Loss> {
    let endpoint = &visit.site.endpoint;
    let path = format!("{}/chunked-upload", parent(&endpoint.path));
    let there = endpoint.at(path, endpoint.query.clone());
    let refusal = |request: &Request<'_>| {
        let answer = visit.ask(request).ok().filter(|answer| answer.status == 400)?;
        Some(answer.text()).filter(|text| text.contains("-Chunk-") || text.contains("-Total-"))
    };
    let with = refusal(&Request::new("PUT", &there).with("X-Upload-Session-ID", "doctor"));
    let without = refusal(&Request::new("PUT", &there));
    match (with, without) {
        (Some(with), Some(without)) if with == without => {
            let text = "X-Upload-Session-ID does not reach the gateway";
            Err((Trouble::RequestFields, text.to_owned()))
        }
        // Nobody takes chunks there.
        (Some(_) | None, _) => Ok(()),
    }
}
