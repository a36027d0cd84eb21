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

use super::failure::chain;
use super::memory::{Budget, Held};

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

/// What a reader gets that takes its time, or while memory is short.
const SMALL_BYTES: usize = 16 * 1024;

/// What a reader begins with.
const FIRST_BYTES: usize = 64 * 1024;

/// A reader that takes a piece within this time gets twice as much.
const PROMPT: Duration = Duration::from_millis(250);

/// A body that is read as fast as it is sent; holds one buffer, whatever the file's size.
///
/// The buffer grows while the client takes what it gets, and shrinks when it does not: who reads one
/// byte a second holds 16 KiB.
pub(super) struct FileBody {
    download: Download,
    pieces: VecDeque<Piece>,
    length: u64,
    /// Most that is read at a time.
    buffer_bytes: usize,
    /// What is read next.
    next_bytes: usize,
    memory: Budget,
    reading: Option<Reading>,
    /// The piece that the client has yet to take, and since when.
    handed: Option<(Held, Instant)>,
}

enum Piece {
    Text(Bytes),
    File { at: UploadOffset, bytes: u64 },
}

type Reading = Pin<Box<dyn Future<Output = Result<(Bytes, Held), EngineError>>>>;

impl FileBody {
    pub(super) fn new(
        download: Download,
        content: Content,
        buffer_bytes: usize,
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
        let buffer_bytes = buffer_bytes.max(1);
        let next_bytes = FIRST_BYTES.min(buffer_bytes);
        let (reading, handed) = (None, None);
        Self { download, pieces, length, buffer_bytes, next_bytes, memory, reading, handed }
    }

    fn id(&self) -> UploadId {
        self.download.session().id()
    }

    /// Starts to read the front of the first piece.
    fn read(&self, at: UploadOffset, bytes: u64) -> Reading {
        let small = if self.memory.is_ample() { usize::MAX } else { SMALL_BYTES };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.next_bytes).min(small);
        let (download, memory) = (self.download.clone(), self.memory.clone());
        Box::pin(async move {
            let held = memory.hold(bytes).await;
            Ok((download.read(at, bytes).await?, held))
        })
    }

    /// The client has taken the last piece.
    fn taken(&mut self) {
        let Some((_, since)) = self.handed.take() else { return };
        self.next_bytes = if since.elapsed() <= PROMPT {
            self.next_bytes.saturating_mul(2).min(self.buffer_bytes)
        } else {
            SMALL_BYTES.min(self.buffer_bytes)
        };
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

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FileBodyError>>> {
        self.taken();
        loop {
            if let Some(reading) = self.reading.as_mut() {
                let read = ready!(reading.as_mut().poll(cx)).map_err(FileBodyError::Engine);
                self.reading = None;
                return Poll::Ready(Some(read.and_then(|(read, held)| {
                    self.handed = Some((held, Instant::now()));
                    self.advance(&read).map(|()| read)
                })));
            }
            match self.pieces.front() {
                None => return Poll::Ready(None),
                Some(Piece::File { at, bytes }) => self.reading = Some(self.read(*at, *bytes)),
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
