//! Tells a [`Connection`] when a request begins, when its answer begins, and when that is through.
//!
//! Wrapped around the whole application, so that it also sees answers of middleware.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, MessageBody};
use actix_http::{Request, Response, StatusCode};
use actix_service::{Service, ServiceFactory};
use bytes::Bytes;
use futures_core::ready;
use pin_project_lite::pin_project;

use super::connection::Connection;

/// A request in progress. Ends with its answer, or with the connection.
#[derive(Debug)]
pub(super) struct Turn {
    connection: Option<Connection>,
    /// Whether a piece of the answer was handed over, and the next was not asked for yet.
    offered: bool,
}

impl Turn {
    fn begin(request: &Request) -> Self {
        let connection = request.conn_data::<Connection>().cloned();
        if let Some(connection) = &connection {
            connection.request_begins();
        }
        Self { connection, offered: false }
    }

    fn answer_begins(&self, refused: bool, conflict: bool) {
        if let Some(connection) = &self.connection {
            connection.answers(refused, conflict);
            connection.answer_begins();
        }
    }

    fn offered(&mut self, offered: bool) {
        let Some(connection) = &self.connection else { return };
        match (self.offered, offered) {
            (false, true) => connection.offers(),
            (true, false) => connection.takes(),
            (false, false) | (true, true) => {}
        }
        self.offered = offered;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.offered(false);
        if let Some(connection) = &self.connection {
            connection.request_ends();
        }
    }
}

/// Makes [`TakingTurns`] around the services of a factory.
pub(super) struct Turns<F, B> {
    inner: F,
    body: std::marker::PhantomData<B>,
}

impl<F, B> Turns<F, B> {
    pub(super) const fn new(inner: F) -> Self {
        Self { inner, body: std::marker::PhantomData }
    }
}

impl<F, B> ServiceFactory<Request> for Turns<F, B>
where
    F: ServiceFactory<Request, Config = ()>,
    F::Response: Into<Response<B>>,
    F::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = Response<AnswerBody<B>>;
    type Error = F::Error;
    type Config = ();
    type Service = TakingTurns<F::Service, B>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, Self::InitError>>>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let inner = self.inner.new_service(());
        Box::pin(async move {
            let inner = inner.await?;
            Ok(TakingTurns { inner, body: std::marker::PhantomData })
        })
    }
}

/// A service whose requests are turns of their connection.
pub(super) struct TakingTurns<S, B> {
    inner: S,
    body: std::marker::PhantomData<B>,
}

impl<S, B> Service<Request> for TakingTurns<S, B>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    type Response = Response<AnswerBody<B>>;
    type Error = S::Error;
    type Future = Answering<S::Future, B>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: Request) -> Self::Future {
        let turn = Some(Turn::begin(&request));
        Answering { inner: self.inner.call(request), turn, body: std::marker::PhantomData }
    }
}

pin_project! {
    /// A request that is being answered.
    pub(super) struct Answering<F, B> {
        #[pin]
        inner: F,
        turn: Option<Turn>,
        body: std::marker::PhantomData<B>,
    }
}

impl<F, R, E, B> Future for Answering<F, B>
where
    F: Future<Output = Result<R, E>>,
    R: Into<Response<B>>,
{
    type Output = Result<Response<AnswerBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer: Result<Response<B>, E> = ready!(this.inner.poll(context)).map(Into::into);
        let turn = this.turn.take();
        if let Some(turn) = &turn {
            let status =
                answer.as_ref().map_or(StatusCode::INTERNAL_SERVER_ERROR, Response::status);
            let refused = status.is_client_error() || status.is_server_error();
            turn.answer_begins(refused, status == StatusCode::CONFLICT);
        }
        Poll::Ready(answer.map(|answer| answer.map_body(|_, inner| AnswerBody { inner, turn })))
    }
}

pin_project! {
    /// The body of an answer; its end is the end of the turn.
    pub(super) struct AnswerBody<B> {
        #[pin]
        inner: B,
        turn: Option<Turn>,
    }
}

impl<B: MessageBody> MessageBody for AnswerBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let offered = |turn: &mut Option<Turn>, offered| {
            if let Some(turn) = turn {
                turn.offered(offered);
            }
        };
        offered(this.turn, false);
        let next = this.inner.poll_next(context);
        offered(this.turn, matches!(next, Poll::Ready(Some(Ok(_)))));
        next
    }
}
