//! The whole decision about a download: which head, and which stretches of the file follow it.

use std::time::Duration;

use crate::protocol::date;
use crate::protocol::head::{RequestHead, ResponseHead};
use crate::protocol::problem::Problem;
use crate::upload::{Session, Timestamp, UploadId};

use super::conditional::{self, Validators, Verdict};
use super::disposition::{self, FileName};
use super::media_type::MediaType;
use super::range::{self, ByteRange, Wanted};

/// How long a browser may keep what never changes.
const LONGEST_CACHING: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a browser may do with an upload that is opened as a page: look at the medium itself, and
/// nothing else. `'self'` is needed because some browsers wrap media in a page of their own.
const POLICY: &str =
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'";

/// Who may keep a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Anybody who knows the address may have it: shared caches too.
    Public,
    /// Only who asked.
    Private,
}

/// A finished upload, as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// Whose bytes.
    pub id: UploadId,
    /// How many.
    pub length: u64,
    /// When the last of them became visible; they never change after that.
    pub completed_at: Timestamp,
    /// When it will be removed, if it will.
    pub expires_at: Option<Timestamp>,
    /// The name it was given.
    pub name: Option<FileName>,
    /// What it is.
    pub media_type: MediaType,
    /// Who may keep a copy.
    pub sharing: Sharing,
}

impl Representation {
    /// A finished session as it is served; `guess` suggests a media type for a name's ending.
    ///
    /// Clients agree on neither the key of the name nor that of the type, so the usual ones are
    /// tried in turn.
    #[must_use]
    pub fn of(session: &Session, sharing: Sharing, guess: impl Fn(&str) -> Option<String>) -> Self {
        let metadata = session.metadata();
        let find = |keys: [&str; 3]| keys.into_iter().find_map(|key| metadata.get(key));
        let name =
            find(["filename", "name", "fileName"]).and_then(|value| FileName::sanitised(&value));
        let said = find(["filetype", "type", "contentType"]);
        let guessed = name.as_ref().and_then(FileName::ending).and_then(guess);
        let candidates = [said.as_deref(), guessed.as_deref().map(str::as_bytes)];
        let media_type = MediaType::first_of(candidates.into_iter().flatten());
        Self {
            id: session.id(),
            length: session.offset().get(),
            completed_at: session.completed_at().unwrap_or_else(|| session.created_at()),
            expires_at: session.expires_at(),
            name,
            media_type,
            sharing,
        }
    }

    /// The strong entity tag: an id is never used twice, and a finished upload never changes.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", self.id, self.length)
    }

    fn validators<'a>(&self, etag: &'a str) -> Validators<'a> {
        Validators { etag, modified_unix_seconds: self.completed_at.unix_seconds() }
    }

    fn cache_control(&self, now: Timestamp) -> String {
        let who = match self.sharing {
            Sharing::Public => "public",
            Sharing::Private => "private",
        };
        let left = self.expires_at.map_or(LONGEST_CACHING, |expiry| expiry.since(now));
        let seconds = left.min(LONGEST_CACHING).as_secs();
        format!("{who}, max-age={seconds}, immutable")
    }

    /// Fields of every answer that stands for the file, with or without bytes.
    fn identified(&self, status: u16, now: Timestamp) -> ResponseHead {
        ResponseHead::new(status)
            .with("ETag", self.etag())
            .with("Last-Modified", date::write(self.completed_at))
            .with("Cache-Control", self.cache_control(now))
            .with("Accept-Ranges", "bytes")
            .with("X-Content-Type-Options", "nosniff")
            .with("Content-Security-Policy", POLICY)
    }

    fn described(&self, status: u16, now: Timestamp) -> ResponseHead {
        self.identified(status, now)
            .with("Content-Disposition", disposition::value(self.name.as_ref(), &self.media_type))
    }
}

/// What a download answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The head; without `Content-Length`, which is [`Content::length`].
    pub head: ResponseHead,
    /// What follows it.
    pub content: Content,
}

/// What follows the head of a download, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Stretches of the file, each behind its preamble.
    pub stretches: Vec<Stretch>,
    /// What closes a multipart body; empty otherwise.
    pub epilogue: String,
}

