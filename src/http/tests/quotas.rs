//! What one owner may have, however an upload begins.

use super::*;
use crate::upload::Quota;

/// Every way to begin an upload of `content`.
fn ways(content: &'static str) -> [(&'static str, TestRequest); 5] {
    let length = content.len();
    let begin = TestRequest::post()
        .uri("/chunked-upload")
        .insert_header(("X-Filename", "a"))
        .insert_header(("X-Total-Size", length.to_string()));
    let chunk = TestRequest::put()
        .uri("/chunked-upload")
        .insert_header(("X-Upload-Session-ID", "mine"))
        .insert_header(("X-Chunk-Number", "0"))
        .insert_header(("Content-Range", format!("bytes 0-{}/{length}", length - 1)))
        .insert_header(("Content-Length", length.to_string()))
        .set_payload(content);
    [
        ("a creation", creation(&length.to_string())),
        ("a creation with its bytes", with_bytes(content)),
        ("a form", form(content)),
        ("a session in chunks", begin),
        ("a first chunk", chunk),
    ]
}

#[tokio::test]
async fn an_owner_who_has_enough_is_told_so_however_an_upload_begins() {
    let quota = Some(Quota { running: Some(1), ..Quota::default() });
    let gateway = guarded(tokens(), HttpSettings { quota, ..settings() }).unwrap();
    assert_eq!(ask(&gateway, by("ann", creation("5"))).await.status, 201);
    for (way, request) in ways("hello") {
        let refused = ask(&gateway, by("ann", request)).await;
        assert_eq!(refused.status, 429, "{way}");
        assert!(refused.field("retry-after").is_some(), "{way}");
    }
    for (way, request) in ways("hello").into_iter().filter(|(way, _)| way.contains("bytes")) {
        assert_eq!(ask(&gateway, by("bob", request)).await.status, 201, "{way}");
    }
}

#[tokio::test]
async fn nobody_in_particular_has_no_quota() {
    let quota = Some(Quota { running: Some(1), ..Quota::default() });
    let gateway = gateway(HttpSettings { quota, ..settings() }).unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&gateway, creation("5")).await.status, 201);
    }
}
