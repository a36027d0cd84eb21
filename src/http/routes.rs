//! Every URL of the upload side.
//!
//! | path | methods |
//! |---|---|
//! | `{base}`, `{base}/` | `POST` creates, `OPTIONS` |
//! | `{forms}`, `{forms}/` | `POST` takes an HTML form, `OPTIONS` |
//! | `{base}/{id}` | `PATCH` adds, `PUT` brings a chunk, `HEAD` asks, `GET` downloads, `DELETE` removes, `OPTIONS` |
//! | `/chunked-upload` | `POST` and `PUT` begin a session or bring a chunk, `OPTIONS` |
//! | `/chunked-upload/{session}` | `PUT` and `POST` bring a chunk, `GET` and `HEAD` ask, `DELETE` cancels, `OPTIONS` |
//! | `/upload-status` | `GET` and `HEAD` ask, `OPTIONS` |
//! | where ejabberd asks for slots | `GET` answers with one |
//! | anything below a tenant's base path | a slot: `PUT` stores, `GET` and `HEAD` fetch, `DELETE`, `OPTIONS` |
//!
//! A tenant at the root has whatever is left: the first rows go before it.
//!
//! The method is chosen in the handlers, because it may be overridden by a field (T-11).

use actix_web::web::{Data, ServiceConfig, resource, to};

use crate::protocol::chunked::address::{CHUNKED_UPLOAD, UPLOAD_STATUS};

use super::gateway::Gateway;
use super::{chunked, form, service_url, slots, tus};

/// Puts the routes and what the handlers share into an application.
pub fn routes(gateway: Data<Gateway>) -> impl FnOnce(&mut ServiceConfig) {
    move |application: &mut ServiceConfig| {
        let base = gateway.settings.base_path.clone();
        if gateway.chunks.is_some() {
            let endpoint = [CHUNKED_UPLOAD.to_owned(), format!("{CHUNKED_UPLOAD}/")];
            application
                .service(resource(endpoint).to(chunked::endpoint))
                .service(resource(format!("{CHUNKED_UPLOAD}/{{session}}")).to(chunked::session))
                .service(resource(UPLOAD_STATUS).to(chunked::status));
        }
        if let Some(path) = &gateway.settings.form_path {
            // First, because the pattern of an upload would match it as well below a short base.
            application.service(resource([path.clone(), format!("{path}/")]).to(form::endpoint));
        }
        for door in &gateway.service_urls {
            application.service(resource(door.path.clone()).to(service_url::ask));
        }
        application
            .service(resource([base.clone(), format!("{base}/")]).to(tus::endpoint))
            .service(resource(format!("{base}/{{id}}")).to(tus::upload))
            // A slot is any path below its base, with any escapes in it: no pattern says that.
            .default_service(to(slots::elsewhere))
            .app_data(gateway);
    }
}

/// Whether `path` has a route of its own, so that it is never a slot, not even of a tenant at the
/// root. Says what the patterns above say, for whoever has to know before there is a handler.
pub(super) fn are_fixed(path: &str, gateway: &Gateway) -> bool {
    let forms = gateway.settings.form_path.as_deref();
    let chunked = [CHUNKED_UPLOAD, UPLOAD_STATUS];
    let chunked = chunked.into_iter().filter(|_| gateway.chunks.is_some());
    let rest_behind = |at: &str| path.strip_prefix(at);
    gateway.service_urls.iter().any(|door| door.path == path)
        || forms.and_then(rest_behind).is_some_and(|rest| matches!(rest, "" | "/"))
        || chunked
            .chain([gateway.settings.base_path.as_str()])
            .filter_map(rest_behind)
            .any(|rest| rest.is_empty() || rest.strip_prefix('/').is_some_and(is_one_segment))
}

fn is_one_segment(text: &str) -> bool {
    !text.contains('/')
}
