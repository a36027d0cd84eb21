//! Every token scheme, by values computed elsewhere or captured from the real servers.

use super::super::path::BasePath;
use super::super::request::OCTET_STREAM;
use super::*;
use crate::protocol::head::{BodyLength, RequestHead};

const D: &str = "3f1e7a52-8c0e-4d57-9b3b-6f2f3f0d8a11";
const HELLO_V1: &str = "0a936e8c4c0d76cbdc6625e08011ba26270417412612c3e8086e0a54ddace1d8";
const HELLO_V2: &str = "6e00de98d8195c3c0ab42c3a5183fddfc9456fd0a71da91d28e9793a7ef8089a";
/// One second before every `expires` below.
const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_795_232_058_999);

fn tenant(base: &str, scheme: Scheme, secret: &str) -> Tenant {
    let base = BasePath::new(base).unwrap();
    Tenant { base, scheme, secret: Secret::new(secret).unwrap() }
}

fn prosody() -> Tenant {
    tenant("/upload", Scheme::Prosody, "it-is-secret")
}

fn metronome() -> Tenant {
    let delete_secret = Secret::new("delete-secret");
    tenant("/upload", Scheme::Metronome { delete_secret }, "it-is-secret")
}

/// A `PUT` of `length` bytes that says no media type.
fn put<'a>(path: &'a str, query: &'a str, length: Option<u64>) -> SlotRequest<'a> {
    let intent = Intent::Put;
    SlotRequest { path, query, intent, length, media_type: OCTET_STREAM, authorization: None }
}

fn verify(tenant: &Tenant, path: &str, query: &str, length: u64) -> Result<Verified, TokenError> {
    tenant.verify(&put(path, query, Some(length)), NOW)
}

/// `PUT` of `hello.txt` as text, eleven bytes.
fn hello(tenant: &Tenant, query: &str) -> Result<Verified, TokenError> {
    let path = format!("/upload/{D}/hello.txt");
    let request = SlotRequest { media_type: "text/plain", ..put(&path, query, Some(11)) };
    tenant.verify(&request, NOW)
}

#[test]
fn v_is_taken_however_the_client_escapes_the_path() {
    let cool = "924c70ff62c8d07ce6d49fc852c2a051df5ccbd87d50bde6b74bb13ac6398b93";
    let odd = "9589114abb9228d0a1c4f7cf924526fd66a9276ae16aaf05f6f2c61945961343";
    let japanese = "77987959933373e019527acd6dd27f8bcda1eecaa3f404ba7a39a544c73c47b2";
    let large = "6223a7872351a2a4ee892a47d928ae9c65df5b37fe0df7546fa90480d3c6e5b8";
    for (path, name, length, token) in [
        ("hello.txt", "hello.txt", 11, HELLO_V1),
        ("tr%c3%a8s%20cool.jpg", "très cool.jpg", 23456, cool),
        ("tr%C3%A8s%20cool.jpg", "très cool.jpg", 23456, cool),
        ("très cool.jpg", "très cool.jpg", 23456, cool),
        ("a%2bb%26c%3dd%3fe%23f%2520g.bin", "a+b&c=d?e#f%20g.bin", 3, odd),
        ("a%2Bb&c=d%3Fe%23f%2520g.bin", "a+b&c=d?e#f%20g.bin", 3, odd),
        ("%e6%97%a5%e6%9c%ac%e8%aa%9e.txt", "日本語.txt", 0, japanese),
        ("x.bin", "x.bin", 5_368_709_120, large),
    ] {
        let path = format!("/upload/{D}/{path}");
        let verified = verify(&prosody(), &path, &format!("v={token}"), length).unwrap();
        assert_eq!(verified.path.as_str(), format!("{D}/{name}"));
        assert_eq!(verified.path.file_name(), name);
        assert_eq!(verified.length, UploadLength::new(length));
        assert_eq!((verified.may, verified.owner), (May::Put, None));
    }
}

