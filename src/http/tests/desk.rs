//! Slots that the gateway issues itself: asked for where ejabberd asks, then used like any other.

use super::*;
use crate::http::service_url::ServiceUrl;
use crate::http::settings::SlotTenant;
use crate::protocol::xep0363::slot::Issuer;
use crate::protocol::xep0363::{
    BasePath, May, OwnerHint, Scheme, Secret, SlotPath, Tenant, Verified,
};
use crate::slots::{Access, DeskParts, Keeping, Offer, Offers, SlotDesk, Unwitnessed};
use crate::upload::{Metadata, NewSession, Owner, Quota, Retention, Session, Timestamp};

const PATH: &str = "/slots/kAq3sX";

fn tenant() -> SlotTenant {
    tenant_at("/chat")
}

fn tenant_at(base: &str) -> SlotTenant {
    let tenant = Tenant {
        base: BasePath::new(base).unwrap(),
        scheme: Scheme::Own,
        secret: Secret::new("it-is-secret").unwrap(),
    };
    let max_length = UploadLength::new(1000);
    SlotTenant { tenant, max_length, keeping: Keeping::Configured, quota: None }
}

/// A gateway that ejabberd may ask from the loopback, for accounts of example.org.
fn asked(access: Option<Access>, quota: Option<Quota>) -> Data<Gateway> {
    at("/chat", access, quota)
}

fn at(base: &str, access: Option<Access>, quota: Option<Quota>) -> Data<Gateway> {
    let tenant = SlotTenant { quota, ..tenant_at(base) };
    let ids = SlotKey::new([9; 32]);
    let slots = SlotSettings { tenants: vec![tenant.clone()], ids: ids.clone() };
    let gateway = guarded(tokens(), HttpSettings { slots, ..settings() }).unwrap();
    let gateway = Gateway::clone(&gateway);
    let lifetime = Duration::from_secs(300);
    let (base, secret) = (tenant.tenant.base, tenant.tenant.secret);
    let message = Offer { max_size: tenant.max_length, keeping: Keeping::Configured };
    let desk = SlotDesk::new(DeskParts {
        engine: gateway.engine.clone(),
        issuer: Issuer::new("https://up.example", base.clone(), secret, lifetime).unwrap(),
        ids,
        base,
        offers: Offers { message, ..Offers::default() },
        lifetime,
        quota,
        clock: Arc::new(SystemClock),
        witness: Arc::new(Unwitnessed),
    });
    let door = ServiceUrl {
        path: PATH.to_owned(),
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        access,
        desk: Arc::new(desk),
    };
    Data::new(gateway.asked_at(vec![door]))
}

fn of_example() -> Data<Gateway> {
    bounded(None)
}

fn bounded(quota: Option<Quota>) -> Data<Gateway> {
    asked(Some(Access::new(&["example.org".to_owned()], &[])), quota)
}

fn question(jid: &str, size: u64) -> TestRequest {
    let query = format!("jid={jid}&name=tr%C3%A8s%20cool.jpg&size={size}&content_type=image/jpeg");
    TestRequest::get().uri(&format!("{PATH}?{query}")).peer_addr("127.0.0.1:1".parse().unwrap())
}

/// The paths of the two URLs.
async fn slot(gateway: &Data<Gateway>, size: u64) -> [String; 2] {
    let answer = ask(gateway, question("ann%40example.org", size)).await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body).unwrap();
    let urls: Vec<&str> = text.split('\n').collect();
    let [put, get] = urls.as_slice() else { panic!("{text}") };
    [put, get].map(|url| url.strip_prefix("https://up.example").unwrap().to_owned())
}

fn put(url: &str, content: &'static str) -> TestRequest {
    TestRequest::put()
        .uri(url)
        .insert_header(("Content-Type", "image/jpeg"))
        .insert_header(("Content-Length", content.len().to_string()))
        .set_payload(content)
}

