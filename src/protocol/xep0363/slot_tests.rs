//! Slots that we issue, and that they are taken back by the tenant they are for.

use super::super::request::{Intent, SlotRequest};
use super::super::tenant::{OwnerHint, Scheme, Tenant, TokenError, Verified};
use super::*;

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_795_228_459_000);

fn order() -> SlotOrder {
    SlotOrder {
        uploader: "alice@localhost".to_owned(),
        file_name: "très cool.jpg".to_owned(),
        size: 23456,
        media_type: Some("image/jpeg".to_owned()),
        purpose: Purpose::Message,
    }
}

fn limits() -> SlotLimits {
    let max_size = UploadLength::new(50_000);
    SlotLimits {
        message: PurposeLimits { max_size, retention: Some(Duration::from_secs(3600)) },
        profile: Some(PurposeLimits { max_size: UploadLength::new(1000), retention: None }),
        ephemeral: Some(PurposeLimits { max_size, retention: Some(Duration::from_secs(600)) }),
        permanent: None,
        media_types: Vec::new(),
    }
}

fn judged(order: SlotOrder) -> Result<Allowed, SlotRefusal> {
    limits().judge(order, NOW)
}

#[test]
fn an_order_within_the_limits_is_allowed() {
    let allowed = judged(order()).unwrap();
    assert_eq!(allowed.length.get(), 23456);
    assert_eq!(allowed.media_type, "image/jpeg");
    assert_eq!(allowed.file_expires_at, Some(NOW.after(Duration::from_secs(3600))));
    let without = judged(SlotOrder { media_type: None, ..order() }).unwrap();
    assert_eq!(without.media_type, OCTET_STREAM);
}

#[test]
fn a_size_is_positive_and_within_the_bound() {
    let sized = |size| judged(SlotOrder { size, ..order() });
    let max = UploadLength::new(50_000).unwrap();
    assert!(sized(1).is_ok());
    assert!(sized(50_000).is_ok());
    assert_eq!(sized(50_001), Err(SlotRefusal::TooLarge { max }));
    for size in [0, 1 << 63, u64::MAX] {
        assert!(matches!(sized(size), Err(SlotRefusal::BadRequest(_))), "{size}");
    }
}

#[test]
fn a_name_is_one_segment_of_a_path_in_any_script() {
    let named = |name: &str| judged(SlotOrder { file_name: name.to_owned(), ..order() });
    let longest = "語".repeat(340);
    for name in ["a", "日本語.txt", "? # [ ] { } ^ \" < > \\ ` |", "a%2fb", "...", &longest] {
        assert_eq!(named(name).unwrap().file_name, name);
    }
    for name in ["", ".", "..", "a/b", "/", "a\0b", "a\nb", "a\u{85}b", &format!("{longest}x")] {
        assert!(matches!(named(name), Err(SlotRefusal::BadRequest(_))), "{name:?}");
    }
}

#[test]
fn types_are_matched_without_case_and_parameters() {
    let limits =
        SlotLimits { media_types: vec!["image/*".to_owned(), "text/plain".to_owned()], ..limits() };
    let typed = |text: &str| {
        let media_type = Some(text.to_owned());
        limits.judge(SlotOrder { media_type, ..order() }, NOW)
    };
    for text in ["image/png", "IMAGE/png", "text/plain; charset=utf-8"] {
        assert!(typed(text).is_ok(), "{text}");
    }
    for text in ["text/html", "images/png", "text/plainer"] {
        assert_eq!(typed(text), Err(SlotRefusal::MediaTypeNotAllowed), "{text}");
    }
    let long = format!("a/{}", "b".repeat(254));
    for text in ["", "image", "image/p\ng", "é/x", &long] {
        assert!(matches!(typed(text), Err(SlotRefusal::BadRequest(_))), "{text}");
    }
}

#[test]
fn each_purpose_has_its_own_bounds_and_some_are_not_offered() {
    let with = |purpose, size| judged(SlotOrder { purpose, size, ..order() });
    assert_eq!(with(Purpose::Profile, 1000).unwrap().file_expires_at, None);
    let max = UploadLength::new(1000).unwrap();
    assert_eq!(with(Purpose::Profile, 1001), Err(SlotRefusal::TooLarge { max }));
    assert_eq!(with(Purpose::Permanent, 1), Err(SlotRefusal::PurposeNotOffered));
}

#[test]
fn an_ephemeral_file_goes_when_the_client_says_or_earlier() {
    let before = |seconds| {
        let expire_before = NOW.after(Duration::from_secs(seconds));
        judged(SlotOrder { purpose: Purpose::Ephemeral { expire_before }, ..order() })
            .map(|allowed| allowed.file_expires_at.unwrap().since(NOW).as_secs())
    };
    assert_eq!(before(60), Ok(60));
    assert_eq!(before(6000), Ok(600));
    assert!(matches!(before(0), Err(SlotRefusal::BadRequest(_))));
}

fn secret() -> Secret {
    Secret::new("a key that nobody else has").unwrap()
}