#[test]
fn a_token_over_the_whole_path_or_over_the_escaped_one_is_refused() {
    let prefixed = "7e67ff59b5ea02b7b7f3a029f24f5737748a3da676489d7994464fb08bdaa67d";
    let escaped = "ff042f653ae706bc95c73a548efe3d8f165f6e0afbad7cc84fca23ae394ded2d";
    let path = format!("/upload/{D}/tr%c3%a8s%20cool.jpg");
    assert_eq!(hello(&prosody(), &format!("v={prefixed}")), Err(TokenError::Forged));
    let refused = verify(&prosody(), &path, &format!("v={escaped}"), 23456);
    assert_eq!(refused, Err(TokenError::Forged));
}

#[test]
fn a_signed_negative_size_with_a_chunked_body_is_refused() {
    let computed = "1f8bae1fe82ccade9a8899ea985c016a7bd7de603552ad2ff66c00f4eb6f5e23";
    let (path, query) = (format!("/upload/{D}/hello.txt"), format!("v={computed}"));
    let chunked = prosody().verify(&put(&path, &query, None), NOW);
    assert_eq!(chunked, Err(TokenError::LengthRequired));
    for length in [0, 1, 11, u64::MAX >> 1] {
        assert_eq!(verify(&prosody(), &path, &query, length), Err(TokenError::Forged));
    }
    // Captured from Prosody 0.12.3, which signs a size of -1.
    let captured = "11b100a6a05373f130694134df7700b9cdcb3631d0279366d1a7fee2f956fe12";
    let (path, query) = ("/1826c707-39fc-4395-bf6e-8d05ec470103/neg.txt", format!("v={captured}"));
    let tenant = tenant("/", Scheme::Prosody, "secret-one");
    assert_eq!(tenant.verify(&put(path, &query, None), NOW), Err(TokenError::LengthRequired));
    for length in [0, 1, u64::MAX] {
        assert!(verify(&tenant, path, &query, length).is_err());
    }
}

#[test]
fn a_chunked_body_is_refused_even_with_a_genuine_token() {
    let (path, query) = (format!("/upload/{D}/hello.txt"), format!("v={HELLO_V1}"));
    let refused = prosody().verify(&put(&path, &query, None), NOW);
    assert_eq!(refused, Err(TokenError::LengthRequired));
}

#[test]
fn the_length_is_signed() {
    let path = format!("/upload/{D}/hello.txt");
    for length in [0, 10, 12, 110, 1 << 63] {
        let refused = verify(&prosody(), &path, &format!("v={HELLO_V1}"), length);
        assert!(refused.is_err(), "{length}");
    }
}

#[test]
fn v2_signs_the_media_type_of_the_request_and_not_that_of_the_ending() {
    for (name, length, media_type, token) in [
        ("hello.txt", 11, "text/plain", HELLO_V2),
        (
            "hello.txt",
            11,
            "text/plain; charset=utf-8",
            "4e25e31eaa12f54e2fcfb064dabb0c2e61dc237e197f6d5fc6390db56d9847fc",
        ),
        (
            "tr%c3%a8s%20cool.jpg",
            23456,
            "image/jpeg",
            "d3701ec8955132380de7eb16284c6ace7eeb998b6396a858a72964cfdced0be7",
        ),
        (
            "enc.aesgcm",
            1_048_592,
            "application/octet-stream",
            "9943dc6b034fadc008da8fd0a2283d9d992bbd39dded83f8ef2f37c96e49aaff",
        ),
        (
            "noext",
            4,
            OCTET_STREAM,
            "8df490693872c9746925ef49bee2058a92a8ba8c2a1426aa2b09149456b84e76",
        ),
    ] {
        let path = format!("/upload/{D}/{name}");
        for (tenant, key) in [(prosody(), "v2"), (metronome(), "token")] {
            let query = format!("{key}={token}");
            let request = SlotRequest { media_type, ..put(&path, &query, Some(length)) };
            assert_eq!(tenant.verify(&request, NOW).unwrap().media_type, media_type);
            let other = SlotRequest { media_type: "text/html", ..request };
            assert_eq!(tenant.verify(&other, NOW), Err(TokenError::Forged));
        }
    }
}

