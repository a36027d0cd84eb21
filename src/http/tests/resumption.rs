//! Where uploads cannot be continued (`uploads.resumableuploadsenabled = false`).

use super::cuts::ask_broken;
use super::slots::{slots_with, v2};
use super::*;

fn whole_only() -> HttpSettings {
    HttpSettings { resumption: false, ..settings() }
}

fn patch(url: &str) -> TestRequest {
    TestRequest::patch()
        .uri(url)
        .insert_header(("Tus-Resumable", "1.0.0"))
        .insert_header(("Upload-Offset", "0"))
        .insert_header(("Content-Type", "application/offset+octet-stream"))
        .insert_header(("Content-Length", "5"))
        .set_payload("hello")
}

#[tokio::test]
async fn without_resumption_tus_is_neither_offered_nor_done() {
    let gateway = gateway(whole_only()).unwrap();
    let options = || TestRequest::default().method(actix_http::Method::OPTIONS);
    let offered = ask(&gateway, options().uri("/files")).await;
    assert_eq!((offered.status, offered.field("tus-version")), (204, None));
    let url = "/files/0123456789abcdef0123456789abcdef";
    for (request, allow) in [
        (with_bytes("hello"), "OPTIONS"),
        (creation("5"), "OPTIONS"),
        (patch(url), "OPTIONS, HEAD, GET, DELETE"),
    ] {
        let refused = ask(&gateway, request).await;
        assert_eq!((refused.status, refused.field("allow")), (405, Some(allow)));
    }
    for waits in [with_bytes("hello"), patch(url)] {
        assert_eq!(expected(&gateway, waits).await.err(), Some(405));
    }
    assert!(gateway.engine.sessions(None, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_resumption_forms_and_what_they_brought_stay() {
    let gateway = gateway(whole_only()).unwrap();
    let stored = ask(&gateway, form("hello")).await;
    assert_eq!(stored.status, 200);
    let url = stored.field("location").unwrap();
    assert_eq!(ask(&gateway, TestRequest::get().uri(url)).await.body, b"hello");
}

#[tokio::test]
async fn without_resumption_a_slot_takes_its_file_whole_and_keeps_nothing_of_a_cut_one() {
    for (resumption, kept) in [(true, 3), (false, 0)] {
        let gateway = slots_with(HttpSettings { resumption, ..settings() });
        let url = v2("a/b.txt", 5);
        let put = |content: &'static str| {
            TestRequest::put()
                .uri(&url)
                .insert_header(("Content-Type", "text/plain"))
                .insert_header(("Content-Length", content.len().to_string()))
                .set_payload(content)
        };
        let cut = ask_broken(&gateway, put("hello"), Some("hel")).await;
        assert_eq!(cut.status, 400);
        let sessions = gateway.engine.sessions(None, 2).await.unwrap();
        assert_eq!(sessions[0].offset().get(), kept);
        let part = ask(&gateway, put("lo").insert_header(("Content-Range", "bytes 3-4/5"))).await;
        assert_eq!(part.status, if resumption { 201 } else { 400 });
        let tus = ask(&gateway, patch(&url)).await;
        assert_eq!(tus.status == 405, !resumption, "{}", tus.status);
        if !resumption {
            assert_eq!(ask(&gateway, put("hello")).await.status, 201);
        }
        let file = ask(&gateway, TestRequest::get().uri("/upload/a/b.txt")).await;
        assert_eq!(file.body, b"hello");
    }
}
