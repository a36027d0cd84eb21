//! What is written to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::settings::{Log, LogFormat, LogLevel};

use super::error::ServerError;

/// Starts logging; `RUST_LOG` overrules `log.level`.
///
/// # Errors
///
/// [`ServerError::LogFilter`] if `RUST_LOG` is not a filter.
pub fn start(log: &Log) -> Result<(), ServerError> {
    let filter = filter(log.level)?;
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Human => base.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => base.json().flatten_event(true).with_current_span(true).try_init(),
    };
    // Somebody who embeds the gateway may have a subscriber of their own; theirs stays.
    drop(started);
    Ok(())
}

fn filter(level: LogLevel) -> Result<EnvFilter, ServerError> {
    let from_environment = std::env::var_os(EnvFilter::DEFAULT_ENV);
    match from_environment.filter(|text| !text.is_empty()) {
        Some(text) => EnvFilter::builder()
            .parse(text.to_string_lossy())
            .map_err(|source| ServerError::LogFilter(Box::new(source))),
        None => Ok(EnvFilter::new(directives(level))),
    }
}

/// Other people's crates get a word only when something is wrong, unless everything is wanted.
/// What actix calls an error of its HTTP/1 dispatcher is a client that sent no HTTP: it got its
/// 400, and nobody has to act.
const fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error,actix_http::h1::dispatcher=off",
        LogLevel::Warn => "warn,actix_http::h1::dispatcher=off",
        LogLevel::Info => "warn,actix_http::h1::dispatcher=off,tidegate=info",
        LogLevel::Debug => "warn,tidegate=debug",
        LogLevel::Trace => "info,tidegate=trace",
    }
}
