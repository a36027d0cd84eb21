//! Uploads, for operators: through a running gateway if there is one, else from its stores.

use std::net::SocketAddr;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::config::Settings;
use crate::engine::Engine;
use crate::engine::events::{Observer, Unobserved};
use crate::http::client::Clients;
use crate::upload::UploadId;

use super::admin_client::{AdminError, Answer, ask};
use super::data_dir::DataDir;
use super::error::ServerError;
use super::{clients, wiring};

pub use crate::http::owner_view::{OwnerRemoved, OwnerView};
pub use crate::http::session_view::SessionView;

/// Uploads asked for at a time.
const PAGE: usize = 500;

/// Why uploads cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// No upload has this id.
    #[error("no upload has the id {0}; `tidegate sessions list` names them")]
    Unknown(UploadId),
    /// A gateway runs, but cannot be asked.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A gateway runs, but refuses.
    #[error("the gateway answered {status}: {}", body.trim())]
    Refused {
        /// Its status code.
        status: u16,
        /// What it said.
        body: String,
    },
    /// The gateway said something that this program does not understand.
    #[error("the gateway's answer is not understood; are both of the same version?")]
    Unreadable(#[source] serde_json::Error),
    /// No gateway runs on the admin address, but the stores are in use.
    #[error(
        "no gateway answers on {address}, yet one works on the data directory; name its admin \
         address with --admin-listen"
    )]
    Elsewhere {
        /// The address asked.
        address: SocketAddr,
    },
    /// The stores cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// A way to the uploads.
#[derive(Debug)]
pub enum Sessions {
    /// A gateway runs: ask it.
    Running(SocketAddr),
    /// None runs: the stores are opened here.
    Offline(Offline),
}

/// The stores, opened for one command.
#[derive(Debug)]
pub struct Offline {
    pub(super) engine: Engine,
    pub(super) data: DataDir,
    clients: Option<Clients>,
}

impl Sessions {
    /// Finds a running gateway, or opens its stores.
    ///
    /// # Errors
    ///
    /// [`SessionsError`] if neither can be had.
    pub async fn find(settings: &Settings) -> Result<Self, SessionsError> {
        let address = settings.server.admin_listen;
        match ask(address, "GET", "/health/live") {
            Ok(_) => Ok(Self::Running(address)),
            Err(AdminError::NotRunning { .. }) => match offline(settings).await {
                Ok(offline) => Ok(Self::Offline(offline)),
                Err(ServerError::Locked { .. }) => Err(SessionsError::Elsewhere { address }),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Calls `each` with every upload, in the order of ids.
    ///
    /// # Errors
    ///
    /// [`SessionsError`], or what `each` fails with.
    pub async fn list<E: From<SessionsError>>(
        &self,
        mut each: impl FnMut(SessionView) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = None;
        loop {
            let page = self.page(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            let last = last.id.parse::<UploadId>();
            for view in page {
                each(view)?;
            }
            // An id that is none would ask for the same page for ever.
            let Ok(last) = last else { return Ok(()) };
            after = Some(last);
        }
    }

    async fn page(&self, after: Option<UploadId>) -> Result<Vec<SessionView>, SessionsError> {
        match self {
            Self::Running(address) => {
                let behind = after.map_or_else(String::new, |id| format!("&after={id}"));
                let path = format!("/sessions?limit={PAGE}{behind}");
                let answer = understood(ask(*address, "GET", &path)?)?;
                let page: Page =
                    serde_json::from_str(&answer.body).map_err(SessionsError::Unreadable)?;
                Ok(page.sessions)
            }
            Self::Offline(offline) => {
                let sessions = offline.engine.sessions(after, PAGE).await;
                let sessions = sessions.map_err(ServerError::from)?;
                Ok(sessions.iter().map(SessionView::of).collect())
            }
        }
    }

    /// One upload.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Unknown`] if there is none with this id.
    pub async fn show(&self, id: UploadId) -> Result<SessionView, SessionsError> {
        match self {
            Self::Running(address) => {
                let answer = known(id, ask(*address, "GET", &format!("/sessions/{id}"))?)?;
                serde_json::from_str(&answer.body).map_err(SessionsError::Unreadable)
            }
            Self::Offline(offline) => {
                let session = offline.engine.session(id).await.map_err(ServerError::from)?;
                session.as_ref().map(SessionView::of).ok_or(SessionsError::Unknown(id))
            }
        }
    }

    /// Removes an upload, finished or not.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Unknown`] if there is none with this id.
    pub async fn remove(&self, id: UploadId) -> Result<(), SessionsError> {
        match self {
            Self::Running(address) => {
                known(id, ask(*address, "DELETE", &format!("/sessions/{id}"))?).map(drop)
            }
            Self::Offline(offline) => {
                let removed = offline.engine.remove(id).await.map_err(ServerError::from)?;
                if removed { Ok(()) } else { Err(SessionsError::Unknown(id)) }
            }
        }
    }

    /// What one owner has.
    ///
    /// # Errors
    ///
    /// [`SessionsError`] if it cannot be found out.
    pub async fn owner(&self, name: &str) -> Result<OwnerView, SessionsError> {
        match self {
            Self::Running(address) => {
                let answer = understood(ask(*address, "GET", &owner_path(name))?)?;
                serde_json::from_str(&answer.body).map_err(SessionsError::Unreadable)
            }
            Self::Offline(offline) => {
                Ok(OwnerView::of(&offline.engine, name).await.map_err(ServerError::from)?)
            }
        }
    }

    /// Removes everything of one owner, finished or not.
    ///
    /// # Errors
    ///
    /// [`SessionsError`]; what was removed until then is gone, and doing it again goes on.
    pub async fn remove_owner(&self, name: &str) -> Result<OwnerRemoved, SessionsError> {
        match self {
            Self::Running(address) => {
                let answer = understood(ask(*address, "DELETE", &owner_path(name))?)?;
                serde_json::from_str(&answer.body).map_err(SessionsError::Unreadable)
            }
            Self::Offline(offline) => {
                let removed =
                    OwnerRemoved::carry_out(&offline.engine, offline.clients.as_ref(), name).await;
                Ok(removed.map_err(ServerError::from)?)
            }
        }
    }

    /// Lets go of what was opened.
    pub async fn close(self) {
        match self {
            Self::Running(_) => {}
            Self::Offline(offline) => offline.engine.stop().await,
        }
    }
}

#[derive(Deserialize)]
struct Page {
    sessions: Vec<SessionView>,
}

/// Opens the stores of the data directory for one command.
pub(super) async fn offline(settings: &Settings) -> Result<Offline, ServerError> {
    let data = DataDir::claim(&settings.server.data_dir)?;
    let nobody: Arc<dyn Observer> = Arc::new(Unobserved);
    let stores = wiring::open(&data, settings, &nobody).await?;
    let remembered = clients::build(&data, settings, Arc::clone(&stores.profiles))?;
    let clients = remembered.map(|remembered| remembered.clients);
    let engine = wiring::engine(stores, settings, nobody)?;
    Ok(Offline { engine, data, clients })
}

fn owner_path(name: &str) -> String {
    format!("/owners?name={}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

fn understood(answer: Answer) -> Result<Answer, SessionsError> {
    match answer.status {
        200..=299 => Ok(answer),
        status => Err(SessionsError::Refused { status, body: answer.body }),
    }
}

fn known(id: UploadId, answer: Answer) -> Result<Answer, SessionsError> {
    match answer.status {
        404 | 410 => Err(SessionsError::Unknown(id)),
        _ => understood(answer),
    }
}
