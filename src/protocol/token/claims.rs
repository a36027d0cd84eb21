//! What a JSON Web Token claims, judged (RFC 7519).
//!
//! Only claims whose signature was verified come here.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::upload::{Owner, Timestamp, UploadLength};

use super::owner::owner;
use super::verb::Verbs;

/// What is asked of claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// The claim that names the owner.
    pub owner: String,
    /// Who has to have issued the token, if that is asked.
    pub issuer: Option<String>,
    /// Names that we go by. A token for an audience has to be for one of them.
    pub audiences: Vec<String>,
    /// Whether a token that never expires is refused.
    pub expiry_required: bool,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// The claim that bounds the length of uploads, in bytes.
    pub limit: String,
    /// The claim that says what the token is good for.
    pub verbs: String,
}

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// To whom uploads belong.
    pub owner: Owner,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Longest upload that may be created with it.
    pub max_length: Option<UploadLength>,
    /// What it allows.
    pub verbs: Verbs,
}

/// Why claims are not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Not a JSON object, or a claim that we look at has another form than it should.
    #[error("claims that cannot be read")]
    Unreadable,
    /// The token was good once.
    #[error("expired")]
    Expired,
    /// It is not good yet.
    #[error("not good yet")]
    TooEarly,
    /// It never expires, and that is not taken.
    #[error("without an expiry")]
    NoExpiry,
    /// Somebody else issued it.
    #[error("of another issuer")]
    Issuer,
    /// It is for others.
    #[error("for another audience")]
    Audience,
    /// It names no owner.
    #[error("without a usable owner")]
    Owner,
}

/// Judges claims at the time `now`.
///
/// # Errors
///
/// [`ClaimError`].
pub fn judge(json: &[u8], rules: &ClaimRules, now: Timestamp) -> Result<Claims, ClaimError> {
    let claims: Map<String, Value> =
        serde_json::from_slice(json).map_err(|_| ClaimError::Unreadable)?;
    let expires_at = expiry(&claims, rules, now)?;
    if let Some(begins) = moment(&claims, "nbf")?
        && now.after(rules.leeway) < begins
    {
        return Err(ClaimError::TooEarly);
    }
    issued_by(&claims, rules)?;
    meant_for(&claims, rules)?;
    Ok(Claims {
        owner: named(&claims, rules)?,
        expires_at,
        max_length: limit(&claims, rules)?,
        verbs: verbs(&claims, rules)?,
    })
}

fn expiry(
    claims: &Map<String, Value>,
    rules: &ClaimRules,
    now: Timestamp,
) -> Result<Option<Timestamp>, ClaimError> {
    let expires_at = moment(claims, "exp")?;
    match expires_at {
        Some(end) if now >= end.after(rules.leeway) => Err(ClaimError::Expired),
        None if rules.expiry_required => Err(ClaimError::NoExpiry),
        Some(_) | None => Ok(expires_at),
    }
}

/// A `NumericDate`, which may have a fraction.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, ClaimError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().ok_or(ClaimError::Unreadable)?;
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| ClaimError::Unreadable)?;
    Ok(Some(Timestamp::default().after(since)))
}

fn issued_by(claims: &Map<String, Value>, rules: &ClaimRules) -> Result<(), ClaimError> {
    let Some(wanted) = rules.issuer.as_deref() else { return Ok(()) };
    let issuer = claims.get("iss").and_then(Value::as_str);
    if issuer == Some(wanted) { Ok(()) } else { Err(ClaimError::Issuer) }
}

/// A token without an audience is for everybody, unless we want to be named.
fn meant_for(claims: &Map<String, Value>, rules: &ClaimRules) -> Result<(), ClaimError> {
    let ours = |name: &Value| {
        name.as_str().is_some_and(|name| rules.audiences.iter().any(|ours| ours == name))
    };
    let named = match claims.get("aud") {
        None => rules.audiences.is_empty(),
        Some(Value::Array(names)) => names.iter().any(ours),
        Some(name) => ours(name),
    };
    if named { Ok(()) } else { Err(ClaimError::Audience) }
}

/// A name, or a number that stands for one.
fn named(claims: &Map<String, Value>, rules: &ClaimRules) -> Result<Owner, ClaimError> {
    let name = claims.get(&rules.owner).ok_or(ClaimError::Owner)?;
    let number = || name.as_u64().map(|number| number.to_string());
    let name = name.as_str().map(str::to_owned).or_else(number).ok_or(ClaimError::Owner)?;
    owner(&name).ok_or(ClaimError::Owner)
}

fn limit(
    claims: &Map<String, Value>,
    rules: &ClaimRules,
) -> Result<Option<UploadLength>, ClaimError> {
    let Some(limit) = claims.get(&rules.limit) else { return Ok(None) };
    let length = limit.as_u64().and_then(UploadLength::new);
    length.map(Some).ok_or(ClaimError::Unreadable)
}

