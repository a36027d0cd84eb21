//! Which tokens a key knows, and which files hold a key (A-19, A-21, A-22).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::protocol::token::examples::{
    EC_PUBLIC, ED25519_PUBLIC, RSA_PUBLIC, Signer, base64url, claims,
};
use crate::protocol::token::jws::NotAJws;

const MAX: usize = 8 * 1024;

fn knows(key: &Key, token: &str) -> bool {
    Jws::parse(token.as_bytes(), MAX).is_ok_and(|jws| jws.claims_signed_by(key).is_some())
}

fn set(keys: &[Value]) -> Result<Vec<Key>, KeyError> {
    Key::from_set(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn every_key_knows_its_own_tokens_and_no_others() {
    let (signers, others) = (Signer::all(), Signer::all());
    for signer in &signers {
        for other in &others {
            let mine = signer.algorithm == other.algorithm;
            assert_eq!(knows(&other.key(), &signer.token(&claims("ann"))), mine);
        }
    }
    let stranger = Signer::eddsa(Some("d"), 8);
    assert!(!knows(&signers[3].key(), &stranger.token(&claims("ann"))));
}

#[test]
fn the_examples_of_the_standards_are_known() {
    // RFC 7515, appendices A.1 and A.3; RFC 8037, appendix A.4.
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
                   c19yb290Ijp0cnVlfQ";
    let hmac =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let (x, y) = (
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    );
    let edwards = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    for (jwk, token) in [
        (
            json!({"kty": "oct", "k": hmac}),
            format!(
                "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}.\
                 dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
            ),
        ),
        (
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            format!(
                "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDx\
                 w5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
            ),
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": edwards}),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09\
             PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
                .to_owned(),
        ),
    ] {
        assert!(knows(&set(std::slice::from_ref(&jwk)).unwrap()[0], &token), "{jwk}");
    }
}

#[test]
fn a_pem_file_holds_the_same_key_as_a_set() {
    for (signer, pem) in [
        (Signer::rs256(None), RSA_PUBLIC),
        (Signer::es256(None), EC_PUBLIC),
        (Signer::eddsa_of_the_file(), ED25519_PUBLIC),
    ] {
        let key = Key::from_pem(None, signer.algorithm, pem.as_bytes()).unwrap();
        assert!(knows(&key, &signer.token(&claims("ann"))));
    }
}

#[test]
fn a_file_that_is_no_key_for_the_algorithm_says_why() {
    let pem = |algorithm, pem: &str| Key::from_pem(None, algorithm, pem.as_bytes()).unwrap_err();
    let other = KeyError::Other { holds: Algorithm::Es256, wanted: Algorithm::Rs256 };
    assert_eq!(pem(Algorithm::Rs256, EC_PUBLIC), other);
    assert_eq!(other.to_string(), "holds a key for ES256, not for RS256");
    assert_eq!(pem(Algorithm::Rs256, "nonsense"), KeyError::NotPem);
    assert_eq!(
        pem(Algorithm::Rs256, include_str!("../../../tests/keys/rsa-private.pem")),
        KeyError::NotPem
    );
    for unknown in [
        include_str!("../../../tests/keys/ec-p384-public.pem"),
        include_str!("../../../tests/keys/rsa-1024-public.pem"),
    ] {
        assert_eq!(pem(Algorithm::Es256, unknown), KeyError::Kind);
    }
    assert_eq!(Key::from_secret(None, &[1; 31]).unwrap_err(), KeyError::ShortSecret);
    assert!(Key::from_secret(None, &[1; 32]).is_ok());
}

#[test]
fn a_public_key_is_never_taken_for_a_secret() {
    // The classic: the public key, which everybody has, used as the secret of an HMAC.
    let forged = Signer::hs256(Some("r"), RSA_PUBLIC.as_bytes()).token(&claims("ann"));
    let key = Key::from_pem(Some("r".to_owned()), Algorithm::Rs256, RSA_PUBLIC.as_bytes()).unwrap();
    assert!(!knows(&key, &forged));
    let secret = Key::from_secret(None, RSA_PUBLIC.as_bytes());
    assert_eq!(secret.unwrap_err(), KeyError::PublicSecret);
}

#[test]
fn the_header_does_not_choose_the_algorithm() {
    for signer in Signer::all() {
        for name in ["HS256", "RS256", "ES256", "EdDSA"] {
            let header = json!({"alg": name, "kid": signer.id});
            let token = signer.token_under(&header, &claims("ann"));
            assert_eq!(knows(&signer.key(), &token), name == signer.algorithm.name());
        }
    }
}

#[test]
fn a_token_that_is_not_signed_is_no_token() {
    let claims = base64url(claims("ann").to_string());
    for name in ["none", "None", "NONE", "nOnE", "", "HS384", "RS512", "PS256", "hs256"] {
        let header = base64url(json!({ "alg": name }).to_string());
        for token in [format!("{header}.{claims}."), format!("{header}.{claims}.AAAA")] {
            let parsed = Jws::parse(token.as_bytes(), MAX);
            assert_eq!(parsed, Err(NotAJws::Algorithm), "{name:?}");
        }
    }
    // Without a signature at all.
    for signer in Signer::all() {
        let token = signer.token(&json!({}));
        let (signed, _) = token.rsplit_once('.').unwrap();
        assert!(!knows(&signer.key(), &format!("{signed}.")));
    }
}

#[test]
fn the_key_id_chooses_where_both_have_one() {
    let signer = |id| Signer::eddsa(id, 7);
    for (key, token, known) in [
        (Some("a"), Some("a"), true),
        (Some("a"), Some("b"), false),
        (Some("a"), None, true),
        (None, Some("b"), true),
        (None, None, true),
    ] {
        let token = signer(token).token(&claims("ann"));
        assert_eq!(knows(&signer(key).key(), &token), known, "{key:?} {token:?}");
    }
}

#[test]
fn what_is_odd_about_a_header_makes_it_no_token() {
    let signer = Signer::eddsa(None, 7);
    for (header, expected) in [
        (json!({"alg": "EdDSA", "crit": ["exp"]}), NotAJws::Critical),
        (json!({"alg": "EdDSA", "crit": []}), NotAJws::Critical),
        (json!({"alg": ["EdDSA"]}), NotAJws::Malformed),
        (json!({"kid": "a"}), NotAJws::Malformed),
        (json!({"alg": "EdDSA", "kid": 1}), NotAJws::Malformed),
        (json!({"alg": "EdDSA", "kid": "k".repeat(257)}), NotAJws::Malformed),
        (json!(["EdDSA"]), NotAJws::Malformed),
    ] {
        let token = signer.token_under(&header, &claims("ann"));
        assert_eq!(Jws::parse(token.as_bytes(), MAX), Err(expected), "{header}");
    }
    let twice = format!("{}.e30.AAAA", base64url(r#"{"alg":"EdDSA","alg":"HS256"}"#));
    assert_eq!(Jws::parse(twice.as_bytes(), MAX), Err(NotAJws::Malformed));
}

#[test]
fn only_three_parts_of_base64url_within_the_bound_are_taken_apart() {
    let token = Signer::eddsa(None, 7).token(&claims("ann"));
    let parts: Vec<&str> = token.split('.').collect();
    for bad in [
        String::new(),
        "..".to_owned(),
        parts[0].to_owned(),
        parts[..2].join("."),
        format!("{token}.{}", parts[2]),
        format!(".{token}"),
        token.replace('.', "="),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}+", parts[0], parts[1], parts[2]),
    ] {
        assert_eq!(Jws::parse(bad.as_bytes(), MAX), Err(NotAJws::Malformed), "{bad}");
    }
    assert!(Jws::parse(token.as_bytes(), token.len()).is_ok());
    assert_eq!(Jws::parse(token.as_bytes(), token.len() - 1), Err(NotAJws::TooLong));
}

#[test]
fn claims_of_one_token_do_not_go_with_the_signature_of_another() {
    for signer in Signer::all() {
        let (ann, bob) = (signer.token(&claims("ann")), signer.token(&claims("bob")));
        let (ann, bob): (Vec<_>, Vec<_>) = (ann.split('.').collect(), bob.split('.').collect());
        let swapped = [ann[0], bob[1], ann[2]].join(".");
        assert!(!knows(&signer.key(), &swapped));
    }
}

#[test]
fn a_set_leaves_out_what_is_not_for_us() {
    let mine = Signer::eddsa(Some("mine"), 7).jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = mine.clone();
        jwk[name] = value;
        jwk
    };
    let keys = set(&[
        mine.clone(),
        with("use", json!("enc")),
        with("alg", json!("ES512")),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "RSA", "alg": "RSA-OAEP", "n": "AA", "e": "AQAB"}),
        json!({"kty": "later"}),
    ]);
    assert_eq!(keys.unwrap().len(), 1);
    assert!(set(&[]).unwrap().is_empty());
}

