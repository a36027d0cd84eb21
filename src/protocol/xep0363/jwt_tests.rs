//! Tokens of Prosody's `http_file_share`, captured and computed, and what is made of them.

use super::super::path::BasePath;
use super::super::request::{Intent, OCTET_STREAM};
use super::super::tenant::{Scheme, Tenant};
use super::*;

/// Captured from Prosody 0.12.3, secret `secret-jwt`.
const CAPTURED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJmaWxlc2l6ZSI6MTEsInN1YiI6ImFsaWNlQGxvY2FsaG9zdCIsImV4cCI6MTc5NTIyODc1OSwiZXhwaXJlcyI6MTc5NTIzMjA1OSwiaWF0IjoxNzk1MjI4NDU5LCJmaWxldHlwZSI6InRleHQvcGxhaW4iLCJmaWxlbmFtZSI6ImhlbGxvLnR4dCIsInNsb3QiOiJDd0JMWEZ3ZmZDTmVJd0xjV2JTQUhOQnQifQ.3Ax_nHyHUuy4XM8UQLKDPddeRlIc-q9gJX4zNe_JMxs";
/// Computed, secret `it-is-secret`.
const COMPUTED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZUBsb2NhbGhvc3QiLCJpYXQiOjE3OTUyMjg0NTksImV4cCI6MTc5NTIyODc1OSwic2xvdCI6IkN3QkxYRndmZkNOZUl3TGNXYlNBSE5CdCIsImV4cGlyZXMiOjE3OTUyMzIwNTksImZpbGVuYW1lIjoiaGVsbG8udHh0IiwiZmlsZXNpemUiOjExLCJmaWxldHlwZSI6InRleHQvcGxhaW4ifQ.6Tf1s6SkSQ1OLWGSO2h3MbhX3ZUX_oVgBY24r__Vas4";
/// Computed: no `expires`, a name that is not ASCII, five bytes.
const COOL: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZUBsb2NhbGhvc3QiLCJpYXQiOjE3OTUyMjg0NTksImV4cCI6MTc5NTIyODc1OSwic2xvdCI6IjJmcnpsb3dwaUZHRE9Nc1pQMDdLbXZTYiIsImZpbGVuYW1lIjoidHLDqHMgY29vbC5qcGciLCJmaWxlc2l6ZSI6NSwiZmlsZXR5cGUiOiJpbWFnZS9qcGVnIn0.ZoZfK0oy7nuR8A0aE8DAo68-_mMwYi2RdE_k-WiN7Js";
/// Computed: the claims of `COOL`, signed by nobody.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZUBsb2NhbGhvc3QiLCJpYXQiOjE3OTUyMjg0NTksImV4cCI6MTc5NTIyODc1OSwic2xvdCI6IjJmcnpsb3dwaUZHRE9Nc1pQMDdLbXZTYiIsImZpbGVuYW1lIjoidHLDqHMgY29vbC5qcGciLCJmaWxlc2l6ZSI6NSwiZmlsZXR5cGUiOiJpbWFnZS9qcGVnIn0.";
const COOL_PATH: &str = "/jwt/2frzlowpiFGDOMsZP07KmvSb/tr%C3%A8s%20cool.jpg";
const HELLO_PATH: &str = "/jwt/CwBLXFwffCNeIwLcWbSAHNBt/hello.txt";
const EXPIRY: u64 = 1_795_228_759;

fn tenant(secret: &str, media_type: MediaTypeRule) -> Tenant {
    let base = BasePath::new("/jwt").unwrap();
    let secret = Secret::new(secret).unwrap();
    Tenant { base, scheme: Scheme::FileShare { media_type }, secret }
}

fn lenient() -> Tenant {
    tenant("it-is-secret", MediaTypeRule::Lenient)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_milliseconds(seconds * 1000)
}

fn request<'a>(path: &'a str, authorization: &'a str, length: Option<u64>) -> SlotRequest<'a> {
    let authorization = Some(authorization.as_bytes());
    let (intent, media_type) = (Intent::Put, OCTET_STREAM);
    SlotRequest { path, query: "", intent, length, media_type, authorization }
}

fn bearing(token: &str, path: &str, length: u64) -> Result<Verified, TokenError> {
    let authorization = format!("Bearer {token}");
    lenient().verify(&request(path, &authorization, Some(length)), at(EXPIRY - 1))
}

/// `COOL` with another header or payload, signed with the right key.
fn made(header: &str, payload: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(header), part(payload));
    let key = Secret::new("it-is-secret").unwrap();
    let signature = key.sign(&[signed.as_bytes()]).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