async fn all(gateway: &Data<Gateway>) -> Vec<Session> {
    gateway.engine.sessions(None, 10).await.unwrap()
}

///
#[tokio::test]
async fn a_put_continues_the_upload_that_came_with_its_slot() {
    let gateway = of_example();
    let [url, place] = slot(&gateway, 5).await;
    let before = all(&gateway).await;
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].owner().name(), Some("xmpp:ann@example.org"));
    assert_eq!(ask(&gateway, TestRequest::get().uri(&place)).await.status, 404);
    assert_eq!(ask(&gateway, put(&place, "hello")).await.status, 401, "X-67");
    assert_eq!(ask(&gateway, put(&url, "other length")).await.status, 413);
    assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 201);
    let after = all(&gateway).await;
    assert_eq!(after.len(), 1, "no other upload was made");
    assert_eq!((after[0].id(), after[0].owner()), (before[0].id(), before[0].owner()));
    assert_eq!(after[0].metadata(), before[0].metadata());
    let file = ask(&gateway, TestRequest::get().uri(&place)).await;
    assert_eq!((file.status, file.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(file.field("content-type"), Some("image/jpeg"));
    let disposition = file.field("content-disposition").unwrap();
    assert!(disposition.contains("tr%C3%A8s%20cool.jpg"), "{disposition}");
    assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 409);
}

///
#[tokio::test]
async fn a_slot_of_ours_goes_by_tus_or_in_chunks_from_its_first_byte() {
    let gateway = of_example();
    let [url, place] = slot(&gateway, 5).await;
    let stands = TestRequest::default().method(actix_web::http::Method::HEAD).uri(&url);
    let stands = ask(&gateway, stands.insert_header(("Tus-Resumable", "1.0.0"))).await;
    assert_eq!((stands.status, stands.field("upload-offset")), (200, Some("0")));
    let add = TestRequest::patch()
        .uri(&url)
        .insert_header(("Tus-Resumable", "1.0.0"))
        .insert_header(("Upload-Offset", "0"))
        .insert_header(("Content-Length", "5"))
        .insert_header(("Content-Type", "application/offset+octet-stream"));
    assert_eq!(ask(&gateway, add.set_payload("hello")).await.status, 204);
    assert_eq!(ask(&gateway, TestRequest::get().uri(&place)).await.body, b"hello");

    let [url, place] = slot(&gateway, 8).await;
    let chunk = |number: &str, content| {
        put(&url, content)
            .insert_header(("X-Chunk-Number", number.to_owned()))
            .insert_header(("X-Chunk-Size", "5"))
            .insert_header(("X-Total-Size", "8"))
    };
    let last = ask(&gateway, chunk("1", "123")).await;
    assert_eq!(last.status, 204, "{}", String::from_utf8_lossy(&last.body));
    assert_eq!(ask(&gateway, chunk("0", "hello")).await.status, 201);
    assert_eq!(ask(&gateway, TestRequest::get().uri(&place)).await.body, b"hello123");
    assert_eq!(all(&gateway).await.len(), 2);
}

#[tokio::test]
async fn a_tenant_at_the_root_does_not_take_the_place_where_ejabberd_asks() {
    let gateway = at("/", None, None);
    let [url, place] = slot(&gateway, 5).await;
    assert!(url.starts_with('/') && !url.starts_with("//"), "{url}");
    assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 201);
    assert_eq!(ask(&gateway, TestRequest::get().uri(&place)).await.body, b"hello");
    // Whoever waits with a body is judged by the same rule: this is no slot.
    let put_there = put(PATH, "hello").peer_addr("127.0.0.1:1".parse().unwrap());
    assert!(expected(&gateway, put_there).await.is_ok());
    let elsewhere = question("ann%40example.org", 5).peer_addr("192.0.2.1:1".parse().unwrap());
    assert_eq!(ask(&gateway, elsewhere).await.status, 403);
}

