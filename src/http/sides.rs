//! The two sides of a gateway as a whole: routes on listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_http::Request;
use actix_service::Service as _;
use actix_web::App;
use actix_web::web::Data;

use super::admin::{self, Admin};
use super::admission::Admission;
use super::expect::ExpectService;
use super::gateway::Gateway;
use super::listener::{Expect, Hooks, ListenError, Serving, serve};
use super::metrics::Metrics;
use super::routes::routes;
use super::settings::{ListenAddress, ListenerSettings, ServerSettings};
use super::shares::Shares;
use super::trace::Trace;

/// One worker answers operators; they are few, and their answers are small.
const ADMIN_WORKERS: usize = 1;
/// Connections of operators at once.
const ADMIN_CONNECTIONS: usize = 256;

/// Binds the upload side: what clients reach. Who judges requests that ask before they send is
/// decided here, whatever `hooks` say.
///
/// # Errors
///
/// [`ListenError`], naming the listener or the file; nothing is bound then.
pub fn uploads(
    listeners: &[ListenerSettings],
    settings: &ServerSettings,
    gateway: Gateway,
    metrics: &Arc<Metrics>,
    hooks: Hooks,
) -> Result<Serving, ListenError> {
    let gateway = Data::new(gateway);
    let judge = ExpectService::new(gateway.clone());
    let expect: Expect = Arc::new(move |request: Request| judge.call(request));
    let asked_at = gateway.service_urls.iter().map(|door| door.path.clone());
    let trace = Trace::new(Arc::clone(metrics), &gateway.settings.trusted_proxies).hiding(asked_at);
    let clients = Shares::new(settings.max_connections_per_address);
    let admission = Admission::new(gateway.clone(), clients);
    serve(listeners, settings, &Hooks { expect, ..hooks }, move || {
        let application = App::new().configure(routes(gateway.clone()));
        application.wrap(admission.clone()).wrap(trace.clone())
    })
}

/// Binds the admin side: what operators reach, on this machine only.
///
/// # Errors
///
/// [`ListenError`], if the address cannot be had.
pub fn operators(
    address: SocketAddr,
    settings: &ServerSettings,
    admin: Admin,
) -> Result<Serving, ListenError> {
    let address = ListenAddress::Tcp(address);
    if admin::require_loopback(&address).is_err() {
        return Err(ListenError::Settings("the admin side listens on loopback only"));
    }
    let settings = ServerSettings {
        workers: ADMIN_WORKERS,
        max_connections_per_worker: ADMIN_CONNECTIONS,
        max_connections_per_address: None,
        ..settings.clone()
    };
    let admin = Data::new(admin);
    serve(
        &[ListenerSettings { address, tls: None, h2c: false }],
        &settings,
        &Hooks::default(),
        move || App::new().configure(admin::routes(admin.clone())),
    )
}
