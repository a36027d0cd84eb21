//! One connection to the server's component port, from its beginning to its end.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::protocol::xep0363::slot::{SlotOrder, SlotRefusal};
use crate::slots::Slots;

use super::component::Turn;
use super::element::Element;
use super::handshake;
use super::run::stopped;
use super::settings::ComponentSettings;
use super::stanza::{COMPONENT, Reply};
use super::stream::{Received, StreamError, StreamReader};
use super::upload;

/// Bytes read at once.
const READ_BYTES: usize = 8192;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// Nobody answers at the server's address.
    #[error("the XMPP server cannot be reached")]
    Unreachable(#[source] io::Error),
    /// Something took longer than it may.
    #[error("the XMPP server took too long to {0}")]
    TooSlow(&'static str),
    /// The server refuses the component, or ends the stream with a reason: `not-authorized` for a
    /// wrong secret, `host-unknown` for a domain it has no component of, `conflict` for a second
    /// connection.
    #[error("the XMPP server says {condition}")]
    Refused {
        /// The condition of its error.
        condition: String,
    },
    /// What arrived cannot be understood.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The connection broke.
    #[error("the connection to the XMPP server broke")]
    Broken(#[source] io::Error),
    /// The server closed the stream or the connection.
    #[error("the XMPP server closed the connection")]
    Closed,
    /// The server says nothing, not even to a ping.
    #[error("the XMPP server fell silent")]
    Silent,
}

/// A connection whose handshake is through.
pub(super) struct Connection {
    settings: Arc<ComponentSettings>,
    wire: Wire,
    pings: u64,
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    ///
    /// [`Ending`], if it does not come to that.
    pub(super) async fn open(settings: Arc<ComponentSettings>) -> Result<Self, Ending> {
        let patience = settings.timings.connect;
        let connecting = timeout(patience, TcpStream::connect(&settings.server)).await;
        let socket = connecting.map_err(|_| Ending::TooSlow("accept a connection"))?;
        let socket = socket.map_err(Ending::Unreachable)?;
        socket.set_nodelay(true).map_err(Ending::Unreachable)?;
        let mut wire = Wire {
            socket,
            stream: StreamReader::new(settings.max_stanza_bytes),
            received: VecDeque::new(),
            patience: settings.timings.write,
        };
        let shaking = timeout(patience, wire.shake_hands(&settings)).await;
        shaking.map_err(|_| Ending::TooSlow("shake hands"))??;
        Ok(Self { settings, wire, pings: 0 })
    }

    /// Answers until the connection ends, or until told to stop.
    ///
    /// # Errors
    ///
    /// Every end but the one that was asked for.
    pub(super) async fn serve(
        mut self,
        slots: &Arc<dyn Slots>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Ending> {
        let timings = self.settings.timings;
        // Dropping the set ends what is in the making: nobody is there any more to be told.
        let mut making: JoinSet<Element> = JoinSet::new();
        let (mut deadline, mut pinged) = (Instant::now() + timings.silence, false);
        loop {
            tokio::select! {
                received = self.wire.next() => {
                    self.handle(received?, slots, &mut making).await?;
                    (deadline, pinged) = (Instant::now() + timings.silence, false);
                }
                Some(made) = making.join_next() => match made {
                    Ok(answer) => self.wire.send(&answer).await?,
                    Err(error) => tracing::error!(%error, "a slot request failed"),
                },
                () = tokio::time::sleep_until(deadline) => {
                    if pinged {
                        return Err(Ending::Silent);
                    }
                    self.pings += 1;
                    self.wire.send(&self.settings.component.ping(self.pings)).await?;
                    (deadline, pinged) = (Instant::now() + timings.pong, true);
                }
                () = stopped(stop) => return self.wire.close().await,
            }
        }
    }

    async fn handle(
        &mut self,
        received: Received,
        slots: &Arc<dyn Slots>,
        making: &mut JoinSet<Element>,
    ) -> Result<(), Ending> {
        let component = &self.settings.component;
        let turn = match received {
            Received::Stanza(stanza) => match handshake::stream_error(&stanza) {
                Some(condition) => return Err(Ending::Refused { condition }),
                None => component.judge(&stanza),
            },
            Received::Oversized(head) => component.judge_oversized(&head),
            Received::Opened { .. } | Received::Closed => return Err(Ending::Closed),
        };
        match turn {
            Turn::Silence => Ok(()),
            Turn::Answer(answer) => self.wire.send(&answer).await,
            Turn::Refuse { refusal, answer } => {
                slots.note_refused(&refusal);
                self.wire.send(&answer).await
            }
            Turn::Ask { reply, .. } if making.len() >= self.settings.max_pending => {
                let busy = SlotRefusal::QuotaReached { retry_at: None };
                slots.note_refused(&SlotRefusal::Unavailable);
                self.wire.send(&upload::refused(&reply, &busy)).await
            }
            Turn::Ask { order, reply } => {
                let patience = self.settings.timings.slot;
                making.spawn(make(Arc::clone(slots), order, reply, patience));
                Ok(())
            }
        }
    }
}

/// Makes a slot, or says in time why there is none.
async fn make(
    slots: Arc<dyn Slots>,
    order: SlotOrder,
    reply: Reply,
    patience: Duration,
) -> Element {
    let made = timeout(patience, slots.request(order)).await;
    let late = |_| {
        slots.note_refused(&SlotRefusal::Unavailable);
        Err(SlotRefusal::Unavailable)
    };
    match made.unwrap_or_else(late) {
        Ok(slot) => reply.result(Some(upload::granted(&slot))),
        Err(refusal) => upload::refused(&reply, &refusal),
    }
}

/// The socket, and what was read from it.
struct Wire {
    socket: TcpStream,
    stream: StreamReader,
    received: VecDeque<Received>,
    /// How long a write may take.
    patience: Duration,
}

impl Wire {
    async fn shake_hands(&mut self, settings: &ComponentSettings) -> Result<(), Ending> {
        self.send_text(&handshake::opening(&settings.component.domain)).await?;
        let Received::Opened { id } = self.next().await? else { return Err(Ending::Closed) };
        self.send(&handshake::proof(&id, &settings.secret)).await?;
        let Received::Stanza(answer) = self.next().await? else { return Err(Ending::Closed) };
        if handshake::is_accepted(&answer) {
            return Ok(());
        }
        let condition = handshake::stream_error(&answer);
        Err(condition.map_or(Ending::Closed, |condition| Ending::Refused { condition }))
    }

    /// The next thing that arrives. Cancel-safe: nothing is between the read and the queue.
    async fn next(&mut self) -> Result<Received, Ending> {
        loop {
            if let Some(received) = self.received.pop_front() {
                return Ok(received);
            }
            let mut buffer = [0; READ_BYTES];
            let read = self.socket.read(&mut buffer).await.map_err(Ending::Broken)?;
            let bytes = buffer.get(..read).filter(|bytes| !bytes.is_empty());
            self.received.extend(self.stream.push(bytes.ok_or(Ending::Closed)?)?);
        }
    }

    async fn send(&mut self, stanza: &Element) -> Result<(), Ending> {
        self.send_text(&stanza.written_in(COMPONENT)).await
    }

    async fn send_text(&mut self, text: &str) -> Result<(), Ending> {
        let writing = timeout(self.patience, self.socket.write_all(text.as_bytes())).await;
        writing.map_err(|_| Ending::TooSlow("take an answer"))?.map_err(Ending::Broken)
    }

    async fn close(&mut self) -> Result<(), Ending> {
        self.send_text(handshake::CLOSING).await?;
        self.socket.shutdown().await.map_err(Ending::Broken)
    }
}
