//! What clients do, drawn from the fuzzer's bytes.

use arbitrary::Arbitrary;

/// One request, or the end of one that was held.
#[derive(Clone, Debug, Arbitrary)]
pub(super) struct Step {
    pub(super) who: Who,
    pub(super) verb: Verb,
    pub(super) ending: Ending,
    pub(super) tweak: Option<Tweak>,
}

/// In whose name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub(super) enum Who {
    Ann,
    AnnAgain,
    Ben,
    Nobody,
}

/// What it is about. Numbers of uploads count those that were created, round and round.
#[derive(Clone, Debug, Arbitrary)]
pub(super) enum Verb {
    Create { length: u8, deferred: bool, partial: bool, body: Option<Body>, sum: Sum },
    Append { upload: u8, at: At, body: Body, sum: Sum, length: Option<u8> },
    Look { upload: u8 },
    Fetch { upload: u8, range: Option<(u8, u8)> },
    Delete { upload: u8 },
    Join { parts: [u8; 3], count: u8 },
    Begin { size: u8, chunk: u8 },
    Chunk { session: Session, number: u8, size: u8, chunk: u8, body: Option<Body> },
    Status { session: Session },
    Slot { name: u8, length: u8, from: u8, way: Way, body: Body },
    Form { name: u8, body: Body },
    Raw { method: u8, path: Path, fields: Vec<Field>, body: Body },
    Release { held: u8 },
}

/// A body: what it holds follows from the number of its step.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) struct Body {
    pub(super) bytes: u8,
    /// Bytes of each piece in which it arrives.
    pub(super) piece: u8,
    /// Whether its length is announced.
    pub(super) known: bool,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) enum Ending {
    Whole,
    AlsoWhole,
    /// It breaks off after so many bytes.
    Broken(u8),
    /// The client is gone after so many bytes: the handler is dropped.
    Gone(u8),
    /// It stops after so many bytes, and others go on meanwhile.
    Held(u8),
}

/// The offset that is claimed.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) enum At {
    True,
    AlsoTrue,
    Another(u8),
}

/// The checksum that comes with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub(super) enum Sum {
    None,
    AlsoNone,
    Right,
    Wrong,
}

/// How a session of chunk headers is named.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) enum Session {
    /// By an id that the client chose.
    Chosen(u8),
    /// By the address of an upload.
    Upload(u8),
    /// By the id of an upload.
    Id(u8),
}

/// How the bytes of a slot come.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) enum Way {
    Put,
    Range,
    Tus,
    Chunk,
    Forged,
    Look,
    Fetch,
}

/// Where a request goes that is made of anything.
#[derive(Clone, Debug, Arbitrary)]
pub(super) enum Path {
    Endpoint,
    Upload(u8),
    Session(u8),
    Chunked,
    Status(u8),
    Form,
    Slot(u8),
    Any(String),
}

/// A field line.
#[derive(Clone, Debug, Arbitrary)]
pub(super) struct Field {
    pub(super) name: u8,
    pub(super) value: Value,
}

/// A value that may be right somewhere.
#[derive(Clone, Debug, Arbitrary)]
pub(super) enum Value {
    Number(u16),
    Large(u64),
    Known(u8),
    Upload(u8),
    Any(Vec<u8>),
}

/// What goes wrong with a request that was right.
#[derive(Clone, Debug, Arbitrary)]
pub(super) enum Tweak {
    Add(Field),
    Twice(u8),
    Without(u8),
    Method(u8),
    Override(u8),
}

pub(super) const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

/// Names of fields, where a number is to mean one.
pub(super) const FIELDS: [&str; 36] = [
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Defer-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Concat",
    "Upload-Checksum",
    "Content-Type",
    "X-HTTP-Method-Override",
    "Authorization",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "Origin",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "X-Upload-Session-ID",
    "X-Chunk-Number",
    "X-Total-Chunks",
    "X-Total-Size",
    "X-Chunk-Size",
    "Content-Range",
    "X-Filename",
    "Content-Digest",
    "Repr-Digest",
    "X-Request-ID",
    "Expect",
    "Cookie",
];

/// Values that mean something to some field.
pub(super) const VALUES: [&str; 28] = [
    "1.0.0",
    "1",
    "0",
    "application/offset+octet-stream",
    "multipart/form-data; boundary=b",
    "text/plain; charset=utf-8",
    "partial",
    "final;",
    "filename YS50eHQ=,filetype dGV4dC9wbGFpbg==",
    "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
    "crc32 AAAAAA==",
    "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
    "DELETE",
    "PATCH",
    "HEAD",
    "Bearer ann-secret",
    "Bearer nobodys",
    "for=10.0.0.1;proto=https;host=up.example.org, for=192.0.2.1",
    "10.0.0.1, 192.0.2.1",
    "https",
    "up.example.org:8443",
    "/prefix",
    "https://page.example",
    "bytes=0-3",
    "bytes=-1,0-0,5-",
    "bytes 0-3/8",
    "*",
    "100-continue",
];