///
#[tokio::test]
async fn a_refused_question_makes_nothing() {
    let gateway = of_example();
    let at = |address: &str| question("ann%40example.org", 5).peer_addr(address.parse().unwrap());
    let post = TestRequest::post().uri(PATH).peer_addr("127.0.0.1:1".parse().unwrap());
    let nothing = TestRequest::get().uri(PATH).peer_addr("127.0.0.1:1".parse().unwrap());
    for (asked, status) in [
        (question("ann%40example.org", 1001), 413),
        (question("eve%40elsewhere.example", 5), 403),
        (question("example.org", 5), 403),
        (question("a%40b%40example.org", 5), 400),
        (question("ann%40example.org", 0), 400),
        (nothing, 400),
        (at("192.0.2.1:1"), 403),
        (at("[::1]:1"), 403),
        // Whoever has no address is not known to be allowed.
        (TestRequest::get().uri(PATH), 403),
        // Nobody believes a stranger's word about where it is.
        (at("192.0.2.1:1").insert_header(("X-Forwarded-For", "127.0.0.1")), 403),
        (post, 405),
    ] {
        assert_eq!(ask(&gateway, asked).await.status, status);
    }
    assert_eq!(all(&gateway).await.len(), 0);
    let away = ask(&gateway, at("192.0.2.1:1")).await;
    assert_eq!(away.body, b"", "nothing is told to whoever may not ask");
}

#[tokio::test]
async fn the_word_of_a_trusted_proxy_says_who_asks() {
    let gateway = of_example();
    let by_proxy = |client: &str| {
        question("ann%40example.org", 5)
            .peer_addr("10.0.0.1:1".parse().unwrap())
            .insert_header(("X-Forwarded-For", client.to_owned()))
    };
    assert_eq!(ask(&gateway, by_proxy("127.0.0.1")).await.status, 200);
    assert_eq!(ask(&gateway, by_proxy("192.0.2.1")).await.status, 403);
}

#[tokio::test]
async fn without_a_word_about_users_whoever_ejabberd_asks_for_gets_a_slot() {
    let gateway = asked(None, None);
    assert_eq!(ask(&gateway, question("eve%40elsewhere.example", 5)).await.status, 200);
}

#[tokio::test]
async fn a_token_opens_what_its_tenant_sets() {
    let hour = Duration::from_secs(3600);
    let quota = Some(Quota { running: Some(3), ..Quota::default() });
    let tenant = SlotTenant { keeping: Keeping::Own(Some(hour)), quota, ..tenant() };
    let now = Timestamp::from_unix_milliseconds(5000);
    let opened = |owner, file_expires_at| {
        let verified = Verified {
            path: SlotPath::new("a/b").unwrap(),
            length: None,
            media_type: "text/plain".to_owned(),
            file_expires_at,
            owner,
            may: May::Put,
        };
        let new = NewSession::of(Owner::anonymous(), None, Metadata::default());
        tenant.opened(new, &verified, now)
    };
    let ann = OwnerHint::Jid("ann@example.org".to_owned());
    let named = opened(Some(ann), Some(now));
    assert_eq!((named.quota, named.keep_until), (quota, Some(now)));
    let unnamed = opened(None, None);
    assert_eq!((unnamed.quota, unnamed.keep_until), (None, Some(now.after(hour))));
    assert_eq!(unnamed.retention, Retention::Own);
}

///
#[tokio::test]
async fn a_slot_counts_for_whoever_asked_for_it_and_its_file_is_not_counted_twice() {
    let gateway = bounded(Some(Quota { running: Some(1), ..Quota::default() }));
    let [url, _] = slot(&gateway, 5).await;
    let ann = || question("ann%40example.org", 5);
    assert_eq!(ask(&gateway, ann()).await.status, 402);
    assert_eq!(ask(&gateway, question("bob%40example.org", 5)).await.status, 200);
    assert_eq!(ask(&gateway, put(&url, "hello")).await.status, 201);
    assert_eq!(ask(&gateway, ann()).await.status, 200);
}