#[test]
fn values_of_other_programs_are_taken() {
    let filer = tenant("/upload/", Scheme::Prosody, "mysecret");
    let cat = "/upload/thomas/abc/catmetal.jpg";
    let v = "v=7b8879e2d1c733b423a70cde30cecc3a3c64a03f790d1b5bcbb2a6aca52b477e";
    assert!(verify(&filer, cat, v, 23026).is_ok());
    let v2 = "v2=7318cd44d4c40731e3b2ff869f553ab2326eae631868e7b8054db20d4aee1c06";
    let request = SlotRequest { media_type: "image/jpeg", ..put(cat, v2, Some(23026)) };
    assert!(filer.verify(&request, NOW).is_ok());
    // Captured from Prosody 0.12.3 and ejabberd 23.01.
    let one = tenant("/", Scheme::Prosody, "secret-one");
    let path = "/be195855-71be-47bf-b8c7-27ba9f22e8f3/hello.txt";
    let v = "v=0fe4735ca7cba16658137032180f8995fd0e075e8d7d519b22abdae416821b1d";
    assert!(verify(&one, path, v, 11).is_ok());
    let two = tenant("/", Scheme::Prosody, "secret-two");
    let path = "/2d718c6f-3398-40d8-8a26-910b8e5078bd/tr%c3%a8s%20cool.jpg";
    let v2 = "v2=102ec23700336aa18bceae21dbcc0604d4e0bb404410b9252993083c04745ead";
    let request = SlotRequest { media_type: "image/jpeg", ..put(path, v2, Some(5)) };
    assert!(two.verify(&request, NOW).is_ok());
}

#[test]
fn ejabberd_says_who_uploads_in_the_first_of_three_segments() {
    let random = "Dap32q3OYY7ofbqh1hsG4lkIjqt5E5NlrUurv268";
    for (secret, user, token) in [
        (
            "secret-ej",
            "9637f279e87dc3aba7eb582ceceaa621fa695865",
            "701713a16c88b5aa6d5e54a9e5bf82a9f5a64d64d918e485f64390864d80879d",
        ),
        (
            "it-is-secret",
            "45a6b241a242c97f0492d382c390dfa335aac986",
            "0ea5645d83d2756bf0ad374c1972754b2999cf4e9948176168a99c86efd5c279",
        ),
    ] {
        let ejabberd = tenant("/ej", Scheme::Ejabberd, secret);
        let path = format!("/ej/{user}/{random}/hello.txt");
        let verified = verify(&ejabberd, &path, &format!("v={token}"), 11).unwrap();
        assert_eq!(verified.owner, Some(OwnerHint::Segment(user.to_owned())));
    }
    let two_segments = tenant("/upload", Scheme::Ejabberd, "it-is-secret");
    assert_eq!(hello(&two_segments, &format!("v={HELLO_V1}")), Err(TokenError::OtherSlot));
}

#[test]
fn the_higher_version_decides_alone() {
    let forged = HELLO_V2.replace('6', "7");
    assert!(hello(&prosody(), &format!("v={forged}&v2={HELLO_V2}")).is_ok());
    assert!(hello(&prosody(), &format!("v=1&v=2&v2={HELLO_V2}")).is_ok());
    let refused = hello(&prosody(), &format!("v={HELLO_V1}&v2={forged}"));
    assert_eq!(refused, Err(TokenError::Forged));
    let server = tenant("/upload", Scheme::HmacFileServer, "it-is-secret");
    assert!(hello(&server, &format!("v2={HELLO_V2}&token={forged}&v={forged}")).is_ok());
    assert!(hello(&server, &format!("token={HELLO_V2}&v={forged}")).is_ok());
    assert!(hello(&server, &format!("v={HELLO_V1}")).is_ok());
    assert!(hello(&server, &format!("v3={forged}&expires=1795232059&v={HELLO_V1}")).is_err());
}

