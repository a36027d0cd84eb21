//! Every URL of the upload side.
//!
//! | path | methods |
//! |---|---|
//! | `{base}`, `{base}/` | `POST` creates, `OPTIONS` |
//! | `{forms}`, `{forms}/` | `POST` takes an HTML form, `OPTIONS` |
//! | `{base}/{id}` | `PATCH` adds, `HEAD` asks, `GET` downloads, `DELETE` removes, `OPTIONS` |
//!
//! The method is chosen in the handlers, because it may be overridden by a field (T-11).

use actix_web::web::{Data, ServiceConfig, resource, to};

use super::gateway::Gateway;
use super::{form, tus};

/// Puts the routes and what the handlers share into an application.
pub fn routes(gateway: Data<Gateway>) -> impl FnOnce(&mut ServiceConfig) {
    move |application: &mut ServiceConfig| {
        let base = gateway.settings.base_path.clone();
        if let Some(path) = &gateway.settings.form_path {
            // First, because the pattern of an upload would match it as well below a short base.
            application.service(resource([path.clone(), format!("{path}/")]).to(form::endpoint));
        }
        application
            .service(resource([base.clone(), format!("{base}/")]).to(tus::endpoint))
            .service(resource(format!("{base}/{{id}}")).to(tus::upload))
            .default_service(to(tus::elsewhere))
            .app_data(gateway);
    }
}
