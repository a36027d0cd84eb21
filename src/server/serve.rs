//! A gateway from start to stop.
//!
//! Started in the order in which things need each other, stopped in the opposite one: no new
//! slots by a component, no new connections, then the writers commit, then the stores close. What a hurried stop cuts off
//! survives as it would survive `kill -9`.

use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::settings::Durability;
use crate::config::{Settings, Sources};
use crate::engine::Engine;
use crate::http::listener::{Serving, Stopper};
use crate::http::settings::ListenAddress;
use crate::http::tls::Certificates;
use crate::http::tuner::Tuner;

use super::authority::Guard;
use super::banner::{Banner, Bound};
use super::clients::Remembered;
use super::components::Components;
use super::data_dir::DataDir;
use super::error::ServerError;
use super::network::Network;
use super::reload::Reloading;
use super::shutdown::{Signals, Wish};
use super::{descriptors, notify, orphans, wiring};

/// A hurried stop still gives the writers this long to commit.
const HURRY: Duration = Duration::from_secs(2);

/// Serves until a signal says stop; prints where on `out`.
///
/// # Errors
///
/// [`ServerError`]: why it does not start, or why it ended by itself.
pub(super) async fn serve(
    settings: &Settings,
    sources: &Sources,
    out: &mut impl Write,
) -> Result<(), ServerError> {
    let reloading = Reloading { sources, started_with: settings };
    let signals = Signals::listen().map_err(failed("listening for signals"))?;
    let settings = &descriptors::share_out(settings);
    let data = DataDir::claim(&settings.server.data_dir)?;
    let started = wiring::start(&data, settings).await?;
    if settings.storage.durability == Durability::Os {
        tracing::warn!(
            "storage.durability is \"os\": what is acknowledged survives a crash of the gateway, but \
             not a power cut"
        );
    }
    // A banner that nobody reads is no reason not to serve.
    drop(announce(settings, &data, &started.sides, out));
    notify::ready();
    let remembered = started.remembered.clone();
    let outcome = live(started, signals, settings, &reloading).await;
    if let Some(remembered) = remembered {
        remembered.write();
    }
    tracing::info!("stopped");
    outcome
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> ServerError {
    move |source| ServerError::Io { doing, source }
}

fn announce(
    settings: &Settings,
    data: &DataDir,
    sides: &Sides,
    out: &mut impl Write,
) -> io::Result<()> {
    let tls = settings.tls.certificate.is_some();
    let bound = sides.uploads.addresses().iter().map(|address| match address {
        ListenAddress::Tcp(address) => Bound::Tcp { address: *address, tls },
        ListenAddress::Unix(path) => Bound::Unix(path.clone()),
    });
    let admin = sides.operators.addresses().iter().find_map(|address| match address {
        ListenAddress::Tcp(address) => Some(*address),
        ListenAddress::Unix(_) => None,
    });
    let banner = Banner {
        listeners: &bound.collect::<Vec<_>>(),
        base_path: &settings.server.base_path,
        admin: admin.unwrap_or(settings.server.admin_listen),
        data: data.path(),
        token_needed: !settings.auth.is_open(),
    };
    out.write_all(banner.text().as_bytes())?;
    out.flush()
}

/// A gateway that is put together.
pub(super) struct Started {
    pub(super) engine: Engine,
    pub(super) sides: Sides,
    pub(super) guard: Guard,
    pub(super) network: Network,
    /// Not started yet.
    pub(super) components: Components,
    /// What is remembered of clients, if anything is.
    pub(super) remembered: Option<Remembered>,
}

/// Both sides of it, bound.
pub(super) struct Sides {
    pub(super) uploads: Serving,
    pub(super) operators: Serving,
    /// Tells load balancers, by `/health/ready`, to go elsewhere.
    pub(super) stopping: Arc<AtomicBool>,
    /// Fits transfers to their clients.
    pub(super) tuner: Tuner,
}

/// From the first connection to the last.
async fn live(
    started: Started,
    mut signals: Signals,
    settings: &Settings,
    reloading: &Reloading<'_>,
) -> Result<(), ServerError> {
    let Started { engine, sides, guard, network, components, remembered } = started;
    let Sides { uploads, operators, stopping, tuner } = sides;
    let bound = settings.timeouts.shutdown.get();
    let stoppers = [uploads.stopper(), operators.stopper()];
    let certificates = uploads.certificates();
    // The listeners are bound: whoever gets a slot can put to it.
    let mut components = components.start();
    {
        let mut serving = pin!(async { tokio::try_join!(uploads.run(), operators.run()) });
        tokio::select! {
            // Nobody asked it to end.
            outcome = &mut serving => {
                tokio::time::timeout(HURRY, engine.stop()).await.ok();
                return outcome.map(drop).map_err(failed("serving"));
            }
            () = attend(&mut signals, &certificates, &guard, || reloading.reload(&tuner)) => {}
            () = guard.follow(settings.auth.jwt.reload_interval.get()) => {}
            () = network.follow() => {}
            () = follow(remembered.as_ref()) => {}
            () = notify::watchdog() => {}
            () = orphans::let_go() => {}
        }
        stopping.store(true, Ordering::Release);
        notify::stopping();
        components.stop();
        let running = engine.running();
        tracing::info!(running, "stopping; {running} transfers are asked to commit");
        stoppers.iter().for_each(Stopper::stop);
        tokio::select! {
            _ = async { tokio::join!(components.parted(), &mut serving, engine.stop()) } => {
                return Ok(());
            }
            () = signals.stop() => tracing::warn!("asked again: open connections are cut"),
            () = tokio::time::sleep(bound) => {
                tracing::warn!("timeouts.shutdown is over: open connections are cut");
            }
        }
        stoppers.iter().for_each(Stopper::stop);
        // Leaving this block drops what is still being served.
    }
    if tokio::time::timeout(HURRY, engine.stop()).await.is_err() {
        tracing::warn!("some transfers did not commit in time; the next start recovers them");
    }
    Ok(())
}

async fn follow(remembered: Option<&Remembered>) {
    match remembered {
        Some(remembered) => remembered.follow().await,
        None => std::future::pending().await,
    }
}

/// Does what signals ask for, until one asks to stop.
async fn attend(
    signals: &mut Signals,
    certificates: &[Arc<Certificates>],
    guard: &Guard,
    settings: impl Fn(),
) {
    loop {
        match signals.next().await {
            Wish::Stop => return,
            Wish::Reload => {
                reload(certificates).await;
                guard.reload().await;
                settings();
            }
        }
    }
}

async fn reload(certificates: &[Arc<Certificates>]) {
    for one in certificates {
        let one = Arc::clone(one);
        match tokio::task::spawn_blocking(move || one.reload()).await {
            Ok(Ok(())) => tracing::info!("the certificate was read again"),
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the certificate cannot be used; the old one stays");
            }
            Err(_) => tracing::error!("reading the certificate failed; the old one stays"),
        }
    }
}
