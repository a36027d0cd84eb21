//! The upload side as a whole: the routes of a [`Gateway`], on the listeners that clients reach.

use std::sync::Arc;

use actix_http::Request;
use actix_web::App;
use actix_web::web::Data;

use super::connection::OpenConnections;
use super::expect::ExpectService;
use super::gateway::Gateway;
use super::listener::{self, Hooks, ListenError, Serving};
use super::routes::routes;
use super::settings::{ListenerSettings, ServerSettings};

/// Binds the listeners and prepares to serve `gateway` on them.
///
/// # Errors
///
/// [`ListenError`], naming the listener or the file; nothing is bound then.
pub fn listen(
    listeners: &[ListenerSettings],
    settings: &ServerSettings,
    gateway: Gateway,
    connections: OpenConnections,
) -> Result<Serving, ListenError> {
    let gateway = Data::new(gateway);
    let judge = ExpectService::new(gateway.clone());
    let hooks = Hooks {
        expect: Arc::new(move |request: &Request| judge.judge(request)),
        connections,
    };
    listener::serve(listeners, settings, &hooks, move || {
        App::new().configure(routes(gateway.clone()))
    })
}
