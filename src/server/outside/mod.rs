//! Looks at a deployment from outside, as clients meet it, for what people suffer from behind proxies.
//!
//! It creates small uploads and deletes them again; nothing else is changed. Everything is bounded in time:
//! an answer by the patience that was agreed on, the whole by the number of questions. What is found is told
//! at once, with the line that mends it in the configuration of the proxy, if that is recognised.
//!
//! | file | holds |
//! |---|---|
//! | `address` | where something is on the web, taken apart |
//! | `wire` | one connection: TCP, or TLS over it |
//! | `answer` | what comes back |
//! | `site` | the deployment, and how it is asked |
//! | `proxy` | who stands in front, and which line mends what |
//! | `visit` | what the questions share |
//! | `arrival` | is anybody there, and who |
//! | `creation` | does an upload begin, and where `Location` leads |
//! | `passage` | which fields and methods get through |
//! | `bodies` | do bodies get through: as they arrive, long ones, slow ones |
//! | `pages` | may pages of other origins upload |
//! | `window` | how much HTTP/2 lets a client send at a time |

mod address;
mod answer;
mod arrival;
mod bodies;
mod creation;
mod pages;
mod passage;
mod proxy;
mod site;
mod visit;
mod window;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

pub use address::{Address, NotAnAddress};
pub use proxy::Proxy;
pub use site::Unasked;
pub use wire::CertificatesError;

use super::doctor::Grade;
use site::Site;
use visit::Visit;
use wire::Trust;

/// What is looked at, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where clients create uploads.
    pub endpoint: Address,
    /// Lines for every request, `Name: value`: credentials, as a rule.
    pub lines: Vec<String>,
    /// Certificates in PEM that are believed, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// Who stands in front; otherwise it is found out, if possible.
    pub proxy: Option<Proxy>,
    /// A page's origin that has to be allowed to upload.
    pub origin: Option<String>,
    /// How long an answer may take.
    pub patience: Duration,
    /// Whether to wait, too, for what takes longer than a minute to show.
    pub slow: bool,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What was seen, and what it means.
    pub text: String,
    /// Whose configuration mends it.
    pub proxy: Proxy,
    /// The lines that do.
    pub change: Vec<String>,
}

/// Why nothing can be said about the deployment.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// Certificates.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// A line for requests is none.
    #[error(
        "a --header has to be a line such as 'Authorization: Bearer ..', which one of them is not"
    )]
    Line,
    /// It cannot be asked.
    #[error("{at} cannot be looked at")]
    Unasked {
        /// Where.
        at: Address,
        /// Why.
        #[source]
        source: Unasked,
    },
    /// It sends everybody on, which clients do not follow.
    #[error(
        "{at} answers {status} and sends clients on to {to}; they do not follow when they upload, so give that address"
    )]
    Elsewhere {
        /// Where.
        at: Address,
        /// The status.
        status: u16,
        /// Where to.
        to: String,
    },
    /// It wants to know who asks.
    #[error(
        "{at} answers {status}: it wants a credential; give one with --header 'Authorization: ..'"
    )]
    NoCredential {
        /// Where.
        at: Address,
        /// The status.
        status: u16,
    },
    /// What answers takes no uploads.
    #[error(
        "{at} takes no uploads by tus: it answers {status} to a creation ({said}); is the path right?"
    )]
    NotAnEndpoint {
        /// Where.
        at: Address,
        /// The status.
        status: u16,
        /// The first words of its answer.
        said: String,
    },
}

/// Looks at everything, tells each finding as it is made, and returns the worst grade.
///
/// Blocks. Uploads that it creates are deleted also when it fails.
///
/// # Errors
///
/// [`OutsideError`], if what is there cannot be looked at, or takes no uploads.
pub fn examine(options: &Options, tell: &mut dyn FnMut(&Finding)) -> Result<Grade, OutsideError> {
    let lines = options.lines.iter().map(|line| taken_apart(line));
    let site = Site {
        endpoint: options.endpoint.clone(),
        lines: lines.collect::<Option<_>>().ok_or(OutsideError::Line)?,
        trust: Trust::new(options.endpoint.secure, options.ca.as_deref())?,
        patience: options.patience,
    };
    let mut visit = Visit::new(&site, options, tell);
    let outcome = look(&mut visit);
    visit.clean_up();
    outcome.map(|()| visit.worst())
}

fn look(visit: &mut Visit<'_>) -> Result<(), OutsideError> {
    arrival::look(visit)?;
    if creation::look(visit)? {
        passage::look(visit);
        bodies::look(visit);
        pages::look(visit);
        window::look(visit);
    }
    Ok(())
}

/// A line for requests; `None` if it could break out of its line, or is none.
fn taken_apart(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let name_is_plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let plain = name_is_plain && !value.chars().any(char::is_control);
    plain.then(|| (name.to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_requests_cannot_break_out_of_its_line() {
        let line = taken_apart("Authorization:  Bearer a:b ");
        assert_eq!(line, Some(("Authorization".to_owned(), "Bearer a:b".to_owned())));
        for bad in ["", "hush", ": x", "A B: x", "A: x\r\nB: y", "A\n: x"] {
            assert_eq!(taken_apart(bad), None, "{bad:?}");
        }
    }
}