#[test]
fn swapped_tokens_are_refused() {
    for query in [format!("v={HELLO_V2}"), format!("v2={HELLO_V1}")] {
        assert_eq!(hello(&prosody(), &query), Err(TokenError::Forged));
    }
    assert!(matches!(
        hello(&metronome(), &format!("v={HELLO_V1}")),
        Err(TokenError::Missing { bearer: false })
    ));
    let other = tenant("/upload", Scheme::Prosody, "another secret");
    assert_eq!(hello(&other, &format!("v={HELLO_V1}")), Err(TokenError::Forged));
    let path = format!("/upload/{D}/hello2.txt");
    let refused = verify(&prosody(), &path, &format!("v={HELLO_V1}"), 11);
    assert_eq!(refused, Err(TokenError::Forged));
}

#[test]
fn a_token_has_one_written_form() {
    for query in [
        format!("v={}", HELLO_V1.to_uppercase()),
        format!("v={}", HELLO_V1.get(..63).unwrap()),
        format!("v={HELLO_V1}0"),
        format!("v=%30{}", HELLO_V1.get(1..).unwrap()),
        "v=".to_owned(),
        "v".to_owned(),
        "v=none".to_owned(),
    ] {
        assert_eq!(hello(&prosody(), &query), Err(TokenError::Malformed), "{query}");
    }
}

#[test]
fn a_missing_and_a_doubled_token_are_told_apart() {
    for query in ["", "w=1", "V=1", "token=1"] {
        assert_eq!(hello(&prosody(), query), Err(TokenError::Missing { bearer: false }), "{query}");
    }
    let doubled = format!("v={HELLO_V1}&v={HELLO_V1}");
    assert_eq!(hello(&prosody(), &doubled), Err(TokenError::Repeated));
}

#[test]
fn metronome_deletes_with_a_token_of_its_own() {
    let tenant = metronome();
    let delete = |path: &str, token: &str, tenant: &Tenant| {
        let query = format!("token={token}");
        let request = SlotRequest { intent: Intent::Delete, ..put(path, &query, None) };
        tenant.verify(&request, NOW).map(|verified| (verified.may, verified.path))
    };
    let (path, another) = ("/upload/aBcD12/hello.txt", format!("/upload/{D}/hello.txt"));
    let token = "982feca7cc233c6a2bbf0a85ec5e667caf6ad2f57181db8c80106a59d57b8b8c";
    let other = "9190dacb73377972fb457cfcfe44283eb693b185eb0f7528f115c0303738c293";
    assert!(matches!(delete(path, token, &tenant), Ok((May::Delete, _))));
    assert!(matches!(delete(&another, other, &tenant), Ok((May::Delete, _))));
    assert_eq!(delete(path, other, &tenant), Err(TokenError::Forged));
    // What allows to put does not allow to delete, and the other way round.
    assert_eq!(delete(&another, HELLO_V2, &tenant), Err(TokenError::Forged));
    assert_eq!(hello(&tenant, &format!("token={other}")), Err(TokenError::Forged));
    let word = Tenant { scheme: Scheme::Metronome { delete_secret: None }, ..tenant };
    assert_eq!(delete(path, token, &word), Err(TokenError::NotAllowed));
    assert_eq!(delete(path, token, &prosody()), Err(TokenError::NotAllowed));
}

#[test]
fn metronome_puts_with_the_bytes_of_v2() {
    let token = "7d67cd46e78658bed4b61958ca18a283844f6cd33e03151c9587252fde7a3a0f";
    let query = format!("token={token}");
    let request = SlotRequest {
        media_type: "text/plain",
        ..put("/upload/aBcD12/hello.txt", &query, Some(11))
    };
    assert!(metronome().verify(&request, NOW).is_ok());
}

