//! How many descriptors the process may have, and how they are shared out.
//!
//! A connection takes one, and the file of its upload another. The store, syncs and labels need
//! some at any time; without them what was accepted could not be committed. So there is a reserve that
//! nobody gets, two thirds of the rest are for connections, and what they leave is for files. A
//! connection past its bound waits, a file past its own is refused (503), and what runs goes on.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Settings;

/// For the session store, listeners, logs, labels, and what a library opens for a moment.
const RESERVE: u64 = 64;

/// What an event loop needs: its poll, its waker and its timer, on each worker.
const PER_WORKER: u64 = 4;

/// However low the limit is, so many connections and files are tried.
const LEAST: u64 = 8;

/// The settings with as many connections as there are descriptors for; raises the soft limit to the
/// hard one first.
///
/// Says so if there are fewer than `server.max_connections` asks for.
pub(super) fn share_out(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    let Some(limit) = raised() else { return settings };
    let wanted = settings.server.max_connections;
    let most = most_connections(limit, reserve(&settings));
    if most < wanted {
        tracing::warn!(
            limit,
            "this process may have {limit} files open: {most} connections at once are taken, not the \
             {wanted} of server.max_connections; raise LimitNOFILE (systemd) or ulimit -Hn"
        );
        settings.server.max_connections = most;
    }
    settings
}

/// The limit on descriptors once it is as high as it may be; `None` if there is none.
fn raised() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files cannot be raised");
            current
        }
    }
}

/// Descriptors that no connection gets.
fn reserve(settings: &Settings) -> u64 {
    let workers = settings.server.workers.map_or_else(super::translate::processors, usize::from);
    let performance = &settings.performance;
    let auth = settings.auth.forward.url.as_ref().map_or(0, |_| settings.auth.forward.max_requests);
    let threads = performance.engine_threads.saturating_add(performance.blocking_threads);
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    // Whatever syncs or commits may have a file and its directory open.
    RESERVE
        .saturating_add(count(workers).saturating_mul(PER_WORKER))
        .saturating_add(count(threads))
        .saturating_add(count(auth))
}

/// Two thirds of what is left beside the reserve.
fn most_connections(limit: u64, reserve: u64) -> usize {
    let most = limit.saturating_sub(reserve) / 3 * 2;
    usize::try_from(most.max(LEAST)).unwrap_or(usize::MAX)
}

/// How many files of uploads may be open at once: what connections and the reserve leave.
pub(super) fn files(settings: &Settings) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return usize::MAX };
    let connections = u64::try_from(settings.server.max_connections).unwrap_or(u64::MAX);
    let taken = reserve(settings).saturating_add(connections);
    usize::try_from(limit.saturating_sub(taken).max(LEAST)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_two_thirds_of_what_the_reserve_leaves() {
        assert_eq!(most_connections(1024, 124), 600);
        assert_eq!(most_connections(1024, 1024), 8, "too low a limit still serves somebody");
    }

    #[test]
    fn whoever_syncs_or_asks_the_application_has_descriptors_of_its_own() {
        let mut settings = Settings::default();
        let plain = reserve(&settings);
        settings.performance.blocking_threads += 5;
        assert_eq!(reserve(&settings), plain + 5);
        settings.auth.forward.url = Some("http://127.0.0.1:3000/auth".to_owned());
        let asking = u64::try_from(settings.auth.forward.max_requests).unwrap();
        assert_eq!(reserve(&settings), plain + 5 + asking);
    }

    #[test]
    fn a_limit_that_suffices_changes_no_setting() {
        let mut settings = Settings::default();
        settings.server.max_connections = 8;
        assert_eq!(share_out(&settings), settings);
    }
}
