//! What is fuzzed: one function per grammar that outsiders can write, and one for whole exchanges.
//!
//! A target takes any bytes. It panics if the gateway would, or if what came of the bytes breaks
//! the promise that the target's first lines name. The fuzzer calls these functions, and
//! `tests/corpora.rs` calls them with the inputs in `corpus/`.

use arbitrary::{Arbitrary, Unstructured};

mod addresses;
mod checksum;
mod chunk_head;
mod concat;
mod conditional;
mod dates;
mod digest_field;
mod disposition;
mod exchange;
mod form;
mod form_head;
mod forwarded;
mod jwt;
mod label;
mod link;
mod location;
mod metadata;
mod migrate;
mod range;
mod record;
mod request_head;
mod setting;
mod settings;
mod slot_order;
mod slot_signed;
mod slot_url;
mod xmpp_stream;

/// A target takes any bytes.
pub(crate) type Run = fn(&[u8]);

/// Every target by its name, which is that of its file and of its corpus.
pub(crate) const ALL: [(&str, Run); 27] = [
    ("addresses", addresses::run),
    ("checksum", checksum::run),
    ("chunk_head", chunk_head::run),
    ("concat", concat::run),
    ("conditional", conditional::run),
    ("dates", dates::run),
    ("digest_field", digest_field::run),
    ("disposition", disposition::run),
    ("exchange", exchange::run),
    ("form", form::run),
    ("form_head", form_head::run),
    ("forwarded", forwarded::run),
    ("jwt", jwt::run),
    ("label", label::run),
    ("link", link::run),
    ("location", location::run),
    ("metadata", metadata::run),
    ("migrate", migrate::run),
    ("range", range::run),
    ("record", record::run),
    ("request_head", request_head::run),
    ("setting", setting::run),
    ("settings", settings::run),
    ("slot_order", slot_order::run),
    ("slot_signed", slot_signed::run),
    ("slot_url", slot_url::run),
    ("xmpp_stream", xmpp_stream::run),
];

/// The bytes as something with more form; `None` if they are too few for it.
fn structured<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}
