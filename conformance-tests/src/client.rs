//! The verbs of an upload, for the length of one case.

mod sending;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::case::{Stop, Verdict};
use crate::content::{after, length};
use crate::context::{Context, Parameters};
use crate::exchange::Exchange;
use crate::target::{Offers, Target};
use crate::wire::Request;

/// The media type of upload bytes.
pub const UPLOAD_BYTES: &str = "application/offset+octet-stream";
/// How long the server gets to notice something that happened on another connection.
pub const NOTICE: Duration = Duration::from_secs(5);
/// How long the clean-up of one case may take.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// An upload that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The path of its URL.
    pub path: String,
}

/// A client of the server under test. It notes what it did, for the report and the clean-up.
#[derive(Debug)]
pub struct Client<'a> {
    context: &'a Context,
    until: Instant,
    trail: Mutex<Vec<(String, u32)>>,
    created: Mutex<Vec<String>>,
}

impl<'a> Client<'a> {
    /// A client whose time starts now.
    pub fn new(context: &'a Context) -> Self {
        Self {
            context,
            until: after(context.parameters.case_time),
            trail: Mutex::new(Vec::new()),
            created: Mutex::new(Vec::new()),
        }
    }

    /// Where the server is.
    pub fn target(&self) -> &Target {
        &self.context.target
    }

    /// What the server says it can do.
    pub fn offers(&self) -> &Offers {
        &self.context.offers
    }

    /// What we were told about the server.
    pub fn parameters(&self) -> &Parameters {
        &self.context.parameters
    }

    /// When the case must have ended.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// What was asked so far, one line each; the same in a row is one line too.
    pub fn trail(&self) -> Vec<String> {
        let trail = self.trail.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = trail.iter().map(|(line, times)| match times {
            1 => line.clone(),
            _ => format!("{line} ({times} times)"),
        });
        lines.collect()
    }

    fn note(&self, line: String) {
        let mut trail = self.trail.lock().unwrap_or_else(PoisonError::into_inner);
        match trail.last_mut() {
            Some((last, times)) if *last == line => *times = times.saturating_add(1),
            Some(_) | None => trail.push((line, 1)),
        }
    }

    /// Stops the case unless finished uploads can be fetched.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`].
    pub fn needs_downloads(&self) -> Verdict {
        if self.parameters().downloads {
            return Ok(());
        }
        Err(Stop::not_applicable("downloads were declared absent (--without-downloads)"))
    }

    /// The advertised maximum size, if it is at most `at_most` bytes.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`] otherwise.
    pub fn max_size(&self, at_most: u64) -> Result<u64, Stop> {
        match self.offers().max_size() {
            Some(size) if size <= at_most => Ok(size),
            Some(size) => {
                let reason = format!("Tus-Max-Size is {size}; the case needs at most {at_most}");
                Err(Stop::NotApplicable(reason))
            }
            None => Err(Stop::not_applicable("no Tus-Max-Size is advertised")),
        }
    }

    /// A creation request without length, metadata or body.
    pub fn creation(&self) -> Request {
        Request::tus("POST", self.target().path())
    }

