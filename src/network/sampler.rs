//! Asks the kernel about all our connections at once.
//!
//! One question for each port that we have connections at, not one for each connection: `TCP_INFO` of a
//! socket would take `unsafe`, or a package for it, and netlink tells the same of all of them in one go.

use std::io;
use std::time::{Duration, Instant};

use super::lines::{Ends, Lines};
use super::path::PathSample;

/// How often the kernel is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks there is at least so many times the time that one takes: with very many connections,
/// asking is bounded to this part of one processor.
const REST: u32 = 100;
/// How long to wait where the kernel does not answer: it hardly ever begins to.
const PAUSE: Duration = Duration::from_secs(60);

/// Keeps the samples of all `lines` fresh, for ever. Needs a Tokio runtime.
pub async fn sample(lines: Lines) {
    let (mut wait, mut said) = (INTERVAL, false);
    loop {
        tokio::time::sleep(wait).await;
        let looked_at = lines.clone();
        let began = Instant::now();
        let looked = tokio::task::spawn_blocking(move || look(&looked_at)).await;
        wait = match looked {
            Ok(Ok(())) => rest(began.elapsed()),
            Ok(Err(error)) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(
                        %error,
                        "the kernel does not tell how connections do (netlink, sock_diag): {error}; \
                         there will be no round-trip times in metrics"
                    );
                }
                PAUSE
            }
            // The runtime ends.
            Err(_) => PAUSE,
        };
    }
}

/// How long to wait after a look that took so long.
fn rest(took: Duration) -> Duration {
    took.saturating_mul(REST).max(INTERVAL)
}

/// Looks at all lines. Blocking; asks nothing if there are none.
fn look(lines: &Lines) -> io::Result<()> {
    for (is_ipv6, port) in lines.ports() {
        lines.take(&connections(is_ipv6, port)?);
    }
    Ok(())
}

/// The connections at one of our ports, with what the kernel knows of each.
#[cfg(target_os = "linux")]
fn connections(is_ipv6: bool, port: u16) -> io::Result<Vec<(Ends, PathSample)>> {
    use netlink_packet_core::Parseable as _;
    use netlink_packet_sock_diag::SockDiagMessage;
    use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
    use netlink_packet_sock_diag::inet::{
        ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
    };

    let (family, any) =
        if is_ipv6 { (AF_INET6, SocketId::new_v6()) } else { (AF_INET, SocketId::new_v4()) };
    let question = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::ESTABLISHED | StateFlags::CLOSE_WAIT,
        // The kernel compares the port, and leaves the others out by itself.
        socket_id: SocketId { source_port: port, ..any },
    });
    let mut found = Vec::new();
    let told =
        super::netlink::dump(Some(rustix::net::netlink::SOCK_DIAG), question, |_, payload| {
            // What a kernel tells in another form is as if it told nothing.
            found
                .extend(InetResponse::parse(payload).ok().and_then(|response| measured(&response)));
        });
    match told {
        // Connections that come and go while the kernel tells of them do no harm.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(found),
        told => told.map(|()| found),
    }
}

#[cfg(target_os = "linux")]
fn measured<'a>(
    response: &'a netlink_packet_sock_diag::inet::InetResponse,
) -> Option<(Ends, PathSample)> {
    use netlink_packet_sock_diag::inet::nlas::Nla;
    let id = &response.header.socket_id;
    let ends = Ends::new(
        (id.source_address, id.source_port).into(),
        (id.destination_address, id.destination_port).into(),
    );
    let told = |nla: &'a Nla| if let Nla::TcpInfo(info) = nla { Some(info) } else { None };
    let info = response.nlas.iter().find_map(told)?;
    let micros = |count: u32| Duration::from_micros(count.into());
    let sample = PathSample {
        rtt: micros(info.rtt),
        rtt_variance: micros(info.rttvar),
        // The kernel's words for "not measured".
        min_rtt: (info.min_rtt != u32::MAX).then(|| micros(info.min_rtt)),
        receive_rtt: (info.rcv_rtt != 0).then(|| micros(info.rcv_rtt)),
        retransmits: info.total_retrans,
        lost: info.lost,
        unacked: info.unacked,
        delivery_rate_bytes_per_second: (info.delivery_rate != 0).then_some(info.delivery_rate),
        received_bytes: info.bytes_received,
        acknowledged_bytes: info.bytes_acked,
    };
    Some((ends, sample))
}

#[cfg(not(target_os = "linux"))]
fn connections(_: bool, _: u16) -> io::Result<Vec<(Ends, PathSample)>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::Weak;

    use super::super::lines::Carried;
    use super::super::path::Path;
    use super::*;

    struct Nobody;

    impl Carried for Nobody {
        fn severed(&self) -> usize {
            0
        }
    }

    fn listed(lines: &Lines, address: &str) -> (TcpStream, TcpStream, Path, super::super::Line) {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let (path, nobody): (_, Weak<Nobody>) = (Path::default(), Weak::new());
        let line = lines.list(Some((server.local_addr().unwrap(), peer)), path.clone(), nobody);
        (client, server, path, line)
    }

    #[test]
    fn a_look_tells_every_connection_what_the_kernel_measured_on_it() {
        use std::io::{Read as _, Write as _};
        let lines = Lines::default();
        let (mut client, mut server, path, _line) = listed(&lines, "127.0.0.1:0");
        let (_other, _served, quiet, _their_line) = listed(&lines, "127.0.0.1:0");
        client.write_all(&[7; 5000]).unwrap();
        server.read_exact(&mut [0; 5000]).unwrap();
        assert_eq!(path.sample(), None);
        look(&lines).unwrap();
        let sample = path.sample().unwrap();
        assert_eq!(sample.received_bytes, 5000, "{sample:?}");
        assert!(sample.rtt > Duration::ZERO && sample.rtt < Duration::from_secs(1), "{sample:?}");
        assert_eq!(quiet.sample().map(|sample| sample.received_bytes), Some(0));
    }

    #[test]
    fn a_socket_of_ipv6_that_takes_ipv4_is_found_too() {
        let lines = Lines::default();
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let (path, nobody): (_, Weak<Nobody>) = (Path::default(), Weak::new());
        let _line = lines.list(Some((server.local_addr().unwrap(), peer)), path.clone(), nobody);
        look(&lines).unwrap();
        assert!(path.sample().is_some());
    }

    #[test]
    fn a_connection_that_ended_is_not_looked_at_and_the_next_with_its_ends_stays() {
        let lines = Lines::default();
        let (_client, server, _, line) = listed(&lines, "127.0.0.1:0");
        let ends = (server.local_addr().unwrap(), server.peer_addr().unwrap());
        let (path, nobody): (_, Weak<Nobody>) = (Path::default(), Weak::new());
        let next = lines.list(Some(ends), path.clone(), nobody);
        drop(line);
        look(&lines).unwrap();
        assert!(path.sample().is_some());
        drop(next);
        assert!(lines.ports().is_empty());
    }

    #[test]
    fn asking_takes_a_hundredth_of_a_processor_at_most() {
        assert_eq!(rest(Duration::from_millis(1)), INTERVAL);
        assert_eq!(rest(Duration::from_millis(50)), Duration::from_secs(5));
    }
}
