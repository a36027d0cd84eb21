//! actix: routes on one screen, thin handlers, the body pump, listeners.
pub mod settings;
