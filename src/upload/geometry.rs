//! How an upload is cut into numbered chunks, and what one request says of it.

use std::num::NonZeroU64;

use super::quantity::UploadLength;
use super::refusal::Refusal;

/// Equal chunks, of which only the last may be shorter. An empty upload has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    length: UploadLength,
    chunk_bytes: NonZeroU64,
    total_chunks: u32,
}

/// A stretch of bytes, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: u64,
    /// The byte behind its last.
    pub end: u64,
}

impl Span {
    /// Bytes of it.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

impl Geometry {
    /// `length` bytes in chunks of `chunk_bytes`; `None` if there would be more than `u32::MAX`.
    #[must_use]
    pub fn new(length: UploadLength, chunk_bytes: NonZeroU64) -> Option<Self> {
        let total_chunks = u32::try_from(length.get().div_ceil(chunk_bytes.get())).ok()?;
        Some(Self { length, chunk_bytes, total_chunks })
    }

    /// Bytes of the whole upload.
    #[must_use]
    pub const fn length(&self) -> UploadLength {
        self.length
    }

    /// Bytes of every chunk but the last.
    #[must_use]
    pub const fn chunk_bytes(&self) -> NonZeroU64 {
        self.chunk_bytes
    }

    /// How many chunks there are.
    #[must_use]
    pub const fn total_chunks(&self) -> u32 {
        self.total_chunks
    }

    /// The bytes of a chunk; `None` behind the last. Chunk 0 of an empty upload is empty.
    #[must_use]
    pub fn span(&self, chunk: u32) -> Option<Span> {
        if chunk >= self.total_chunks {
            return (chunk == 0).then_some(Span { start: 0, end: 0 });
        }
        Some(self.between(chunk, chunk.saturating_add(1)))
    }

    /// The bytes of the chunks `[first, end)`, cut off at the end of the upload.
    #[must_use]
    pub fn between(&self, first: u32, end: u32) -> Span {
        let at = |chunk: u32| {
            u64::from(chunk).saturating_mul(self.chunk_bytes.get()).min(self.length.get())
        };
        Span { start: at(first), end: at(end) }
    }

    /// The chunk that holds the byte at `at`; the number of chunks behind the last byte.
    #[must_use]
    pub fn chunk_at(&self, at: u64) -> u32 {
        if at >= self.length.get() {
            return self.total_chunks;
        }
        let chunk = at.checked_div(self.chunk_bytes.get()).and_then(|chunk| chunk.try_into().ok());
        chunk.unwrap_or(self.total_chunks)
    }
}

/// What one request says of the chunk it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkClaim {
    /// `X-Chunk-Number`, counted from 0.
    pub chunk: u64,
    /// `X-Total-Chunks`.
    pub total_chunks: Option<u64>,
    /// `X-Total-Size`.
    pub length: Option<u64>,
    /// `X-Chunk-Size`: bytes of every chunk but the last.
    pub chunk_bytes: Option<u64>,
    /// `Content-Range`.
    pub range: Option<ClaimedRange>,
    /// Bytes of the body, if the request says.
    pub body_bytes: Option<u64>,
}

/// `Content-Range: bytes first-last/complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedRange {
    /// The first byte.
    pub first: u64,
    /// The last byte; not before the first.
    pub last: u64,
    /// Bytes of the whole upload.
    pub complete: u64,
}

/// Which statement does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The number of the chunk; what would be right is the number of chunks, which it must be below.
    ChunkNumber,
    /// How many chunks there are.
    TotalChunks,
    /// How long the upload is.
    TotalSize,
    /// How long a chunk is.
    ChunkSize,
    /// The first byte of `Content-Range`; what would be right is where the chunk begins.
    RangeStart,
    /// The last byte of `Content-Range`.
    RangeEnd,
    /// The complete length in `Content-Range`.
    RangeLength,
    /// How long the body is.
    BodyLength,
}

/// With what a statement does not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// With the rest of its own request.
    Request,
    /// With what the session was begun with.
    Session,
}

/// A statement that does not fit, and what would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What was stated.
    pub statement: Statement,
    /// With what it does not agree.
    pub against: Against,
    /// The number that would agree.
    pub expected: u64,
}

/// One chunk of a known geometry, as a request brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its number.
    pub chunk: u32,
    /// Its bytes.
    pub span: Span,
    /// Where the body begins: at its front, or inside it if the request continues it.
    pub from: u64,
}

