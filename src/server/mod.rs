//! The composition root: settings become a running gateway.
//!
//! | file | holds |
//! |---|---|
//! | `wiring` | the only place that names adapters |
//! | `translate` | settings, as the layers below understand them |
//! | `data_dir` | the data directory, locked for one process |
//! | `boot` | which start of the kernel this is |
//! | `telemetry` | logs |
//! | `banner` | what is printed at the start |
//! | `shutdown` | signals |
//! | `notify` | systemd |
//! | `doctor` | looks at a data directory, rebuilds its session store |
//! | `sessions` | uploads, for operators |
//! | `admin_client` | asks a running gateway |
//! | `error` | why it does not run, and what to do |

pub mod admin_client;
pub mod banner;
pub mod boot;
pub mod data_dir;
pub mod doctor;
pub mod error;
pub mod notify;
pub mod sessions;
pub mod shutdown;
pub mod telemetry;
pub mod translate;
pub mod wiring;

use std::io::Write;

use crate::config::Settings;

pub use error::ServerError;
use shutdown::Signals;

/// Serves until somebody wants it to stop. Prints where on `out`.
///
/// # Errors
///
/// [`ServerError`], with what to do about it.
pub fn run(settings: &Settings, out: &mut impl Write) -> Result<(), ServerError> {
    todo!()
}
