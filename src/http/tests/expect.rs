//! Clients that ask before they send a body (`Expect: 100-continue`).

use super::*;

#[tokio::test]
async fn who_waits_for_a_go_ahead_is_refused_before_the_body() {
    let gateway = owned(false);
    let id = "/files/0123456789abcdef0123456789abcdef";
    let patch = |uri: &str| {
        TestRequest::patch()
            .uri(uri)
            .insert_header(("Tus-Resumable", "1.0.0"))
            .insert_header(("Content-Type", "application/offset+octet-stream"))
            .insert_header(("Content-Length", "5"))
    };
    let offset = ("Upload-Offset", "0");
    assert!(expected(&gateway, by("ann", with_bytes("hello"))).await.is_ok());
    assert!(expected(&gateway, by("ann", patch(id).insert_header(offset))).await.is_ok());
    for (asked, status) in [
        (with_bytes("hello"), 401),
        (by("ann", with_bytes("hello").insert_header(("Upload-Length", "4"))), 413),
        (by("ann", with_bytes("hello").insert_header(("Tus-Resumable", "2"))), 412),
        (by("ann", with_bytes("hello").insert_header(("Content-Type", "text/plain"))), 415),
        (by("ann", with_bytes("hello").insert_header(("Upload-Length", "x"))), 400),
        (by("ann", creation("9223372036854775807")), 507),
        (by("ann", patch(id)), 400),
        (by("ann", patch("/files/x").insert_header(offset)), 404),
    ] {
        assert_eq!(expected(&gateway, asked).await.err(), Some(status));
    }
}

/// A body whose length is not told.
fn in_pieces(request: TestRequest) -> TestRequest {
    request.insert_header(("Transfer-Encoding", "chunked"))
}

#[tokio::test]
async fn whoever_does_not_say_how_long_a_body_is_may_have_none_and_is_told_to_go_on() {
    let gateway = owned(false);
    let begin = || {
        let post = TestRequest::post().uri("/chunked-upload");
        in_pieces(post.insert_header(("X-Filename", "a")).insert_header(("X-Total-Size", "5")))
    };
    for asked in [|| in_pieces(creation("5")), begin] {
        assert!(expected(&gateway, by("ann", asked())).await.is_ok());
        assert_eq!(ask(&gateway, by("ann", asked())).await.status, 201);
        assert_eq!(expected(&gateway, asked()).await.err(), Some(401));
    }
    let numbered = || in_pieces(creation("5")).insert_header(("X-Chunk-Number", "0"));
    assert!(expected(&gateway, by("ann", numbered())).await.is_ok());
    assert_eq!(ask(&gateway, by("ann", numbered())).await.status, 201);
    let too_long = in_pieces(by("bob", creation("9")));
    assert_eq!(expected(&gateway, too_long).await.err(), Some(413));
}

#[tokio::test]
async fn a_chunks_fields_mean_nothing_to_a_creation_or_a_form_and_keep_nobody_from_going_on() {
    let gateway = owned(false);
    for asked in [creation("5"), form("hello")] {
        let asked = by("ann", asked.insert_header(("X-Chunk-Number", "1e9")));
        assert!(expected(&gateway, asked).await.is_ok());
    }
}
