//! Keys come and go with their files, while tokens are being judged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::auth::denied::Denied;
use crate::auth::jwt::Jwt;
use crate::protocol::token::claims::ClaimRules;
use crate::protocol::token::examples::{NOW_SECONDS, Signer, claims};
use crate::upload::Timestamp;

const SECRET: &[u8] = b"a-secret-that-nobody-can-guess-32";

fn old() -> Signer {
    Signer::eddsa(Some("old"), 1)
}

fn new() -> Signer {
    Signer::eddsa(Some("new"), 2)
}

fn set(signers: &[Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(Signer::jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// A folder with a set that holds the old key, and who judges by it.
fn following() -> (TempDir, PathBuf, Jwt) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, set(&[old()])).unwrap();
    let keys = KeyFiles::load(vec![KeyFile { path: path.clone(), holds: Holds::Set }]).unwrap();
    let rules = ClaimRules {
        owner: "sub".to_owned(),
        issuer: None,
        audiences: Vec::new(),
        expiry_required: true,
        leeway: Duration::ZERO,
        limit: "max_size".to_owned(),
        verbs: "tidegate_verbs".to_owned(),
    };
    (folder, path, Jwt { keys: Arc::new(keys), rules, max_bytes: 8192 })
}

fn judged(jwt: &Jwt, token: &str) -> Option<Result<String, Denied>> {
    let now = Timestamp::from_unix_milliseconds(NOW_SECONDS * 1000);
    let judged = jwt.judge(token.as_bytes(), now)?;
    Some(judged.map(|grant| grant.owner.name().unwrap().to_owned()))
}

fn is_known(jwt: &Jwt, signer: &Signer) -> bool {
    judged(jwt, &signer.token(&claims("ann"))).is_some()
}

#[test]
fn a_key_is_known_from_when_its_file_holds_it_until_it_does_not() {
    let (_folder, path, jwt) = following();
    assert!(is_known(&jwt, &old()) && !is_known(&jwt, &new()));
    std::fs::write(&path, set(&[old(), new()])).unwrap();
    jwt.keys.follow();
    assert!(is_known(&jwt, &old()) && is_known(&jwt, &new()));
    std::fs::write(&path, set(&[new()])).unwrap();
    jwt.keys.follow();
    assert!(!is_known(&jwt, &old()) && is_known(&jwt, &new()));
    std::fs::write(&path, set(&[])).unwrap();
    jwt.keys.reload();
    assert!(!is_known(&jwt, &new()), "an emptied file takes its keys back");
}

#[test]
fn a_broken_new_file_leaves_the_old_keys_in_use_until_it_is_mended() {
    let (_folder, path, jwt) = following();
    for broken in ["", "{\"keys\":[", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"] {
        std::fs::write(&path, broken).unwrap();
        jwt.keys.follow();
        jwt.keys.reload();
        assert!(is_known(&jwt, &old()), "{broken:?}");
    }
    std::fs::remove_file(&path).unwrap();
    jwt.keys.follow();
    assert!(is_known(&jwt, &old()), "a file that is gone for a moment");
    std::fs::write(&path, set(&[new()])).unwrap();
    jwt.keys.follow();
    assert!(is_known(&jwt, &new()) && !is_known(&jwt, &old()));
}

#[test]
fn one_broken_file_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] =
        ["a", "b"].map(|name| KeyFile { path: folder.path().join(name), holds: Holds::Set });
    std::fs::write(&first.path, set(&[old()])).unwrap();
    std::fs::write(&second.path, set(&[old()])).unwrap();
    let keys = KeyFiles::load(vec![first.clone(), second.clone()]).unwrap();
    std::fs::write(&first.path, "broken").unwrap();
    std::fs::write(&second.path, set(&[old(), new()])).unwrap();
    keys.follow();
    assert_eq!(keys.current().len(), 3);
}

#[test]
fn a_token_that_is_known_throughout_is_never_refused_while_keys_change() {
    let (_folder, path, jwt) = following();
    let staying = Signer::eddsa(Some("staying"), 3);
    std::fs::write(&path, set(&[staying])).unwrap();
    jwt.keys.follow();
    let token = Signer::eddsa(Some("staying"), 3).token(&claims("ann"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let judges: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = 0_u32;
                    while !done.load(Ordering::Acquire) || times == 0 {
                        assert_eq!(judged(&jwt, &token), Some(Ok("ann".to_owned())));
                        times += 1;
                    }
                })
            })
            .collect();
        for round in 0..300_u32 {
            let staying = Signer::eddsa(Some("staying"), 3);
            let text = match round % 3 {
                0 => set(&[old(), staying]),
                1 => "half a fi".to_owned(),
                _ => set(&[staying, new()]),
            };
            std::fs::write(&path, text).unwrap();
            jwt.keys.follow();
        }
        done.store(true, Ordering::Release);
        judges.into_iter().for_each(|judge| judge.join().unwrap());
    });
}

#[test]
fn claims_are_judged_only_when_a_key_of_ours_signed_them() {
    let (_folder, _, jwt) = following();
    let mut expired = claims("ann");
    expired["exp"] = json!(1);
    assert_eq!(judged(&jwt, &old().token(&expired)), Some(Err(Denied::Expired)));
    assert_eq!(judged(&jwt, &new().token(&expired)), None);
    let long = old().token(&json!({"sub": "x".repeat(8192)}));
    assert_eq!(judged(&jwt, &long), None);
}

#[test]
fn a_secret_is_its_file_without_the_line_break_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let holds = Holds::One { algorithm: Algorithm::Hs256, id: None };
    let file = KeyFile { path: path.clone(), holds };
    for end in ["", "\n", "\r\n"] {
        std::fs::write(&path, [SECRET, end.as_bytes()].concat()).unwrap();
        let keys = KeyFiles::load(vec![file.clone()]).unwrap();
        let token = Signer::hs256(None, SECRET).token(&claims("ann"));
        let jws = crate::protocol::token::jws::Jws::parse(token.as_bytes(), 8192).unwrap();
        assert!(jws.claims_signed_by(&keys.current()[0]).is_some(), "{end:?}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_without_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let file = KeyFile { path: path.clone(), holds: Holds::Set };
    let said = |file: &KeyFile| file.check().unwrap_err().to_string();
    assert!(said(&file).ends_with("keys cannot be read"));
    std::fs::write(&path, "c2VjcmV0").unwrap();
    assert!(said(&file).contains("keys is not a set") && !said(&file).contains("c2VjcmV0"));
    std::fs::write(&path, vec![b' '; 256 * 1024 + 1]).unwrap();
    assert!(said(&file).ends_with("longer than any key file"));
}