const GOOD_HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn payload(changes: &[(&str, serde_json::Value)]) -> String {
    let mut claims = serde_json::json!({
        "sub": "alice@localhost", "exp": EXPIRY, "slot": "2frzlowpiFGDOMsZP07KmvSb",
        "filename": "très cool.jpg", "filesize": 5, "filetype": "image/jpeg",
    });
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims.to_string()
}

#[test]
fn a_token_of_prosodys_says_everything_about_the_slot() {
    let authorization = format!("Bearer {CAPTURED}");
    let request = request(HELLO_PATH, &authorization, Some(11));
    let tenant = tenant("secret-jwt", MediaTypeRule::Lenient);
    let verified = tenant.verify(&request, at(EXPIRY - 1)).unwrap();
    assert_eq!(verified.path.as_str(), "CwBLXFwffCNeIwLcWbSAHNBt/hello.txt");
    assert_eq!(verified.length, UploadLength::new(11));
    assert_eq!(verified.media_type, "text/plain");
    assert_eq!(verified.file_expires_at, Some(at(1_795_232_059)));
    assert_eq!(verified.owner, Some(OwnerHint::Jid("alice@localhost".to_owned())));
    assert_eq!(verified.may, May::Put);
}

#[test]
fn the_order_of_members_does_not_matter_and_expires_may_be_absent() {
    assert!(bearing(COMPUTED, HELLO_PATH, 11).is_ok());
    let verified = bearing(COOL, COOL_PATH, 5).unwrap();
    assert_eq!(verified.path.file_name(), "très cool.jpg");
    assert_eq!(verified.file_expires_at, None);
    let swapped = made(r#"{"typ":"JWT","alg":"HS256"}"#, &payload(&[]));
    assert!(bearing(&swapped, COOL_PATH, 5).is_ok());
}

#[test]
fn the_token_is_worth_nothing_from_its_expiry_on() {
    let authorization = format!("Bearer {COOL}");
    let request = request(COOL_PATH, &authorization, Some(5));
    assert!(lenient().verify(&request, at(EXPIRY - 1)).is_ok());
    for seconds in [EXPIRY, EXPIRY + 1, EXPIRY * 2] {
        assert_eq!(lenient().verify(&request, at(seconds)), Err(TokenError::Expired));
    }
}

#[test]
fn the_header_is_ours_exactly_whatever_signed_it() {
    assert_eq!(bearing(UNSIGNED, COOL_PATH, 5), Err(TokenError::Malformed));
    let signature = COOL.rsplit_once('.').unwrap().1;
    assert_eq!(
        bearing(&format!("{UNSIGNED}{signature}"), COOL_PATH, 5),
        Err(TokenError::Malformed)
    );
    for header in [
        r#"{"alg":"none","typ":"JWT"}"#,
        r#"{"alg":"HS512","typ":"JWT"}"#,
        r#"{"alg":"RS256","typ":"JWT"}"#,
        r#"{"alg":"hs256","typ":"JWT"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"1"}"#,
        r#"{"alg":"HS256","typ":"JWT","crit":["b64"],"b64":false}"#,
        r#"{"alg":"none","alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":["HS256"],"typ":"JWT"}"#,
        r#"["HS256","JWT"] "#,
        "",
        "{",
    ] {
        let token = made(header, &payload(&[]));
        assert_eq!(bearing(&token, COOL_PATH, 5), Err(TokenError::Malformed), "{header}");
    }
}

#[test]
fn a_changed_payload_or_signature_is_refused() {
    let (signed, signature) = COOL.rsplit_once('.').unwrap();
    let header = signed.split_once('.').unwrap().0;
    let longer = BASE64_URL_SAFE_NO_PAD.encode(payload(&[("filesize", 6.into())]));
    for token in [
        format!("{header}.{longer}.{signature}"),
        format!("{signed}."),
        format!("{signed}.{}", signature.get(..42).unwrap()),
        format!("{signed}.{}", signature.replace('Z', "Y")),
        CAPTURED.to_owned(),
    ] {
        let refused = bearing(&token, COOL_PATH, 5);
        assert!(
            matches!(refused, Err(TokenError::Forged | TokenError::Malformed)),
            "{token}: {refused:?}"
        );
    }
}

#[test]
fn what_has_not_the_form_of_a_token_is_malformed() {
    for token in [
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        &format!("{COOL}="),
        &format!("{COOL}.x"),
        &COOL.replace('.', "%2E"),
        &"x".repeat(MAX_TOKEN_BYTES + 1),
    ] {
        assert_eq!(bearing(token, COOL_PATH, 5), Err(TokenError::Malformed), "{token}");
    }
}

#[test]
fn claims_that_are_not_what_they_should_be_are_refused_though_signed() {
    for (name, value) in [
        ("exp", serde_json::json!("1795228759")),
        ("exp", serde_json::json!(1.5)),
        ("exp", serde_json::Value::Null),
        ("filesize", serde_json::json!(-1)),
        ("filesize", serde_json::json!(1.5)),
        ("filesize", serde_json::json!("5")),
        ("filesize", serde_json::json!(1_u64 << 63)),
        ("slot", serde_json::json!(7)),
        ("sub", serde_json::Value::Null),
    ] {
        let token = made(GOOD_HEADER, &payload(&[(name, value)]));
        assert_eq!(bearing(&token, COOL_PATH, 5), Err(TokenError::Malformed), "{name}");
    }
    let token = made(GOOD_HEADER, &payload(&[("further", serde_json::json!([1]))]));
    assert!(bearing(&token, COOL_PATH, 5).is_ok());
}

#[test]
fn the_token_is_for_one_slot_and_one_name() {
    for path in [
        "/jwt/2frzlowpiFGDOMsZP07KmvSc/tr%C3%A8s%20cool.jpg",
        "/jwt/2frzlowpiFGDOMsZP07KmvSb/other.jpg",
        "/jwt/2frzlowpiFGDOMsZP07KmvSb/x/tr%C3%A8s%20cool.jpg",
        "/jwt/2frzlowpiFGDOMsZP07KmvSb",
    ] {
        assert_eq!(bearing(COOL, path, 5), Err(TokenError::OtherSlot), "{path}");
    }
}

#[test]
fn the_length_is_the_one_that_was_signed() {
    let signed = UploadLength::new(5).unwrap();
    for length in [0, 4, 6, u64::MAX] {
        let refused = bearing(COOL, COOL_PATH, length);
        assert_eq!(refused, Err(TokenError::OtherLength { signed }));
    }
    let authorization = format!("Bearer {COOL}");
    let chunked = lenient().verify(&request(COOL_PATH, &authorization, None), at(EXPIRY - 1));
    assert_eq!(chunked, Err(TokenError::LengthRequired));
}

#[test]
fn the_media_type_of_the_file_is_the_tokens_and_another_is_refused_if_so_configured() {
    let exact = tenant("it-is-secret", MediaTypeRule::Exact);
    let authorization = format!("Bearer {COOL}");
    let request = request(COOL_PATH, &authorization, Some(5));
    let now = at(EXPIRY - 1);
    assert_eq!(lenient().verify(&request, now).unwrap().media_type, "image/jpeg");
    assert_eq!(exact.verify(&request, now), Err(TokenError::MediaType));
    let same = SlotRequest { media_type: "Image/JPEG", ..request };
    assert_eq!(exact.verify(&same, now).unwrap().media_type, "image/jpeg");
}

#[test]
fn only_a_bearer_token_counts() {
    let now = at(EXPIRY - 1);
    for authorization in
        [COOL.to_owned(), format!("Basic {COOL}"), "Bearer ".to_owned(), String::new()]
    {
        let refused = lenient().verify(&request(COOL_PATH, &authorization, Some(5)), now);
        assert_eq!(refused, Err(TokenError::Missing { bearer: true }), "{authorization}");
    }
    let absent = SlotRequest { authorization: None, ..request(COOL_PATH, "", Some(5)) };
    assert_eq!(lenient().verify(&absent, now), Err(TokenError::Missing { bearer: true }));
    let spaced = format!("bearer  {COOL} ");
    assert!(lenient().verify(&request(COOL_PATH, &spaced, Some(5)), now).is_ok());
}

#[test]
fn what_we_sign_reads_back() {
    let key = Secret::new("it-is-secret").unwrap();
    let claims = Claims {
        sub: "alice@localhost".to_owned(),
        iat: Some(1_795_228_459),
        exp: EXPIRY,
        slot: "2frzlowpiFGDOMsZP07KmvSb".to_owned(),
        filename: "très cool.jpg".to_owned(),
        filesize: 5,
        filetype: "image/jpeg".to_owned(),
        expires: None,
    };
    // The members are written in the order of the struct, which is that of the computed token.
    let token = claims.signed(&key).unwrap();
    assert_eq!(token, COOL);
    assert_eq!(Claims::read(&token, &key), Ok(claims));
}
