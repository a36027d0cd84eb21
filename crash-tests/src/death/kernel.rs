//! What the kernel knows about a process and its connections (Linux, `/proc`).

use std::fs;
use std::io;

use rustix::process::Pid;

/// Whether every thread of a process is stopped.
///
/// # Errors
///
/// If there is no such process.
pub fn is_stopped(pid: Pid) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid()))? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        // The name in brackets may hold anything; the state comes behind it.
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        if state != Some("T") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Bytes between the two ends of a loopback connection: written on port `from`, not yet read on
/// port `to`. Exact only while neither end moves.
///
/// # Errors
///
/// If the table of connections cannot be read.
pub fn unread(from: u16, to: u16) -> io::Result<u64> {
    let table = fs::read_to_string("/proc/self/net/tcp")?;
    Ok(table.lines().skip(1).filter_map(|line| waiting(line, from, to)).sum())
}

fn waiting(line: &str, from: u16, to: u16) -> Option<u64> {
    let mut columns = line.split_whitespace().skip(1);
    let (local, remote) = (port(columns.next()?)?, port(columns.next()?)?);
    let (unacknowledged, unread) = columns.nth(1)?.split_once(':')?;
    match (local, remote) {
        ends if ends == (from, to) => u64::from_str_radix(unacknowledged, 16).ok(),
        ends if ends == (to, from) => u64::from_str_radix(unread, 16).ok(),
        _ => None,
    }
}

fn port(address: &str) -> Option<u16> {
    u16::from_str_radix(address.split_once(':')?.1, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn bytes_that_nobody_read_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, _) = listener.accept().unwrap();
        client.write_all(&[0; 1234]).unwrap();
        let ends = (client.local_addr().unwrap().port(), listener.local_addr().unwrap().port());
        assert_eq!(unread(ends.0, ends.1).unwrap(), 1234);
        assert_eq!(unread(ends.1, ends.0).unwrap(), 0);
    }

    #[test]
    fn a_process_that_runs_is_not_stopped() {
        assert!(!is_stopped(rustix::process::getpid()).unwrap());
    }
}
