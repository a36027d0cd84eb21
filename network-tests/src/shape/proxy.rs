//! The proxy: sockets and clocks around what [`super::lane`] and [`super::schedule`] decide.

use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::lane::{AHEAD, Lane, Passage, Way};
use super::schedule::{Plan, Schedule, Weather};
use super::socket::{self, Buffers};

/// Bytes that are read at once: no less than a packet has, and no more than the rate gives in
/// [`PIECE`].
const SMALLEST_PIECE: u64 = 1448;
const LARGEST_PIECE: u64 = 64 * 1024;
const PIECE: Duration = Duration::from_millis(4);

/// Bytes on the wire that each connection may have this way at least.
const LEAST_IN_FLIGHT: u64 = 64 * 1024;

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    link: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What went through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections that a cut has reset.
    pub cut: u64,
    /// Bytes that arrived at the gateway.
    pub up: u64,
    /// Bytes that arrived at the client.
    pub down: u64,
}

impl Proxy {
    /// Listens at `listen`, and carries what comes to `to` over the link that `plan` describes.
    ///
    /// # Errors
    ///
    /// What the system says if it cannot listen there.
    pub fn start(listen: SocketAddr, to: SocketAddr, plan: &Plan, seed: u64) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let link = Arc::new(Shared::new(to, plan, seed));
        let listener = link.buffers.listen(listen)?;
        drop(entered);
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let carried = Arc::clone(&link);
        let thread = thread::Builder::new().name("shape".to_owned()).spawn(move || {
            runtime.block_on(async {
                // Its end is the signal, whether something was sent or not.
                tokio::select! { _ = stopped => {}, () = accept(&listener, &carried) => {} }
            });
        })?;
        Ok(Self { address, link, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went through until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let Totals { connections, cut, up, down } = &self.link.totals;
        let (connections, cut, up, down) = (read(connections), read(cut), read(up), read(down));
        Counts { connections, cut, up, down }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[derive(Debug, Default)]
struct Totals {
    connections: AtomicU64,
    cut: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// The link that all connections go over.
#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    began: Instant,
    buffers: Buffers,
    up: Bounds,
    down: Bounds,
    wire: Mutex<Wire>,
    totals: Totals,
}

#[derive(Debug)]
struct Wire {
    schedule: Schedule,
    up: Lane,
    down: Lane,
}

/// What one connection may hold this way, in bytes.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    piece: u32,
    in_flight: u32,
}

impl Bounds {
    fn fitting(plan: &Plan, way: Way) -> Self {
        let (rate, delay) = socket::extremes(plan, way);
        let during = |time: Duration| {
            let bytes = u128::from(rate).saturating_mul(time.as_micros()) / 1_000_000;
            u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX / 2);
        let in_flight = during(delay.saturating_add(AHEAD).saturating_mul(2)).max(LEAST_IN_FLIGHT);
        let piece = during(PIECE).clamp(SMALLEST_PIECE, LARGEST_PIECE);
        Self { piece: narrow(piece), in_flight: narrow(in_flight) }
    }
}

impl Shared {
    fn new(to: SocketAddr, plan: &Plan, seed: u64) -> Self {
        let schedule = Schedule::new(plan.clone(), seed);
        let up = Lane::new(Way::Up, seed.wrapping_add(1));
        let down = Lane::new(Way::Down, seed.wrapping_add(2));
        Self {
            to,
            began: Instant::now(),
            buffers: Buffers::fitting(plan),
            up: Bounds::fitting(plan, Way::Up),
            down: Bounds::fitting(plan, Way::Down),
            wire: Mutex::new(Wire { schedule, up, down }),
            totals: Totals::default(),
        }
    }

    fn ask<T>(&self, way: Way, of: impl FnOnce(&mut Lane, Duration, &mut Schedule) -> T) -> T {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let Wire { schedule, up, down } = &mut *wire;
        let lane = match way {
            Way::Up => up,
            Way::Down => down,
        };
        of(lane, self.began.elapsed(), schedule)
    }

    fn send(&self, way: Way, bytes: usize) -> Option<Passage> {
        self.ask(way, |lane, now, schedule| lane.send(now, bytes, schedule))
    }

    fn tell(&self, way: Way) -> Option<Duration> {
        self.ask(way, |lane, now, schedule| lane.tell(now, schedule))
    }

    /// Waits for `moment`; without an end if there is none.
    async fn until(&self, moment: Option<Duration>) {
        match moment.and_then(|moment| self.began.checked_add(moment)) {
            Some(moment) => tokio::time::sleep_until(moment).await,
            None => future::pending().await,
        }
    }

    /// Waits until the link is cut.
    async fn cut(&self) {
        loop {
            let phase = self.ask(Way::Up, |_, now, schedule| schedule.at(now));
            if phase.weather == Weather::Cut {
                return;
            }
            self.until(Some(phase.ends).filter(|ends| *ends < Duration::MAX)).await;
        }
    }

    fn arrived(&self, way: Way, bytes: usize) {
        let total = match way {
            Way::Up => &self.totals.up,
            Way::Down => &self.totals.down,
        };
        total.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    const fn bounds(&self, way: Way) -> Bounds {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

async fn accept(listener: &TcpListener, link: &Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                link.totals.connections.fetch_add(1, Ordering::Relaxed);
                let link = Arc::clone(link);
                tokio::spawn(async move { carry(client, &link).await });
            }
            // Out of descriptors, or a client that has left: neither is helped by asking at once.
            Err(_) => tokio::time::sleep(PIECE).await,
        }
    }
}

/// Carries one connection until its end, or until the link is cut.
async fn carry(mut client: TcpStream, link: &Shared) {
    drop(client.set_nodelay(true));
    let arrived = async {
        // The handshake goes there and back before the first byte leaves.
        link.until(link.tell(Way::Up)).await;
        link.until(link.tell(Way::Down)).await;
        link.buffers.connect(link.to).await
    };
    let server = unless_cut(link, arrived).await;
    let Some(Ok(mut server)) = server else {
        socket::reset(&client);
        return;
    };
    drop(server.set_nodelay(true));
    let ended = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let up = pass(Way::Up, from_client, to_server, link);
        let down = pass(Way::Down, from_server, to_client, link);
        unless_cut(link, async { tokio::try_join!(up, down) }).await
    };
    if !matches!(ended, Some(Ok(_))) {
        socket::reset(&client);
        socket::reset(&server);
    }
}

async fn unless_cut<T>(link: &Shared, what: impl Future<Output = T>) -> Option<T> {
    let what = pin!(what);
    tokio::select! {
        biased;
        () = link.cut() => {
            link.totals.cut.fetch_add(1, Ordering::Relaxed);
            None
        }
        done = what => Some(done),
    }
}

/// What is under way.
enum News {
    Bytes(Vec<u8>, OwnedSemaphorePermit),
    /// Its sender sends no more.
    Shut,
    /// Its sender has reset the connection.
    Reset,
}

/// A connection that was reset by one of its ends.
struct Broken;

type Queue<T> = (T, Option<Duration>);

/// One direction of one connection.
async fn pass(
    way: Way,
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    link: &Shared,
) -> Result<(), Broken> {
    // What is in it is bounded by bytes, not by pieces.
    let (queue, queued) = mpsc::unbounded_channel();
    let mut delivery = pin!(deliver(way, queued, to, link));
    tokio::select! {
        biased;
        ended = &mut delivery => ended,
        () = take(way, from, queue, link) => delivery.await,
    }
}

/// Takes from the sender what the wire takes.
async fn take(
    way: Way,
    mut from: ReadHalf<'_>,
    queue: UnboundedSender<Queue<News>>,
    link: &Shared,
) {
    let Bounds { piece, in_flight } = link.bounds(way);
    let permits = Arc::new(Semaphore::new(usize::try_from(in_flight).unwrap_or(usize::MAX)));
    let mut buffer = vec![0; usize::try_from(piece).unwrap_or(usize::MAX)];
    loop {
        let Ok(mut permit) = Arc::clone(&permits).acquire_many_owned(piece).await else { return };
        let bytes = match from.read(&mut buffer).await {
            Ok(0) => return drop(queue.send((News::Shut, link.tell(way)))),
            Err(_) => return drop(queue.send((News::Reset, link.tell(way)))),
            Ok(count) => buffer.get(..count).unwrap_or_default().to_vec(),
        };
        drop(permit.split(buffer.len().saturating_sub(bytes.len())));
        let passage = link.send(way, bytes.len());
        let arrives = passage.map(|passage| passage.arrives);
        if queue.send((News::Bytes(bytes, permit), arrives)).is_err() {
            return;
        }
        link.until(passage.map(|passage| passage.sent.saturating_sub(AHEAD))).await;
    }
}

/// Hands over what arrives, when it does.
async fn deliver(
    way: Way,
    mut queue: UnboundedReceiver<Queue<News>>,
    mut to: WriteHalf<'_>,
    link: &Shared,
) -> Result<(), Broken> {
    while let Some((news, arrives)) = queue.recv().await {
        link.until(arrives).await;
        match news {
            News::Bytes(bytes, permit) => {
                // Who does not take them has ended the connection, which the other way is told.
                if to.write_all(&bytes).await.is_err() {
                    return Ok(());
                }
                link.arrived(way, bytes.len());
                drop(permit);
            }
            News::Shut => {
                drop(to.shutdown().await);
                return Ok(());
            }
            News::Reset => return Err(Broken),
        }
    }
    Ok(())
}
