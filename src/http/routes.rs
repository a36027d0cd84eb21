//! Every URL of the upload side.
//!
//! | path | methods |
//! |---|---|
//! | `{base}`, `{base}/` | `POST` creates, `OPTIONS` |
//! | `{base}/{id}` | `PATCH` adds, `HEAD` asks, `GET` downloads, `DELETE` removes, `OPTIONS` |
//!
//! The method is chosen in the handlers, because it may be overridden by a field (T-11).

use actix_web::web::{Data, ServiceConfig, resource, to};

use super::gateway::Gateway;
use super::tus;

/// Puts the routes and what the handlers share into an application.
pub fn routes(gateway: Data<Gateway>) -> impl FnOnce(&mut ServiceConfig) {
    move |application: &mut ServiceConfig| {
        let base = gateway.settings.base_path.clone();
        application
            .service(resource([base.clone(), format!("{base}/")]).to(tus::endpoint))
            .service(resource(format!("{base}/{{id}}")).to(tus::upload))
            .default_service(to(tus::elsewhere))
            .app_data(gateway);
    }
}
