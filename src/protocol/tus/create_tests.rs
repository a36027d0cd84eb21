use super::*;
use crate::protocol::tus::examples::{ID, head, place, profile, session};
use crate::upload::{Limits, UploadOffset};

const CONTENT: (&str, &str) = ("Content-Type", "application/offset+octet-stream");
const LENGTH: (&str, &str) = ("Upload-Length", "10");

fn ask(fields: &[(&str, &str)], body: BodyLength) -> Result<Create, Problem> {
    let mut all = vec![("Tus-Resumable", "1.0.0")];
    all.extend_from_slice(fields);
    read(&head("POST", &all, body), &profile(), &place(), Owner::anonymous())
}

fn without(extension: Extension, fields: &[(&str, &str)], body: BodyLength) -> Option<Problem> {
    let mut all = vec![("Tus-Resumable", "1.0.0")];
    all.extend_from_slice(fields);
    let wanted = Extension::ALL.into_iter().filter(|known| *known != extension);
    let profile = Profile::new(wanted, &Limits::default());
    read(&head("POST", &all, body), &profile, &place(), Owner::anonymous()).err()
}

#[test]
fn a_length_makes_an_upload() {
    let Ok(Create::Upload(new)) = ask(&[LENGTH, ("upload-metadata", "k dg==")], BodyLength::Empty)
    else {
        panic!("refused")
    };
    assert_eq!(new.length, UploadLength::new(10));
    assert_eq!(new.metadata.as_str(), "k dg==");
    assert_eq!(new.relation, Relation::Whole);
}

#[test]
fn the_length_is_said_once_or_deferred() {
    use Problem as P;
    let defer = ("Upload-Defer-Length", "1");
    assert_eq!(ask(&[], BodyLength::Empty), Err(P::LengthRequired));
    assert_eq!(ask(&[LENGTH, defer], BodyLength::Empty), Err(P::LengthTwice));
    let Ok(Create::Upload(new)) = ask(&[defer], BodyLength::Empty) else { panic!("refused") };
    assert_eq!(new.length, None);
    assert!(ask(&[("Upload-Length", "1000")], BodyLength::Empty).is_ok());
    let max = UploadLength::new(1000).unwrap();
    assert_eq!(ask(&[("Upload-Length", "1001")], BodyLength::Empty), Err(P::TooLarge { max }));
}

#[test]
fn bytes_come_along_if_the_body_says_that_it_is_bytes() {
    for (body, bytes) in [(BodyLength::Known(10), Some(10)), (BodyLength::Unknown, None)] {
        let first = FirstBytes { bytes, digest: None };
        let Ok(Create::WithBody(_, given)) = ask(&[LENGTH, CONTENT], body) else {
            panic!("refused")
        };
        assert_eq!(given, first);
    }
    assert!(matches!(ask(&[LENGTH, CONTENT], BodyLength::Empty), Ok(Create::Upload(_))));
}

#[test]
fn a_body_that_cannot_fit_or_is_something_else_is_refused_before_it_is_read() {
    use Problem as P;
    let length = UploadLength::new(10).unwrap();
    assert_eq!(ask(&[LENGTH, CONTENT], BodyLength::Known(11)), Err(P::PastTheEnd { length }));
    let defer = ("Upload-Defer-Length", "1");
    let max = UploadLength::new(1000).unwrap();
    assert_eq!(ask(&[defer, CONTENT], BodyLength::Known(1001)), Err(P::TooLarge { max }));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(ask(&[LENGTH, form], BodyLength::Known(1)), Err(P::UnsupportedMediaType));
    assert_eq!(ask(&[LENGTH, form], BodyLength::Unknown), Err(P::UnsupportedMediaType));
    assert!(ask(&[LENGTH, form], BodyLength::Empty).is_ok());
}

