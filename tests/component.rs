//! The program as a component of an XMPP server, which is played by the test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "running/gateway.rs"]
#[expect(dead_code, reason = "this file needs less of it than the others")]
mod gateway;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use gateway::{DEADLINE, Gateway, download, exchange, text};
use rustix::process::Signal;
use tempfile::tempdir;

/// The XMPP server's end of a component's connection.
struct Server {
    stream: TcpStream,
    heard: String,
}

impl Server {
    /// The next component that connects, taken.
    fn takes(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut server = Self { stream, heard: String::new() };
        server.hears("to='up.example'");
        server.says(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' id='1' from='up.example'>",
        );
        server.hears("</handshake>");
        server.says("<handshake/>");
        server
    }

    fn says(&mut self, words: &str) {
        self.stream.write_all(words.as_bytes()).unwrap();
    }

    /// Everything up to `end`.
    fn hears(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.heard.find(end) {
                return self.heard.drain(..at + end.len()).collect();
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "no {end} in {}", self.heard);
            self.heard.push_str(&text(buffer.get(..count).unwrap()));
        }
    }

    /// A slot for `size` bytes: its path, and the token.
    fn asks(&mut self, from: &str, size: usize) -> Result<(String, String), String> {
        self.says(&format!(
            "<iq type='get' from='{from}' to='up.example' id='7'>\
             <request xmlns='urn:xmpp:http:upload:0' filename='a.txt' size='{size}'/></iq>"
        ));
        let answer = self.hears("</iq>");
        let between = |begin: &str, end: &str| {
            let rest = answer.split_once(begin)?.1;
            rest.split_once(end).map(|(found, _)| found.to_owned())
        };
        let path = between("<put url='https://up.example", "'");
        let token = between("<header name='Authorization'>", "</header>");
        path.zip(token).ok_or(answer)
    }
}

/// The settings of a gateway that is a component of the server at `listener`.
fn settings(listener: &TcpListener) -> String {
    let port = listener.local_addr().unwrap().port();
    format!(
        "[{{scheme='own', base_path='/chat', public_url='https://up.example', component={{\
         server='127.0.0.1:{port}', domain='up.example', secret='it-is-secret', \
         users=['example'], reconnect_first='10ms'}}, quota={{running=2}}}}]"
    )
}

fn started(data: &std::path::Path, tenants: &str) -> Gateway {
    Gateway::start_with(data, &[], &[("TIDEGATE__XEP0363__TENANTS", tenants)])
}

fn put(gateway: &Gateway, (path, token): &(String, String), body: &str) -> String {
    let head = format!("PUT {path} HTTP/1.1\r\nAuthorization: {token}");
    exchange(gateway.upload_address(), &head, body)
}

fn health(gateway: &Gateway) -> String {
    exchange(gateway.admin_address(), "GET /health/ready HTTP/1.1", "")
}

#[test]
fn a_slot_outlives_a_gateway_that_is_killed_and_takes_its_file_from_the_next_one() {
    let (folder, listener) = (tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let tenants = settings(&listener);
    let gateway = started(folder.path(), &tenants);
    let mut server = Server::takes(&listener);
    let (slot, other) = (server.asks("ann@example/phone", 5), server.asks("ann@example/phone", 5));
    let (slot, other) = (slot.unwrap(), other.unwrap());
    gateway.kill();
    let gateway = started(folder.path(), &tenants);
    drop(Server::takes(&listener));
    assert!(put(&gateway, &slot, "hello").starts_with("HTTP/1.1 201"));
    assert_eq!(download(gateway.upload_address(), &slot.0), "hello");
    let sessions = exchange(gateway.admin_address(), "GET /sessions HTTP/1.1", "");
    assert_eq!(sessions.matches("xmpp:ann@example").count(), 2, "{sessions}");
    // The token of one slot is none for the other.
    let mixed = (other.0, slot.1);
    assert!(put(&gateway, &mixed, "hello").starts_with("HTTP/1.1 403"));
}

#[test]
fn a_stranger_gets_no_slot_and_leaves_nothing_behind() {
    let (folder, listener) = (tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let gateway = started(folder.path(), &settings(&listener));
    let refused = Server::takes(&listener).asks("eve@elsewhere/x", 5).unwrap_err();
    assert!(refused.contains("<forbidden"), "{refused}");
    let sessions = exchange(gateway.admin_address(), "GET /sessions HTTP/1.1", "");
    assert!(sessions.contains("\"sessions\":[]"), "{sessions}");
    let metrics = exchange(gateway.admin_address(), "GET /metrics HTTP/1.1", "");
    assert!(metrics.contains("tidegate_slots_total{outcome=\"not_allowed\"} 1"), "{metrics}");
}

#[test]
fn who_has_enough_slots_is_told_when_to_try_again() {
    let (folder, listener) = (tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let gateway = started(folder.path(), &settings(&listener));
    let mut server = Server::takes(&listener);
    let slots = ["phone", "desktop"].map(|at| server.asks(&format!("ann@example/{at}"), 5));
    let refused = server.asks("ann@example/phone", 5).unwrap_err();
    assert!(refused.contains("<resource-constraint"), "{refused}");
    assert!(refused.contains("<retry xmlns='urn:xmpp:http:upload:0' stamp='"), "{refused}");
    assert!(server.asks("bob@example/phone", 5).is_ok());
    let [first, _] = slots;
    let answer = put(&gateway, &first.unwrap(), "hello");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(server.asks("ann@example/phone", 5).is_ok());
}

#[test]
fn a_gateway_that_stops_takes_leave_of_its_xmpp_server() {
    let (folder, listener) = (tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let gateway = started(folder.path(), &settings(&listener));
    let mut server = Server::takes(&listener);
    assert!(server.asks("ann@example/phone", 5).is_ok());
    gateway.signal(Signal::TERM);
    server.hears("</stream:stream>");
    assert!(gateway.ended().success());
}

#[test]
fn a_gateway_without_its_xmpp_server_is_ready_and_comes_back_to_it() {
    let (folder, listener) = (tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let gateway = started(folder.path(), &settings(&listener));
    let stands = |what: &str| {
        let since = Instant::now();
        loop {
            let health = health(&gateway);
            assert!(health.starts_with("HTTP/1.1 200"), "{health}");
            if health.contains(what) {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "no {what} in {health}");
        }
    };
    stands("\"connected\":false");
    let server = Server::takes(&listener);
    stands("\"connected\":true");
    drop(server);
    let mut server = Server::takes(&listener);
    stands("\"connected\":true");
    assert!(server.asks("ann@example/phone", 5).is_ok());
}
