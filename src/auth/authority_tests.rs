//! The order of the schemes, and what an odd request gets from them (A-1, A-2, A-3, A-32).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sha2::Digest as _;

use super::*;
use crate::auth::grant::Scheme;
use crate::auth::key_files::{Holds, KeyFile, KeyFiles};
use crate::auth::tokens::StaticToken;
use crate::auth::{Verb, Verbs};
use crate::protocol::head::{BodyLength, RequestHead};
use crate::protocol::token::claims::ClaimRules;
use crate::protocol::token::examples::{NOW_SECONDS, Signer, claims};
use crate::protocol::token::link::{Link, LinkKey};

const NOW: Timestamp = Timestamp::from_unix_milliseconds(NOW_SECONDS * 1000);

fn link_key() -> LinkKey {
    LinkKey::new(&[5; 32])
}

fn link(owner: &str) -> String {
    let link = Link {
        owner: Owner::named(owner.to_owned()),
        expires_at: NOW.after(Duration::from_secs(1)),
        max_length: None,
        verbs: Verbs::UPLOAD,
    };
    link.sign(&link_key()).unwrap()
}

fn jwt() -> Jwt {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys: Vec<_> = Signer::all().iter().map(Signer::jwk).collect();
    std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    let keys = KeyFiles::load(vec![KeyFile { path, holds: Holds::Set }]).unwrap();
    let rules = ClaimRules {
        owner: "sub".to_owned(),
        issuer: None,
        audiences: Vec::new(),
        expiry_required: true,
        leeway: Duration::ZERO,
        limit: "max_size".to_owned(),
        verbs: "tidegate_verbs".to_owned(),
    };
    Jwt { keys: Arc::new(keys), rules, max_bytes: 8192 }
}

fn all() -> Authority {
    let ann = StaticToken {
        name: "token-owner".to_owned(),
        sha256: sha2::Sha256::digest("static-token").into(),
        max_length: None,
        public_downloads: false,
    };
    Authority::new(Parts {
        tokens: Tokens::new(vec![ann]),
        jwt: Some(jwt()),
        links: Some(Links::new(link_key())),
        ..Parts::default()
    })
}

async fn ask(
    authority: &Authority,
    verb: Verb,
    lines: &[&str],
    query: Option<&str>,
) -> Result<(String, Scheme), Denied> {
    let fields = lines.iter().map(|line| ("authorization", line.as_bytes())).collect();
    let head = RequestHead { method: "POST", path: "/files", fields, body: BodyLength::Empty };
    let question = Question { verb, head: &head, query, upload: None, client: None, now: NOW };
    let grant = authority.grant(&question).await?;
    Ok((grant.owner.name().unwrap_or_default().to_owned(), grant.scheme))
}

async fn bearer(authority: &Authority, token: &str) -> Result<(String, Scheme), Denied> {
    ask(authority, Verb::Create, &[&format!("Bearer {token}")], None).await
}

#[tokio::test]
async fn every_credential_is_judged_by_its_own_scheme() {
    let authority = all();
    let is = |owner: &str, scheme| Ok((owner.to_owned(), scheme));
    assert_eq!(bearer(&authority, "static-token").await, is("token-owner", Scheme::Token));
    for signer in Signer::all() {
        let token = signer.token(&claims("ann"));
        assert_eq!(bearer(&authority, &token).await, is("ann", Scheme::Jwt));
    }
    assert_eq!(bearer(&authority, &link("guest")).await, is("guest", Scheme::Link));
    let query = format!("x=1&link={}", link("guest"));
    let by_query = ask(&authority, Verb::Create, &[], Some(&query)).await;
    assert_eq!(by_query, is("guest", Scheme::Link));
}

