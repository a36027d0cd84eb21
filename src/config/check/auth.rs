//! What can be wrong with `[auth]`. Whether key files can be used is looked at when they are read.

use std::time::Duration;

use super::{Doubts, Settings, is_public_url};

/// Two clocks that are kept at all do not differ by more.
const MAX_LEEWAY: Duration = Duration::from_secs(15 * 60);

/// Fields that describe the connection or the question itself, and so are no credentials.
const OURS: [&str; 8] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "expect",
    "x-forwarded-for",
];

pub(super) fn check(settings: &Settings, doubts: &mut Doubts) {
    tokens(settings, doubts);
    jwt(settings, doubts);
    links(settings, doubts);
    forward(settings, doubts);
}

fn tokens(settings: &Settings, doubts: &mut Doubts) {
    let key = &[("auth", "tokens")];
    let tokens = &settings.auth.tokens;
    for (index, token) in tokens.iter().enumerate() {
        let name = &token.name;
        let printable =
            !name.is_empty() && name.len() <= 128 && name.chars().all(|char| !char.is_control());
        if !printable {
            doubts.add(key, "a token in auth.tokens needs a name of 1 to 128 printable characters");
        }
        if tokens.iter().take(index).any(|earlier| earlier.name == *name) {
            doubts.add(key, format!("two tokens in auth.tokens are named {name:?}; rename one"));
        }
        if let Err(error) = token.digest() {
            doubts.add(key, format!("the token {name:?} in auth.tokens: {error}"));
        }
    }
}

fn jwt(settings: &Settings, doubts: &mut Doubts) {
    let jwt = &settings.auth.jwt;
    for (name, claim) in [
        ("owner_claim", &jwt.owner_claim),
        ("limit_claim", &jwt.limit_claim),
        ("verbs_claim", &jwt.verbs_claim),
    ] {
        if claim.is_empty() {
            let text = format!("auth.jwt.{name} is empty; write the name of a claim");
            doubts.add(&[("auth.jwt", name)], text);
        }
    }
    if jwt.leeway.get() > MAX_LEEWAY {
        let text = format!("auth.jwt.leeway = {} is too long; write at most 15m", jwt.leeway);
        doubts.add(&[("auth.jwt", "leeway")], text);
    }
    let rules = jwt.issuer.is_some() || !jwt.audience.is_empty();
    if rules && !jwt.is_on() {
        doubts.add(
            &[("auth.jwt", "issuer"), ("auth.jwt", "audience"), ("auth.jwt", "keys")],
            "auth.jwt asks for an issuer or an audience, but has no key to know a token by; add \
             [[auth.jwt.keys]] or auth.jwt.jwks",
        );
    }
}

fn links(settings: &Settings, doubts: &mut Doubts) {
    let links = &settings.auth.links;
    if links.secret_file.is_some() && !links.enabled {
        doubts.add(
            &[("auth.links", "enabled"), ("auth.links", "secret_file")],
            "auth.links.secret_file is set, but auth.links.enabled = false; switch links on or \
             leave the file out",
        );
    }
}

fn forward(settings: &Settings, doubts: &mut Doubts) {
    let forward = &settings.auth.forward;
    if let Some(url) = &forward.url
        && (!is_public_url(url) || url.contains('@'))
    {
        doubts.add(
            &[("auth.forward", "url")],
            "auth.forward.url is not an address that can be asked; write http:// or https://, a \
             host and a path, without user, query and fragment, for instance \
             \"http://127.0.0.1:3000/auth\"",
        );
    }
    if forward.fields.is_empty() {
        doubts.add(
            &[("auth.forward", "fields")],
            "auth.forward.fields is empty; name the fields that carry credentials, for instance \
             [\"Authorization\", \"Cookie\"]",
        );
    }
    for field in &forward.fields {
        let lower = field.to_ascii_lowercase();
        if !is_field(field) || OURS.contains(&lower.as_str()) || lower.starts_with("x-tidegate-") {
            let text =
                format!("auth.forward.fields: {field:?} is not a field that can be passed on");
            doubts.add(&[("auth.forward", "fields")], text);
        }
    }
    for (name, field) in
        [("owner_field", &forward.owner_field), ("limit_field", &forward.limit_field)]
    {
        if !is_field(field) {
            let text = format!("auth.forward.{name} = {field:?} is not the name of a field");
            doubts.add(&[("auth.forward", name)], text);
        }
    }
    if forward.ca.is_some() && !forward.url.as_ref().is_some_and(|url| url.starts_with("https:")) {
        doubts.add(
            &[("auth.forward", "ca"), ("auth.forward", "url")],
            "auth.forward.ca is for an auth.forward.url that begins with https://",
        );
    }
}

fn is_field(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}
