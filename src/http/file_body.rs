//! Stretches of a file as a response body.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_http::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use crate::engine::{Download, EngineError};
use crate::protocol::download::Content;
use crate::upload::{UploadId, UploadOffset};

use super::connection::Connection;
use super::failure::chain;
use super::memory::{Budget, Held};
use super::tuner::{Course, Move, measured_path};

/// What goes wrong in the middle of a download: the connection is then cut, so that a truncated
/// file never looks complete.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileBodyError {
    /// The engine could not read.
    #[error("reading failed")]
    Engine(#[source] EngineError),
    /// The file is shorter than its record says.
    #[error("the file ended before its length")]
    Short,
}

/// What a reader whose buffer is fixed gets while memory is short.
const SMALL_BYTES: usize = 16 * 1024;

/// A body that is read as fast as it is sent; holds one buffer, whatever the file's size.
///
/// How much is read ahead of the client, its [`Course`] says: who reads one byte a second holds little.
pub(super) struct FileBody {
    download: Download,
    pieces: VecDeque<Piece>,
    length: u64,
    /// Tells how much is read at a time.
    course: Course,
    memory: Budget,
    /// What is being read, and since when.
    reading: Option<(Reading, Instant)>,
    /// The piece that the client has yet to take.
    handed: Option<Handed>,
    /// The connection that it goes by.
    connection: Option<Connection>,
}

/// What was read.
struct Read {
    bytes: Bytes,
    held: Held,
    /// How long the device took.
    device: Duration,
}

/// What was handed over, and how long it took to have it.
struct Handed {
    _held: Held,
    bytes: u64,
    device: Duration,
    waited: Duration,
}

enum Piece {
    Text(Bytes),
    File { at: UploadOffset, bytes: u64 },
}

type Reading = Pin<Box<dyn Future<Output = Result<Read, EngineError>>>>;

impl FileBody {
    pub(super) fn new(
        download: Download,
        content: Content,
        course: Course,
        memory: Budget,
    ) -> Self {
        let length = content.length();
        let mut pieces = VecDeque::new();
        for stretch in content.stretches {
            pieces.push_back(Piece::Text(Bytes::from(stretch.preamble)));
            // A range lies within the file, hence within what an offset can express.
            if let Some(at) = UploadOffset::new(stretch.range.start) {
                pieces.push_back(Piece::File { at, bytes: stretch.range.bytes });
            }
        }
        pieces.push_back(Piece::Text(Bytes::from(content.epilogue)));
        let (reading, handed, connection) = (None, None, None);
        Self { download, pieces, length, course, memory, reading, handed, connection }
    }

    /// Goes by this connection.
    pub(super) fn over(self, connection: Option<Connection>) -> Self {
        Self { connection, ..self }
    }

    fn id(&self) -> UploadId {
        self.download.session().id()
    }

    /// Starts to read the front of the first piece.
    fn read(&self, at: UploadOffset, bytes: u64) -> Reading {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.buffer_bytes());
        let (download, memory) = (self.download.clone(), self.memory.clone());
        Box::pin(async move {
            let held = memory.hold(bytes).await;
            let started = Instant::now();
            let bytes = download.read(at, bytes).await?;
            Ok(Read { bytes, held, device: started.elapsed() })
        })
    }

    /// How much is read next.
    fn buffer_bytes(&self) -> usize {
        let bytes = self.course.buffer_bytes(self.memory.free_bytes()).max(1);
        let short = !self.course.is_fitted() && !self.memory.is_ample();
        if short { bytes.min(SMALL_BYTES) } else { bytes }
    }

    /// The client has taken the last piece.
    fn taken(&mut self) {
        let Some(Handed { bytes, device, waited, .. }) = self.handed.take() else { return };
        self.course.moved(Move { bytes, device, waited }, Instant::now(), || {
            self.connection.as_ref().and_then(measured_path)
        });
        if self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
            self.course.went_well();
        }
    }

    /// Takes what was read off the first piece.
    fn advance(&mut self, read: &Bytes) -> Result<(), FileBodyError> {
        let count = u64::try_from(read.len()).unwrap_or(u64::MAX);
        let rest = match self.pieces.pop_front() {
            Some(Piece::File { at, bytes }) if count > 0 => {
                at.advance(count).zip(bytes.checked_sub(count))
            }
            Some(Piece::File { .. } | Piece::Text(_)) | None => None,
        };
        let (at, bytes) = rest.ok_or(FileBodyError::Short)?;
        if bytes > 0 {
            self.pieces.push_front(Piece::File { at, bytes });
        }
        Ok(())
    }

    /// Hands over what was read; it took so long to have it.
    fn hand(&mut self, read: Read, took: Duration) -> Result<Bytes, FileBodyError> {
        let Read { bytes, held, device } = read;
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let waited = took.saturating_sub(device);
        self.handed = Some(Handed { _held: held, bytes: count, device, waited });
        self.advance(&bytes).map(|()| bytes)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FileBodyError>>> {
        self.taken();
        loop {
            if let Some((reading, since)) = self.reading.as_mut() {
                let read = ready!(reading.as_mut().poll(cx)).map_err(FileBodyError::Engine);
                let took = since.elapsed();
                self.reading = None;
                return Poll::Ready(Some(read.and_then(|read| self.hand(read, took))));
            }
            match self.pieces.front() {
                None => return Poll::Ready(None),
                Some(Piece::File { at, bytes }) => {
                    self.reading = Some((self.read(*at, *bytes), Instant::now()));
                }
                Some(Piece::Text(_)) => match self.pieces.pop_front() {
                    Some(Piece::Text(text)) if !text.is_empty() => {
                        return Poll::Ready(Some(Ok(text)));
                    }
                    Some(Piece::Text(_) | Piece::File { .. }) | None => {}
                },
            }
        }
    }
}

impl MessageBody for FileBody {
    type Error = FileBodyError;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, FileBodyError>>> {
        let piece = ready!(self.poll_piece(cx));
        if let Some(Err(error)) = &piece {
            let (id, cause) = (self.id(), chain(error));
            tracing::error!(upload = %id, %cause, "a download of {id} broke off");
        }
        Poll::Ready(piece)
    }
}