/// All verbs where nothing is said; otherwise those that are named, as words or as a list.
fn verbs(claims: &Map<String, Value>, rules: &ClaimRules) -> Result<Verbs, ClaimError> {
    let Some(said) = claims.get(&rules.verbs) else { return Ok(Verbs::ALL) };
    if let Some(words) = said.as_str() {
        return Ok(Verbs::in_words(words));
    }
    let list = said.as_array().ok_or(ClaimError::Unreadable)?;
    let words: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    Ok(Verbs::in_words(&words.ok_or(ClaimError::Unreadable)?.join(" ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::token::Verb;

    const NOW: u64 = 1_403_697_600;

    fn rules() -> ClaimRules {
        ClaimRules {
            owner: "sub".to_owned(),
            issuer: None,
            audiences: Vec::new(),
            expiry_required: true,
            leeway: Duration::from_secs(30),
            limit: "max_size".to_owned(),
            verbs: "tidegate_verbs".to_owned(),
        }
    }

    fn judged(claims: &Value, rules: &ClaimRules) -> Result<Claims, ClaimError> {
        judge(claims.to_string().as_bytes(), rules, Timestamp::from_unix_milliseconds(NOW * 1000))
    }

    /// Claims that are good, with `more` over them.
    fn with(more: Value) -> Value {
        let mut claims = json!({"sub": "ann", "exp": NOW + 60});
        let Value::Object(more) = more else { panic!("an object") };
        claims.as_object_mut().unwrap().extend(more);
        claims
    }

    #[test]
    fn good_claims_name_an_owner_and_its_bounds() {
        let claims = with(json!({"max_size": 7, "tidegate_verbs": ["create", "append", "fly"]}));
        let claims = judged(&claims, &rules()).unwrap();
        assert_eq!(claims.owner, Owner::named("ann".to_owned()));
        assert_eq!(claims.max_length, UploadLength::new(7));
        assert_eq!(claims.verbs, Verbs::NONE.and(Verb::Create).and(Verb::Append));
        assert_eq!(claims.expires_at.unwrap().unix_seconds(), NOW + 60);
        let plain = judged(&with(json!({})), &rules()).unwrap();
        assert_eq!((plain.max_length, plain.verbs), (None, Verbs::ALL));
    }

    ///
    #[test]
    fn a_token_ends_at_its_expiry_give_or_take_the_leeway() {
        for (exp, expected) in [
            (json!(NOW - 29), None),
            (json!(NOW as f64 - 29.5), None),
            (json!(NOW - 30), Some(ClaimError::Expired)),
            (json!(0), Some(ClaimError::Expired)),
            (json!(-1), Some(ClaimError::Unreadable)),
            (json!("soon"), Some(ClaimError::Unreadable)),
            (json!(null), Some(ClaimError::Unreadable)),
            (json!(1e300), Some(ClaimError::Unreadable)),
        ] {
            let judged = judged(&with(json!({"exp": exp})), &rules());
            assert_eq!(judged.err(), expected, "{exp}");
        }
    }

    #[test]
    fn a_token_without_an_expiry_is_taken_only_where_the_rules_say_so() {
        let claims = json!({"sub": "ann"});
        assert_eq!(judged(&claims, &rules()), Err(ClaimError::NoExpiry));
        let lax = ClaimRules { expiry_required: false, ..rules() };
        assert_eq!(judged(&claims, &lax).unwrap().expires_at, None);
    }

    ///
    #[test]
    fn a_token_begins_at_its_nbf_give_or_take_the_leeway() {
        assert!(judged(&with(json!({"nbf": NOW + 30})), &rules()).is_ok());
        let early = judged(&with(json!({"nbf": NOW + 31})), &rules());
        assert_eq!(early, Err(ClaimError::TooEarly));
    }

    ///
    #[test]
    fn issuer_and_audience_have_to_be_ours() {
        let strict = ClaimRules {
            issuer: Some("app".to_owned()),
            audiences: vec!["uploads".to_owned(), "old".to_owned()],
            ..rules()
        };
        for (more, expected) in [
            (json!({"iss": "app", "aud": "uploads"}), None),
            (json!({"iss": "app", "aud": ["x", "old"]}), None),
            (json!({"iss": "App", "aud": "uploads"}), Some(ClaimError::Issuer)),
            (json!({"aud": "uploads"}), Some(ClaimError::Issuer)),
            (json!({"iss": "app", "aud": "x"}), Some(ClaimError::Audience)),
            (json!({"iss": "app", "aud": []}), Some(ClaimError::Audience)),
            (json!({"iss": "app", "aud": 7}), Some(ClaimError::Audience)),
            (json!({"iss": "app"}), Some(ClaimError::Audience)),
        ] {
            assert_eq!(judged(&with(more.clone()), &strict).err(), expected, "{more}");
        }
        // A token that is for somebody is not for us while we have no name.
        let judged = judged(&with(json!({"aud": "uploads"})), &rules());
        assert_eq!(judged, Err(ClaimError::Audience));
    }

    ///
    #[test]
    fn an_owner_is_a_name_or_a_number() {
        let owner = |sub: Value| judged(&with(json!({"sub": sub})), &rules());
        assert_eq!(owner(json!(42)).unwrap().owner.name(), Some("42"));
        for bad in [json!(""), json!("a\nb"), json!(null), json!(["a"]), json!(-1), json!(1.5)] {
            assert_eq!(owner(bad.clone()), Err(ClaimError::Owner), "{bad}");
        }
        let other = ClaimRules { owner: "email".to_owned(), ..rules() };
        assert_eq!(judged(&with(json!({})), &other), Err(ClaimError::Owner));
    }

    ///
    #[test]
    fn bounds_that_cannot_be_read_are_not_left_out() {
        for more in [
            json!({"max_size": "2GB"}),
            json!({"max_size": -1}),
            json!({"max_size": 1.5}),
            json!({"max_size": null}),
            json!({"tidegate_verbs": null}),
            json!({"tidegate_verbs": [1]}),
            json!({"tidegate_verbs": {"create": true}}),
        ] {
            let judged = judged(&with(more.clone()), &rules());
            assert_eq!(judged, Err(ClaimError::Unreadable), "{more}");
        }
        let none = judged(&with(json!({"tidegate_verbs": ""})), &rules());
        assert_eq!(none.unwrap().verbs, Verbs::NONE);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_judge_panic(bytes: Vec<u8>, text in "[\\[\\]{}\",:a-z0-9.e-]{0,60}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let _ = judge(bytes, &rules(), Timestamp::default());
            }
        }
    }
}
