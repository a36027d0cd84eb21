//! Slots: every scheme by its own formula, and what the other end of a wire cannot see.

use super::*;
use crate::http::settings::SlotTenant;
use crate::protocol::xep0363::jwt::Claims;
use crate::protocol::xep0363::tenant::MediaTypeRule;
use crate::protocol::xep0363::{BasePath, Scheme, Secret, Tenant};
use crate::slots::Keeping;

const SECRET: &str = "it-is-secret";

fn slots(scheme: Scheme) -> Data<Gateway> {
    slots_of(vec![tenant("/upload", scheme)])
}

fn tenant(base: &str, scheme: Scheme) -> SlotTenant {
    let secret = Secret::new(SECRET).unwrap();
    SlotTenant {
        tenant: Tenant { base: BasePath::new(base).unwrap(), scheme, secret },
        max_length: UploadLength::new(1000),
        keeping: Keeping::Configured,
        quota: None,
    }
}

/// A gateway with the slots of Prosody.
pub(super) fn slots_with(settings: HttpSettings) -> Data<Gateway> {
    let tenants = vec![tenant("/upload", Scheme::Prosody)];
    let slots = SlotSettings { tenants, ids: SlotKey::new([9; 32]) };
    gateway(HttpSettings { slots, ..settings }).unwrap()
}

