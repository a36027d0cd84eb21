//! [`Admission`]: what is refused before any handler sees it, because it takes more than its share.
//!
//! - A head with more fields than HTTP/1 takes. Over HTTP/2 a few bytes repeat a field from a table,
//!   so that 100,000 of them arrive in one packet.
//! - A request of a client behind a trusted proxy that has as many in progress as one address may have
//!   connections: the proxy's own connections are not counted, since they are everybody's (B-12).

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::RequestHead as ActixHead;
use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpResponse};
use futures_core::ready;
use pin_project_lite::pin_project;

use crate::protocol::problem::Problem;
use crate::protocol::tus::refused;

use super::arrival;
use super::call::head;
use super::gateway::Gateway;
use super::reply::{Tail, response};
use super::shares::{Share, Shares};

/// Most fields of a head; what the decoder of HTTP/1 takes.
pub(super) const MAX_FIELDS: usize = 96;

/// Longest head, target included; what the decoder of HTTP/1 takes.
pub(super) const MAX_HEAD_BYTES: usize = 128 * 1024;

/// The middleware. Around all handlers, within [`super::trace::Trace`].
#[derive(Clone, Debug)]
pub(super) struct Admission {
    gateway: Data<Gateway>,
    clients: Shares,
}

impl Admission {
    /// Counts the requests of clients behind the proxies that `gateway` trusts in `clients`.
    pub(super) const fn new(gateway: Data<Gateway>, clients: Shares) -> Self {
        Self { gateway, clients }
    }

    /// The share of a request, if it has one; or why it is refused.
    fn judge(&self, request: &ActixHead) -> Result<Option<Share>, Problem> {
        if !fits(request) {
            let (max_fields, max_bytes) = (MAX_FIELDS, MAX_HEAD_BYTES);
            return Err(Problem::HeadTooLong { max_fields, max_bytes });
        }
        let peer: Option<IpAddr> = request.peer_addr.map(|address| address.ip());
        let trusted = &self.gateway.settings.trusted_proxies;
        match arrival::said(trusted, peer, || head(request)).client {
            None => Ok(None),
            Some(client) => self.clients.take(client).map(Some).ok_or(Problem::TooManyRequests),
        }
    }

    fn refusal(&self, request: &ActixHead, problem: &Problem) -> HttpResponse {
        let asked = head(request);
        let answer = self.gateway.cors.applied_to(refused(problem), &asked);
        let tail = if asked.method == "HEAD" { Tail::Nothing } else { Tail::Own };
        response(answer, tail, problem.ends_connection()).into()
    }
}

/// Whether a head is no longer than one over HTTP/1 could be.
fn fits(request: &ActixHead) -> bool {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let fields = request.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len().saturating_add(value.len()));
    let bytes = fields.fold(target, usize::saturating_add);
    request.headers.len() <= MAX_FIELDS && bytes <= MAX_HEAD_BYTES
}

impl<S, B> Transform<S, ServiceRequest> for Admission
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<AdmittedBody<EitherBody<B>>>;
    type Error = Error;
    type Transform = Admitting<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        std::future::ready(Ok(Admitting { inner, admission: self.clone() }))
    }
}

/// A service whose requests are admitted.
#[derive(Debug)]
pub(super) struct Admitting<S> {
    inner: S,
    admission: Admission,
}

impl<S, B> Service<ServiceRequest> for Admitting<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<AdmittedBody<EitherBody<B>>>;
    type Error = Error;
    type Future = Admitted<S::Future, B>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match self.admission.judge(request.head()) {
            Ok(share) => Admitted::Passed { inner: self.inner.call(request), share },
            Err(problem) => {
                let answer = self.admission.refusal(request.head(), &problem);
                let answer = request.into_response(answer).map_into_right_body();
                let answer = answer.map_body(|_, inner| AdmittedBody { inner, _share: None });
                Admitted::Refused { answer: Some(answer) }
            }
        }
    }
}

pin_project! {
    /// A request on its way, or its refusal.
    #[project = AdmittedProjection]
    pub(super) enum Admitted<F, B> {
        Passed { #[pin] inner: F, share: Option<Share> },
        Refused { answer: Option<ServiceResponse<AdmittedBody<EitherBody<B>>>> },
    }
}

impl<F, B> Future for Admitted<F, B>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<AdmittedBody<EitherBody<B>>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AdmittedProjection::Passed { inner, share } => {
                let answer = ready!(inner.poll(context));
                let share = share.take();
                Poll::Ready(answer.map(|answer| {
                    let answer = answer.map_into_left_body();
                    answer.map_body(|_, inner| AdmittedBody { inner, _share: share })
                }))
            }
            // A future is not polled again once it was ready.
            AdmittedProjection::Refused { answer } => {
                answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
            }
        }
    }
}

pin_project! {
    /// The body of an answer; the request counts until it was handed over.
    pub(super) struct AdmittedBody<B> {
        #[pin]
        inner: B,
        _share: Option<Share>,
    }
}

impl<B: MessageBody> MessageBody for AdmittedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().inner.poll_next(context)
    }
}
