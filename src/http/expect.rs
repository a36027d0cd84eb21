//! `Expect: 100-continue`: a client that asks first is refused before it sends its body (T-94).
//!
//! actix answers `100 Continue` on its own before any handler runs, unless this service says no.
//! It asks what the handlers ask first, as far as no store is needed for the answer. Where the
//! application has to be asked, the client waits with its body until it has answered.

use std::future::{Ready, ready};
use std::pin::Pin;

use actix_http::body::BoxBody;
use actix_http::{Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::web::Data;

use crate::protocol;
use crate::protocol::chunked::begin;
use crate::protocol::form;
use crate::protocol::head::BodyLength;
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::protocol::tus::{carries_bytes, options, refused};
use crate::upload::UploadId;

use super::call::Call;
use super::failure::Failure;
use super::gateway::Gateway;
use super::reply::{Tail, response};
use super::settings::HttpSettings;
use super::{chunked, slots};

/// Judges requests that wait for `100 Continue`.
#[derive(Clone, Debug)]
pub struct ExpectService {
    gateway: Data<Gateway>,
}

impl ExpectService {
    /// For the `expect` of an `HttpServiceBuilder`.
    #[must_use]
    pub const fn new(gateway: Data<Gateway>) -> Self {
        Self { gateway }
    }

    /// Whether the body may come.
    ///
    /// # Errors
    ///
    /// The answer that refuses it.
    pub async fn judge(&self, request: &Request) -> Result<(), Response<BoxBody>> {
        self.refusal(request).await.map_or(Ok(()), Err)
    }

    /// The refusal, if there is one.
    async fn refusal(&self, request: &Request) -> Option<Response<BoxBody>> {
        let mut call = Call::new(&self.gateway, request.head());
        if let Some(judged) = slots::judged(&call) {
            let problem = judged.err()?.problem(None);
            let head = call.with_cors(slots::refusal(&call, &problem));
            return Some(response(head, Tail::Own, problem.ends_connection()));
        }
        let target = target(call.head.path, &self.gateway.settings);
        if may_turn_out_empty(&call, target) {
            call.head.body = BodyLength::Empty;
        }
        if let Some(judged) = chunked::judged(&call, target == Target::Upload).await {
            let problem = judged.err()?.problem(None);
            let head = call.with_cors(protocol::chunked::refused(&problem));
            return Some(response(head, Tail::Own, problem.ends_connection()));
        }
        let judged: Result<(), Failure> = match (call.method, target) {
            (Method::Post, Target::Endpoint) | (Method::Patch, Target::Upload)
                if !self.gateway.settings.resumption =>
            {
                let allow = match target {
                    Target::Upload => self.gateway.profile.methods_of_a_file(),
                    Target::Endpoint | Target::Forms | Target::Elsewhere => options::NOTHING,
                };
                Err(Problem::MethodNotAllowed { allow }.into())
            }
            (Method::Post, Target::Endpoint) => call.creation().await.map(|_| ()),
            (Method::Post, Target::Forms) => call.form().await.map(|_| ()),
            (Method::Patch, Target::Upload) => call.addition().await.map(|_| ()),
            (Method::Patch, Target::Elsewhere) => Err(Problem::NotFound.into()),
            // Whatever else it is, its handler answers; nothing is gained by refusing it here.
            (
                Method::Options
                | Method::Head
                | Method::Get
                | Method::Post
                | Method::Put
                | Method::Patch
                | Method::Delete
                | Method::Other,
                _,
            ) => Ok(()),
        };
        let problem = judged.err()?.problem(None);
        let head = match target {
            Target::Forms => form::refused(&problem),
            Target::Endpoint | Target::Upload | Target::Elsewhere => refused(&problem),
        };
        Some(response(call.with_cors(head), Tail::Own, problem.ends_connection()))
    }
}

/// Whether the handler will wait for the first byte before it knows whether there is a body (T-95).
fn may_turn_out_empty(call: &Call<'_>, target: Target) -> bool {
    let creates = match target {
        Target::Endpoint => !carries_bytes(&call.head),
        // Of chunk headers, if anything.
        Target::Elsewhere => begin::is_meant(&call.head),
        Target::Forms | Target::Upload => false,
    };
    creates && call.head.body == BodyLength::Unknown
}

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Forms,
    Endpoint,
    Upload,
    Elsewhere,
}

fn target(path: &str, settings: &HttpSettings) -> Target {
    let forms = settings.form_path.as_deref();
    if forms.is_some_and(|forms| matches!(path.strip_prefix(forms), Some("" | "/"))) {
        return Target::Forms;
    }
    match path.strip_prefix(settings.base_path.as_str()) {
        Some("" | "/") => Target::Endpoint,
        Some(rest) => {
            let id = rest.strip_prefix('/').and_then(|id| id.parse::<UploadId>().ok());
            id.map_or(Target::Elsewhere, |_| Target::Upload)
        }
        None => Target::Elsewhere,
    }
}

impl ServiceFactory<Request> for ExpectService {
    type Response = Request;
    type Error = Response<BoxBody>;
    type Config = ();
    type Service = Self;
    type InitError = ();
    type Future = Ready<Result<Self, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        ready(Ok(self.clone()))
    }
}

impl Service<Request> for ExpectService {
    type Response = Request;
    type Error = Response<BoxBody>;
    type Future = Pin<Box<dyn Future<Output = Result<Request, Response<BoxBody>>>>>;

    actix_service::always_ready!();

    fn call(&self, request: Request) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { service.judge(&request).await.map(|()| request) })
    }
}