#[test]
fn parts_and_what_is_made_of_them() {
    use Problem as P;
    let partial = ("Upload-Concat", "partial");
    let Ok(Create::Upload(new)) = ask(&[LENGTH, partial], BodyLength::Empty) else {
        panic!("refused")
    };
    assert_eq!(new.relation, Relation::Partial);
    let urls = format!("final;/files/{ID}");
    let whole = ("Upload-Concat", urls.as_str());
    let Ok(Create::Final(order)) = ask(&[whole], BodyLength::Empty) else { panic!("refused") };
    assert_eq!(order.as_received, urls);
    assert_eq!(ask(&[whole, LENGTH], BodyLength::Empty), Err(P::FinalWithLength));
    assert_eq!(ask(&[whole, CONTENT], BodyLength::Known(1)), Err(P::FinalWithBody));
    assert_eq!(ask(&[whole], BodyLength::Unknown), Err(P::FinalWithBody));
}

#[test]
fn what_needs_an_extension_is_refused_while_it_is_off() {
    use Extension as E;
    use Problem as P;
    let off = |extension: Extension| Some(P::ExtensionOff { extension: extension.name() });
    assert_eq!(
        without(E::Creation, &[LENGTH], BodyLength::Empty),
        Some(P::MethodNotAllowed { allow: "OPTIONS" })
    );
    let body = BodyLength::Known(1);
    assert_eq!(
        without(E::CreationWithUpload, &[LENGTH, CONTENT], body),
        off(E::CreationWithUpload)
    );
    let defer = [("Upload-Defer-Length", "1")];
    assert_eq!(
        without(E::CreationDeferLength, &defer, BodyLength::Empty),
        off(E::CreationDeferLength)
    );
    let partial = [LENGTH, ("Upload-Concat", "partial")];
    assert_eq!(without(E::Concatenation, &partial, BodyLength::Empty), off(E::Concatenation));
    let sum = [LENGTH, CONTENT, ("Upload-Checksum", "crc32 AAAAAA==")];
    assert_eq!(without(E::Checksum, &sum, body), off(E::Checksum));
}

#[test]
fn a_wrong_version_is_refused_before_anything_else() {
    let head =
        head("POST", &[("Tus-Resumable", "0.2.2"), ("Upload-Length", "x")], BodyLength::Empty);
    let asked = read(&head, &profile(), &place(), Owner::anonymous());
    assert_eq!(asked, Err(Problem::UnsupportedVersion));
}

#[test]
fn the_answer_says_where_the_upload_is_and_until_when() {
    let Ok(Create::Upload(new)) = ask(&[LENGTH], BodyLength::Empty) else { panic!("refused") };
    let answer = created(&session(new), &place(), &profile());
    assert_eq!(answer.status, 201);
    assert_eq!(answer.get("Location"), Some(format!("/files/{ID}").as_str()));
    assert_eq!(answer.get("Upload-Offset"), Some("0"));
    assert_eq!(answer.get("Upload-Expires"), Some("Wed, 25 Jun 2014 16:00:00 GMT"));
    assert_eq!(answer.get("Tus-Resumable"), Some("1.0.0"));
}

#[test]
fn the_room_a_creation_needs_is_its_length_or_its_body() {
    let need = |fields: &[(&str, &str)], body| needed_bytes(&ask(fields, body).unwrap());
    assert_eq!(need(&[LENGTH], BodyLength::Empty), 10);
    assert_eq!(need(&[LENGTH, CONTENT], BodyLength::Known(3)), 10);
    assert_eq!(need(&[("Upload-Defer-Length", "1"), CONTENT], BodyLength::Known(3)), 3);
    assert_eq!(need(&[("Upload-Defer-Length", "1")], BodyLength::Empty), 0);
}

#[test]
fn a_creation_that_broke_off_says_where_the_upload_is_and_how_far_it_got() {
    let offset = UploadOffset::new(7);
    let answer = cut_short(&Problem::Idle { offset }, "/files/x".to_owned());
    assert_eq!(answer.status, 408);
    assert_eq!(answer.get("Location"), Some("/files/x"));
    assert_eq!(answer.get("Upload-Offset"), Some("7"));
}
