//! Sockets that hold little, so that a slow link is felt by who writes into it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::lane::Way;
use super::schedule::{Plan, Weather};

/// What a device and its access point keep in their queues, as time.
const QUEUE: Duration = Duration::from_millis(50);
const SMALLEST: u64 = 16 * 1024;
const LARGEST: u64 = 256 * 1024;
/// As on Ethernet. Loopback's own, 64 KiB, would not fit into small buffers.
const SEGMENT_BYTES: u32 = 1448;
const BACKLOG: i32 = 1024;

/// How much the kernel may hold, in bytes, on each side of a proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffers {
    up: u32,
    down: u32,
}

impl Buffers {
    /// What fits to the fastest weather of `plan`.
    pub(super) fn fitting(plan: &Plan) -> Self {
        Self { up: fitting(plan, Way::Up), down: fitting(plan, Way::Down) }
    }

    /// A listener whose connections hold no more than that.
    pub(super) fn listen(self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        self.limit(&socket, Way::Up, Way::Down)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }

    /// A connection to the gateway, likewise.
    pub(super) async fn connect(self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        let near = SockRef::from(&socket);
        near.set_tcp_mss(SEGMENT_BYTES)?;
        near.set_recv_buffer_size(size(self.down))?;
        near.set_send_buffer_size(size(self.up))?;
        socket.connect(to).await
    }

    fn limit(self, socket: &Socket, received: Way, sent: Way) -> io::Result<()> {
        socket.set_tcp_mss(SEGMENT_BYTES)?;
        socket.set_recv_buffer_size(size(self.of(received)))?;
        socket.set_send_buffer_size(size(self.of(sent)))
    }

    const fn of(self, way: Way) -> u32 {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

/// Makes the end of `stream` a reset.
pub(super) fn reset(stream: &TcpStream) {
    // If it cannot be had, it has been reset already.
    drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
}

/// The highest rate of `plan` this way, in bytes a second, and its longest delay.
pub(super) fn extremes(plan: &Plan, way: Way) -> (u64, Duration) {
    plan.weathers().fold((0, Duration::ZERO), |(rate, delay), weather| match weather {
        Weather::Open(link) => {
            (rate.max(way.rate(&link)), delay.max(link.latency.saturating_add(link.jitter)))
        }
        Weather::BlackHole | Weather::Cut => (rate, delay),
    })
}

fn fitting(plan: &Plan, way: Way) -> u32 {
    let (rate, _) = extremes(plan, way);
    let bytes = u128::from(rate).saturating_mul(QUEUE.as_millis()) / 1000;
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).clamp(SMALLEST, LARGEST);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
