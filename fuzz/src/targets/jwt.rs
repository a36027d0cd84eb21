//! JSON Web Tokens, their keys and claims: no input panics, and no token is taken that no key signed.

use std::time::Duration;

use tidegate::protocol::token::claims::{ClaimRules, judge};
use tidegate::protocol::token::jws::{Algorithm, Jws};
use tidegate::protocol::token::key::Key;
use tidegate::upload::Timestamp;

pub(crate) fn run(bytes: &[u8]) {
    let key = Key::from_secret(None, b"a secret that is in this file only").expect("32 bytes");
    if let Ok(token) = Jws::parse(bytes, 8 * 1024) {
        assert!(bytes.len() <= 8 * 1024);
        assert!(token.claims_signed_by(&key).is_none(), "nobody guesses a signature");
    }
    let rules = ClaimRules {
        owner: "sub".to_owned(),
        issuer: None,
        audiences: Vec::new(),
        expiry_required: false,
        leeway: Duration::ZERO,
        limit: "max_size".to_owned(),
        verbs: "tidegate_verbs".to_owned(),
    };
    if let Ok(claims) = judge(bytes, &rules, Timestamp::default()) {
        let name = claims.owner.name().expect("good claims name an owner");
        assert!((1..=256).contains(&name.len()));
    }
    let _ = Key::from_set(bytes);
    let _ = Key::from_pem(None, Algorithm::Rs256, bytes);
}
