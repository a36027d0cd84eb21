//! The session as stored: a version marker, a checksum, and JSON.
//!
//! ```text
//! tidegate-session 2 9ae0daaf {"id":"0123…","phase":"receiving",…}
//! └─ what it is ── │ └ CRC-32 of the JSON
//!                  └ version
//! ```
//!
//! The same bytes are the value in the session store and the label beside a blob, so either can be
//! read without the other. A record says so when it is torn, and a newer version than this program
//! knows is refused rather than guessed at.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::id::UploadId;
use super::metadata::Metadata;
use super::quantity::{UploadLength, UploadOffset};
use super::received::Received;
use super::relation::Relation;
use super::session::{BootId, Memory, Owner, Phase, Retention, Session};
use super::sums::Sums;
use super::time::Timestamp;

mod chunks;
mod version_1;

use chunks::StoredChunks;
use version_1::RecordV1;

/// First word of every record.
pub const MARKER: &str = "tidegate-session";
/// The version this program writes.
pub const VERSION: u32 = 2;

/// Why stored bytes are not a session.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes do not begin as a record does.
    #[error("not a session record: it does not begin with `{MARKER}`")]
    NotARecord,
    /// A newer program wrote it.
    #[error("the session record has version {0}; this program reads up to {VERSION}")]
    NewerVersion(u32),
    /// The checksum does not match.
    #[error("the session record is torn: its checksum does not match")]
    Torn,
    /// The JSON does not describe a session.
    #[error("the session record cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// The fields contradict each other.
    #[error("the session record contradicts itself: {0}")]
    Inconsistent(&'static str),
}

/// Version 2 of the stored form. A later version gets a struct of its own and a `From` this one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordV2 {
    id: String,
    #[serde(default, skip_serializing_if = "is_anonymous")]
    owner: Owner,
    length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expects: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_configured")]
    retention: Retention,
    #[serde(default, skip_serializing_if = "is_for_a_while")]
    memory: Memory,
    #[serde(default, skip_serializing_if = "is_nothing")]
    spent: u64,
    offset: u64,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
    relation: Relation,
    phase: Phase,
    created_at: Timestamp,
    active_at: Timestamp,
    completed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    sums: Sums,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunks: Option<StoredChunks>,
    boot: BootId,
    synced: bool,
}

fn is_configured(retention: &Retention) -> bool {
    *retention == Retention::Configured
}

fn is_nothing(bytes: &u64) -> bool {
    *bytes == 0
}

fn is_for_a_while(memory: &Memory) -> bool {
    *memory == Memory::ForAWhile
}

fn is_anonymous(owner: &Owner) -> bool {
    owner.name().is_none()
}

/// The stored form of a session.
///
/// # Errors
///
/// [`RecordError::Malformed`] if serde cannot write it, which its types rule out in practice.
pub fn encode(session: &Session) -> Result<Vec<u8>, RecordError> {
    let record = RecordV2 {
        id: session.id.to_string(),
        owner: session.owner.clone(),
        length: session.length.map(UploadLength::get),
        max_length: session.max_length.map(UploadLength::get),
        expects: session.expects.as_ref().map(Digest::to_text),
        keep_until: session.keep_until,
        retention: session.retention,
        memory: session.memory,
        spent: session.spent,
        offset: session.offset().get(),
        metadata: session.metadata.clone(),
        relation: session.relation.clone(),
        phase: session.phase,
        created_at: session.created_at,
        active_at: session.active_at,
        completed_at: session.completed_at,
        expires_at: session.expires_at,
        sums: session.sums().clone(),
        chunks: session.chunks().map(StoredChunks::of),
        boot: session.boot.clone(),
        synced: session.synced,
    };
    let json = serde_json::to_string(&record).map_err(RecordError::Malformed)?;
    let crc = crc32fast::hash(json.as_bytes());
    Ok(format!("{MARKER} {VERSION} {crc:08x} {json}").into_bytes())
}

/// The session that was stored as `bytes`.
///
/// # Errors
///
/// A [`RecordError`] that says what is wrong with the bytes.
pub fn decode(bytes: &[u8]) -> Result<Session, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RecordError::NotARecord)?;
    let mut words = text.splitn(4, ' ');
    if words.next() != Some(MARKER) {
        return Err(RecordError::NotARecord);
    }
    let version = words.next().and_then(|word| word.parse::<u32>().ok());
    let version = version.filter(|version| *version > 0).ok_or(RecordError::NotARecord)?;
    if version > VERSION {
        return Err(RecordError::NewerVersion(version));
    }
    let crc = words.next().and_then(|word| u32::from_str_radix(word, 16).ok());
    let json = words.next().unwrap_or_default();
    if crc != Some(crc32fast::hash(json.as_bytes())) {
        return Err(RecordError::Torn);
    }
    let record = if version == 1 {
        serde_json::from_str::<RecordV1>(json).map(RecordV2::from)
    } else {
        serde_json::from_str(json)
    };
    restore(record.map_err(RecordError::Malformed)?)
}