    /// Stops the case if the server takes no uploads of `bytes` bytes.
    fn has_room_for(&self, bytes: u64) -> Verdict {
        match self.offers().max_size() {
            Some(most) if bytes > most => Err(Stop::not_applicable(format!(
                "Tus-Max-Size is {most}; the case needs an upload of {bytes} bytes"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Creates an upload of `bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] unless the answer is 201 with a `Location`; [`Stop::NotApplicable`] if the
    /// server says that it takes none of that size.
    pub fn create(&self, bytes: u64) -> Result<Upload, Stop> {
        self.has_room_for(bytes)?;
        self.create_by(self.creation().with("Upload-Length", bytes.to_string()))
    }

    /// Creates an upload by `request`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] unless the answer is 201 with a `Location`.
    pub fn create_by(&self, request: Request) -> Result<Upload, Stop> {
        let exchange = self.send(request)?;
        self.created(&exchange)
    }

    /// The upload a 201 speaks of.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] unless the answer is 201 with a `Location`.
    pub fn created(&self, exchange: &Exchange) -> Result<Upload, Stop> {
        let location = exchange.is(201)?.field("Location")?;
        Ok(Upload { path: self.target().resolve(location) })
    }

    /// Creates an upload and sends all of `bytes` in one PATCH.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] unless both succeed.
    pub fn finished(&self, bytes: &[u8]) -> Result<Upload, Stop> {
        self.finished_by(self.creation(), bytes)
    }

    /// Creates an upload by `creation`, to which the length is added, and sends all of `bytes`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] unless both succeed; [`Stop::NotApplicable`] as for [`Client::create`].
    pub fn finished_by(&self, creation: Request, bytes: &[u8]) -> Result<Upload, Stop> {
        self.has_room_for(length(bytes))?;
        let upload = self.create_by(creation.with("Upload-Length", length(bytes).to_string()))?;
        if !bytes.is_empty() {
            self.patch(&upload, 0, bytes)?.is(204)?;
        }
        Ok(upload)
    }

    /// The head of a PATCH at `offset`, without a body.
    pub fn append(&self, upload: &Upload, offset: u64) -> Request {
        Request::tus("PATCH", &upload.path)
            .with("Content-Type", UPLOAD_BYTES)
            .with("Upload-Offset", offset.to_string())
    }

    /// Appends `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn patch(&self, upload: &Upload, offset: u64, bytes: &[u8]) -> Result<Exchange, Stop> {
        self.send(self.append(upload, offset).body(bytes))
    }

    /// Asks for the state of an upload.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn head(&self, upload: &Upload) -> Result<Exchange, Stop> {
        self.send(Request::tus("HEAD", &upload.path))
    }

    /// The offset HEAD shows.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] unless HEAD succeeds and shows one.
    pub fn offset(&self, upload: &Upload) -> Result<u64, Stop> {
        self.head(upload)?.is_one_of(&[200, 204])?.number("Upload-Offset")
    }

    /// HEAD shows this offset.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it shows another or none.
    pub fn offset_is(&self, upload: &Upload, wanted: u64) -> Verdict {
        self.head(upload)?
            .is_one_of(&[200, 204])?
            .has("Upload-Offset", &wanted.to_string())
            .map(drop)
    }

    /// Asks with HEAD until it shows `wanted`, which it must within [`NOTICE`]. The offset must
    /// not go down meanwhile.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] otherwise.
    pub fn offset_becomes(&self, upload: &Upload, wanted: u64) -> Verdict {
        let last = after(NOTICE);
        let mut seen = 0;
        loop {
            let exchange = self.head(upload)?;
            let offset = exchange.is_one_of(&[200, 204])?.number("Upload-Offset")?;
            if offset < seen {
                return Err(exchange.fails(format!("the offset went back from {seen}")));
            }
            if offset == wanted {
                return Ok(());
            }
            if offset > wanted || Instant::now() > last {
                return Err(exchange.fails(format!("expected the offset to become {wanted}")));
            }
            seen = offset;
        }
    }

    /// Deletes an upload.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn delete(&self, upload: &Upload) -> Result<Exchange, Stop> {
        self.send(Request::tus("DELETE", &upload.path))
    }

    /// Fetches an upload as any HTTP client would.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when no answer comes.
    pub fn get(&self, upload: &Upload) -> Result<Exchange, Stop> {
        self.send(Request::new("GET", &upload.path))
    }

    /// The upload holds exactly these bytes. Says nothing where there are no downloads.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it holds others.
    pub fn content_is(&self, upload: &Upload, wanted: &[u8]) -> Verdict {
        if !self.parameters().downloads {
            return Ok(());
        }
        let exchange = self.get(upload)?;
        let body = exchange.is(200)?.body();
        let differs = body.iter().zip(wanted).position(|(seen, wanted)| seen != wanted);
        exchange
            .check(body == wanted, || match differs {
                Some(at) => format!("the content differs from what was sent at byte {at}"),
                None => format!("expected {} bytes, got {}", wanted.len(), body.len()),
            })
            .map(drop)
    }

    /// An upload that does not exist.
    pub fn unknown(&self) -> Upload {
        Upload { path: self.target().below("00000000000040008000000000000000") }
    }

    /// The server still answers, and still as a tus endpoint.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it does not.
    pub fn server_still_answers(&self) -> Verdict {
        let exchange = self.send(Request::new("OPTIONS", self.target().path()))?;
        exchange.is_one_of(&[200, 204])?.field("Tus-Version").map(drop)
    }

    /// Notes a path that the clean-up is to delete.
    pub fn created_at(&self, path: &str) {
        self.created.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    }

    /// The same case as seen by the server's second user, if one was named.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`] if there is none.
    pub fn other_user(&self) -> Result<Context, Stop> {
        let target = self.target().as_other_user();
        let missing = || Stop::not_applicable("no second user was named (--other-header)");
        Ok(Context { target: target.ok_or_else(missing)?, ..self.context.clone() })
    }

    /// Deletes what the case created, where the server allows it. Failures are of no interest.
    pub fn clean_up(&self) {
        if !self.offers().has("termination") {
            return;
        }
        let cleaner = Client {
            context: self.context,
            until: after(CLEAN_UP),
            trail: Mutex::new(Vec::new()),
            created: Mutex::new(Vec::new()),
        };
        for path in self.created.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = cleaner.send(Request::tus("DELETE", &path));
        }
    }
}