#[tokio::test]
async fn a_link_in_the_url_decides_alone() {
    let authority = all();
    let with = async |link: &str| {
        let query = format!("link={link}");
        ask(&authority, Verb::Create, &["Bearer static-token"], Some(&query)).await
    };
    assert_eq!(with(&link("guest")).await, Ok(("guest".to_owned(), Scheme::Link)));
    assert_eq!(with("tgl1.forged").await, Err(Denied::Unknown));
    assert_eq!(with("").await, Err(Denied::Unknown));
    let two = format!("{0}&link={0}", link("guest"));
    assert_eq!(with(&two).await, Err(Denied::Missing));
}

#[tokio::test]
async fn a_refusal_by_the_scheme_that_knows_the_credential_is_final() {
    let authority = all();
    let mut old = claims("ann");
    old["exp"] = json!(NOW_SECONDS);
    assert_eq!(
        bearer(&authority, &Signer::rs256(Some("r")).token(&old)).await,
        Err(Denied::Expired)
    );
    let mut later = claims("ann");
    later["nbf"] = json!(NOW_SECONDS + 1);
    let later = Signer::es256(Some("e")).token(&later);
    assert_eq!(bearer(&authority, &later).await, Err(Denied::TooEarly));
    let mut others = claims("ann");
    others["aud"] = json!("others");
    let others = Signer::eddsa(Some("d"), 7).token(&others);
    assert_eq!(bearer(&authority, &others).await, Err(Denied::NotForUs));
    let nobody = Signer::eddsa(Some("d"), 7).token(&json!({"exp": NOW_SECONDS + 1}));
    assert_eq!(bearer(&authority, &nobody).await, Err(Denied::Unusable));
}

#[tokio::test]
async fn what_is_no_credential_or_two_gets_nobody_in() {
    let authority = all();
    let two = ["Bearer static-token", "Bearer static-token"];
    for (lines, denied) in [
        (&[][..], Denied::Missing),
        (&two[..], Denied::Missing),
        (&["Basic static-token"][..], Denied::Missing),
        (&["Bearer static-token x"][..], Denied::Missing),
        (&["Bearer nothing"][..], Denied::Unknown),
        (&["Bearer a.b.c"][..], Denied::Unknown),
    ] {
        assert_eq!(ask(&authority, Verb::Create, lines, None).await, Err(denied), "{lines:?}");
    }
    let stranger = Signer::eddsa(Some("d"), 99).token(&claims("ann"));
    assert_eq!(bearer(&authority, &stranger).await, Err(Denied::Unknown));
}

#[tokio::test]
async fn a_credential_is_good_for_its_verbs_and_no_others() {
    let authority = all();
    let link = format!("link={}", link("guest"));
    for verb in Verb::ALL {
        let judged = ask(&authority, verb, &[], Some(&link)).await;
        assert_eq!(judged.is_ok(), Verbs::UPLOAD.contains(verb), "{verb:?}");
        assert!(judged.is_ok() || judged == Err(Denied::Verb));
    }
}

#[tokio::test]
async fn links_that_are_off_are_nothing() {
    let authority = Authority::new(Parts { jwt: Some(jwt()), ..Parts::default() });
    assert_eq!(bearer(&authority, &link("guest")).await, Err(Denied::Unknown));
    let query = format!("link={}", link("guest"));
    assert_eq!(ask(&authority, Verb::Create, &[], Some(&query)).await, Err(Denied::Missing));
    assert_eq!(authority.link_in(Some(&query)), None);
}

#[tokio::test]
async fn where_nothing_is_configured_everybody_is_nobody_unless_a_credential_is_required() {
    let links = || Some(Links::new(link_key()));
    let open = Authority::new(Parts { links: links(), ..Parts::default() });
    assert!(open.is_open());
    assert_eq!(bearer(&open, "any").await, Ok((String::new(), Scheme::Open)));
    assert_eq!(bearer(&open, &link("guest")).await, Ok(("guest".to_owned(), Scheme::Link)));
    let closed = Authority::new(Parts { links: links(), required: true, ..Parts::default() });
    assert!(!closed.is_open());
    assert_eq!(bearer(&closed, "any").await, Err(Denied::Unknown));
    assert_eq!(bearer(&closed, &link("guest")).await, Ok(("guest".to_owned(), Scheme::Link)));
}
