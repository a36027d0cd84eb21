//! A proxy that passes everything on as it comes, but for one mutation.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::head::{Framing, Head};
use crate::table::{Mutation, Seen};

/// What both directions of a connection share.
struct Pair {
    /// The requests that were not answered yet.
    asked: Mutex<VecDeque<Head>>,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    mutation: &'static Mutation,
}

/// A proxy on a free port. Its threads end with their connections, and with the test.
pub(crate) struct Proxy {
    address: SocketAddr,
}

impl Proxy {
    /// Listens, and leads to `server`.
    pub(crate) fn before(server: &str, mutation: &'static Mutation) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.to_owned();
        let seen = Arc::new(Mutex::new(HashMap::new()));
        thread::spawn(move || {
            for client in listener.incoming() {
                let asked = Mutex::new(VecDeque::new());
                let pair = Arc::new(Pair { asked, seen: Arc::clone(&seen), mutation });
                join(client.unwrap(), TcpStream::connect(&server).unwrap(), pair);
            }
        });
        Self { address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn join(client: TcpStream, server: TcpStream, pair: Arc<Pair>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let there = Arc::clone(&pair);
    thread::spawn(move || {
        let ended = requests(BufReader::new(client), &to_server, &there);
        // An orderly end is passed on as one; everything else ends both ways.
        let way = if ended.is_ok() { Shutdown::Write } else { Shutdown::Both };
        let _ = to_server.shutdown(way);
    });
    thread::spawn(move || {
        let _ = answers(BufReader::new(server), &to_client, &pair);
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

/// The next head; `None` at the end.
fn next_head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Head::parse(&bytes)))
}

fn requests(mut from: impl BufRead, mut to: &TcpStream, pair: &Pair) -> io::Result<()> {
    while let Some(original) = next_head(&mut from)? {
        let mut head = original.clone();
        {
            let mut seen = pair.seen.lock().unwrap();
            (pair.mutation.request)(&mut head, seen.entry(original.path().to_owned()).or_default());
        }
        pair.asked.lock().unwrap().push_back(original.clone());
        if pair.mutation.buffers
            && let Framing::Sized(length) = head.framing_of_request()
        {
            let mut body = vec![0; usize::try_from(length).unwrap()];
            from.read_exact(&mut body)?;
            to.write_all(&head.encode())?;
            to.write_all(&body)?;
            continue;
        }
        to.write_all(&head.encode())?;
        pass(&mut from, &mut to, head.framing_of_request())?;
        if let (Framing::Sized(came), Framing::Sized(went)) =
            (original.framing_of_request(), head.framing_of_request())
        {
            pass(&mut from, &mut io::sink(), Framing::Sized(came - went))?;
        }
    }
    Ok(())
}

fn answers(mut from: impl BufRead, mut to: &TcpStream, pair: &Pair) -> io::Result<()> {
    while let Some(original) = next_head(&mut from)? {
        let mut head = original.clone();
        let asked = {
            let mut asked = pair.asked.lock().unwrap();
            let interim = original.status() < 200;
            if interim { asked.front().cloned() } else { asked.pop_front() }
        };
        let asked = asked.unwrap_or_else(|| Head::parse(b"GET / HTTP/1.1\r\n\r\n"));
        note(&asked, &original, &pair.seen);
        (pair.mutation.answer)(&asked, &mut head);
        to.write_all(&head.encode())?;
        let (was, is) = (
            original.framing_of_answer_to(asked.method()),
            head.framing_of_answer_to(asked.method()),
        );
        if was == is {
            pass(&mut from, &mut to, was)?;
        } else {
            pass(&mut from, &mut io::sink(), was)?;
        }
    }
    Ok(())
}

/// Keeps what a wrong server would have to know: the length and the true offset of each upload.
fn note(asked: &Head, answer: &Head, seen: &Mutex<HashMap<String, Seen>>) {
    let mut seen = seen.lock().unwrap();
    let path = match (asked.method(), answer.get("Location")) {
        ("POST", Some(location)) => location,
        _ => asked.path(),
    };
    let upload = seen.entry(path.to_owned()).or_default();
    if answer.status() == 201 {
        upload.length = asked.number("Upload-Length");
    }
    if let Some(offset) = answer.number("Upload-Offset") {
        upload.offset = offset;
    }
}

/// Passes a body on as it comes.
fn pass(from: &mut impl BufRead, to: &mut impl Write, framing: Framing) -> io::Result<()> {
    match framing {
        Framing::Sized(length) => copy(from, to, length),
        Framing::UntilClose => copy(from, to, u64::MAX),
        Framing::Chunked => loop {
            let size = line(from, to)?;
            let size = u64::from_str_radix(size.split(';').next().unwrap().trim(), 16);
            let size = size.map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
            if size == 0 {
                while !line(from, to)?.trim().is_empty() {}
                return Ok(());
            }
            copy(from, to, size + 2)?;
        },
    }
}

fn line(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.read_until(b'\n', &mut bytes)?;
    to.write_all(&bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// An end before `length` bytes is an orderly one for those that came: it is passed on as an end.
fn copy(from: &mut impl BufRead, to: &mut impl Write, length: u64) -> io::Result<()> {
    io::copy(&mut from.take(length), to).map(drop)
}
