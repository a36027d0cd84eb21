//! Heads of forms and of their answers.

use std::time::Duration;

use super::*;
use crate::protocol::head::BodyLength;
use crate::protocol::tus::examples::{limits, place, profile, session};
use crate::upload::{Metadata, NewSession, Owner, UploadLength};

fn form<'a>(content_type: &[&'a str], body: BodyLength) -> RequestHead<'a> {
    let fields = content_type.iter().map(|line| ("content-type", line.as_bytes())).collect();
    RequestHead { method: "POST", path: "/upload", fields, body }
}

fn boundary(content_type: &str) -> Result<String, Problem> {
    let head = form(&[content_type], BodyLength::Unknown);
    read(&head, &profile()).map(|boundary| boundary.as_str().to_owned())
}

#[test]
fn a_form_names_its_boundary() {
    let longest = "x".repeat(70);
    for (line, wanted) in [
        ("multipart/form-data; boundary=----WebKitFormBoundaryA1", "----WebKitFormBoundaryA1"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b:c\"", "a b:c"),
        (&format!("multipart/form-data; boundary={longest}"), longest.as_str()),
    ] {
        assert_eq!(boundary(line).as_deref(), Ok(wanted), "{line}");
    }
}

#[test]
fn what_is_no_form_is_refused() {
    for line in
        ["", "text/plain", "multipart/mixed; boundary=b", "multipart/form-datax; boundary=b"]
    {
        assert_eq!(boundary(line), Err(Problem::FormExpected), "{line}");
    }
    let without = read(&form(&[], BodyLength::Unknown), &profile());
    assert_eq!(without, Err(Problem::FormExpected));
    let line = "multipart/form-data; boundary=b";
    let twice = read(&form(&[line, line], BodyLength::Unknown), &profile());
    assert_eq!(twice, Err(Problem::RepeatedField { field: "Content-Type" }));
}

#[test]
fn a_boundary_that_is_none_is_refused() {
    for parameters in [
        "",
        "; boundary",
        "; boundary=",
        "; boundary=\"\"",
        "; boundary=\"a\r\nb\"",
        "; boundary=\"a \"",
        "; boundary=\"a{b\"",
        "; boundary=a; boundary=a",
        &format!("; boundary={}", "x".repeat(71)),
    ] {
        let refused = boundary(&format!("multipart/form-data{parameters}"));
        assert!(matches!(refused, Err(Problem::MalformedField { .. })), "{parameters}");
    }
}

#[test]
fn only_a_length_that_no_frame_explains_is_refused_early() {
    let (max, frame) = (1000, MAX_FRAME_BYTES + profile().max_metadata_bytes);
    let most = max + u64::try_from(frame).unwrap();
    let line = ["multipart/form-data; boundary=b"];
    assert!(read(&form(&line, BodyLength::Known(most)), &profile()).is_ok());
    let refused = read(&form(&line, BodyLength::Known(most + 1)), &profile());
    assert_eq!(refused, Err(Problem::TooLarge { max: UploadLength::new(max).unwrap() }));
}

#[test]
fn the_answer_has_the_names_that_clients_know_and_no_address_of_theirs() {
    let metadata = Metadata::of([("filename", "a\"\u{e9}.txt".as_bytes())]).unwrap();
    let length = Some(UploadLength::ZERO);
    let new = NewSession::of(Owner::anonymous(), length, metadata);
    let mut session = session(new);
    session
        .complete(&limits(), crate::upload::Timestamp::from_unix_milliseconds(1_700_000_000_999));
    let head = stored(&session, &place(), Duration::from_micros(1_234_567));
    assert_eq!(head.status, 200);
    let body: serde_json::Value = serde_json::from_str(&head.body.clone().unwrap()).unwrap();
    let id = session.id().to_string();
    assert_eq!(
        body,
        serde_json::json!({
            "success": true, "filename": "a\"\u{e9}.txt", "size": 0, "duration": "1.235s",
            "timestamp": 1_700_000_000, "id": id, "url": format!("/files/{id}"),
        })
    );
    assert_eq!(head.get("Location"), Some(&*format!("/files/{id}")));
    assert_eq!(head.get("Content-Type"), Some("application/json"));
}

#[test]
fn a_refusal_does_not_speak_tus() {
    let head = refused(&Problem::MethodNotAllowed { allow: METHODS });
    assert_eq!((head.status, head.get("Allow")), (405, Some("OPTIONS, POST")));
    assert_eq!(head.get("Tus-Resumable"), None);
    assert!(head.body.unwrap().contains("method-not-allowed"));
}
