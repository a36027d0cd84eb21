//! The components of XMPP servers: started after the listeners, stopped before them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::admin::ComponentStanding;
use crate::slots::Slots;
use crate::xmpp::{self, ComponentSettings, State};

/// A component that is told to stop gets this long to say so to its server.
const FAREWELL: Duration = Duration::from_secs(2);

/// The components of a gateway.
#[derive(Default)]
pub(super) struct Components(Vec<Member>);

struct Member {
    settings: Arc<ComponentSettings>,
    slots: Arc<dyn Slots>,
    state: watch::Sender<State>,
}

impl Components {
    /// Adds one; it does nothing yet.
    pub(super) fn add(&mut self, settings: ComponentSettings, slots: Arc<dyn Slots>) {
        let state = watch::Sender::new(State::Connecting);
        self.0.push(Member { settings: Arc::new(settings), slots, state });
    }

    /// What tells where they stand, at any time.
    pub(super) fn standings(&self) -> Box<dyn Fn() -> Vec<ComponentStanding> + Send + Sync> {
        let watched =
            |member: &Member| (member.settings.component.domain.clone(), member.state.subscribe());
        let all: Vec<_> = self.0.iter().map(watched).collect();
        Box::new(move || {
            let standing = |(domain, state): &(String, watch::Receiver<State>)| {
                let (connected, why) = match &*state.borrow() {
                    State::Ready => (true, None),
                    State::Connecting | State::Stopped => (false, None),
                    State::Waiting { why } => (false, Some(why.clone())),
                };
                ComponentStanding { domain: domain.clone(), connected, why }
            };
            all.iter().map(standing).collect()
        })
    }

    /// Runs them on the runtime of whoever calls, until they are stopped or dropped.
    pub(super) fn start(self) -> Running {
        let (stop, told) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for Member { settings, slots, state } in self.0 {
            let domain = &settings.component.domain;
            tracing::info!(domain, server = settings.server, "connecting to an XMPP server");
            if is_elsewhere(&settings.server) {
                tracing::warn!(
                    domain,
                    "the XMPP server is on another machine, and the connection is not encrypted; \
                     use a tunnel"
                );
            }
            tasks.spawn(xmpp::run(settings, slots, state, told.clone()));
        }
        Running { stop, tasks }
    }
}

/// Whether an address is certainly none of this machine; of a name nothing is certain.
fn is_elsewhere(server: &str) -> bool {
    let address = server.parse::<std::net::SocketAddr>();
    address.is_ok_and(|address| !address.ip().to_canonical().is_loopback())
}

/// Components that run.
pub(super) struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Tells them to stop: they take no further requests.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until they have. Bounded.
    pub(super) async fn parted(&mut self) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("a component did not part from its XMPP server in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certainly_elsewhere_is() {
        for server in ["192.0.2.1:5347", "[2001:db8::1]:5347"] {
            assert!(is_elsewhere(server), "{server}");
        }
        for server in ["127.0.0.1:5347", "[::1]:5347", "[::ffff:127.0.0.1]:1", "localhost:5347"] {
            assert!(!is_elsewhere(server), "{server}");
        }
    }
}
