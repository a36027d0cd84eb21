//! The admin side: health, metrics and sessions, for the operator on this machine.
//!
//! Nothing authenticates here. It listens on loopback only ([`require_loopback`]), and answers only
//! requests that were meant for a loopback name, so that no web page can reach it by a DNS name of
//! its own that resolves to this machine. No token leaves by it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentType};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError};
use crate::upload::{Session, UploadId};

use super::client::Clients;
use super::metrics::{Disk, EXPOSITION, Metrics, Now, plain};
use super::owner_view::{OwnerRemoved, OwnerView};
use super::session_view::SessionView;
use super::settings::ListenAddress;
use super::tuner::Tuner;

/// Most sessions in one answer.
const MAX_PAGE: usize = 1000;

/// Sessions in one answer, unless asked otherwise.
const PAGE: usize = 100;

/// What the admin side looks at.
pub struct Admin {
    /// The uploads.
    pub engine: Engine,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Set when the gateway begins to stop.
    pub stopping: Arc<AtomicBool>,
    /// Tells whether transfers are fitted to their clients.
    pub tuner: Tuner,
    /// What is remembered of clients, if anything is.
    pub clients: Option<Clients>,
    /// Tells where the components of XMPP servers stand.
    pub components: Box<dyn Fn() -> Vec<ComponentStanding> + Send + Sync>,
}

/// Where a component of an XMPP server stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentStanding {
    /// What the XMPP server calls it.
    pub domain: String,
    /// Whether the XMPP server takes it.
    pub connected: bool,
    /// Why it does not, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The admin side would be reachable from other machines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the admin side has no authentication and must listen on a loopback address, not on {0}")]
pub struct NotLoopback(String);

/// Whether the admin side may listen there: loopback, or a Unix socket.
///
/// # Errors
///
/// [`NotLoopback`], naming the address.
pub fn require_loopback(address: &ListenAddress) -> Result<(), NotLoopback> {
    match address {
        ListenAddress::Tcp(address) if !address.ip().to_canonical().is_loopback() => {
            Err(NotLoopback(address.to_string()))
        }
        ListenAddress::Tcp(_) | ListenAddress::Unix(_) => Ok(()),
    }
}

/// The routes of the admin side.
pub fn routes(admin: web::Data<Admin>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let scope = web::scope("")
            .wrap(from_fn(refuse_foreign_names))
            .route("/health/live", web::get().to(live))
            .route("/health/ready", web::get().to(ready))
            .route("/metrics", web::get().to(metrics))
            .route("/sessions", web::get().to(sessions))
            .route("/sessions/{id}", web::get().to(session))
            .route("/sessions/{id}", web::delete().to(remove))
            .route("/owners", web::get().to(owner))
            .route("/owners", web::delete().to(remove_owner))
            .default_service(web::to(|| async { refusal(not_found()) }));
        config.app_data(admin).service(scope);
    }
}

/// Turns away requests that were meant for another name.
async fn refuse_foreign_names(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    if is_for_loopback(&request) {
        return next.call(request).await;
    }
    let answer = HttpResponse::MisdirectedRequest().json(Refused {
        error: "this side answers to loopback names only, like localhost or 127.0.0.1",
    });
    Ok(request.into_response(answer))
}

/// Looks at every name the request gives; never at what a proxy says.
fn is_for_loopback(request: &ServiceRequest) -> bool {
    let mut names: Vec<_> =
        request.uri().authority().map(|name| name.as_str()).into_iter().collect();
    for line in request.headers().get_all(header::HOST) {
        // What is not text is not a loopback name.
        names.push(line.to_str().unwrap_or_default());
    }
    !names.is_empty() && names.into_iter().all(is_loopback_name)
}

/// `localhost`, or a loopback address, with or without a port.
fn is_loopback_name(name: &str) -> bool {
    let host = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        Some(_) | None => name,
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Live { live: true })
}

