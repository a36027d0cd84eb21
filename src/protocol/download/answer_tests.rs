use super::*;
use crate::protocol::head::BodyLength;
use crate::protocol::tus::examples::{ID, head, session};
use crate::upload::{Metadata, NewSession, Owner, UploadLength};

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_403_712_000_000);

fn file(length: u64) -> Representation {
    Representation {
        id: ID.parse().unwrap(),
        length,
        completed_at: NOW,
        expires_at: None,
        name: FileName::sanitised(b"a.png"),
        media_type: MediaType::read(b"image/png").unwrap(),
        sharing: Sharing::Private,
    }
}

fn get(fields: &[(&str, &str)], length: u64) -> Result<Answer, Problem> {
    answer(&head("GET", fields, BodyLength::Empty), &file(length), "edge", NOW)
}

#[test]
fn a_whole_file_comes_with_what_keeps_it_harmless() {
    let answer = get(&[], 10).unwrap();
    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.content.length(), 10);
    for (name, value) in [
        ("Content-Type", "image/png"),
        ("Content-Disposition", "inline; filename=\"a.png\""),
        ("X-Content-Type-Options", "nosniff"),
        ("Accept-Ranges", "bytes"),
        ("Last-Modified", "Wed, 25 Jun 2014 16:00:00 GMT"),
        ("Cache-Control", "private, max-age=31536000, immutable"),
        ("ETag", "\"0123456789abcdef0123456789abcdef-10\""),
    ] {
        assert_eq!(answer.head.get(name), Some(value), "{name}");
    }
    let policy = answer.head.get("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'"));
}

#[test]
fn caching_ends_when_the_file_does() {
    let mut file = file(1);
    file.expires_at = Some(NOW.after(Duration::from_secs(90)));
    file.sharing = Sharing::Public;
    let answer = look(&head("HEAD", &[], BodyLength::Empty), &file, NOW).unwrap();
    assert_eq!(answer.head.get("Cache-Control"), Some("public, max-age=90, immutable"));
}

#[test]
fn one_range_is_sent_bare() {
    let answer = get(&[("Range", "bytes=2-4")], 10).unwrap();
    assert_eq!(answer.head.status, 206);
    assert_eq!(answer.head.get("Content-Range"), Some("bytes 2-4/10"));
    assert_eq!(answer.content.length(), 3);
    assert_eq!(answer.content.stretches[0].range, ByteRange { start: 2, bytes: 3 });
}

#[test]
fn several_ranges_are_parts_and_the_length_counts_what_is_between() {
    let answer = get(&[("Range", "bytes=0-1,8-9")], 10).unwrap();
    assert_eq!(answer.head.get("Content-Type"), Some("multipart/byteranges; boundary=edge"));
    assert_eq!(answer.head.get("Content-Range"), None);
    let mut body = String::new();
    for stretch in &answer.content.stretches {
        body.push_str(&stretch.preamble);
        body.push_str(&"x".repeat(stretch.range.bytes.try_into().unwrap()));
    }
    body.push_str(&answer.content.epilogue);
    assert_eq!(
        body,
        "--edge\r\nContent-Type: image/png\r\nContent-Range: bytes 0-1/10\r\n\r\nxx\r\n\
         --edge\r\nContent-Type: image/png\r\nContent-Range: bytes 8-9/10\r\n\r\nxx\r\n--edge--\r\n"
    );
    assert_eq!(answer.content.length(), u64::try_from(body.len()).unwrap());
}

#[test]
fn a_range_of_another_version_gets_the_whole() {
    let fields = [("Range", "bytes=2-4"), ("If-Range", "\"other\"")];
    assert_eq!(get(&fields, 10).unwrap().head.status, 200);
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let etag = file(10).etag();
    let answer = get(&[("If-None-Match", etag.as_str()), ("Range", "bytes=0-1")], 10).unwrap();
    assert_eq!(answer.head.status, 304);
    assert_eq!(answer.content, Content::default());
    assert_eq!(answer.head.get("ETag"), Some(etag.as_str()));
    assert_eq!(answer.head.get("Content-Type"), None);
}

#[test]
fn conditions_and_ranges_that_cannot_be_met_are_refused() {
    assert_eq!(get(&[("If-Match", "\"x\"")], 10), Err(Problem::PreconditionFailed));
    let refusal = Err(Problem::RangeNotSatisfiable { length: 10 });
    assert_eq!(get(&[("Range", "bytes=10-")], 10), refusal);
}

#[test]
fn an_empty_file_is_served_as_one() {
    let answer = get(&[], 0).unwrap();
    assert_eq!((answer.head.status, answer.content.length()), (200, 0));
}

#[test]
fn a_look_ignores_ranges_but_not_conditions() {
    let look =
        |fields: &[(&str, &str)]| look(&head("HEAD", fields, BodyLength::Empty), &file(10), NOW);
    assert_eq!(look(&[("Range", "bytes=0-1")]).unwrap().head.status, 200);
    assert_eq!(look(&[("If-None-Match", "*")]).unwrap().head.status, 304);
    assert_eq!(look(&[("If-Match", "\"x\"")]), Err(Problem::PreconditionFailed));
}

#[test]
fn name_and_type_come_from_the_metadata_and_the_guess_only_helps_out() {
    for (metadata, name, media_type) in [
        ("filename YS5wbmc=,filetype aW1hZ2UvanBlZw==", Some("a.png"), "image/jpeg"),
        ("name YS5wbmc=", Some("a.png"), "image/png"),
        ("filename YS5wbmc=,type bm9uc2Vuc2U=", Some("a.png"), "image/png"),
        ("filename YQ==", Some("a"), "application/octet-stream"),
        ("contentType dGV4dC9wbGFpbg==", None, "text/plain"),
        ("", None, "application/octet-stream"),
    ] {
        let metadata_read = Metadata::parse(metadata).unwrap();
        let length = UploadLength::new(0);
        let session = session(NewSession::of(Owner::anonymous(), length, metadata_read));
        let guess = |ending: &str| (ending == "png").then(|| "image/png".to_owned());
        let file = Representation::of(&session, Sharing::Public, guess);
        assert_eq!(file.name.as_ref().map(FileName::as_str), name, "{metadata}");
        assert_eq!(file.media_type.as_str(), media_type, "{metadata}");
    }
}
