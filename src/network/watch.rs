//! Hears of changes of the network, and tells those whom they concern.
//!
//! The kernel's news only say *that* something changed. What did is found by comparing lists, so that news
//! that were lost in a flood of them are no loss, and polling differs in nothing but the moment.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::addresses;
use super::change::{Change, History};
use super::lines::Lines;
use super::settling::Settling;

/// At least so long between two looks: interfaces that flap cost no more than that.
const GAP: Duration = Duration::from_millis(50);
/// And so many times as long as a look takes, on machines with very many addresses.
const REST: u32 = 20;
/// How often to look where the kernel tells no news.
const POLL: Duration = Duration::from_secs(1);

/// Tells `lines` what becomes of their addresses, until it is dropped.
///
/// With `settling`, transfers that are not concerned pause as it decides. It is done on a thread of its
/// own: every step of it asks the kernel.
pub async fn watch(lines: Lines, settling: Option<Settling>) {
    let leave = Leave(Arc::default());
    let left = Arc::clone(&leave.0);
    let thread = thread::Builder::new().name("network".to_owned());
    let started = thread.spawn(move || Watch { lines, settling, history: None }.run(&left));
    if let Err(error) = started {
        tracing::warn!(%error, "changes of the network will not be noticed: no thread for it");
    }
    std::future::pending().await
}

/// Ends the thread, which notices within a second.
struct Leave(Arc<AtomicBool>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Watch {
    lines: Lines,
    settling: Option<Settling>,
    /// What was there at the last look, once there was one.
    history: Option<History>,
}

impl Watch {
    fn run(mut self, left: &AtomicBool) {
        let mut news = News::listen();
        while !left.load(Ordering::Relaxed) {
            let began = Instant::now();
            self.look(&mut news);
            thread::park_timeout(began.elapsed().saturating_mul(REST).max(GAP));
            while !left.load(Ordering::Relaxed) && !news.has_come() {}
        }
    }

    fn look(&mut self, news: &mut News) {
        let mut used = self.lines.addresses();
        let standing = if news.is_told() {
            addresses::on_links()
        } else {
            let missed = self.history.as_ref().map(History::missed).cloned().unwrap_or_default();
            Ok(addresses::usable(&used.union(&missed).copied().collect()))
        };
        let standing = match standing {
            Ok(standing) => standing,
            // It changes faster than it is told, and the news of that are waiting already.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => return news.fail(&error),
        };
        let Some(history) = &mut self.history else {
            self.history = Some(History::new(standing));
            return;
        };
        if !news.is_told() {
            history.were_there(&used);
        }
        // A connection that began while the list was made may have an address that is not in it.
        used.extend(self.lines.addresses());
        let change = history.look(standing, &used);
        if change.concerns_us() {
            self.tell(&change);
        } else if change.any && news.is_told() {
            tracing::debug!("addresses changed that no connection has");
            self.lines.observer().changed_elsewhere();
        }
    }

    fn tell(&mut self, change: &Change) {
        let observer = self.lines.observer();
        observer.changed(change.gone.len(), change.come.len(), change.shifted.len());
        let Change { gone, come, shifted, any: _ } = change;
        let severed = self.lines.sever(gone);
        let until = self.settling.as_mut().and_then(|settling| settling.changed(Instant::now()));
        if let Some(until) = until {
            self.lines.pause_until(until);
        }
        let (connections, transfers) = (severed.connections, severed.transfers);
        tracing::info!(
            ?gone,
            ?come,
            links = ?shifted,
            connections,
            transfers,
            pause = until.is_some(),
            "the network changed: {transfers} transfers by addresses that are gone are committed"
        );
    }
}

/// Where news come from.
enum News {
    #[cfg(target_os = "linux")]
    Told(OwnedFd),
    Polled,
}

impl News {
    fn listen() -> Self {
        subscribe().unwrap_or_else(|error| {
            let mut none = Self::Polled;
            none.fail(&error);
            none
        })
    }

    const fn is_told(&self) -> bool {
        !matches!(self, Self::Polled)
    }

    /// From now on there are none.
    fn fail(&mut self, error: &io::Error) {
        tracing::warn!(
            %error,
            "the kernel does not tell of changes of the network (netlink, route): {error}; addresses are \
             tried once a second instead"
        );
        *self = Self::Polled;
    }

    /// Waits for a second at most; whether there may be something new.
    fn has_come(&mut self) -> bool {
        match self {
            Self::Polled => {
                thread::park_timeout(POLL);
                true
            }
            #[cfg(target_os = "linux")]
            Self::Told(socket) => drained(socket).unwrap_or_else(|error| {
                self.fail(&error);
                true
            }),
        }
    }
}

#[cfg(target_os = "linux")]
fn subscribe() -> io::Result<News> {
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    /// Links, and addresses of both families (`RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`).
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;
    let socket = super::netlink::socket(None, GROUPS)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(POLL))?;
    Ok(News::Told(socket))
}

#[cfg(not(target_os = "linux"))]
fn subscribe() -> io::Result<News> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits for news and takes them off the socket; what they say is not looked at.
#[cfg(target_os = "linux")]
fn drained(socket: &OwnedFd) -> io::Result<bool> {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};
    /// Most news that are taken off at a time; the rest is for the next time.
    const AT_ONCE: u32 = 1000;
    let (mut buffer, mut come, mut flags) = ([0; 4096], false, RecvFlags::empty());
    for _ in 0..AT_ONCE {
        match recv(socket, &mut buffer, flags) {
            // More came than the socket holds: they are lost, and we look anyway.
            Ok(_) | Err(Errno::NOBUFS) => (come, flags) = (true, RecvFlags::DONTWAIT),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(come),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(come)
}
