//! What a batch is.

use std::collections::VecDeque;
use std::task::Waker;

use actix_http::error::PayloadError;
use actix_web::FromRequest as _;
use actix_web::test::TestRequest;
use futures_core::Stream;

use super::*;

/// A payload whose pieces are all there already, and that goes on after them.
struct Pieces(VecDeque<Bytes>);

impl Stream for Pieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.pop_front().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(piece))))
    }
}

async fn body(pieces: Vec<&'static str>) -> Body {
    let pieces = pieces.into_iter().map(Bytes::from).collect();
    let pieces: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Pieces(pieces));
    let mut payload = actix_http::Payload::Stream { payload: pieces };
    let request = TestRequest::default().to_http_request();
    Body::new(Payload::from_request(&request, &mut payload).await.unwrap(), None)
}

#[tokio::test]
async fn a_batch_is_what_is_there_up_to_its_size() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = body(vec!["four", "", "more", "rest"]).await;
    assert!(body.fill(&mut cx, 5).is_ready());
    assert_eq!(body.batch, ["four", "more"]);
    body.batch.clear();
    assert!(body.fill(&mut cx, 5).is_pending());
    assert_eq!(body.batch, ["rest"]);
}

#[tokio::test]
async fn tiny_pieces_do_not_make_a_batch_grow_without_bound() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = body(vec!["x"; 5 * MAX_PIECES]).await;
    assert!(body.fill(&mut cx, usize::MAX).is_ready());
    assert_eq!(body.batch.len(), MAX_PIECES);
}