async fn ready(admin: web::Data<Admin>) -> HttpResponse {
    let reasons = admin.unready().await;
    let mut answer = match reasons.is_empty() {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    let (components, fitting_is_off) = ((admin.components)(), admin.tuner.rolled_back());
    answer.json(Ready { ready: reasons.is_empty(), reasons, components, fitting_is_off })
}

/// Whoever has less room than this beside the reserve should get no new uploads: writers stop
/// before they touch the reserve, so the last bytes before it are never used up.
const LEAST_ROOM_BYTES: u64 = 1024 * 1024;

async fn metrics(admin: web::Data<Admin>, request: actix_web::HttpRequest) -> HttpResponse {
    let disk = admin
        .engine
        .room()
        .ok()
        .map(|room| Disk { usable_bytes: room.usable_bytes, reserve_bytes: room.reserve_bytes });
    let (components, clients) = ((admin.components)(), admin.clients.as_ref().map(Clients::census));
    match admin.metrics.encode(Now { disk, components, clients }) {
        Ok(text) if plain::is_wanted(accept(&request)) => {
            HttpResponse::Ok().content_type(plain::PLAIN).body(plain::plain(&text))
        }
        Ok(text) => HttpResponse::Ok().content_type(EXPOSITION).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn accept(request: &actix_web::HttpRequest) -> Option<&str> {
    request.headers().get(header::ACCEPT)?.to_str().ok()
}

async fn sessions(admin: web::Data<Admin>, request: actix_web::HttpRequest) -> HttpResponse {
    let page = match web::Query::<Page>::from_query(request.query_string()) {
        Ok(page) => page.into_inner(),
        Err(_) => return refusal(bad_request("only `after` and `limit` may be asked, once each")),
    };
    match list(&admin.engine, &page).await {
        Ok(listing) => HttpResponse::Ok().json(listing),
        Err(refused) => refusal(refused),
    }
}

async fn list(engine: &Engine, page: &Page) -> Result<Listing, Refusal> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad_request("`limit` must be between 1 and 1000"));
    }
    let after = page.after.as_deref().map(identify).transpose()?;
    let sessions = engine.sessions(after, limit).await.map_err(|error| failed(&error))?;
    // Unreadable records are left out, so only an empty page is the last one for certain.
    let next = sessions.last().map(|session| session.id().to_string());
    Ok(Listing { sessions: sessions.iter().map(SessionView::of).collect(), next })
}

async fn session(admin: web::Data<Admin>, id: web::Path<String>) -> HttpResponse {
    match find(&admin.engine, &id).await {
        Ok(session) => HttpResponse::Ok().json(SessionView::of(&session)),
        Err(refused) => refusal(refused),
    }
}

async fn find(engine: &Engine, id: &str) -> Result<Session, Refusal> {
    let found = engine.session(identify(id)?).await.map_err(|error| failed(&error))?;
    found.ok_or_else(not_found)
}

async fn remove(admin: web::Data<Admin>, id: web::Path<String>) -> HttpResponse {
    match take_away(&admin.engine, &id).await {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(refused) => refusal(refused),
    }
}

async fn take_away(engine: &Engine, id: &str) -> Result<(), Refusal> {
    let removed = engine.remove(identify(id)?).await.map_err(|error| failed(&error))?;
    if removed { Ok(()) } else { Err(not_found()) }
}

async fn owner(admin: web::Data<Admin>, request: actix_web::HttpRequest) -> HttpResponse {
    let name = match whose(&request) {
        Ok(name) => name,
        Err(refused) => return refusal(refused),
    };
    match OwnerView::of(&admin.engine, &name).await {
        Ok(view) => HttpResponse::Ok().json(view),
        Err(error) => refusal(failed(&error)),
    }
}

async fn remove_owner(admin: web::Data<Admin>, request: actix_web::HttpRequest) -> HttpResponse {
    let name = match whose(&request) {
        Ok(name) => name,
        Err(refused) => return refusal(refused),
    };
    match OwnerRemoved::carry_out(&admin.engine, admin.clients.as_ref(), &name).await {
        Ok(removed) => HttpResponse::Ok().json(removed),
        Err(error) => refusal(failed(&error)),
    }
}

/// The owner that a request names.
fn whose(request: &actix_web::HttpRequest) -> Result<String, Refusal> {
    let named = web::Query::<Whose>::from_query(request.query_string());
    let named = named.map(|query| query.into_inner().name).ok().filter(|name| !name.is_empty());
    named.ok_or(bad_request("name the owner, percent-encoded: `?name=xmpp%3Aann%40example.org`"))
}

