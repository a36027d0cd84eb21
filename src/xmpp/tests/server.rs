//! The server's side of a component port, played by the test.

use std::collections::VecDeque;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::DEADLINE;
use crate::protocol::xep0363::Secret;
use crate::xmpp::element::Element;
use crate::xmpp::handshake;
use crate::xmpp::stream::{Received, StreamReader};

const ID: &str = "3BF96D32";

/// A component port.
pub(super) struct Server {
    listener: TcpListener,
}

/// The server's end of a connection.
pub(super) struct Answering {
    socket: TcpStream,
    stream: StreamReader,
    received: VecDeque<Received>,
}

impl Server {
    pub(super) async fn bind() -> Self {
        Self::bind_to("127.0.0.1:0").await
    }

    pub(super) async fn bind_to(address: &str) -> Self {
        Self { listener: TcpListener::bind(address).await.unwrap() }
    }

    pub(super) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next connection, before anything was said.
    pub(super) async fn accepts(&self) -> Answering {
        let accepting = timeout(DEADLINE, self.listener.accept()).await;
        let (socket, _) = accepting.expect("nobody connects").unwrap();
        Answering { socket, stream: StreamReader::new(100_000), received: VecDeque::new() }
    }

    /// The next connection, its handshake checked and accepted.
    pub(super) async fn takes_the_component(&self) -> Answering {
        let (mut peer, proof) = self.is_shown_a_proof().await;
        let secret = Secret::new("comp-secret").unwrap();
        assert_eq!(proof.text(), handshake::proof(ID, &secret).text());
        peer.say("<handshake/>").await;
        peer
    }

    /// The next connection, refused as a server does it.
    pub(super) async fn refuses_the_component(&self, condition: &str) {
        let (mut peer, _) = self.is_shown_a_proof().await;
        peer.say(&format!(
            "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             </stream:error></stream:stream>"
        ))
        .await;
    }

    async fn is_shown_a_proof(&self) -> (Answering, Element) {
        let mut peer = self.accepts().await;
        assert!(matches!(peer.next().await, Received::Opened { .. }));
        peer.say(&format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' id='{ID}' from='up.localhost'>"
        ))
        .await;
        let proof = peer.stanza().await;
        (peer, proof)
    }
}

impl Answering {
    /// What the component says next.
    pub(super) async fn stanza(&mut self) -> Element {
        let received = self.next().await;
        let Received::Stanza(stanza) = received else { panic!("no stanza, but {received:?}") };
        stanza
    }

    pub(super) async fn is_closed(&mut self) {
        assert_eq!(self.next().await, Received::Closed);
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.try_say(text).await.unwrap();
    }

    pub(super) async fn try_say(&mut self, text: &str) -> std::io::Result<()> {
        self.socket.write_all(text.as_bytes()).await
    }

    async fn next(&mut self) -> Received {
        loop {
            if let Some(received) = self.received.pop_front() {
                return received;
            }
            let mut buffer = [0; 4096];
            let reading = timeout(DEADLINE, self.socket.read(&mut buffer)).await;
            let read = reading.expect("the component says nothing").unwrap();
            assert!(read > 0, "the component hung up");
            self.received.extend(self.stream.push(&buffer[..read]).unwrap());
        }
    }
}
