//! What a case knows before it begins.

use std::time::Duration;

use crate::slot::Issuer;
use crate::target::{Offers, Target};

/// What the cases may be told about the server beyond what it says itself.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// How often the racing cases race.
    pub race_rounds: u32,
    /// The longest answer to HEAD that counts as immediate while a writer is silent.
    pub prompt: Duration,
    /// After which silence the server promises to close a connection; `None` if that is unknown
    /// or too long to wait for.
    pub idle_timeout: Option<Duration>,
    /// Whether finished uploads can be fetched with GET from their own URL.
    pub downloads: bool,
    /// The path on the target's server that takes HTML forms, if there is one.
    pub forms: Option<String>,
    /// Where slots of XMPP servers live, and how they are signed, if there are any.
    pub slots: Option<Issuer>,
    /// The path at which slots are asked for as ejabberd does, if there is one.
    pub service_url: Option<String>,
    /// How long a target that stopped answering is waited for, in case somebody restarts it.
    pub patience: Duration,
    /// Longest time one case may take.
    pub case_time: Duration,
    /// Longest wait for one network step.
    pub step_time: Duration,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            race_rounds: 25,
            prompt: Duration::from_millis(50),
            idle_timeout: None,
            downloads: true,
            forms: None,
            slots: None,
            service_url: None,
            patience: Duration::from_secs(3),
            case_time: Duration::from_secs(60),
            step_time: Duration::from_secs(10),
        }
    }
}

/// Everything a case knows before it begins.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the server is.
    pub target: Target,
    /// What it says it can do.
    pub offers: Offers,
    /// What we were told about it.
    pub parameters: Parameters,
}
