//! Steps as requests, and what each of them means to the uploads there are.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::door::{Ask, CAPACITY_BYTES, Then, slot_token};
use super::model::{Owner, Upload};
use super::step::{
    At, Body, Ending, FIELDS, Field, METHODS, Path, Session, Step, Sum, Tweak, VALUES, Value, Verb,
    Way, Who,
};

/// Lengths of uploads stay below this, so that they come to their end now and then.
const LENGTHS: u8 = 48;
const NO_ID: &str = "0123456789abcdef0123456789abcdef";

/// What a request means to the uploads there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Which upload it is about, if it is one that its client knows.
    pub(super) upload: Option<usize>,
    /// Where its bytes belong; `None` if that cannot be told.
    pub(super) start: Option<u64>,
    /// The bytes that it delivers.
    pub(super) bytes: Vec<u8>,
    pub(super) in_chunks: bool,
    pub(super) removes: bool,
    pub(super) sum: Option<bool>,
    /// Whether it is something else than it should be.
    pub(super) tweaked: bool,
    /// Whether it fetches a file as it is.
    pub(super) whole_file: bool,
    /// Of what a final upload is made.
    pub(super) parts: Vec<usize>,
    /// Other uploads that it names somewhere.
    pub(super) names: Vec<usize>,
}

impl Meaning {
    /// How many bytes it delivers.
    pub(super) fn length(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }
}

/// The request of a step.
pub(super) fn of(step: &Step, number: usize, uploads: &[Upload]) -> (Ask, Meaning) {
    let mut maker = Maker { number, uploads, ending: step.ending, who: step.who };
    let (mut ask, mut meaning) = maker.make(&step.verb);
    if let (Some(credential), false) = (step.who.credential(), is_slot(&ask)) {
        ask = ask.with("Authorization", credential);
    }
    if let Some(tweak) = &step.tweak {
        meaning.tweaked = true;
        meaning.whole_file = false;
        meaning.removes |= matches!(tweak, Tweak::Method(_) | Tweak::Override(_) | Tweak::Add(_));
        maker.tweak(&mut ask, tweak);
        meaning.start = if meaning.in_chunks { None } else { ask.number("Upload-Offset") };
    }
    meaning.in_chunks |= ask.has("X-Chunk-Number");
    meaning.names = (0..uploads.len()).filter(|at| names(&ask, &uploads[*at])).collect();
    (ask, meaning)
}

/// Whether a field names an upload.
fn names(ask: &Ask, upload: &Upload) -> bool {
    let id = upload.file.rsplit('/').next().unwrap_or_default().as_bytes();
    let holds = |value: &[u8]| value.windows(id.len()).any(|part| part == id);
    upload.owner != Owner::Slot && ask.fields.iter().any(|(_, value)| holds(value))
}

/// Whether a body that has stalled is left so, while others go on.
pub(super) const fn is_held(step: &Step) -> bool {
    matches!(step.ending, Ending::Held(_))
}

/// Whether the request may want more than there is room for.
pub(super) fn wants_much(ask: &Ask) -> bool {
    let much = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).unwrap_or_default();
        !text.is_empty() && text.parse::<u64>().is_ok_and(|number| number > CAPACITY_BYTES / 2)
    };
    let numbers = |value: &Vec<u8>| value.split(|byte| !byte.is_ascii_digit()).any(much);
    ask.fields.iter().any(|(_, value)| numbers(value))
}

/// Whether anybody may ask this, or means something of one's own by it: to a stranger the id of an
/// upload is a session that nobody has begun (C-3).
pub(super) fn is_anybodys(ask: &Ask) -> bool {
    let chosen = ["/chunked-upload/", "/upload-status"];
    ask.method == "OPTIONS"
        || ask.has("X-HTTP-Method-Override")
        || chosen.iter().any(|path| ask.target.starts_with(path))
}

/// Whether the request has this credential and no other.
pub(super) fn comes_as(ask: &Ask, who: Who) -> bool {
    let lines = ask.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
    let lines: Vec<&[u8]> = lines.map(|(_, value)| value.as_slice()).collect();
    lines == who.credential().map(str::as_bytes).into_iter().collect::<Vec<_>>()
}

