//! What is refused although every key alone is right.

use super::*;
use crate::config::token::{Secret, TokenSettings};
use crate::config::{Size, Span};

fn doubts(change: impl FnOnce(&mut Settings)) -> Vec<String> {
    let mut settings = Settings::default();
    change(&mut settings);
    check(&settings).into_iter().map(|doubt| doubt.text).collect()
}

fn one(change: impl FnOnce(&mut Settings)) -> String {
    let doubts = doubts(change);
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    doubts.into_iter().next().unwrap()
}

fn listening(text: &str) -> crate::config::Listen {
    toml::Value::String(text.to_owned()).try_into().unwrap()
}

fn token(name: &str) -> TokenSettings {
    TokenSettings {
        name: name.to_owned(),
        token: Some(Secret::new("0123456789abcdef0123".to_owned())),
        token_file: None,
        sha256: None,
        max_size: None,
        public_downloads: false,
    }
}

#[test]
fn what_authenticates_closes_the_door_to_the_world() {
    type Change = fn(&mut Settings);
    let closes: [Change; 3] = [
        |settings| settings.auth.required = true,
        |settings| settings.auth.jwt.jwks = Some("keys.json".into()),
        |settings| settings.auth.forward.url = Some("http://127.0.0.1:3000/auth".to_owned()),
    ];
    for close in closes {
        let found = doubts(|settings| {
            settings.server.listen = listening("0.0.0.0:80");
            close(settings);
        });
        assert_eq!(found, Vec::<String>::new());
    }
}

#[test]
fn settings_of_authorisation_that_make_no_sense_are_refused() {
    type Change = fn(&mut Settings);
    let changes: [(Change, &str); 10] = [
        (|settings| settings.auth.jwt.owner_claim.clear(), "auth.jwt.owner_claim"),
        (|settings| settings.auth.jwt.leeway = Span::hours(1), "auth.jwt.leeway"),
        (|settings| settings.auth.jwt.issuer = Some("x".to_owned()), "no key"),
        (|settings| settings.auth.jwt.max_token_size = Size::mib(1), "auth.jwt.max_token_size"),
        (|settings| settings.auth.forward.url = Some("https://a@b/".to_owned()), "without user"),
        (|settings| settings.auth.forward.url = Some("localhost".to_owned()), "auth.forward.url"),
        (|settings| settings.auth.forward.fields.clear(), "auth.forward.fields"),
        (|settings| settings.auth.forward.fields = vec!["Host".to_owned()], "passed on"),
        (|settings| settings.auth.forward.owner_field = "a b".to_owned(), "owner_field"),
        (|settings| settings.auth.forward.ca = Some("ca.pem".into()), "https://"),
    ];
    for (change, expected) in changes {
        let text = one(change);
        assert!(text.contains(expected), "{text}");
    }
    let links = one(|settings| {
        settings.auth.links.enabled = false;
        settings.auth.links.secret_file = Some("secret".into());
    });
    assert!(links.contains("auth.links.enabled"), "{links}");
}

#[test]
fn the_defaults_are_fine() {
    assert_eq!(doubts(|_| ()), Vec::<String>::new());
}

#[test]
fn listening_beyond_loopback_without_authentication_is_refused() {
    let open = |settings: &mut Settings| settings.server.listen = listening("0.0.0.0:8080");
    assert!(one(open).contains("allow_public_without_auth"));
    assert!(one(|settings| settings.server.listen = listening("[::]:1")).contains("[::]:1"));
    assert!(
        one(|settings| {
            settings.server.listen = listening("127.0.0.1:1,192.0.2.1:1");
        })
        .contains("192.0.2.1:1")
    );
}

#[test]
fn listening_beyond_loopback_is_fine_with_a_token_or_when_it_is_wanted() {
    let open = listening("0.0.0.0:8080");
    let with_token = |settings: &mut Settings| {
        settings.server.listen = open.clone();
        settings.auth.tokens = vec![token("a")];
    };
    assert!(doubts(with_token).is_empty());
    let wanted = |settings: &mut Settings| {
        settings.server.listen = open.clone();
        settings.server.allow_public_without_auth = true;
    };
    assert!(doubts(wanted).is_empty());
}

#[test]
fn the_admin_side_stays_on_loopback() {
    let set = |text: &str| {
        let address = text.parse().unwrap();
        doubts(move |settings| settings.server.admin_listen = address)
    };
    assert!(set("0.0.0.0:9090")[0].contains("loopback only"));
    assert!(set("127.0.0.1:8080")[0].contains("different ports"));
    assert!(set("[::1]:9090").is_empty());
}

#[test]
fn a_base_path_has_one_form() {
    for bad in ["", "/", "files", "/files/", "//files", "/a/../b", "/a b", "/ü", "/a?b"] {
        let base_path = bad.to_owned();
        let text = one(|settings| settings.server.base_path = base_path);
        assert!(text.contains("\"/files\""), "{text}");
    }
    for good in ["/files", "/api/v1/uploads", "/a-b_c.d~e"] {
        assert!(doubts(|settings| settings.server.base_path = good.to_owned()).is_empty());
    }
}

