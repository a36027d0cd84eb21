//! Dates of HTTP and of XMPP: what is read is written so that it reads back.

use tidegate::protocol::date;
use tidegate::protocol::xep0363::datetime;
use tidegate::upload::Timestamp;

use super::structured;

/// The end of the year 9999.
const LAST: u64 = 253_402_300_799;

pub(crate) fn run(data: &[u8]) {
    let Some((moment, text)) = structured::<(u64, &str)>(data) else { return };
    let any = Timestamp::from_unix_milliseconds(moment);
    assert!(!date::write_rfc3339(any).is_empty() && !datetime::write(any).is_empty());
    http(any.unix_seconds().min(LAST));
    xmpp(any.unix_seconds().min(LAST));
    if let Some(seconds) = date::read_unix_seconds(text.as_bytes()) {
        http(seconds.min(LAST));
    }
    if let Some(moment) = datetime::read(text) {
        xmpp(moment.unix_seconds().min(LAST));
    }
}

fn http(seconds: u64) {
    let written = date::write(Timestamp::from_unix_milliseconds(seconds * 1000));
    assert_eq!(date::read_unix_seconds(written.as_bytes()), Some(seconds), "{written}");
}

fn xmpp(seconds: u64) {
    let written = datetime::write(Timestamp::from_unix_milliseconds(seconds * 1000));
    let read = datetime::read(&written).map(Timestamp::unix_seconds);
    assert_eq!(read, Some(seconds), "{written}");
}
