//! The composition root: settings become a running gateway.
//!
//! | file | holds |
//! |---|---|
//! | `wiring` | the only place that names adapters |
//! | `authority` | who may do what, put together from the settings |
//! | `translate` | settings, as the layers below understand them |
//! | `data_dir` | the data directory, locked for one process |
//! | `descriptors` | how many files and connections the process may have open |
//! | `secret` | the secret of a data directory, and the keys made from it |
//! | `network` | what the kernel says about the network, for as long as the gateway runs |
//! | `links` | makes upload links |
//! | `boot` | which start of the kernel this is |
//! | `telemetry` | logs |
//! | `serve` | a gateway from start to stop |
//! | `banner` | what is printed at the start |
//! | `shutdown` | signals |
//! | `reload` | settings that are read again on SIGHUP |
//! | `slots` | issuers of slots, from the settings |
//! | `doors` | where XMPP servers ask for slots, from the settings |
//! | `clients` | what is remembered of clients, from the settings |
//! | `components` | components of XMPP servers, started and stopped |
//! | `notify` | systemd |
//! | `orphans` | what the first process of a container inherits |
//! | `doctor` | looks at a data directory, rebuilds its session store |
//! | `import` | files of another server become uploads |
//! | `outside` | looks at a deployment from outside, as clients meet it |
//! | `sessions` | uploads, for operators |
//! | `admin_client` | asks a running gateway |
//! | `error` | why it does not run, and what to do |

pub mod admin_client;
pub mod authority;
pub mod banner;
pub mod boot;
mod clients;
mod components;
pub mod data_dir;
mod descriptors;
pub mod doctor;
mod doors;
pub mod error;
pub mod import;
pub mod links;
mod network;
pub mod notify;
mod orphans;
pub mod outside;
mod reload;
pub mod secret;
mod serve;
pub mod sessions;
pub mod shutdown;
pub mod slots;
pub mod telemetry;
pub mod translate;
pub mod wiring;

use std::io::Write;

use crate::config::{Settings, Sources};

pub use error::ServerError;

/// Serves until a signal says stop. Prints where on `out`, and `ready` once it accepts connections.
/// `sources` are what `settings` were read from, and may be read from again.
///
/// # Errors
///
/// [`ServerError`], with what to do about it.
pub fn run(
    settings: &Settings,
    sources: &Sources,
    out: &mut impl Write,
) -> Result<(), ServerError> {
    // Bytes go through the threads of the HTTP workers and the engine; this one only waits.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| ServerError::Io { doing: "starting", source })?;
    runtime.block_on(serve::serve(settings, sources, out))
}
