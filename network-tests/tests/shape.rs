//! The link with manners, between real sockets. Bounds are generous: the machine may be busy.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers too")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use network_tests::shape::{Link, Plan, Proxy, Stage, Weather};

const PATIENCE: Duration = Duration::from_secs(20);

const fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

const fn link(up: u64, down: u64, latency: u64) -> Link {
    Link { up, down, latency: milliseconds(latency), jitter: Duration::ZERO }
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Answers one connection by `what`.
fn server<T: Send + 'static>(
    what: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind(anywhere()).unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || what(listener.accept().unwrap().0)))
}

/// Sends back whatever comes.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(anywhere()).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut back = stream.try_clone().unwrap();
                drop(std::io::copy(&mut &stream, &mut back));
            });
        }
    });
    address
}

fn through(plan: &Plan, to: SocketAddr) -> (Proxy, TcpStream) {
    let proxy = Proxy::start(anywhere(), to, plan, 1).unwrap();
    let client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    (proxy, client)
}

fn steady(link: Link) -> Plan {
    Plan::steady(Weather::Open(link))
}

fn stage(weather: Weather, lasts: Duration) -> Stage {
    Stage { weather, shortest: lasts, longest: lasts }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 31 % 251).unwrap()).collect()
}

#[test]
fn bytes_arrive_unchanged_and_at_the_rate_of_their_way() {
    let sent = pattern(1_000_000);
    let (address, received) = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let back = Instant::now();
        stream.write_all(&all).unwrap();
        (all, back)
    });
    let (proxy, mut client) = through(&steady(link(1_000_000, 4_000_000, 1)), address);
    let began = Instant::now();
    client.write_all(&sent).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut returned = Vec::new();
    client.read_to_end(&mut returned).unwrap();
    let ended = Instant::now();
    let (all, back) = received.join().unwrap();
    assert!(all == sent && returned == sent);
    let (up, down) = (back - began, ended - back);
    assert!((milliseconds(900)..milliseconds(2500)).contains(&up), "{up:?}");
    assert!((milliseconds(200)..milliseconds(1000)).contains(&down), "{down:?}");
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.up, counts.down), (1, 1_000_000, 1_000_000));
}

#[test]
fn connections_share_the_rate_of_their_link() {
    let to = echo();
    let proxy = Proxy::start(anywhere(), to, &steady(link(1_000_000, 8_000_000, 1)), 1).unwrap();
    let (address, began) = (proxy.address(), Instant::now());
    let clients = [(), ()].map(|()| {
        thread::spawn(move || {
            let mut client = TcpStream::connect(address).unwrap();
            let mut writing = client.try_clone().unwrap();
            let writer = thread::spawn(move || writing.write_all(&pattern(400_000)).unwrap());
            let mut back = vec![0; 400_000];
            client.read_exact(&mut back).unwrap();
            writer.join().unwrap();
        })
    });
    for client in clients {
        client.join().unwrap();
    }
    assert!(began.elapsed() >= milliseconds(700), "{:?}", began.elapsed());
}

#[test]
fn a_byte_takes_the_latency_there_and_back() {
    let (_proxy, mut client) = through(&steady(link(1_000_000, 1_000_000, 40)), echo());
    let mut byte = [0];
    let mut fastest = PATIENCE;
    for _ in 0..5 {
        let began = Instant::now();
        client.write_all(b"x").unwrap();
        client.read_exact(&mut byte).unwrap();
        fastest = fastest.min(began.elapsed());
    }
    assert!((milliseconds(80)..milliseconds(160)).contains(&fastest), "{fastest:?}");
}

#[test]
fn a_slow_link_makes_its_sender_wait() {
    let (address, _received) =
        server(|mut stream| std::io::copy(&mut stream, &mut std::io::sink()));
    let (_proxy, mut client) = through(&steady(link(20_000, 20_000, 5)), address);
    socket2::SockRef::from(&client).set_send_buffer_size(16 * 1024).unwrap();
    client.set_write_timeout(Some(milliseconds(500))).unwrap();
    let piece = pattern(1000);
    let mut written = 0;
    let error = loop {
        match client.write(&piece) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
        assert!(written < 1_000_000, "a megabyte was taken at once by a link of 20 kB/s");
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_cut_resets_connections_and_what_comes_after_it_passes() {
    let open = stage(Weather::Open(link(1_000_000, 1_000_000, 1)), milliseconds(500));
    let plan = Plan::rounds(open, vec![stage(Weather::Cut, milliseconds(200))]);
    let (proxy, mut client) = through(&plan, echo());
    let mut byte = [0];
    client.write_all(b"x").unwrap();
    client.read_exact(&mut byte).unwrap();
    assert_eq!(client.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(proxy.counts().cut >= 1);
    let until = Instant::now() + PATIENCE;
    let comes_back = |address| {
        let mut client = TcpStream::connect(address)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(b"y")?;
        client.read_exact(&mut [0])
    };
    while let Err(error) = comes_back(proxy.address()) {
        assert!(Instant::now() < until, "{error}");
    }
}

#[test]
fn a_black_hole_says_nothing_and_gives_everything_back() {
    let open = stage(Weather::Open(link(1_000_000, 1_000_000, 1)), milliseconds(400));
    let hole = stage(Weather::BlackHole, milliseconds(1500));
    let (address, received) = server(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        let first = Instant::now();
        // Silence, and then what was sent into it, and the end.
        stream.read_exact(&mut byte).unwrap();
        let gap = first.elapsed();
        let rest = stream.read(&mut byte).unwrap();
        (gap, rest)
    });
    let began = Instant::now();
    let (_proxy, mut client) = through(&Plan::rounds(open, vec![hole]), address);
    client.write_all(b"x").unwrap();
    // The plan has no event to wait for: this is the way into the hole.
    client.set_read_timeout(Some(milliseconds(600).saturating_sub(began.elapsed()))).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.write_all(b"y").unwrap();
    drop(client);
    let (gap, rest) = received.join().unwrap();
    assert!(gap >= milliseconds(500), "what was sent into a black hole came after {gap:?}");
    assert_eq!(rest, 0);
}

#[test]
fn the_command_says_where_it_listens_and_carries() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-shape"));
    command.args(["--profile", "wifi", "--to", &echo().to_string()]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    let read = client.read_exact(&mut back);
    child.kill().unwrap();
    child.wait().unwrap();
    read.unwrap();
    assert_eq!(&back, b"hello");
}
