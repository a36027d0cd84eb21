//! Readers that take their time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use tempfile::tempdir;

use crate::gateway::{Gateway, download, upload};
use crate::support::{connect, descriptors, resident_bytes, serves, until};

const MIB: usize = 1024 * 1024;

/// Asks for a file without reading the answer. Little of it waits in the kernel on this side.
fn ask(gateway: &Gateway, path: &str, kernel_bytes: usize) -> TcpStream {
    let mut stream = connect(gateway);
    sockopt::set_socket_recv_buffer_size(&stream, kernel_bytes).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn readers_of_a_byte_a_second_hold_little_and_keep_nobody_waiting() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let body = "x".repeat(16 * MIB);
    let path = upload(gateway.upload_address(), &body);
    let before = resident_bytes(gateway.pid());
    let mut readers: Vec<_> = (0..100).map(|_| ask(&gateway, &path, 4096)).collect();
    for reader in &mut readers {
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 1);
    }
    let grown = resident_bytes(gateway.pid()).saturating_sub(before);
    // The buffer of each connection is as large as a piece and what is read ahead of it.
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes more for 100 readers");
    assert_eq!(download(gateway.upload_address(), &path).len(), body.len(), "and others are quick");
    serves(&gateway);
}

#[test]
fn a_reader_below_the_minimum_rate_is_cut_off_and_its_file_closed() {
    let folder = tempdir().unwrap();
    let variables =
        [("TIDEGATE__NETWORK__MIN_RATE", "100MB"), ("TIDEGATE__TIMEOUTS__WRITETIMEOUT", "1s")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let path = upload(gateway.upload_address(), &"x".repeat(16 * MIB));
    let before = descriptors(gateway.pid());
    let mut reader = ask(&gateway, &path, 4096);
    let start = Instant::now();
    let mut taken = 0;
    loop {
        match reader.read(&mut [0; 16 * 1024]) {
            Ok(0) | Err(_) => break,
            Ok(bytes) => taken += bytes,
        }
        crate::support::pause(Duration::from_millis(20));
    }
    assert!(taken < 16 * MIB, "it got all of it");
    assert!(start.elapsed() < Duration::from_secs(20), "after {:?}", start.elapsed());
    until("its file is closed", || descriptors(gateway.pid()) <= before);
}

#[test]
fn without_a_minimum_rate_a_slow_reader_gets_all_of_it() {
    let folder = tempdir().unwrap();
    let variables = [("TIDEGATE__TIMEOUTS__WRITETIMEOUT", "1s")];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let path = upload(gateway.upload_address(), &"x".repeat(5 * MIB));
    let mut reader = ask(&gateway, &path, 64 * 1024);
    let mut taken = 0;
    // 700 KB/s: with all that the kernel likes to keep, a second could pass without any news.
    while taken < 5 * MIB {
        match reader.read(&mut [0; 40 * 1024]).unwrap() {
            0 => panic!("cut off after {taken}"),
            bytes => taken += bytes,
        }
        crate::support::pause(Duration::from_millis(60));
    }
}

#[test]
fn with_memory_for_one_batch_all_uploads_and_downloads_still_end() {
    let folder = tempdir().unwrap();
    let variables = [
        ("TIDEGATE__PERFORMANCE__MEMORY_BUDGET", "1MiB"),
        ("TIDEGATE__PERFORMANCE__BATCH_SIZE", "1MiB"),
        // Every write goes to another thread, where its batch waits.
        ("TIDEGATE__STORAGE__SLOW_WRITE", "1ms"),
    ];
    let gateway = Gateway::start_with(folder.path(), &[], &variables);
    let address = gateway.upload_address().to_owned();
    let threads: Vec<_> = (0..16)
        .map(|number: u8| {
            let address = address.clone();
            std::thread::spawn(move || {
                let body = char::from(b'a' + number).to_string().repeat(2 * MIB);
                let path = upload(&address, &body);
                assert!(download(&address, &path) == body, "{number} differs");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
