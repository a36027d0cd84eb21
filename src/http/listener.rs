//! Listeners, put together from `actix-server` and `actix-http` over our own [`Stream`].
//!
//! Not by `HttpServer`, which keeps the stream to itself: then no handler could reach its
//! connection, and none of the bounds in [`super::transport`] could be kept.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, io};

use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::DispatchError;
use actix_http::{HttpServiceBuilder, KeepAlive, Protocol, Request, Response};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder, ServerHandle};
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::network::Lines;

use super::bind::{Bound, SocketFile, bind};
use super::connection::OpenConnections;
use super::settings::{ListenAddress, ListenerSettings, ServerSettings};
use super::shares::Shares;
use super::tls::Certificates;
use super::transport::Stream;
use super::turn::{AnswerBody, Turns};
use super::welcome::{Secured, Welcome};

pub use super::bind::BindError;
pub use super::tls::CertificateError;

/// Longest wait that is told to a timer; whatever is longer never ends in practice.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Judges a request that said `Expect: 100-continue`, before its body is invited.
///
/// The request comes back if its body may come. An answer refuses the body; the client then never
/// sends it. It sees the head only, and the client waits for it.
pub type Expect = Arc<dyn Fn(Request) -> Verdict + Send + Sync>;

/// What an [`Expect`] says in the end.
pub type Verdict = Pin<Box<dyn Future<Output = Result<Request, Response<BoxBody>>>>>;

/// What the listeners are told beside their settings.
#[derive(Clone)]
pub struct Hooks {
    /// Judges requests that ask before they send.
    pub expect: Expect,
    /// Counts the connections.
    pub connections: OpenConnections,
    /// Has them by their addresses.
    pub lines: Lines,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            expect: Arc::new(|request| Box::pin(std::future::ready(Ok(request)))),
            connections: OpenConnections::default(),
            lines: Lines::default(),
        }
    }
}

/// Why the gateway cannot listen as told.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A socket cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS is for TCP listeners.
    #[error("a Unix socket does not speak TLS: {0}")]
    TlsOverUnix(String),
    /// There is nothing to listen on, or nobody to serve it.
    #[error("{0}")]
    Settings(&'static str),
    /// A listener was bound but cannot be used.
    #[error("a listener cannot be set up")]
    Setup(#[source] io::Error),
}

/// Listeners that are bound. Serve as long as [`Serving::run`] is polled.
#[must_use = "nothing is served until `run` is awaited"]
pub struct Serving {
    server: Server,
    addresses: Vec<ListenAddress>,
    certificates: Vec<(Arc<Certificates>, Duration)>,
    stopper: Stopper,
    // Behind the server: the names go when nobody listens on them any more.
    sockets: Vec<SocketFile>,
}

/// Stops what is serving. Clones stop the same.
#[derive(Clone)]
pub struct Stopper {
    handle: ServerHandle,
    asked: Arc<AtomicBool>,
    hurry: Arc<Notify>,
}

impl Stopper {
    /// Stops accepting and lets requests in progress end within the stop timeout; asked again, ends
    /// them at once. Does not wait: [`Serving::run`] returns when everything has ended.
    pub fn stop(&self) {
        if self.asked.swap(true, Ordering::AcqRel) {
            self.hurry.notify_one();
        } else {
            drop(self.handle.stop(true));
        }
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stopper").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Serving {
    /// Where it listens, in the order of the settings; a port 0 is replaced by the real one.
    #[must_use]
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// Stops it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// The certificates in use; for a reload on request.
    #[must_use]
    pub fn certificates(&self) -> Vec<Arc<Certificates>> {
        self.certificates.iter().map(|(certificates, _)| Arc::clone(certificates)).collect()
    }

    /// Serves until it is stopped. Needs a Tokio runtime; workers have their own threads.
    ///
    /// Dropping the future ends every connection at once.
    ///
    /// # Errors
    ///
    /// The system's, if workers cannot be started.
    pub async fn run(self) -> io::Result<()> {
        let Self { server, certificates, stopper, sockets, .. } = self;
        let outcome = tokio::select! {
            outcome = server => outcome,
            // Dropping the server ends its workers without waiting for their connections.
            () = stopper.hurry.notified() => Ok(()),
            () = watch(certificates) => Ok(()),
        };
        drop(sockets);
        outcome
    }
}

/// Looks after certificates, for ever.
async fn watch(certificates: Vec<(Arc<Certificates>, Duration)>) {
    let Some(interval) = certificates.iter().map(|(_, interval)| *interval).min() else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(interval.clamp(Duration::from_millis(10), FOREVER)).await;
        let looked_after: Vec<_> = certificates.iter().map(|(one, _)| Arc::clone(one)).collect();
        let look = move || looked_after.iter().for_each(|one| one.reload_if_changed());
        if tokio::task::spawn_blocking(look).await.is_err() {
            tracing::error!("looking after certificates failed");
        }
    }
}

/// Binds all listeners and prepares to serve the application that `factory` makes.
///
/// # Errors
///
/// [`ListenError`], naming the listener or the file; nothing is bound then.
pub fn serve<F, I, S, B>(
    listeners: &[ListenerSettings],
    settings: &ServerSettings,
    hooks: &Hooks,
    factory: F,
) -> Result<Serving, ListenError>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let mut builder = server(listeners, settings)?;
    let signal = builder.graceful_shutdown_signal();
    let shares = Shares::new(settings.max_connections_per_address);
    let (mut addresses, mut sockets, mut certificates) = (Vec::new(), Vec::new(), Vec::new());
    for listener in listeners {
        let secured = secure(listener)?;
        let welcome = Welcome::new(
            listener,
            settings,
            hooks,
            shares.clone(),
            secured.clone(),
            signal.clone(),
        );
        let app = (factory.clone(), settings.clone(), hooks.expect.clone(), signal.clone());
        match bind(&listener.address, settings.backlog)? {
            Bound::Tcp(socket, address) => {
                addresses.push(ListenAddress::Tcp(address));
                let make = move || compose::<TcpStream, _, _, _, _>(&welcome, &app);
                builder = builder
                    .listen(address.to_string(), socket, make)
                    .map_err(ListenError::Setup)?;
            }
            Bound::Unix(socket, file) => {
                addresses.push(ListenAddress::Unix(file.path().to_owned()));
                let name = file.path().display().to_string();
                sockets.push(file);
                let make = move || compose::<UnixStream, _, _, _, _>(&welcome, &app);
                builder = builder.listen_uds(name, socket, make).map_err(ListenError::Setup)?;
            }
        }
        certificates.extend(secured.map(|secured| (secured.certificates, secured.reload_interval)));
    }
    let server = builder.run();
    let stopper = Stopper { handle: server.handle(), asked: Arc::default(), hurry: Arc::default() };
    Ok(Serving { server, addresses, certificates, stopper, sockets })
}