fn is_slot(ask: &Ask) -> bool {
    ask.target.starts_with("/slots")
}

/// Where a slot is written and where it is fetched.
pub(super) fn slot(name: u8, length: u8) -> (String, String) {
    let slot = format!("a/n{}", name % 4);
    let file = format!("/slots/{slot}");
    (format!("{file}?v2={}", slot_token(&slot, u64::from(length % LENGTHS))), file)
}

/// Asks for the status of a session whose id the client chose.
pub(super) fn status_of_chosen(name: u8) -> Ask {
    Ask::new("GET", &format!("/upload-status?session_id=s{}", name % 4))
}

struct Maker<'a> {
    number: usize,
    uploads: &'a [Upload],
    ending: Ending,
    who: Who,
}

impl Maker<'_> {
    fn make(&mut self, verb: &Verb) -> (Ask, Meaning) {
        match verb {
            Verb::Create { length, deferred, partial, body, sum } => {
                self.create(*length, (*deferred, *partial), *body, *sum)
            }
            Verb::Append { upload, at, body, sum, length } => {
                self.append(*upload, *at, (*body, *sum), *length)
            }
            Verb::Look { upload } => {
                let (at, target) = self.upload(*upload);
                let ask = Ask::new("HEAD", &target).with("Tus-Resumable", "1.0.0");
                (ask, Meaning { upload: at, ..Meaning::default() })
            }
            Verb::Fetch { upload, range } => self.fetch(*upload, *range),
            Verb::Delete { upload } => {
                let (at, target) = self.upload(*upload);
                let ask = Ask::new("DELETE", &target).with("Tus-Resumable", "1.0.0");
                (ask, Meaning { upload: at, removes: true, ..Meaning::default() })
            }
            Verb::Join { parts, count } => self.join(parts, *count),
            Verb::Begin { size, chunk } => {
                let ask = Ask::new("POST", "/chunked-upload")
                    .with("X-Filename", "a")
                    .with("X-Total-Size", (size % LENGTHS).to_string())
                    .with("X-Chunk-Size", (chunk % 16).to_string());
                (ask, Meaning { start: Some(0), ..Meaning::default() })
            }
            Verb::Chunk { session, number, size, chunk, body } => {
                self.chunk(*session, (*number % 8, *size % LENGTHS, *chunk % 16), *body)
            }
            Verb::Status { session } => {
                let (at, ask) = self.session(*session, "GET");
                (ask, Meaning { upload: at, ..Meaning::default() })
            }
            Verb::Slot { name, length, from, way, body } => {
                self.slot((*name, *length), *from, *way, *body)
            }
            Verb::Form { name, body } => self.form(*name, *body),
            Verb::Raw { method, path, fields, body } => self.raw(*method, path, fields, *body),
            Verb::Release { .. } => (Ask::new("OPTIONS", "/files"), Meaning::default()),
        }
    }

    /// One of the uploads, and its address; one that nobody has if there is none.
    fn upload(&self, number: u8) -> (Option<usize>, String) {
        if self.uploads.is_empty() {
            return (None, format!("/files/{NO_ID}"));
        }
        let at = usize::from(number) % self.uploads.len();
        (Some(at), self.uploads[at].target.clone())
    }

    /// Bytes that no other step sends.
    fn content(&self, bytes: u8) -> Vec<u8> {
        let first = self.number.wrapping_mul(31).wrapping_add(1);
        let byte = |at: u8| first.wrapping_add(usize::from(at).wrapping_mul(7)).to_le_bytes()[0];
        (0..bytes).map(byte).collect()
    }

    /// The request with its body, and what of that arrives.
    fn bodied(&self, mut ask: Ask, content: &[u8], body: Body) -> (Ask, usize) {
        ask = if body.known {
            ask.with("Content-Length", content.len().to_string())
        } else {
            ask.with("Transfer-Encoding", "chunked")
        };
        let part = |bytes: u8| usize::from(bytes) % content.len().saturating_add(1);
        let (delivered, then) = match self.ending {
            Ending::Whole | Ending::AlsoWhole => (content.len(), Then::End),
            Ending::Broken(bytes) => (part(bytes), Then::Break),
            Ending::Gone(bytes) | Ending::Held(bytes) => (part(bytes), Then::Silence),
        };
        let pieces = content[..delivered].chunks(usize::from(body.piece).max(1));
        ask.pieces = pieces.map(Bytes::copy_from_slice).collect();
        ask.then = then;
        (ask, delivered)
    }

    /// Bytes for an offset, with their checksum.
    fn pouring(&self, ask: Ask, body: Body, sum: Sum) -> (Ask, Meaning) {
        let content = self.content(body.bytes % LENGTHS);
        let mut ask = ask.with("Content-Type", "application/offset+octet-stream");
        let right = crc32fast::hash(&content);
        let said = match sum {
            Sum::None | Sum::AlsoNone => None,
            Sum::Right => Some(right),
            Sum::Wrong => Some(!right),
        };
        if let Some(said) = said {
            let said = BASE64_STANDARD.encode(said.to_be_bytes());
            ask = ask.with("Upload-Checksum", format!("crc32 {said}"));
        }
        let (ask, delivered) = self.bodied(ask, &content, body);
        let bytes = content[..delivered].to_vec();
        let sum = said.map(|said| said == right);
        (ask, Meaning { bytes, sum, ..Meaning::default() })
    }

    fn create(
        &self,
        length: u8,
        (deferred, partial): (bool, bool),
        body: Option<Body>,
        sum: Sum,
    ) -> (Ask, Meaning) {
        let mut ask = Ask::new("POST", "/files").with("Tus-Resumable", "1.0.0");
        ask = if deferred {
            ask.with("Upload-Defer-Length", "1")
        } else {
            ask.with("Upload-Length", (length % LENGTHS).to_string())
        };
        if partial {
            ask = ask.with("Upload-Concat", "partial");
        }
        match body {
            Some(body) => {
                let (ask, meaning) = self.pouring(ask, body, sum);
                (ask, Meaning { start: Some(0), ..meaning })
            }
            None => (ask, Meaning { start: Some(0), ..Meaning::default() }),
        }
    }

    fn append(
        &self,
        upload: u8,
        at: At,
        (body, sum): (Body, Sum),
        length: Option<u8>,
    ) -> (Ask, Meaning) {
        let (known, target) = self.upload(upload);
        let offset = match at {
            At::True | At::AlsoTrue => known.map_or(0, |at| self.uploads[at].offset),
            At::Another(offset) => u64::from(offset),
        };
        let mut ask = Ask::new("PATCH", &target)
            .with("Tus-Resumable", "1.0.0")
            .with("Upload-Offset", offset.to_string());
        if let Some(length) = length {
            ask = ask.with("Upload-Length", (length % LENGTHS).to_string());
        }
        let (ask, meaning) = self.pouring(ask, body, sum);
        (ask, Meaning { upload: known, start: Some(offset), ..meaning })
    }

    fn fetch(&self, upload: u8, range: Option<(u8, u8)>) -> (Ask, Meaning) {
        let (at, target) = self.upload(upload);
        let file = at.map_or(target, |at| self.uploads[at].file.clone());
        let mut ask = Ask::new("GET", &file);
        if let Some((first, last)) = range {
            ask = ask.with("Range", format!("bytes={first}-{last}"));
        }
        (ask, Meaning { upload: at, whole_file: range.is_none(), ..Meaning::default() })
    }

    fn join(&self, parts: &[u8; 3], count: u8) -> (Ask, Meaning) {
        let parts = parts.iter().take(usize::from(count % 4)).map(|part| self.upload(*part));
        let parts: Vec<_> = parts.collect();
        let urls: Vec<&str> = parts.iter().map(|(_, target)| target.as_str()).collect();
        let ask = Ask::new("POST", "/files")
            .with("Tus-Resumable", "1.0.0")
            .with("Upload-Concat", format!("final;{}", urls.join(" ")));
        let parts = parts.iter().filter_map(|(at, _)| *at).collect();
        (ask, Meaning { start: Some(0), parts, ..Meaning::default() })
    }

    /// The session that is meant, and a request to where it is.
    fn session(&self, session: Session, method: &str) -> (Option<usize>, Ask) {
        match session {
            Session::Chosen(name) => {
                let called = Some((self.who.credential(), name % 4));
                let at = self.uploads.iter().position(|upload| upload.called == called);
                let target = match method {
                    "GET" => format!("/upload-status?session_id=s{}", name % 4),
                    _ => "/chunked-upload".to_owned(),
                };
                let mut ask = Ask::new(method, &target);
                if method != "GET" {
                    ask = ask.with("X-Upload-Session-ID", format!("s{}", name % 4));
                }
                (at, ask)
            }
            Session::Upload(number) => {
                let (at, target) = self.upload(number);
                (at, Ask::new(method, &target))
            }
            Session::Id(number) => {
                let (at, target) = self.upload(number);
                (at, Ask::new(method, &target.replace("/files/", "/chunked-upload/")))
            }
        }
    }

    fn chunk(
        &self,
        session: Session,
        (number, size, chunk): (u8, u8, u8),
        body: Option<Body>,
    ) -> (Ask, Meaning) {
        let (at, ask) = self.session(session, "PUT");
        let start = number.saturating_mul(chunk);
        let natural = size.saturating_sub(start).min(chunk);
        let body = body.unwrap_or(Body { bytes: natural, piece: 5, known: true });
        let bytes = body.bytes % LENGTHS;
        let mut ask = ask
            .with("X-Chunk-Number", number.to_string())
            .with("X-Total-Size", size.to_string())
            .with("X-Chunk-Size", chunk.to_string());
        if bytes > 0 {
            let last = u64::from(start) + u64::from(bytes) - 1;
            ask = ask.with("Content-Range", format!("bytes {start}-{last}/{size}"));
        }
        let content = self.content(bytes);
        let (ask, delivered) = self.bodied(ask, &content, body);
        let bytes = content[..delivered].to_vec();
        let start = Some(u64::from(start));
        (ask, Meaning { upload: at, start, bytes, in_chunks: true, ..Meaning::default() })
    }

    fn slot(&self, (name, length): (u8, u8), from: u8, way: Way, body: Body) -> (Ask, Meaning) {
        let (target, file) = slot(name, length);
        let length = length % LENGTHS;
        let at = self.uploads.iter().position(|upload| upload.file == file);
        let from = from % length.saturating_add(1);
        let (method, target) = match way {
            Way::Put | Way::Range | Way::Chunk => ("PUT", target),
            Way::Tus => ("PATCH", target),
            Way::Forged => ("PUT", file),
            Way::Look => ("HEAD", target),
            Way::Fetch => ("GET", file),
        };
        let ask = Ask::new(method, &target);
        let (start, bytes, ask) = match way {
            Way::Look => {
                return (
                    ask.with("Tus-Resumable", "1.0.0"),
                    Meaning { upload: at, ..Meaning::default() },
                );
            }
            Way::Fetch => {
                return (ask, Meaning { upload: at, whole_file: true, ..Meaning::default() });
            }
            Way::Put | Way::Forged => (0, length, ask.with("Content-Type", "text/plain")),
            Way::Range | Way::Chunk => {
                let bytes = body.bytes % length.saturating_sub(from).saturating_add(1);
                let mut ask = ask.with("Content-Type", "text/plain");
                if bytes > 0 {
                    let last = u64::from(from) + u64::from(bytes) - 1;
                    ask = ask.with("Content-Range", format!("bytes {from}-{last}/{length}"));
                }
                if matches!(way, Way::Chunk) {
                    let number = from / 8;
                    ask = ask.with("X-Chunk-Number", number.to_string()).with("X-Chunk-Size", "8");
                }
                (from, bytes, ask)
            }
            Way::Tus => {
                let ask = ask
                    .with("Tus-Resumable", "1.0.0")
                    .with("Content-Type", "application/offset+octet-stream")
                    .with("Upload-Offset", from.to_string());
                (from, body.bytes % LENGTHS, ask)
            }
        };
        let content = self.content(bytes);
        let (ask, delivered) = self.bodied(ask, &content, Body { known: true, ..body });
        let bytes = content[..delivered].to_vec();
        // What is put again is passed over up to where the slot stands.
        let (upload, start, in_chunks) = (at, Some(u64::from(start)), true);
        (ask, Meaning { upload, start, bytes, in_chunks, ..Meaning::default() })
    }

    fn form(&self, name: u8, body: Body) -> (Ask, Meaning) {
        let file = self.content(body.bytes);
        let mut content = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\r\n",
            char::from(name.clamp(b' ', b'~'))
        )
        .into_bytes();
        content.extend_from_slice(&file);
        content.extend_from_slice(b"\r\n--b--\r\n");
        let ask = Ask::new("POST", "/upload");
        let ask = ask.with("Content-Type", "multipart/form-data; boundary=b");
        let (ask, _) = self.bodied(ask, &content, body);
        (ask, Meaning { start: Some(0), bytes: file, ..Meaning::default() })
    }

    fn raw(&self, method: u8, path: &Path, fields: &[Field], body: Body) -> (Ask, Meaning) {
        let method = METHODS[usize::from(method) % METHODS.len()];
        let (at, target) = match path {
            Path::Endpoint => (None, "/files".to_owned()),
            Path::Upload(number) => self.upload(*number),
            Path::Session(number) => {
                let (at, target) = self.upload(*number);
                (at, target.replace("/files/", "/chunked-upload/"))
            }
            Path::Chunked => (None, "/chunked-upload".to_owned()),
            Path::Status(number) => {
                let (at, target) = self.upload(*number);
                (at, target.replace("/files/", "/upload-status?session_id="))
            }
            Path::Form => (None, "/upload/".to_owned()),
            Path::Slot(name) => {
                let (target, file) = slot(*name, *name);
                (self.uploads.iter().position(|upload| upload.file == file), target)
            }
            Path::Any(text) => (None, format!("/{text}")),
        };
        let mut ask = Ask::new(method, &target);
        for field in fields.iter().take(16) {
            let (name, value) = self.field(field);
            ask = ask.with(name, value);
        }
        let content = self.content(body.bytes);
        let (ask, delivered) = self.bodied(ask, &content, body);
        let (bytes, in_chunks) = (content[..delivered].to_vec(), is_slot(&ask));
        let (tweaked, removes) = (true, true);
        (ask, Meaning { upload: at, bytes, in_chunks, tweaked, removes, ..Meaning::default() })
    }

    fn field(&self, field: &Field) -> (&'static str, Vec<u8>) {
        let name = FIELDS[usize::from(field.name) % FIELDS.len()];
        let value = match &field.value {
            Value::Number(number) => number.to_string().into_bytes(),
            Value::Large(number) => number.to_string().into_bytes(),
            Value::Known(index) => VALUES[usize::from(*index) % VALUES.len()].as_bytes().to_vec(),
            Value::Upload(number) => self.upload(*number).1.into_bytes(),
            Value::Any(bytes) => bytes.clone(),
        };
        (name, value)
    }

    fn tweak(&mut self, ask: &mut Ask, tweak: &Tweak) {
        let index = |number: u8, of: usize| usize::from(number).checked_rem(of);
        // The framing is the HTTP server's, which has refused whatever is wrong with it.
        let frames = |name: &str| name == "Content-Length" || name == "Transfer-Encoding";
        match tweak {
            Tweak::Add(field) => {
                let (name, value) = self.field(field);
                ask.fields.push((name.to_owned(), value));
            }
            Tweak::Twice(number) => {
                let line = index(*number, ask.fields.len()).map(|at| ask.fields[at].clone());
                ask.fields.extend(line.filter(|(name, _)| !frames(name)));
            }
            Tweak::Without(number) => {
                if let Some(at) = index(*number, ask.fields.len())
                    && !frames(&ask.fields[at].0)
                {
                    ask.fields.remove(at);
                }
            }
            Tweak::Method(number) => {
                METHODS[usize::from(*number) % METHODS.len()].clone_into(&mut ask.method);
            }
            Tweak::Override(number) => {
                let method = METHODS[usize::from(*number) % METHODS.len()];
                let line = ("X-HTTP-Method-Override".to_owned(), method.as_bytes().to_vec());
                ask.fields.push(line);
            }
        }
    }
}