#[test]
fn v3_signs_the_whole_path_and_ends_at_its_expiry() {
    let root = tenant("/", Scheme::HmacFileServer, "it-is-secret");
    let below = tenant("/upload", Scheme::HmacFileServer, "it-is-secret");
    let hello = (format!("/{D}/hello.txt"), &root);
    let cool = (format!("/upload/{D}/tr%C3%A8s%20cool.jpg"), &below);
    for ((path, tenant), token, simplified) in [
        (
            hello,
            "c84fdb90f9c0eef99891d43219ca7f85737204405b055b9212e12d20c798e1b3",
            "0b6e2373bc5f8136a8c22c84e18ac1d94b31eda2cd5e769367dd0ff5d2b04ed6",
        ),
        (
            cool,
            "ffcfc4c1c5cb6d88ff499a75c43c6e2dfb604a5a7bf377cc32e28cb569d8661a",
            "7aec729accc20d4ae7de68903a512d5a3267f016fabdb2d5753aa1a65e131e17",
        ),
    ] {
        let query = format!("v3={token}&expires=1795232059");
        let request = put(&path, &query, None);
        let verified = tenant.verify(&request, NOW).unwrap();
        assert_eq!((verified.length, verified.may), (None, May::Put));
        // Not a second of grace, whoever asks.
        let end = Timestamp::from_unix_milliseconds(1_795_232_059_000);
        assert_eq!(tenant.verify(&request, end), Err(TokenError::Expired));
        for (query, error) in [
            (format!("v3={token}&expires=1795232060"), TokenError::Forged),
            (format!("v3={token}&expires=01795232059"), TokenError::Malformed),
            (format!("v3={token}"), TokenError::Malformed),
            (format!("v3={token}&expires=1795232059&expires=1"), TokenError::Repeated),
            (format!("v3={simplified}&expires=1795232059"), TokenError::Forged),
            (format!("v3={simplified}&expires=99999999999"), TokenError::Forged),
        ] {
            assert_eq!(tenant.verify(&put(&path, &query, Some(1)), NOW), Err(error), "{query}");
        }
    }
}

/// What hmac-file-server takes besides, and nobody else should: computed, and right by its rules.
#[test]
fn signatures_that_leave_something_out_are_refused() {
    let tenant = tenant("/", Scheme::HmacFileServer, "it-is-secret");
    let path = format!("/{D}/hello.txt");
    let refused = |path: &str, query: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let body = BodyLength::Known(11);
        let head = RequestHead { method: "PUT", path, fields, body };
        let request = SlotRequest::whole(&head, query, Intent::Put).unwrap();
        let error = tenant.verify(&request, NOW).unwrap_err();
        assert!(
            matches!(error, TokenError::Missing { .. } | TokenError::Forged),
            "{query} {error:?}"
        );
    };
    // `v3` over method and path alone.
    let get = "7fb5ba823c32f254eb4bf401e21c148ab7c0997d1e8109fe9ebf04d6659a8f73";
    refused(&path, &format!("v3={get}&expires=1795232059"), &[]);
    // X-Signature over the path alone.
    for (path, signature) in [
        ("/upload", "677cf85d1ea29d72871a963a4c442c1803af98a3b68eb1147bc1d37e91376cf9"),
        ("/chunked-upload", "77b38e9af90244e8398ecad4f5a57b329177218c9dc43be5b2195a6d38ee2054"),
    ] {
        refused(path, "", &[("X-Signature", signature)]);
    }
    // Bearer: network_resilient, session, standard, simple, user only.
    for token in [
        "l6LQY5csq+chRbh/V+2jhkr7XWT9npObXoU5QJNH8Cs=",
        "ZFC6kEB0Tbrf+BdfXjxHEfXWmfzNvUgK26gbCgEMvsU=",
        "0kevZBPczloIQb6xbFg++XWtxYr+vgh82JHJf1sTNWQ=",
        "NNdAbQzcLwn6ixrP2/NPnpkPEGr6rnXW/lQzT4Sy8J8=",
        "RiQ0L8NscSo1Q/a7jIyTXD4tV2ACMtCczzKfmzUK/N4=",
    ] {
        let bearer = format!("Bearer {token}");
        let query = "user=alice@example.org&expiry=1795232059&session_id=sess_1";
        refused(&path, query, &[("Authorization", &bearer)]);
    }
}

#[test]
fn a_path_that_names_no_slot_is_refused_before_its_token() {
    for path in ["/upload/../x", "/uploads/D/x", "/upload/D%2fx", "/upload/D/%00"] {
        let refused = verify(&prosody(), path, &format!("v={HELLO_V1}"), 11);
        assert!(matches!(refused, Err(TokenError::Path(_))), "{path}");
    }
}
