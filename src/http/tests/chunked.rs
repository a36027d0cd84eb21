//! Chunk headers, as far as the other end of a wire cannot see them.

use super::*;

fn chunk(session: &str) -> TestRequest {
    TestRequest::put()
        .uri("/chunked-upload")
        .insert_header(("X-Upload-Session-ID", session.to_owned()))
        .insert_header(("X-Chunk-Number", "0"))
        .insert_header(("Content-Range", "bytes 0-4/8"))
        .insert_header(("Content-Length", "5"))
        .set_payload("hello")
}

#[tokio::test]
async fn one_session_id_means_another_upload_to_every_owner() {
    let gateway = owned(false);
    let status = || TestRequest::get().uri("/upload-status?session_id=mine");
    assert_eq!(ask(&gateway, by("ann", chunk("mine"))).await.status, 200);
    assert_eq!(ask(&gateway, by("bob", status())).await.status, 404);
    let long = chunk("mine").insert_header(("Content-Range", "bytes 0-4/9"));
    assert_eq!(ask(&gateway, by("bob", long)).await.status, 413, "bob's token is bounded");
    assert_eq!(ask(&gateway, by("bob", chunk("mine"))).await.status, 200);
    let url = |answer: Answer| {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        body["upload_url"].as_str().unwrap().to_owned()
    };
    let anns = url(ask(&gateway, by("ann", status())).await);
    let bobs = url(ask(&gateway, by("bob", status())).await);
    assert_ne!(anns, bobs);
    // Nor does the id of ann's upload open it.
    let id = anns.rsplit('/').next().unwrap();
    let peek = || TestRequest::get().uri(&anns.replace("/files", "/chunked-upload"));
    assert_eq!(ask(&gateway, by("ann", peek())).await.status, 200);
    assert_eq!(ask(&gateway, by("bob", peek())).await.status, 404);
    let rest = chunk(id).insert_header(("Content-Range", "bytes 0-4/7"));
    assert_eq!(ask(&gateway, by("bob", rest)).await.status, 200, "a session of bob's own");
    assert_eq!(ask(&gateway, by("ann", peek())).await.field("upload-length"), Some("8"));
}

#[tokio::test]
async fn the_urls_of_a_session_are_absolute_behind_a_public_url() {
    let public_url = Some("https://public.example/in".to_owned());
    let gateway = gateway(HttpSettings { public_url, ..settings() }).unwrap();
    let begin = TestRequest::post()
        .uri("/chunked-upload")
        .insert_header(("X-Filename", "a"))
        .insert_header(("X-Total-Size", "1"));
    let answer = ask(&gateway, begin).await;
    let location = answer.field("location").unwrap();
    assert!(location.starts_with("https://public.example/in/chunked-upload/"), "{location}");
}

#[tokio::test]
async fn a_chunk_that_waits_for_a_go_ahead_is_refused_before_its_body() {
    let gateway = owned(false);
    assert!(expected(&gateway, by("ann", chunk("a"))).await.is_ok());
    for (asked, status) in [
        (chunk("a"), 401),
        (by("ann", chunk("a").insert_header(("X-Chunk-Number", "1e9"))), 400),
        (by("ann", chunk("a").insert_header(("Content-Range", "bytes 0-3/8"))), 400),
        (by("ann", chunk("a").insert_header(("Content-Digest", "md5=:AA==:"))), 400),
    ] {
        assert_eq!(expected(&gateway, asked).await.err(), Some(status));
    }
}

#[tokio::test]
async fn chunk_headers_that_are_off_are_nowhere() {
    let gateway = gateway(HttpSettings { chunks: None, ..settings() }).unwrap();
    assert_eq!(ask(&gateway, chunk("a")).await.status, 404);
    let status = TestRequest::get().uri("/upload-status?session_id=a");
    assert_eq!(ask(&gateway, status).await.status, 404);
    let url = ask(&gateway, creation("10")).await.field("location").unwrap().to_owned();
    assert_eq!(ask(&gateway, chunk("a").uri(&url)).await.status, 405);
}