fn slots_of(tenants: Vec<SlotTenant>) -> Data<Gateway> {
    let slots = SlotSettings { tenants, ids: SlotKey::new([9; 32]) };
    // Whoever else comes needs a token: slots have their own.
    guarded(tokens(), HttpSettings { slots, ..settings() }).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn signature(text: &str) -> String {
    let code = Secret::new(SECRET).unwrap().sign(&[text.as_bytes()]).unwrap();
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn v2(slot: &str, length: usize) -> String {
    let signed = signature(&format!("{slot}\0{length}\0text/plain"));
    format!("/upload/{slot}?v2={signed}")
}

fn put(url: &str, content: &'static str) -> TestRequest {
    TestRequest::put()
        .uri(url)
        .insert_header(("Content-Type", "text/plain"))
        .insert_header(("Content-Length", content.len().to_string()))
        .set_payload(content)
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

#[tokio::test]
async fn a_slot_takes_its_file_once_and_gives_it_to_whoever_knows_the_address() {
    let gateway = slots(Scheme::Prosody);
    assert_eq!(ask(&gateway, get("/upload/a/b.txt")).await.status, 404);
    let stored = ask(&gateway, put(&v2("a/b.txt", 5), "hello")).await;
    assert_eq!((stored.status, stored.body.len()), (201, 0));
    let file = ask(&gateway, get("/upload/%61/b.txt")).await;
    assert_eq!((file.status, file.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(file.field("content-type"), Some("text/plain; charset=utf-8"));
    assert!(file.field("content-disposition").unwrap().contains("b.txt"));
    let again = ask(&gateway, put(&v2("a/b.txt", 5), "other")).await;
    assert_eq!(again.status, 409);
    assert_eq!(ask(&gateway, get("/upload/a/b.txt")).await.body, b"hello");
    assert_eq!(ask(&gateway, put(&v2("a/empty", 0), "")).await.status, 201);
    assert_eq!(ask(&gateway, get("/upload/a/empty")).await.status, 200);
    assert_eq!(ask(&gateway, put(&v2("a/empty", 0), "")).await.status, 409);
}

#[tokio::test]
async fn a_cut_slot_is_put_again_or_from_where_it_was_cut() {
    let gateway = slots(Scheme::Prosody);
    for rest in [("bytes 0-7/8", "hello123"), ("bytes 3-7/8", "lo123"), ("", "hello123")] {
        let slot = format!("a/{}", rest.0.len() + rest.1.len());
        let url = v2(&slot, 8);
        let ranged = |range: &str, bytes| {
            put(&url, bytes).insert_header(("Content-Range", range.to_owned()))
        };
        let first = ask(&gateway, ranged("bytes 0-4/8", "hello")).await;
        assert_eq!((first.status, first.field("upload-offset")), (204, Some("5")));
        assert_eq!(ask(&gateway, get(&format!("/upload/{slot}"))).await.status, 404);
        assert_eq!(ask(&gateway, ranged("bytes 6-7/8", "23")).await.status, 409);
        let last = match rest {
            ("", bytes) => put(&url, bytes),
            (range, bytes) => ranged(range, bytes),
        };
        assert_eq!(ask(&gateway, last).await.status, 201, "{rest:?}");
        assert_eq!(ask(&gateway, get(&format!("/upload/{slot}"))).await.body, b"hello123");
    }
}

#[tokio::test]
async fn a_refused_token_stores_nothing_and_tells_nothing() {
    let gateway = slots(Scheme::Prosody);
    assert_eq!(ask(&gateway, put(&v2("a/there", 5), "hello")).await.status, 201);
    for slot in ["a/there", "a/not-there"] {
        let good = v2(slot, 5);
        let (path, token) = good.split_once('?').unwrap();
        for (asked, status) in [
            (put(path, "hello"), 403),
            (put(&v2(slot, 4), "hello"), 403),
            (put(&good, "hello").insert_header(("Content-Type", "text/html")), 403),
            (put(&good.to_uppercase().replace("/UPLOAD/A", "/upload/a"), "hello"), 403),
            (put(&format!("{good}&{token}"), "hello"), 403),
            (by("ann", put(path, "hello")), 403),
            (put(&good, "hello").insert_header(("Transfer-Encoding", "chunked")), 411),
            (put(&good.replace("/a/", "/a/../a/"), "hello"), 400),
            (put(&good.replace("/a/", "/a%2f"), "hello"), 400),
            (put(&good.replace("/a/", "/a%00/"), "hello"), 400),
            (TestRequest::delete().uri(&good), 405),
            (TestRequest::post().uri(&good), 405),
        ] {
            let refused = ask(&gateway, asked).await;
            assert_eq!(refused.status, status, "{slot}");
            assert!(refused.body.starts_with(b"{\"error\":\""));
        }
    }
    assert_eq!(ask(&gateway, get("/upload/a/not-there")).await.status, 404);
}

#[tokio::test]
async fn a_slot_says_before_the_body_what_it_does_not_take() {
    let gateway = slots(Scheme::Prosody);
    assert!(expected(&gateway, put(&v2("a/b", 5), "hello")).await.is_ok());
    let long = v2("a/b", 1001);
    let long = put(&long, "").insert_header(("Content-Length", "1001"));
    for (asked, status) in [(put("/upload/a/b", "hello"), 403), (long, 413)] {
        assert_eq!(expected(&gateway, asked).await.err(), Some(status));
    }
}

#[tokio::test]
async fn every_scheme_is_served_by_its_own_formula() {
    let hex = |text: &str| signature(text);
    let url = format!("/upload/user/a/b?v={}", hex("user/a/b 5"));
    for scheme in [Scheme::Prosody, Scheme::Ejabberd, Scheme::HmacFileServer] {
        assert_eq!(ask(&slots(scheme), put(&url, "hello")).await.status, 201);
    }
    let url = format!("/upload/a/b?v3={}&expires=4102444800", hex("PUT\n4102444800\n/upload/a/b"));
    let gateway = slots(Scheme::HmacFileServer);
    let cut = put(&url, "hello").insert_header(("Content-Range", "bytes 0-4/8"));
    assert_eq!(ask(&gateway, cut).await.status, 204);
    assert_eq!(ask(&gateway, put(&url, "short")).await.status, 413, "another length than before");
    assert_eq!(ask(&gateway, put(&url, "hello123")).await.status, 201);
    let claims = Claims {
        sub: "ann@example.org".to_owned(),
        iat: None,
        exp: 4_102_444_800,
        slot: "a".to_owned(),
        filename: "è.txt".to_owned(),
        filesize: 5,
        filetype: "image/png".to_owned(),
        expires: Some(4_102_444_900),
    };
    let token = claims.signed(&Secret::new(SECRET).unwrap()).unwrap();
    let lenient = MediaTypeRule::Lenient;
    let gateway = slots(Scheme::FileShare { media_type: lenient });
    let with = |url: &str, content| {
        put(url, content).insert_header(("Authorization", format!("Bearer {token}")))
    };
    assert_eq!(ask(&gateway, put("/upload/a/%C3%A8.txt", "hello")).await.status, 401);
    assert_eq!(ask(&gateway, with("/upload/a/%C3%A8.txt", "hell")).await.status, 413);
    assert_eq!(ask(&gateway, with("/upload/a/%c3%a8.txt", "hello")).await.status, 201);
    let file = ask(&gateway, get("/upload/a/%C3%A8.txt")).await;
    assert_eq!(file.field("content-type"), Some("image/png"));
    //
    let session = gateway.engine.sessions(None, 1).await.unwrap().remove(0);
    let expires = session.expires_at().unwrap().unix_milliseconds();
    assert_eq!(expires, 4_102_444_900_000);
    let gateway = slots(Scheme::Own);
    assert_eq!(
        ask(&gateway, put(&format!("/upload/a/{token}/%C3%A8.txt"), "hello")).await.status,
        201
    );
    assert_eq!(ask(&gateway, get("/upload/a/%C3%A8.txt")).await.body, b"hello");
}

fn by_tus(request: TestRequest, url: &str) -> TestRequest {
    request.uri(url).insert_header(("Tus-Resumable", "1.0.0"))
}

fn patch(url: &str, at: usize, content: &'static str) -> TestRequest {
    by_tus(TestRequest::patch(), url)
        .insert_header(("Content-Type", "application/offset+octet-stream"))
        .insert_header(("Upload-Offset", at.to_string()))
        .insert_header(("Content-Length", content.len().to_string()))
        .set_payload(content)
}

fn look(url: &str) -> TestRequest {
    by_tus(TestRequest::default().method(actix_http::Method::HEAD), url)
}

#[tokio::test]
async fn a_cut_slot_goes_on_by_tus_with_its_own_token() {
    let gateway = slots(Scheme::Prosody);
    let url = v2("a/b", 8);
    assert_eq!(ask(&gateway, look(&url)).await.status, 403, "nobody knows what it is yet");
    let first = put(&url, "hello").insert_header(("Content-Range", "bytes 0-4/8"));
    assert_eq!(ask(&gateway, first).await.status, 204);
    let forged = v2("a/b", 9);
    for (asked, status) in [
        (look(&forged), 403),
        (look("/upload/a/b"), 403),
        (patch(&forged, 5, "123"), 403),
        (by("ann", patch("/upload/a/b", 5, "123")), 403),
        (patch(&url, 4, "o123"), 409),
        (patch(&url, 5, "1234"), 413),
        (TestRequest::patch().uri(&url), 412),
    ] {
        assert_eq!(ask(&gateway, asked).await.status, status);
    }
    let stands = ask(&gateway, look(&url)).await;
    assert_eq!((stands.status, stands.field("upload-offset")), (200, Some("5")));
    assert!(expected(&gateway, patch(&url, 5, "123")).await.is_ok());
    assert_eq!(ask(&gateway, patch(&url, 5, "123")).await.status, 204);
    assert_eq!(ask(&gateway, get("/upload/a/b")).await.body, b"hello123");
    assert_eq!(ask(&gateway, put(&url, "hello123")).await.status, 409);
}

#[tokio::test]
async fn a_slot_comes_in_chunks_with_its_own_token() {
    let gateway = slots(Scheme::Prosody);
    let url = v2("a/b", 8);
    let chunk = |url: &str, number: usize, range: &str, content| {
        put(url, content)
            .insert_header(("X-Chunk-Number", number.to_string()))
            .insert_header(("X-Chunk-Size", "5"))
            .insert_header(("Content-Range", format!("bytes {range}/8")))
    };
    let bare = "/upload/a/b";
    for _ in 0..2 {
        // The same refusals, whether something is there or not.
        assert_eq!(ask(&gateway, chunk(bare, 1, "5-7", "123")).await.status, 403);
        assert_eq!(ask(&gateway, by("ann", chunk(bare, 1, "5-7", "123"))).await.status, 403);
        assert_eq!(ask(&gateway, chunk(&v2("a/b", 9), 1, "5-7", "123")).await.status, 403);
        let asked = chunk(&url, 1, "5-7", "123");
        assert!(expected(&gateway, asked).await.is_ok());
        assert_eq!(ask(&gateway, chunk(&url, 1, "5-7", "123")).await.status, 204);
    }
    assert_eq!(ask(&gateway, get(bare)).await.status, 404);
    let cut = put(&url, "hel").insert_header(("Content-Range", "bytes 0-2/8"));
    let cut = ask(&gateway, cut).await;
    assert_eq!((cut.status, cut.field("upload-offset")), (204, Some("3")));
    assert_eq!(ask(&gateway, chunk(&url, 0, "0-4", "hello")).await.status, 201);
    assert_eq!(ask(&gateway, chunk(&url, 0, "0-4", "hello")).await.status, 201, "it is there");
    assert_eq!(ask(&gateway, get(bare)).await.body, b"hello123");
    let long = chunk(&v2("a/c", 1001), 0, "0-4", "hello");
    let long = long.insert_header(("Content-Range", "bytes 0-4/1001"));
    assert_eq!(ask(&gateway, long).await.status, 413);
}

#[tokio::test]
async fn a_deleted_slot_takes_no_other_file() {
    let gateway = slots(Scheme::Metronome { delete_secret: Secret::new("delete") });
    let signed = signature("a/b\x005\0text/plain");
    let url = format!("/upload/a/b?token={signed}");
    let delete = format!("/upload/a/b?token={}", signature("a/b\0delete"));
    assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 201);
    assert_eq!(ask(&gateway, TestRequest::delete().uri(&url)).await.status, 403);
    for _ in 0..2 {
        assert_eq!(ask(&gateway, TestRequest::delete().uri(&delete)).await.status, 204);
    }
    assert_eq!(ask(&gateway, get("/upload/a/b")).await.status, 404);
    assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 410);
}

#[tokio::test]
async fn forms_and_slots_share_a_path_and_other_addresses_stay_what_they_are() {
    let gateway = slots(Scheme::Prosody);
    assert_eq!(ask(&gateway, by("ann", form("hello"))).await.status, 200);
    assert_eq!(ask(&gateway, put("/uploads/a/b", "hello")).await.status, 404);
    assert_eq!(ask(&gateway, get("/files/a")).await.status, 404);
    let offered = TestRequest::default().method(actix_http::Method::OPTIONS).uri("/upload/a/b");
    let offered = ask(&gateway, offered).await;
    assert_eq!(
        (offered.status, offered.field("allow")),
        (200, Some("OPTIONS, GET, HEAD, PUT, PATCH"))
    );
}

///
#[tokio::test]
async fn a_tenant_at_the_root_has_what_nothing_else_has() {
    let gateway = slots_of(vec![tenant("/", Scheme::HmacFileServer)]);
    for slot in ["a/b.txt", "b.txt", "files/a/b.txt", "upload/a/b.txt", "upload-status/x"] {
        let url = format!("/{slot}?v={}", signature(&format!("{slot} 5")));
        assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 201, "{slot}");
        assert_eq!(ask(&gateway, get(&format!("/{slot}"))).await.body, b"hello", "{slot}");
        assert_eq!(expected(&gateway, put(&format!("/{slot}"), "x")).await.err(), Some(403));
    }
    let url = uploaded_by_ann(&gateway).await;
    assert_eq!(ask(&gateway, by("ann", get(&url))).await.body, b"hello");
    assert_eq!(ask(&gateway, by("ann", form("hello"))).await.status, 200);
    let slot = "files/b.txt";
    let taken = format!("/{slot}?v={}", signature(&format!("{slot} 5")));
    assert_eq!(ask(&gateway, put(&taken, "hello")).await.status, 405, "tus lives there");
    assert!(expected(&gateway, put(&taken, "hello")).await.is_ok(), "its handler refuses it");
    let chunk = TestRequest::get().uri("/upload-status?session_id=x");
    assert_eq!(ask(&gateway, by("ann", chunk)).await.status, 404);
    let root = ask(&gateway, get("/")).await;
    assert_eq!(root.status, 404);
    assert!(text(&root.body).contains("POST /files"), "{}", text(&root.body));
    for path in ["/../x", "/a//b", "/a/"] {
        assert_eq!(ask(&gateway, get(path)).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_tenant_at_the_root_has_what_no_other_tenant_has() {
    let root = || tenant("/", Scheme::Prosody);
    let other = || tenant("/upload", Scheme::Metronome { delete_secret: None });
    for tenants in [vec![root(), other()], vec![other(), root()]] {
        let gateway = slots_of(tenants);
        let signed = signature("a/b\x005\0text/plain");
        let theirs = format!("/upload/a/b?token={signed}");
        assert_eq!(ask(&gateway, put(&format!("/a/b?v2={signed}"), "hello")).await.status, 201);
        assert_eq!(ask(&gateway, put(&theirs, "hello")).await.status, 201);
        let as_roots = signature("upload/x/y\x005\0text/plain");
        let refused = ask(&gateway, put(&format!("/upload/x/y?v2={as_roots}"), "hello")).await;
        assert_eq!(refused.status, 403);
    }
}

///
#[tokio::test]
async fn a_slot_whose_tokens_have_no_end_is_never_forgotten() {
    let gateway = slots(Scheme::Prosody);
    assert_eq!(ask(&gateway, put(&v2("a/b.txt", 5), "hello")).await.status, 201);
    let id = gateway.engine.sessions(None, 1).await.unwrap()[0].id();
    assert!(gateway.engine.remove(id).await.unwrap());
    assert_eq!(gateway.engine.session(id).await.unwrap().unwrap().expires_at(), None);
    assert_eq!(ask(&gateway, put(&v2("a/b.txt", 5), "hello")).await.status, 410);
}
