//! `Range`: stretches lie within the file, and never send more bytes than it has.

use tidegate::protocol::download::range::{MAX_RANGES, Wanted, wanted};
use tidegate::protocol::{BodyLength, RequestHead};

use super::structured;

pub(crate) fn run(data: &[u8]) {
    let Some((length, line)) = structured::<(u64, &[u8])>(data) else { return };
    let fields = vec![("Range", line)];
    let head = RequestHead { method: "GET", path: "/", fields, body: BodyLength::Empty };
    if let Wanted::Some(ranges) = wanted(&head, length) {
        assert!((1..=MAX_RANGES).contains(&ranges.len()));
        let mut sent = 0_u64;
        for range in &ranges {
            assert!(range.bytes > 0 && range.start.checked_add(range.bytes).unwrap() <= length);
            sent = sent.checked_add(range.bytes).unwrap();
        }
        assert!(sent <= length);
    }
}