fn identify(id: &str) -> Result<UploadId, Refusal> {
    id.parse().map_err(|_| bad_request("an upload id is 32 lower-case hexadecimal digits"))
}

impl Admin {
    /// Why no new upload should be sent here; nothing if all is well.
    async fn unready(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.stopping.load(Ordering::Acquire) {
            reasons.push(Reason::Stopping);
        }
        match self.engine.room() {
            Ok(room) if room.usable_bytes < LEAST_ROOM_BYTES => {
                reasons.push(Reason::DiskReserveReached)
            }
            Ok(_) => {}
            Err(_) => reasons.push(Reason::DiskUnknown),
        }
        // An id that no upload has: the store is asked, and no record is in the way.
        if self.engine.session(UploadId::from_bytes([0; 16])).await.is_err() {
            reasons.push(Reason::SessionStoreFailed);
        }
        reasons
    }
}

/// Why the gateway is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    Stopping,
    DiskReserveReached,
    DiskUnknown,
    SessionStoreFailed,
}

#[derive(Serialize)]
struct Live {
    live: bool,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<Reason>,
    /// A detail that decides nothing: whoever has a slot, or speaks tus, is served as well without
    /// the XMPP server, and sending them elsewhere would not bring it back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<ComponentStanding>,
    /// Why transfers are not fitted to their clients any more. Uploads are as safe as with it, so this
    /// decides nothing either.
    #[serde(skip_serializing_if = "Option::is_none")]
    fitting_is_off: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    name: String,
}

#[derive(Serialize)]
struct Listing {
    sessions: Vec<SessionView>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Refused {
    error: &'static str,
}

/// A status and what it means, for people.
type Refusal = (actix_web::http::StatusCode, &'static str);

const fn bad_request(error: &'static str) -> Refusal {
    (actix_web::http::StatusCode::BAD_REQUEST, error)
}

const fn not_found() -> Refusal {
    (actix_web::http::StatusCode::NOT_FOUND, "there is nothing here")
}

fn failed(error: &EngineError) -> Refusal {
    use actix_web::http::StatusCode;
    match error {
        EngineError::NotFound => not_found(),
        EngineError::Busy => (StatusCode::CONFLICT, "a request is writing this upload"),
        EngineError::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping"),
        EngineError::Overloaded => {
            (StatusCode::SERVICE_UNAVAILABLE, "no descriptor is left for the upload's file")
        }
        EngineError::Refused(_) | EngineError::TakenOver { .. } => {
            (StatusCode::CONFLICT, "the upload is not in a state for this")
        }
        EngineError::ChecksumMismatch { .. }
        | EngineError::NoRoom { .. }
        | EngineError::Storage(_) => {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, "the admin side met a failure");
            (StatusCode::INTERNAL_SERVER_ERROR, "the store failed; the log says how")
        }
    }
}

fn refusal((status, error): Refusal) -> HttpResponse {
    HttpResponse::build(status).content_type(ContentType::json()).json(Refused { error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        for good in [
            "localhost",
            "LOCALHOST:9090",
            "127.0.0.1",
            "127.0.0.1:9090",
            "[::1]",
            "[::1]:9090",
            "127.9.9.9:1",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:9090",
            "10.0.0.1",
            "0.0.0.0:9090",
            "[2001:db8::1]",
            "localhost:80:80",
            "user@localhost",
            "localhost ",
        ] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }

    #[test]
    fn the_admin_side_listens_on_loopback_only() {
        for good in ["127.0.0.1:0", "[::1]:9090"] {
            assert_eq!(require_loopback(&ListenAddress::Tcp(good.parse().unwrap())), Ok(()));
        }
        assert_eq!(require_loopback(&ListenAddress::Unix("/run/a.sock".into())), Ok(()));
        for bad in ["0.0.0.0:9090", "[::]:9090", "192.168.0.1:9090"] {
            let refused = require_loopback(&ListenAddress::Tcp(bad.parse().unwrap()));
            assert!(refused.unwrap_err().to_string().ends_with(bad));
        }
    }
}
