//! A client that writes and reads bytes, and what the kernel knows about the program.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};
use rustix::process::Pid;

use crate::gateway::{DEADLINE, Gateway, exchange, field, text};

/// A connection to the gateway that waits for nothing longer than the deadline.
pub(crate) fn connect(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.upload_address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A connection from another address of this machine.
pub(crate) fn connect_from(gateway: &Gateway, from: &str) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    let to: SocketAddr = gateway.upload_address().parse().unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Creates an upload of so many bytes; its path.
pub(crate) fn create(gateway: &Gateway, length: usize) -> String {
    let head = format!("POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {length}");
    let answer = exchange(gateway.upload_address(), &head, "");
    field(&answer, "location").unwrap_or_else(|| panic!("{answer}"))
}

/// Sends the head of a PATCH at the front of an upload.
pub(crate) fn begin_patch(stream: &mut TcpStream, path: &str, length: usize, fields: &str) {
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n{fields}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
}

/// As [`begin_patch`], and waits until its body is: then its file is open.
pub(crate) fn be_in_patch(stream: &mut TcpStream, path: &str, length: usize, fields: &str) {
    begin_patch(stream, path, length, &format!("{fields}Expect: 100-continue\r\n"));
    let answer = head_of_answer(stream);
    assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
}

/// Reads the head of one answer.
pub(crate) fn head_of_answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            outcome => panic!("{outcome:?} after {:?}", text(&head)),
        }
    }
    text(&head)
}

/// Asks what costs nothing, on a connection that stays open; the head of the answer.
pub(crate) fn options(stream: &mut TcpStream) -> String {
    stream.write_all(b"OPTIONS /files HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    head_of_answer(stream)
}

/// Whether the other side has ended the connection, within the deadline; what it sent is dropped.
pub(crate) fn is_ended(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                return false;
            }
            Err(_) => return true,
        }
    }
}

/// Lets time pass: for a client that takes its time, or a measure that does.
#[expect(clippy::disallowed_methods, reason = "no outcome is waited for by it")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "{what}: not so in time");
        pause(Duration::from_millis(2));
    }
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap().count()
}

/// Whether a process has a file open in whose path this stands.
pub(crate) fn has_open(pid: Pid, part: &str) -> bool {
    let entries = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap();
    // One that is closed meanwhile cannot be read any more.
    let mut paths = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    paths.any(|path| path.to_string_lossy().contains(part))
}

/// Processor time that a process has used.
pub(crate) fn processor_time(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // Linux counts in hundredths of a second, whatever its own clock does.
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in bytes.
pub(crate) fn resident_bytes(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The value of a metric.
pub(crate) fn metric(gateway: &Gateway, name: &str) -> u64 {
    let answer = exchange(gateway.admin_address(), "GET /metrics HTTP/1.1", "");
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {answer}")).parse().unwrap()
}

/// That the gateway is well: something is uploaded and downloaded.
pub(crate) fn serves(gateway: &Gateway) {
    let path = crate::gateway::upload(gateway.upload_address(), "still there");
    assert_eq!(crate::gateway::download(gateway.upload_address(), &path), "still there");
}
