//! Does an upload begin, and does its `Location` lead there?

use super::OutsideError;
use super::address::Address;
use super::answer::Answer;
use super::proxy::Trouble;
use super::site::Request;
use super::visit::{Created, UPLOAD_BYTES, Visit, parent, shown};

/// A host that nobody has (RFC 2606).
const NOBODY: &str = "doctor.invalid";

/// Begins an upload; whether it can be gone on with.
pub(super) fn look(visit: &mut Visit<'_>) -> Result<bool, OutsideError> {
    let at = &visit.site.endpoint;
    let answer = visit
        .ask(&visit.creation(UPLOAD_BYTES))
        .map_err(|source| OutsideError::Unasked { at: at.clone(), source })?;
    if answer.status != 201 {
        return refused(visit, &answer);
    }
    let Some(created) = visit.taken(&answer) else {
        let text =
            "an upload was created, but the answer has no Location: nobody can go on with it";
        visit.wrong(Trouble::AnswerFields, text);
        return Ok(false);
    };
    let mut seen = astray(visit, &created);
    let prefixed = created.meant.as_ref().map(|meant| parent(&meant.path));
    if let Some(prefix) = prefixed.and_then(|folder| at.path.strip_suffix(folder))
        && !prefix.is_empty()
    {
        visit.prefix = prefix.to_owned();
    }
    seen.extend(forgeries(visit));
    if seen.is_empty() {
        visit.sound(format!("Location leads to the upload: {}", created.location));
    } else {
        let text = format!(
            "{}. The proxy has to tell the gateway how clients reach it (lines below), and Tidegate to \
             believe it: server.trusted_proxies; or Tidegate is told itself: server.public_url = \
             \"{}{}\"",
            seen.join("; "),
            at.origin(),
            visit.prefix
        );
        visit.wrong(Trouble::Forwarding, text);
    }
    Ok(true)
}

/// What a creation was refused for.
fn refused(visit: &mut Visit<'_>, answer: &Answer) -> Result<bool, OutsideError> {
    let (at, status) = (visit.site.endpoint.clone(), answer.status);
    let names =
        |name: &str| visit.site.lines.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    match status {
        300..=399 => {
            let to = answer.field("Location").unwrap_or("nowhere");
            let to = shown(to.split('?').next().unwrap_or_default(), 200);
            Err(OutsideError::Elsewhere { at, status, to })
        }
        401 | 403 if names("Authorization") => {
            let text = format!(
                "a creation with Authorization is answered {status}: the credential is not good, or the \
                 proxy takes it away"
            );
            visit.wrong(Trouble::RequestFields, text);
            Ok(false)
        }
        401 | 403 if at.query.is_none() && visit.site.lines.is_empty() => {
            Err(OutsideError::NoCredential { at, status })
        }
        412 => {
            visit.wrong(
                Trouble::RequestFields,
                "a creation is answered 412, as if it did not name tus 1.0.0: the proxy takes the field \
                 Tus-Resumable away",
            );
            Ok(false)
        }
        _ => {
            let said = shown(&answer.text(), 120);
            let said = if said.is_empty() { "without a word".to_owned() } else { said };
            Err(OutsideError::NotAnEndpoint { at, status, said })
        }
    }
}

/// Where `Location` leads, if not to the upload.
fn astray(visit: &Visit<'_>, created: &Created) -> Vec<String> {
    let endpoint = &visit.site.endpoint;
    let Some(meant) = &created.meant else {
        return vec![format!("Location is no address: {}", created.location)];
    };
    let mut wrong = Vec::new();
    if endpoint.secure && !meant.secure {
        wrong.push("is http although clients use https");
    }
    if meant.host != endpoint.host {
        wrong.push("names another host");
    } else if meant.port != endpoint.port && meant.secure == endpoint.secure {
        wrong.push("names another port");
    }
    // Uploads may well live elsewhere, if they can be found there.
    if meant.path != created.address.path
        && !is_there(visit, &endpoint.at(meant.path.clone(), meant.query.clone()))
    {
        wrong.push("lacks the path that clients use");
    }
    if wrong.is_empty() {
        return Vec::new();
    }
    let wrong = wrong.join(" and ");
    vec![format!("Location {wrong}: {} instead of {}", created.location, created.address)]
}

fn is_there(visit: &Visit<'_>, upload: &Address) -> bool {
    let answer = visit.ask(&Request::tus("HEAD", upload));
    answer.is_ok_and(|answer| answer.status == 200 && answer.field("Upload-Offset").is_some())
}

/// Fields by which a client could pretend to be elsewhere, if the proxy lets them pass.
fn forgeries(visit: &mut Visit<'_>) -> Vec<String> {
    let creation = || visit.creation(UPLOAD_BYTES);
    let said = format!("for=192.0.2.1;proto=https;host={NOBODY}");
    let forged = [
        (
            "X-Forwarded-Host",
            creation().with("X-Forwarded-Host", NOBODY).with("X-Forwarded-Proto", "https"),
        ),
        ("Forwarded", creation().with("Forwarded", said)),
        ("X-Forwarded-Prefix", creation().with("X-Forwarded-Prefix", format!("/{NOBODY}"))),
    ];
    let mut believed = Vec::new();
    for (name, request) in forged {
        let Ok(answer) = visit.ask(&request) else { continue };
        let location = answer.field("Location").unwrap_or_default();
        if location.contains(NOBODY) {
            believed.push(name);
        }
        // Where it says it is, it is not.
        visit.taken(&answer);
    }
    if believed.is_empty() {
        return Vec::new();
    }
    vec![format!("what clients themselves write in {} is believed", believed.join(", "))]
}
