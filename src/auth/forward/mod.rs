//! Asking the application who a request speaks for.
//!
//! The application sees the credentials that it gave out itself, and says yes in the name of an
//! owner, or no. Whatever is neither, and whoever does not answer in time, lets nobody in.
//!
//! | file | holds |
//! |---|---|
//! | `inquiry` | what is sent, and what an answer means: plain data |
//! | `memory` | answers that still hold, and questions that are on their way |
//! | `client` | HTTP, and the only place that names its crate |

mod client;
mod inquiry;
mod memory;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::SystemRandom;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::protocol::token::Verbs;

use super::denied::Denied;
use super::grant::{Grant, Scheme};
use super::question::Question;
use client::Client;
pub use client::ClientError;
use inquiry::{Approval, Inquiry, Meaning};
use memory::{Memory, Recall};

/// Who could not be asked is asked again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// For each question that may be asked at once, so many may wait for their turn.
const WAITING_PER_REQUEST: usize = 8;

/// How the application is asked.
#[derive(Clone, Debug)]
pub struct ForwardSettings {
    /// Its address: `http://` or `https://`.
    pub url: String,
    /// Certificates in PEM that its own has to be signed by; the system's if there is none.
    pub ca: Option<PathBuf>,
    /// Request fields that are passed on: the credentials.
    pub fields: Vec<String>,
    /// The response field that names the owner.
    pub owner_field: String,
    /// The response field that bounds the length of uploads.
    pub limit_field: String,
    /// How long an answer may take, waiting for a turn included.
    pub timeout: Duration,
    /// Questions at once.
    pub max_requests: usize,
    /// Answers that are remembered at most.
    pub cache_entries: usize,
    /// How long a yes is remembered at most, whatever it says itself.
    pub max_age: Duration,
    /// How long a no is remembered.
    pub refused_age: Duration,
}

/// Asks the application. Its work is done on the runtime it was made with, so that no request that
/// goes away takes an answer with it which others wait for.
#[derive(Debug)]
pub struct Forward {
    shared: Arc<Shared>,
    runtime: Handle,
}

#[derive(Debug)]
struct Shared {
    settings: ForwardSettings,
    client: Client,
    turns: Semaphore,
    memory: Mutex<Memory>,
    /// Questions are remembered by a keyed hash: what is in memory is worth nothing elsewhere.
    hash: hmac::Key,
}

/// What the application said.
type Judged = Result<Approval, Denied>;

impl Forward {
    /// Prepares to ask. Reads certificates: blocking. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the address or the certificates cannot be used.
    pub fn new(settings: ForwardSettings, runtime: Handle) -> Result<Self, ClientError> {
        let client = Client::new(&settings)?;
        let hash = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let hash = hash.map_err(|_| ClientError::Random)?;
        let shared = Shared {
            client,
            turns: Semaphore::new(settings.max_requests),
            memory: Mutex::new(Memory::new(
                settings.cache_entries,
                settings.max_requests.saturating_mul(WAITING_PER_REQUEST),
            )),
            hash,
            settings,
        };
        Ok(Self { shared: Arc::new(shared), runtime })
    }

    /// What the application says to a request. Equal questions are asked once.
    pub(super) async fn grant(&self, question: &Question<'_>) -> Result<Grant, Denied> {
        let inquiry = Inquiry::of(question, &self.shared.settings.fields)?;
        let key = inquiry.key(&self.shared.hash);
        let recall = self.shared.memory().recall(key, Instant::now());
        let judged = match recall {
            Recall::Known(judged) => judged,
            Recall::Asked(answer) => answered(answer).await,
            Recall::ToAsk(sender, answer) => {
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(async move { shared.find_out(&inquiry, key, &sender).await });
                answered(answer).await
            }
            Recall::Crowded => {
                tracing::warn!("too many questions to the application at once");
                Err(unavailable())
            }
        };
        let Approval { owner, max_length } = judged?;
        // The answer is for this verb; another one is another question.
        let verbs = Verbs::NONE.and(question.verb);
        Ok(Grant { owner, max_length, verbs, expires_at: None, scheme: Scheme::Forward })
    }
}

const fn unavailable() -> Denied {
    Denied::Unavailable { retry_after: RETRY_AFTER }
}

async fn answered(mut answer: watch::Receiver<Option<Judged>>) -> Judged {
    match answer.wait_for(Option::is_some).await {
        Ok(judged) => judged.clone().unwrap_or_else(|| Err(unavailable())),
        // Whoever asked for us ended without an answer: the gateway stops.
        Err(_) => Err(unavailable()),
    }
}

impl Shared {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, remembers, and tells everybody who waits.
    async fn find_out(
        &self,
        inquiry: &Inquiry,
        key: memory::Key,
        waiting: &watch::Sender<Option<Judged>>,
    ) {
        let (judged, age) = self.judged(inquiry).await;
        self.memory().settle(key, &judged, age, Instant::now());
        waiting.send_replace(Some(judged));
    }

    /// The answer, and for how long it holds.
    async fn judged(&self, inquiry: &Inquiry) -> (Judged, Duration) {
        let ask = async {
            // Never closed, so there is always a turn some time.
            let _turn = self.turns.acquire().await;
            self.client.ask(inquiry, &self.settings).await
        };
        let why = match tokio::time::timeout(self.settings.timeout, ask).await {
            Ok(Ok(Meaning::Yes(approval, age))) => return (Ok(approval), age),
            Ok(Ok(Meaning::No(denied))) => return (Err(denied), self.settings.refused_age),
            Ok(Ok(Meaning::Nonsense(why))) => why.to_owned(),
            Ok(Err(error)) => error,
            Err(_) => "no answer within auth.forward.timeout".to_owned(),
        };
        tracing::warn!("the application cannot be asked, nobody gets in: {why}");
        (Err(unavailable()), Duration::ZERO)
    }
}

#[cfg(test)]
mod tests;
