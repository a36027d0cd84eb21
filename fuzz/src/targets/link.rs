//! Signed links: without the key nothing is taken, and what a query holds is found without a panic.

use tidegate::protocol::token::link::{InQuery, Link, LinkKey, PREFIX, in_query};
use tidegate::upload::Timestamp;

pub(crate) fn run(bytes: &[u8]) {
    // A key that no input can know: nobody guesses 32 bytes.
    let key = LinkKey::new(b"a key that is in this file only.");
    for text in [bytes.to_vec(), [PREFIX.as_bytes(), bytes].concat()] {
        if let Ok(link) = Link::read(&text, &key, Timestamp::default()) {
            let again = link.sign(&key).expect("what was read has an owner");
            assert_eq!(again.as_bytes(), text, "one link has one form");
        }
    }
    if let Ok(query) = std::str::from_utf8(bytes)
        && let InQuery::One(link) = in_query(query)
    {
        assert!(query.contains(link));
    }
}