#[test]
fn forms_have_a_path_outside_of_the_uploads() {
    let set = |text: &str| {
        let path = Some(text.to_owned());
        doubts(move |settings| settings.uploads.form_path = path)
    };
    for bad in ["", "upload", "/upload/", "/files", "/files/form"] {
        assert_eq!(set(bad).len(), 1, "{bad}");
    }
    for good in ["/upload", "/filesystem", "/api/form"] {
        assert!(set(good).is_empty(), "{good}");
    }
    assert!(doubts(|settings| settings.uploads.form_path = None).is_empty());
}

#[test]
fn a_public_url_has_scheme_and_host_and_no_query() {
    let set = |text: &str| {
        let url = Some(text.to_owned());
        doubts(move |settings| settings.server.public_url = url)
    };
    for bad in ["", "example.org", "ftp://a", "https://", "https://:1", "http://a?b", "http://a#b"]
    {
        assert_eq!(set(bad).len(), 1, "{bad}");
    }
    for good in ["https://upload.example.org", "http://[::1]:80/prefix/", "https://a.example/x"] {
        assert!(set(good).is_empty(), "{good}");
    }
}

#[test]
fn certificate_and_key_exist_and_come_together() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let there = Some(file.path().to_owned());
    let missing = Some(file.path().with_extension("missing"));
    let pair = |certificate: &Option<_>, key: &Option<_>| {
        doubts(|settings| {
            settings.tls.certificate.clone_from(certificate);
            settings.tls.key.clone_from(key);
        })
    };
    assert!(pair(&there, &there).is_empty());
    assert!(pair(&there, &None)[0].contains("belong together"));
    assert!(pair(&there, &missing)[0].contains("tls.key"));
}

#[test]
fn tokens_have_different_names_and_a_source() {
    let text = one(|settings| settings.auth.tokens = vec![token("a"), token("a")]);
    assert!(text.contains("two tokens"));
    let text = one(|settings| {
        settings.auth.tokens = vec![TokenSettings { token: None, ..token("a") }];
    });
    assert!(text.contains("exactly one of"));
}

#[test]
fn credentials_need_listed_origins_and_origins_have_no_path() {
    assert!(one(|settings| settings.cors.credentials = true).contains("list the origins"));
    let path = |settings: &mut Settings| settings.cors.origins = vec!["https://a/b".to_owned()];
    assert!(one(path).contains("without a path"));
}

#[test]
fn an_extension_needs_the_one_it_builds_on() {
    assert_eq!(doubts(|settings| settings.tus.creation = false).len(), 3);
}

#[test]
fn quantities_have_bounds() {
    assert!(one(|s| s.server.max_connections = 0).contains("1 to 1000000"));
    assert!(one(|s| s.performance.engine_threads = 0).contains("1 to 256"));
    assert!(one(|s| s.performance.rollout = 101).contains("0 to 100"));
    assert!(one(|s| s.performance.rollback_margin = 0).contains("1 to 90"));
    assert!(one(|s| s.performance.rollback_transfers = 63).contains("64 to 1000000"));
    assert!(one(|s| s.performance.max_buffer_size = Size::mib(65)).contains("4KiB and 64MiB"));
    assert!(one(|s| s.performance.min_buffer_size = Size::mib(2)).contains("the smaller one"));
    assert!(one(|s| s.performance.batch_size = Size::bytes(1)).contains("4KiB and 64MiB"));
    assert!(one(|s| s.timeouts.idletimeout = Span::milliseconds(0)).contains("at least 1ms"));
}

#[test]
fn bounds_that_belong_together_are_in_order() {
    let text = one(|settings| {
        settings.storage.checkpoint_bytes = Size::kib(64);
    });
    assert!(text.contains("at least one batch"), "{text}");
    let text = one(|settings| settings.storage.silent_after = Span::seconds(60));
    assert!(text.contains("must be shorter"), "{text}");
}

#[test]
fn a_doubt_points_at_the_key_that_somebody_set() {
    let doubt = Doubt { keys: vec![("a", "b"), ("c", "d")], text: "x".to_owned() };
    let flag = Origin::Flag("--d");
    let origins = BTreeMap::from([(("c".to_owned(), "d".to_owned()), flag.clone())]);
    assert_eq!(doubt.clone().located(&origins).origin, flag);
    assert_eq!(doubt.located(&BTreeMap::new()).origin, Origin::BuiltIn);
}

#[test]
fn chunks_are_neither_tiny_nor_without_number() {
    for (number, text) in [(0, "uploads.max_chunks = 0"), (1_000_001, "1 to 1000000")] {
        assert!(one(|settings| settings.uploads.max_chunks = number).contains(text));
    }
    let tiny = one(|settings| settings.uploads.chunksize = Size::bytes(1000));
    assert!(tiny.contains("uploads.chunksize"), "{tiny}");
}

#[test]
fn the_upload_endpoint_does_not_lie_where_chunk_headers_live() {
    let base = |settings: &mut Settings| settings.server.base_path = "/chunked-upload".to_owned();
    assert!(one(base).contains("chunkeduploadsenabled"));
    let off = |settings: &mut Settings| {
        base(settings);
        settings.uploads.chunkeduploadsenabled = false;
    };
    assert!(doubts(off).is_empty());
}
