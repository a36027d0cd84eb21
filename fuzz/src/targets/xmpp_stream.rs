//! XMPP streams: however the bytes are cut, the same stanzas come out, each within its bound; and
//! every answer to one reads back.

use tidegate::protocol::xep0363::slot::SlotLimits;
use tidegate::xmpp::component::Turn;
use tidegate::xmpp::stanza::COMPONENT;
use tidegate::xmpp::stream::{Received, StreamReader};
use tidegate::xmpp::{Access, Component};

use super::structured;

const HEADER: &[u8] = b"<stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' id='1'>";

/// Most of a stanza that is kept.
const STANZA_BYTES: usize = 4096;
/// Most of an answer: two addresses and an id, every character of them written as an entity.
const ANSWER_BYTES: usize = 16 * STANZA_BYTES;

/// What comes out of the bytes, up to the first error.
fn read(bytes: &[u8], cut: usize, max: usize) -> Vec<Received> {
    let mut reader = StreamReader::new(max);
    reader.push(HEADER).unwrap();
    let mut received = Vec::new();
    for part in bytes.chunks(cut) {
        match reader.push(part) {
            Ok(more) => received.extend(more),
            Err(_) => break,
        }
    }
    received
}

pub(crate) fn run(data: &[u8]) {
    let Some((cut, bytes)) = structured::<(u8, &[u8])>(data) else { return };
    let received = read(bytes, usize::from(cut).max(1), STANZA_BYTES);
    let component = Component {
        domain: "up.example".to_owned(),
        access: Access::new(&["example".to_owned()], &[]),
        limits: SlotLimits::default(),
    };
    // An error may come with the same push as stanzas before it, which are then lost: the
    // connection ends anyway. So a coarser cut gives a beginning of what a finer one gives.
    let bytewise = read(bytes, 1, STANZA_BYTES);
    assert!(bytewise.starts_with(&received));
    for one in received {
        let turn = match one {
            Received::Stanza(stanza) => component.judge(&stanza),
            Received::Oversized(head) => component.judge_oversized(&head),
            Received::Opened { .. } | Received::Closed => continue,
        };
        if let Turn::Answer(answer) | Turn::Refuse { answer, .. } = turn {
            let written = answer.written_in(COMPONENT);
            let read = read(written.as_bytes(), ANSWER_BYTES, ANSWER_BYTES);
            assert!(matches!(read.as_slice(), [Received::Stanza(_)]));
        }
    }
}
