//! Bodies that break off, where that cannot be arranged from the other end of a wire.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::Payload;
use actix_http::error::PayloadError;
use bytes::Bytes;
use futures_core::Stream;

use super::*;

/// A body that breaks off behind its only piece.
struct Broken(Option<&'static str>);

impl Stream for Broken {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.0.take().map(|piece| Ok(Bytes::from(piece)));
        Poll::Ready(Some(piece.unwrap_or(Err(PayloadError::Incomplete(None)))))
    }
}

pub(super) async fn ask_broken(
    gateway: &Data<Gateway>,
    request: TestRequest,
    piece: Option<&'static str>,
) -> Answer {
    let app = test::init_service(App::new().configure(routes(gateway.clone()))).await;
    let payload: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Broken(piece));
    let (request, _) = request.to_request().replace_payload(Payload::Stream { payload });
    let answer = test::call_service(&app, request).await;
    let (status, fields) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, fields, body: test::read_body(answer).await.to_vec() }
}

/// T-92
#[tokio::test]
async fn a_creation_of_which_nothing_is_kept_tells_no_address() {
    let gateway = gateway(settings()).unwrap();
    let unproven = || with_bytes("hello").insert_header(("Upload-Checksum", "crc32 AAAAAA=="));
    for (request, piece) in [(with_bytes("hello"), None), (unproven(), Some("hel"))] {
        let cut = ask_broken(&gateway, request, piece).await;
        assert_eq!((cut.status, cut.field("location")), (400, None));
        assert_eq!(cut.field("upload-offset"), None);
        assert!(String::from_utf8_lossy(&cut.body).contains("nothing of it was kept"));
        assert!(gateway.engine.sessions(None, 1).await.unwrap().is_empty());
    }
    let cut = ask_broken(&gateway, with_bytes("hello"), Some("hel")).await;
    assert_eq!(cut.field("upload-offset"), Some("3"));
    let url = cut.field("location").unwrap().to_owned();
    let head = TestRequest::default().method(actix_http::Method::HEAD).uri(&url);
    let stands = ask(&gateway, head.insert_header(("Tus-Resumable", "1.0.0"))).await;
    assert_eq!((stands.status, stands.field("upload-offset")), (200, Some("3")));
}

/// A body that falls silent behind its only piece.
struct Silent(Option<&'static str>);

impl Stream for Silent {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Bytes::from(piece)))))
    }
}

#[tokio::test]
async fn what_the_gateway_breaks_off_itself_is_not_held_against_a_client() {
    let clients = clients();
    let known = || clients.census().values().sum::<u64>();
    let gateway = gateway(settings()).unwrap();
    let gateway = Data::new(gateway.get_ref().clone().remembering(clients.clone()));
    let from = |address: &str| with_bytes("hello").peer_addr(address.parse().unwrap());
    let app = test::init_service(App::new().configure(routes(gateway.clone()))).await;
    assert_eq!(ask_broken(&gateway, from("192.0.2.1:80"), Some("hel")).await.status, 400);
    assert_eq!(known(), 1, "a body that its client breaks off teaches something");
    let payload: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Silent(Some("hel")));
    let request = from("192.0.2.2:80").to_request();
    let (request, _) = request.replace_payload(Payload::Stream { payload });
    let (answer, ()) = tokio::join!(test::call_service(&app, request), gateway.engine.stop());
    assert_eq!((answer.status().as_u16(), known()), (503, 1));
}