fn issued(order: SlotOrder, carrier: Carrier) -> Slot {
    let base = BasePath::new("/own").unwrap();
    let lifetime = Duration::from_secs(300);
    let issuer = Issuer::new("https://up.example.org/x", base, secret(), lifetime).unwrap();
    issuer.issue(&judged(order).unwrap(), [7; 18], carrier, NOW).unwrap()
}

/// Takes the slot back, as the tenant behind a proxy that strips `/x`.
fn taken(slot: &Slot, length: u64, now: Timestamp) -> Result<Verified, TokenError> {
    let base = BasePath::new("/own").unwrap();
    let tenant = Tenant { base, scheme: Scheme::Own, secret: secret() };
    let path = slot.put.strip_prefix("https://up.example.org/x").unwrap();
    let authorization = slot.authorization.as_deref().map(str::as_bytes);
    let (intent, media_type) = (Intent::Put, OCTET_STREAM);
    let length = Some(length);
    tenant.verify(&SlotRequest { path, query: "", intent, length, media_type, authorization }, now)
}

#[test]
fn a_slot_by_header_keeps_its_name_and_has_one_url() {
    let slot = issued(order(), Carrier::Header);
    let url = "https://up.example.org/x/own/BwcHBwcHBwcHBwcHBwcHBwcH/tr%C3%A8s%20cool.jpg";
    assert_eq!((slot.put.as_str(), slot.get.as_str()), (url, url));
    let value = slot.authorization.as_deref().unwrap();
    assert!(
        value.starts_with("Bearer ")
            && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    );
    let verified = taken(&slot, 23456, NOW).unwrap();
    assert_eq!(verified.path, slot.path);
    assert_eq!(verified.media_type, "image/jpeg");
    assert_eq!(verified.owner, Some(OwnerHint::Jid("alice@localhost".to_owned())));
    assert_eq!(verified.file_expires_at, Some(NOW.after(Duration::from_secs(3600))));
}

#[test]
fn a_slot_by_path_survives_being_escaped_again() {
    let file_name = "tr\u{e8}s & co=ol?.jpg".to_owned();
    let slot = issued(SlotOrder { file_name, ..order() }, Carrier::Path);
    assert_eq!(slot.authorization, None);
    for url in [&slot.put, &slot.get] {
        let path = url.strip_prefix("https://").unwrap();
        let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        assert!(path.bytes().all(kept), "ejabberd up to 25.07 would escape some of {path}");
    }
    assert!(slot.get.ends_with("/BwcHBwcHBwcHBwcHBwcHBwcH/tr_s___co_ol_.jpg"));
    let verified = taken(&slot, 23456, NOW).unwrap();
    assert_eq!(verified.path, slot.path);
    assert!(
        !slot.get.contains(slot.put.split('/').nth_back(1).unwrap()),
        "the token is not shared"
    );
}

#[test]
fn an_issued_slot_ends_and_is_for_its_length_only() {
    for carrier in [Carrier::Header, Carrier::Path] {
        let slot = issued(order(), carrier);
        let end = NOW.after(Duration::from_secs(300));
        assert!(taken(&slot, 23456, NOW.after(Duration::from_secs(299))).is_ok());
        assert_eq!(taken(&slot, 23456, end), Err(TokenError::Expired));
        assert!(matches!(taken(&slot, 1, NOW), Err(TokenError::OtherLength { .. })));
    }
}

#[test]
fn the_get_url_of_a_slot_by_path_allows_no_put() {
    let slot = issued(order(), Carrier::Path);
    let shared = Slot { put: slot.get.clone(), ..slot };
    assert_eq!(taken(&shared, 23456, NOW), Err(TokenError::Missing { bearer: true }));
}

#[test]
fn a_long_name_keeps_its_ending_and_an_endless_jid_is_refused() {
    let file_name = format!("{}.tar.gz", "x".repeat(900));
    let slot = issued(SlotOrder { file_name, ..order() }, Carrier::Path);
    assert_eq!(slot.path.file_name().len(), MAX_PLAIN_NAME_BYTES);
    assert!(slot.get.ends_with("x.tar.gz"));
    let base = BasePath::new("/").unwrap();
    let issuer = Issuer::new("https://a.example", base, secret(), Duration::ZERO).unwrap();
    let of = |letter: &str, carrier| {
        let uploader = format!("{}@localhost", letter.repeat(3000));
        let allowed = judged(SlotOrder { uploader, ..order() }).unwrap();
        issuer.issue(&allowed, [0; 18], carrier, NOW)
    };
    assert!(matches!(of("a", Carrier::Path), Err(SlotRefusal::BadRequest(_))));
    assert!(of("a", Carrier::Header).is_ok());
    // Written as `\u0001` each, and then too long for a field.
    assert!(matches!(of("\u{1}", Carrier::Header), Err(SlotRefusal::BadRequest(_))));
}

#[test]
fn only_a_web_address_can_be_handed_out() {
    for url in ["", "up.example.org", "ftp://up.example.org", "https://", "https://a b"] {
        let base = BasePath::new("/").unwrap();
        assert_eq!(Issuer::new(url, base, secret(), Duration::ZERO), None, "{url}");
    }
}