/// A stretch of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Head of the body part, in a multipart body; empty otherwise.
    pub preamble: String,
    /// Which bytes.
    pub range: ByteRange,
}

impl Content {
    /// Exact bytes of the body.
    #[must_use]
    pub fn length(&self) -> u64 {
        let size = |text: &String| u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.stretches
            .iter()
            .map(|stretch| size(&stretch.preamble).saturating_add(stretch.range.bytes))
            .fold(size(&self.epilogue), u64::saturating_add)
    }

    fn of(range: ByteRange) -> Self {
        Self {
            stretches: vec![Stretch { preamble: String::new(), range }],
            epilogue: String::new(),
        }
    }
}

/// Decides how a `GET` of `file` is answered.
///
/// `boundary` separates the parts of a multipart body: a token that cannot be guessed, so that no
/// upload contains it.
///
/// # Errors
///
/// [`Problem::PreconditionFailed`] and [`Problem::RangeNotSatisfiable`].
pub fn answer(
    request: &RequestHead<'_>,
    file: &Representation,
    boundary: &str,
    now: Timestamp,
) -> Result<Answer, Problem> {
    let etag = file.etag();
    let validators = file.validators(&etag);
    if let Some(unchanged) = judged(request, file, now)? {
        return Ok(unchanged);
    }
    let wanted = if conditional::range_counts(request, validators) {
        range::wanted(request, file.length)
    } else {
        Wanted::Whole
    };
    match wanted {
        Wanted::Nothing => Err(Problem::RangeNotSatisfiable { length: file.length }),
        Wanted::Whole => Ok(whole(file, now)),
        Wanted::Some(ranges) => Ok(match ranges.as_slice() {
            [range] => single(file, *range, now),
            ranges => multiple(file, ranges, boundary, now),
        }),
    }
}

/// Decides how a `HEAD` of `file` is answered: as a `GET`, but `Range` means nothing (RFC 9110,
/// section 14.2).
///
/// # Errors
///
/// [`Problem::PreconditionFailed`].
pub fn look(
    request: &RequestHead<'_>,
    file: &Representation,
    now: Timestamp,
) -> Result<Answer, Problem> {
    Ok(judged(request, file, now)?.unwrap_or_else(|| whole(file, now)))
}

/// The answer that the conditions alone decide.
fn judged(
    request: &RequestHead<'_>,
    file: &Representation,
    now: Timestamp,
) -> Result<Option<Answer>, Problem> {
    match conditional::judge(request, file.validators(&file.etag())) {
        Verdict::Failed => Err(Problem::PreconditionFailed),
        Verdict::NotModified => {
            Ok(Some(Answer { head: file.identified(304, now), content: Content::default() }))
        }
        Verdict::Proceed => Ok(None),
    }
}

fn whole(file: &Representation, now: Timestamp) -> Answer {
    let head = file.described(200, now).with("Content-Type", file.media_type.content_type());
    let content = match file.length {
        0 => Content::default(),
        bytes => Content::of(ByteRange { start: 0, bytes }),
    };
    Answer { head, content }
}

fn single(file: &Representation, range: ByteRange, now: Timestamp) -> Answer {
    let head = file
        .described(206, now)
        .with("Content-Type", file.media_type.content_type())
        .with("Content-Range", range.content_range(file.length));
    Answer { head, content: Content::of(range) }
}

fn multiple(file: &Representation, ranges: &[ByteRange], boundary: &str, now: Timestamp) -> Answer {
    let head = file
        .described(206, now)
        .with("Content-Type", format!("multipart/byteranges; boundary={boundary}"));
    let part = |(index, range): (usize, &ByteRange)| Stretch {
        preamble: format!(
            "{}--{boundary}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
            if index == 0 { "" } else { "\r\n" },
            file.media_type.content_type(),
            range.content_range(file.length),
        ),
        range: *range,
    };
    let stretches = ranges.iter().enumerate().map(part).collect();
    Answer { head, content: Content { stretches, epilogue: format!("\r\n--{boundary}--\r\n") } }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