impl ChunkClaim {
    /// The geometry that a session begun with this request has.
    ///
    /// `known` is the length of an upload that was begun otherwise, if it is known.
    ///
    /// # Errors
    ///
    /// [`Refusal::GeometryUnknown`] if the request does not say enough,
    /// [`Refusal::ChunkContradicts`] if it contradicts itself, [`Refusal::TooManyChunks`].
    pub fn infer(&self, known: Option<UploadLength>, max_chunks: u32) -> Result<Geometry, Refusal> {
        let said = self.length.or_else(|| self.range.map(|range| range.complete));
        let length = known.map(UploadLength::get).or(said);
        let length = length.and_then(UploadLength::new).ok_or(Refusal::GeometryUnknown)?;
        let chunk_bytes = self.stated_chunk_bytes(length.get())?;
        let chunk_bytes = NonZeroU64::new(chunk_bytes).ok_or(Refusal::GeometryUnknown)?;
        let geometry = Geometry::new(length, chunk_bytes)
            .filter(|geometry| geometry.total_chunks <= max_chunks)
            .ok_or(Refusal::TooManyChunks { max: max_chunks })?;
        // A length that was fixed before is the session's, whatever the request is begun with.
        if known.is_some() {
            self.agrees_on_length(&geometry, Against::Session)?;
        }
        self.place(&geometry, Against::Request)?;
        Ok(geometry)
    }

    /// The chunk size by whichever statement gives it without guessing.
    fn stated_chunk_bytes(&self, length: u64) -> Result<u64, Refusal> {
        if let Some(stated) = self.chunk_bytes {
            return Ok(stated);
        }
        // One chunk is everything, and an empty upload has chunks of any size.
        if length == 0 || self.total_chunks == Some(1) {
            return Ok(length.max(1));
        }
        let begins = self.range.map(|range| range.first);
        let brings =
            self.range.map(|range| range.last.saturating_sub(range.first).saturating_add(1));
        let brings = brings.or(self.body_bytes).filter(|bytes| *bytes > 0);
        let last = self.total_chunks.map(|total| self.chunk.saturating_add(1) == total);
        let stated = match (begins, brings, last) {
            // Where chunk n begins is n chunks behind the front.
            (Some(first), ..) if self.chunk > 0 => exact(first, self.chunk),
            (_, Some(bytes), _) if self.chunk == 0 => Some(bytes),
            (None, Some(bytes), Some(false)) => Some(bytes),
            (None, Some(bytes), Some(true)) => {
                length.checked_sub(bytes).and_then(|before| exact(before, self.chunk))
            }
            (None, Some(_), None) | (Some(_), ..) | (None, None, _) => None,
        };
        stated.ok_or(Refusal::GeometryUnknown)
    }

    /// Which bytes of an upload with this geometry the request brings.
    ///
    /// # Errors
    ///
    /// [`Refusal::ChunkContradicts`], naming the statement that does not fit and what would.
    pub fn place(&self, geometry: &Geometry, against: Against) -> Result<Placed, Refusal> {
        self.agrees_on_length(geometry, against)?;
        let total = u64::from(geometry.total_chunks);
        agrees(Statement::ChunkSize, self.chunk_bytes, geometry.chunk_bytes.get(), against)?;
        // Clients count an empty upload as no chunk or as one.
        let total_said = self.total_chunks.filter(|said| !(total == 0 && *said == 1));
        agrees(Statement::TotalChunks, total_said, total, against)?;
        let chunk = u32::try_from(self.chunk).ok();
        let placed = chunk.and_then(|chunk| Some((chunk, geometry.span(chunk)?)));
        let (chunk, span) =
            placed.ok_or_else(|| contradicts(Statement::ChunkNumber, total, against))?;
        let from = self.range_within(span, against)?;
        agrees(
            Statement::BodyLength,
            self.body_bytes,
            span.end.saturating_sub(from),
            if self.range.is_some() { Against::Request } else { against },
        )?;
        Ok(Placed { chunk, span, from })
    }

    fn agrees_on_length(&self, geometry: &Geometry, against: Against) -> Result<(), Refusal> {
        let length = geometry.length.get();
        agrees(Statement::TotalSize, self.length, length, against)?;
        let complete = self.range.map(|range| range.complete);
        agrees(Statement::RangeLength, complete, length, against)
    }

    /// Where the body begins inside the chunk.
    fn range_within(&self, span: Span, against: Against) -> Result<u64, Refusal> {
        let Some(range) = self.range else { return Ok(span.start) };
        if range.first < span.start || range.first >= span.end {
            return Err(contradicts(Statement::RangeStart, span.start, against));
        }
        agrees(Statement::RangeEnd, range.last.checked_add(1), span.end, against)
            .map_err(|_| contradicts(Statement::RangeEnd, span.end.saturating_sub(1), against))?;
        Ok(range.first)
    }
}

/// `whole / parts`, if it is a whole number.
fn exact(whole: u64, parts: u64) -> Option<u64> {
    let each = whole.checked_div(parts)?;
    (each.checked_mul(parts) == Some(whole)).then_some(each)
}

fn agrees(
    statement: Statement,
    said: Option<u64>,
    expected: u64,
    against: Against,
) -> Result<(), Refusal> {
    match said {
        Some(said) if said != expected => Err(contradicts(statement, expected, against)),
        Some(_) | None => Ok(()),
    }
}

const fn contradicts(statement: Statement, expected: u64, against: Against) -> Refusal {
    Refusal::ChunkContradicts(Contradiction { statement, against, expected })
}

#[cfg(test)]
mod tests;