fn server(
    listeners: &[ListenerSettings],
    settings: &ServerSettings,
) -> Result<ServerBuilder, ListenError> {
    if listeners.is_empty() {
        return Err(ListenError::Settings("there is no listener"));
    }
    if !(1..=512).contains(&settings.workers) {
        return Err(ListenError::Settings("the number of workers must be between 1 and 512"));
    }
    Ok(Server::build()
        .disable_signals()
        .workers(settings.workers)
        .max_concurrent_connections(settings.max_connections_per_worker.max(1))
        .shutdown_timeout(settings.stop_timeout.as_secs().max(1)))
}

fn secure(listener: &ListenerSettings) -> Result<Option<Secured>, ListenError> {
    match (&listener.tls, &listener.address) {
        (None, _) => Ok(None),
        (Some(_), ListenAddress::Unix(path)) => {
            Err(ListenError::TlsOverUnix(path.display().to_string()))
        }
        (Some(tls), ListenAddress::Tcp(_)) => {
            let certificates = Certificates::load(tls)?;
            Ok(Some(Secured {
                config: certificates.server_config()?,
                certificates,
                reload_interval: tls.reload_interval,
                handshake_timeout: tls.handshake_timeout.min(FOREVER),
            }))
        }
    }
}

/// What an application is made from, on every worker.
type AppParts<F> = (F, ServerSettings, Expect, GracefulShutdownSignal);

/// The services of one worker for one listener: welcome the connection, then speak HTTP on it.
fn compose<Io, F, I, S, B>(
    welcome: &Welcome,
    app: &AppParts<F>,
) -> impl ServiceFactory<Io, Config = (), Response = (), Error = DispatchError, InitError = ()>
+ use<Io, F, I, S, B>
where
    Io: Into<super::welcome::Accepted> + 'static,
    F: Fn() -> I,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let (factory, settings, expect, signal) = app;
    let application = factory()
        .into_factory()
        .map_err(|error| Response::<BoxBody>::from(error.into().error_response()));
    let application = map_config(application, |()| AppConfig::default());
    let expect = Arc::clone(expect);
    let signal = signal.clone();
    let bounds = settings.bounds;
    let http = HttpServiceBuilder::<Stream, _>::default()
        .keep_alive(KeepAlive::Timeout(bounds.idle_timeout.min(FOREVER)))
        .client_request_timeout(bounds.idle_timeout.min(FOREVER))
        // Also the time for lingering; zero would switch lingering off.
        .client_disconnect_timeout(bounds.linger.clamp(Duration::from_millis(1), FOREVER))
        .h2_initial_window_size(settings.h2_stream_window_bytes)
        .h2_initial_connection_window_size(settings.h2_connection_window_bytes)
        .graceful_shutdown_signal(move || {
            let signal = signal.clone();
            async move { signal.notified().await }
        })
        .on_connect_ext(|stream: &Stream, extensions| {
            extensions.insert(stream.connection().clone());
        })
        .expect(fn_service(move |request: Request| expect(request)))
        .finish::<_, AnswerBody<B>>(Turns::<_, B>::new(application));
    let welcome = Rc::new(welcome.clone());
    fn_service(move |io: Io| {
        let welcome = Rc::clone(&welcome);
        async move {
            let connection: Result<(Stream, Protocol, Option<SocketAddr>), _> =
                welcome.receive(io.into()).await.map_err(DispatchError::Io);
            connection
        }
    })
    .and_then(http)
}