#[test]
fn a_set_with_a_damaged_key_is_not_believed_at_all() {
    let mine = Signer::eddsa(Some("mine"), 7).jwk();
    for bad in [
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        json!({"kty": "OKP", "crv": "Ed25519"}),
        json!({"kty": "RSA", "n": base64url([0xff; 128]), "e": "AQAB"}),
        json!({"kty": "RSA", "n": base64url([0xff; 256]), "e": ""}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "k": base64url([1; 16])}),
        json!({"kid": 1, "kty": "oct"}),
        json!("key"),
    ] {
        let keys = set(&[mine.clone(), bad.clone()]);
        assert_eq!(keys.unwrap_err(), KeyError::Damaged { number: 2 }, "{bad}");
    }
    assert_eq!(set(&vec![mine; MAX_KEYS + 1]).unwrap_err(), KeyError::TooMany);
    for bad in [&b"[]"[..], b"{}", b"", b"{\"keys\":{}}", b"\xff"] {
        assert_eq!(Key::from_set(bad).unwrap_err(), KeyError::NotASet);
    }
}

#[test]
fn a_key_is_never_printed() {
    let secret = "secret-secret-secret-secret-secret";
    let key = Key::from_secret(Some("id".to_owned()), secret.as_bytes()).unwrap();
    assert!(!format!("{key:?}").contains("secret"));
}

proptest! {
    #[test]
    fn one_changed_character_of_a_token_is_noticed(
        at: prop::sample::Index,
        to in "[A-Za-z0-9_.-]",
        which in 0..4_usize,
    ) {
        let signer = &Signer::all()[which];
        let token = signer.token(&claims("ann"));
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != token);
        prop_assert!(!knows(&signer.key(), &changed));
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes: Vec<u8>, text in "[A-Za-z0-9_.-]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = Jws::parse(bytes, MAX);
            let _ = Key::from_set(bytes);
            let _ = Key::from_pem(None, Algorithm::Rs256, bytes);
        }
    }
}
