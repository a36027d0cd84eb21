//! The stored record: whatever is on the disk, reading it is an answer and not a crash; what reads
//! as a session is written and read again as the same one.

use tidegate::upload::record::{self, MARKER, VERSION};

pub(crate) fn run(bytes: &[u8]) {
    read(bytes);
    // Behind a right checksum, so that mutations reach the fields.
    let sum = crc32fast::hash(bytes);
    read(&[format!("{MARKER} {VERSION} {sum:08x} ").as_bytes(), bytes].concat());
}

fn read(bytes: &[u8]) {
    if let Ok(session) = record::decode(bytes) {
        let again = record::encode(&session).expect("what was read can be written");
        assert_eq!(record::decode(&again).ok(), Some(session));
    }
}