fn restore(record: RecordV2) -> Result<Session, RecordError> {
    let wrong = RecordError::Inconsistent;
    let bytes = |bytes: Option<u64>| match bytes {
        Some(bytes) => UploadLength::new(bytes).map(Some).ok_or(wrong("a length is too large")),
        None => Ok(None),
    };
    let length = bytes(record.length)?;
    let offset = UploadOffset::new(record.offset).ok_or(wrong("the offset is too large"))?;
    if length.is_some_and(|length| offset > length.end()) {
        return Err(wrong("the offset is past the length"));
    }
    let chunks = match (record.chunks, length) {
        (None, _) => None,
        (Some(chunks), Some(length)) => {
            Some(chunks.restore(length).ok_or(wrong("its chunks contradict each other"))?)
        }
        (Some(_), None) => return Err(wrong("it has chunks but no length")),
    };
    let received = Received::stored(offset, record.sums, chunks);
    let received = received.ok_or(wrong("what was received does not fit its offset"))?;
    if record.phase == Phase::Complete && length.map(UploadLength::end) != Some(offset) {
        return Err(wrong("a complete upload lacks bytes"));
    }
    let expects = match record.expects {
        Some(text) => Some(Digest::from_text(&text).ok_or(wrong("its digest is none"))?),
        None => None,
    };
    Ok(Session {
        id: record.id.parse::<UploadId>().map_err(|_| wrong("the id is not an upload id"))?,
        owner: record.owner,
        length,
        max_length: bytes(record.max_length)?,
        expects,
        keep_until: record.keep_until,
        retention: record.retention,
        memory: record.memory,
        spent: record.spent,
        received,
        metadata: record.metadata,
        relation: record.relation,
        phase: record.phase,
        created_at: record.created_at,
        active_at: record.active_at,
        completed_at: record.completed_at,
        expires_at: record.expires_at,
        boot: record.boot,
        synced: record.synced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{DigestAlgorithm, Limits, NewSession, transition::Progress};
    use proptest::prelude::*;

    fn session(length: u64, bytes: &[u8], metadata: &str) -> Session {
        let metadata = Metadata::parse(metadata).unwrap();
        let owner = Owner::named("alice".to_owned());
        let new = NewSession::of(owner, UploadLength::new(length), metadata);
        let new = NewSession {
            relation: Relation::Partial,
            max_length: UploadLength::new(1 << 40),
            expects: Digest::new(DigestAlgorithm::Crc32, vec![1, 2, 3, 4]),
            keep_until: Some(Timestamp::from_unix_milliseconds(1_800_000_000_000)),
            memory: Memory::ForEver,
            ..new
        };
        let (limits, boot) = (Limits::default(), BootId::new("boot".to_owned()));
        let now = Timestamp::from_unix_milliseconds(1_700_000_000_000);
        let id = UploadId::generate();
        let mut session = Session::create(new, id, &limits, boot.clone(), now).unwrap();
        let mut received = Received::default();
        received.append(bytes);
        session.receive(Progress { received, boot, synced: true }, &limits, now);
        session
    }

    #[test]
    fn a_session_reads_back_as_it_was_stored() {
        let session = session(10, b"hello", "name d29ybGQ=,flag");
        assert_eq!(decode(&encode(&session).unwrap()).unwrap(), session);
    }

    #[test]
    fn a_record_of_version_1_is_read() {
        let json = r#"{"id":"0123456789abcdef0123456789abcdef","owner":"alice","length":5,"offset":0,"relation":{"kind":"whole"},"phase":"receiving","created_at":1700000000000,"completed_at":null,"expires_at":1700000001000,"sums":{"stretch":1048576,"crc32":""},"boot":"b","synced":true}"#;
        let record = format!("{MARKER} 1 {:08x} {json}", crc32fast::hash(json.as_bytes()));
        let session = decode(record.as_bytes()).unwrap();
        assert_eq!(session.length(), UploadLength::new(5));
        assert_eq!(session.active_at(), session.created_at());
        assert_eq!(decode(&encode(&session).unwrap()).unwrap(), session);
    }

    #[test]
    fn a_small_record_stays_small() {
        let size = encode(&session(4096, &[7; 4096], "filename d29ybGQ=")).unwrap().len();
        assert!(size < 512, "{size} bytes");
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_not_guessed_at() {
        let text = String::from_utf8(encode(&session(1, b"", "")).unwrap()).unwrap();
        let newer = text.replacen(&format!("{MARKER} 2 "), &format!("{MARKER} 3 "), 1);
        assert!(matches!(decode(newer.as_bytes()), Err(RecordError::NewerVersion(3))));
    }

    #[test]
    fn other_files_are_not_records() {
        for other in [&b""[..], b"{}", b"\xff\xfe", b"tidegate-session"] {
            assert!(matches!(decode(other), Err(RecordError::NotARecord)), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_or_a_torn_end_never_passes_for_a_record(at: prop::sample::Index, bit in 0_u8..8) {
            let session = session(10, b"hello", "name d29ybGQ=");
            let bytes = encode(&session).unwrap();
            let mut flipped = bytes.clone();
            flipped[at.index(bytes.len())] ^= 1_u8 << bit;
            // Upper and lower case of a CRC digit are the same number: the only harmless flip.
            prop_assert!(decode(&flipped).is_err() || flipped.eq_ignore_ascii_case(&bytes));
            prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
        }
    }
}
