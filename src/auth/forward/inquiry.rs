//! What is sent to the application, and what its answer means.

use std::time::Duration;

use ring::hmac;

use crate::auth::denied::Denied;
use crate::auth::question::Question;
use crate::protocol::field::decimal;
use crate::protocol::head::RequestHead;
use crate::protocol::method;
use crate::protocol::token::owner;
use crate::upload::{Owner, UploadLength};

use super::ForwardSettings;
use super::memory::Key;

/// No credentials are longer.
const MAX_CREDENTIAL_BYTES: usize = 16 * 1024;

/// A question, ready to be sent: field lines.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Inquiry {
    pub(super) lines: Vec<(String, Vec<u8>)>,
}

/// What the application says yes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Approval {
    pub(super) owner: Owner,
    pub(super) max_length: Option<UploadLength>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Yes, and for how long.
    Yes(Approval, Duration),
    /// No.
    No(Denied),
    /// Neither.
    Nonsense(&'static str),
}

impl Inquiry {
    /// The question about a request.
    ///
    /// # Errors
    ///
    /// [`Denied::Missing`] if the request has none of the `fields`: nobody has to be asked about
    /// it. [`Denied::Unknown`] if one is repeated, or all are too long together.
    pub(super) fn of(question: &Question<'_>, fields: &[String]) -> Result<Self, Denied> {
        let mut lines = Vec::new();
        for name in fields {
            lines.extend(credential(question.head, name)?.map(|value| (name.clone(), value)));
        }
        if lines.is_empty() {
            return Err(Denied::Missing);
        }
        if lines.iter().map(|(_, value)| value.len()).sum::<usize>() > MAX_CREDENTIAL_BYTES {
            return Err(Denied::Unknown);
        }
        let mut say = |name: &str, value: String| lines.push((name.to_owned(), value.into_bytes()));
        say("X-Tidegate-Verb", question.verb.name().to_owned());
        let method = question.head.text(method::OVERRIDE).unwrap_or(question.head.method);
        say("X-Tidegate-Method", method.to_owned());
        if let Some(upload) = question.upload {
            say("X-Tidegate-Upload", upload.to_string());
        }
        if let Some(client) = question.client {
            say("X-Forwarded-For", client.to_string());
        }
        Ok(Self { lines })
    }

    /// By what it is remembered: everything that the application gets to see.
    pub(super) fn key(&self, hash: &hmac::Key) -> Key {
        let mut context = hmac::Context::with_key(hash);
        for (name, value) in &self.lines {
            for part in [name.as_bytes(), value] {
                let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
                context.update(&length.to_be_bytes());
                context.update(part);
            }
        }
        let mut key = [0; 32];
        key.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        key
    }
}

/// Shows no credential.
impl std::fmt::Debug for Inquiry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inquiry").finish_non_exhaustive()
    }
}

/// The one value of a credential's field.
fn credential(head: &RequestHead<'_>, name: &str) -> Result<Option<Vec<u8>>, Denied> {
    let lines: Vec<&[u8]> = head.lines(name).collect();
    match lines.as_slice() {
        [] => Ok(None),
        [line] => Ok(Some(line.to_vec())),
        // HTTP/2 may send a cookie in pieces (RFC 9113, section 8.2.3).
        pieces if name.eq_ignore_ascii_case("Cookie") => Ok(Some(pieces.join(&b"; "[..]))),
        _ => Err(Denied::Unknown),
    }
}

/// What an answer with this status and these fields means.
pub(super) fn meaning<'a>(
    status: u16,
    lines: impl Fn(&str) -> Vec<&'a [u8]>,
    settings: &ForwardSettings,
) -> Meaning {
    match status {
        200..=299 => {}
        401 => return Meaning::No(Denied::Unknown),
        403 => return Meaning::No(Denied::Forbidden),
        300..=399 => return Meaning::Nonsense("it redirects, which is not followed"),
        _ => return Meaning::Nonsense("its status is neither 2xx, 401 nor 403"),
    }
    let Some(owner) = single(&lines(&settings.owner_field)).and_then(visible) else {
        return Meaning::Nonsense("it says yes, but names no owner, or not one that can be used");
    };
    let limit = lines(&settings.limit_field);
    let max_length = single(&limit).and_then(decimal).and_then(UploadLength::new);
    if max_length.is_none() && !limit.is_empty() {
        return Meaning::Nonsense("it bounds the length by what is no number of bytes");
    }
    let age = fresh_for(&lines("Cache-Control")).min(settings.max_age);
    Meaning::Yes(Approval { owner, max_length }, age)
}

/// The only line of a field.
fn single<'a>(lines: &[&'a [u8]]) -> Option<&'a [u8]> {
    let [line] = lines else { return None };
    Some(line.trim_ascii())
}

/// An owner's name in visible characters.
fn visible(line: &[u8]) -> Option<Owner> {
    let text = std::str::from_utf8(line).ok()?;
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| owner(text))?
}

/// How long an answer says to hold: `max-age`, unless it also says not to keep it.
fn fresh_for(lines: &[&[u8]]) -> Duration {
    let mut age = Duration::ZERO;
    for line in lines {
        for directive in String::from_utf8_lossy(line).to_ascii_lowercase().split(',') {
            let directive = directive.trim();
            if directive == "no-store" || directive.starts_with("no-cache") {
                return Duration::ZERO;
            }
            let seconds = directive.strip_prefix("max-age=").map(|text| text.trim_matches('"'));
            if let Some(seconds) = seconds.and_then(|text| decimal(text.as_bytes())) {
                age = Duration::from_secs(seconds);
            }
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::token::Verb;
    use crate::upload::{Timestamp, UploadId};

    fn settings() -> ForwardSettings {
        crate::auth::forward::tests::settings("http://127.0.0.1:1/auth".to_owned())
    }

    fn head<'a>(fields: &[(&'a str, &'a str)]) -> RequestHead<'a> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        RequestHead { method: "POST", path: "/files", fields, body: BodyLength::Empty }
    }

    fn inquiry(fields: &[(&str, &str)]) -> Result<Inquiry, Denied> {
        let question = Question {
            verb: Verb::Append,
            head: &head(fields),
            query: None,
            upload: Some(UploadId::from_bytes([1; 16])),
            client: Some(IpAddr::from([192, 0, 2, 1])),
            now: Timestamp::default(),
        };
        Inquiry::of(&question, &settings().fields)
    }

    ///
    #[test]
    fn the_application_sees_the_credentials_and_what_they_are_used_for() {
        let asked = inquiry(&[
            ("authorization", "Bearer a"),
            ("cookie", "s=1"),
            ("cookie", "t=2"),
            ("x-http-method-override", "PATCH"),
            ("x-other", "kept to ourselves"),
        ]);
        let lines: Vec<_> = asked
            .unwrap()
            .lines
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(
            lines,
            [
                "Authorization: Bearer a",
                "Cookie: s=1; t=2",
                "X-Tidegate-Verb: append",
                "X-Tidegate-Method: PATCH",
                "X-Tidegate-Upload: 01010101010101010101010101010101",
                "X-Forwarded-For: 192.0.2.1",
            ]
        );
    }

    ///
    #[test]
    fn nobody_is_asked_about_a_request_without_credentials_or_with_two_of_a_kind() {
        assert_eq!(inquiry(&[("accept", "*/*")]), Err(Denied::Missing));
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(inquiry(&twice), Err(Denied::Unknown));
        let long = "x".repeat(MAX_CREDENTIAL_BYTES + 1);
        assert_eq!(inquiry(&[("cookie", &long)]), Err(Denied::Unknown));
    }

    #[test]
    fn questions_that_differ_in_anything_are_different_questions() {
        let hash = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let key = |fields: &[(&str, &str)]| inquiry(fields).unwrap().key(&hash);
        let (one, other) = (key(&[("cookie", "ab")]), key(&[("authorization", "ab")]));
        assert_ne!(one, other);
        assert_ne!(one, key(&[("cookie", "ab"), ("authorization", "")]));
        assert_ne!(one, key(&[("cookie", "a")]));
        assert_eq!(one, key(&[("x-other", "y"), ("cookie", "ab")]));
        assert!(!format!("{:?}", inquiry(&[("cookie", "secret")]).unwrap()).contains("secret"));
    }

    fn means(status: u16, fields: &[(&str, &str)]) -> Meaning {
        let answer = head(fields);
        meaning(status, |name| answer.lines(name).collect(), &settings())
    }

    const ANN: (&str, &str) = ("x-tidegate-owner", "ann");

    ///
    #[test]
    fn a_yes_names_an_owner_and_perhaps_a_bound() {
        let approval = |max| Approval {
            owner: Owner::named("ann".to_owned()),
            max_length: UploadLength::new(max).filter(|_| max > 0),
        };
        assert_eq!(means(204, &[ANN]), Meaning::Yes(approval(0), Duration::ZERO));
        let bounded = [ANN, ("X-Tidegate-Max-Size", "7"), ("Cache-Control", "private, max-age=9")];
        assert_eq!(means(200, &bounded), Meaning::Yes(approval(7), Duration::from_secs(9)));
    }

    #[test]
    fn a_yes_that_lies_lets_nobody_in() {
        let long = "x".repeat(257);
        for fields in [
            &[][..],
            &[("x-tidegate-owner", "")][..],
            &[("x-tidegate-owner", "a b")][..],
            &[("x-tidegate-owner", "a\u{7f}")][..],
            &[("x-tidegate-owner", "é")][..],
            &[("x-tidegate-owner", long.as_str())][..],
            &[ANN, ANN][..],
            &[ANN, ("x-tidegate-max-size", "")][..],
            &[ANN, ("x-tidegate-max-size", "-1")][..],
            &[ANN, ("x-tidegate-max-size", "2GB")][..],
            &[ANN, ("x-tidegate-max-size", "9223372036854775808")][..],
            &[ANN, ("x-tidegate-max-size", "1"), ("x-tidegate-max-size", "1")][..],
        ] {
            assert!(matches!(means(200, fields), Meaning::Nonsense(_)), "{fields:?}");
        }
    }

    #[test]
    fn only_two_statuses_are_a_no() {
        assert_eq!(means(401, &[ANN]), Meaning::No(Denied::Unknown));
        assert_eq!(means(403, &[ANN]), Meaning::No(Denied::Forbidden));
        for status in [100, 199, 300, 301, 302, 307, 400, 404, 429, 500, 503] {
            assert!(matches!(means(status, &[ANN]), Meaning::Nonsense(_)), "{status}");
        }
    }

    #[test]
    fn an_answer_is_kept_as_long_as_it_says_within_the_bound() {
        for (said, seconds) in [
            ("max-age=5", 5),
            ("MAX-AGE=\"5\"", 5),
            ("max-age=100000000", 60),
            ("max-age=99999999999999999999999", 0),
            ("max-age=-1", 0),
            ("max-age=5, no-store", 0),
            ("no-cache, max-age=5", 0),
            ("public", 0),
        ] {
            let Meaning::Yes(_, age) = means(200, &[ANN, ("cache-control", said)]) else {
                panic!("{said}")
            };
            assert_eq!(age, Duration::from_secs(seconds), "{said}");
        }
    }

    proptest! {
        #[test]
        fn whatever_an_application_answers_means_something_and_no_yes_is_without_an_owner(
            status: u16,
            owner in "[ -~]{0,4}|\\PC{0,4}",
            limit in prop::option::of("[0-9]{0,20}|\\PC{0,4}"),
            kept in "((no-store|max-age=[0-9]{0,22}|\\PC{0,4}),?){0,3}",
        ) {
            let mut fields = vec![("X-Tidegate-Owner", owner.as_str()), ("Cache-Control", &kept)];
            fields.extend(limit.as_deref().map(|limit| ("X-Tidegate-Max-Size", limit)));
            if let Meaning::Yes(approval, age) = means(status, &fields) {
                prop_assert!((200..300).contains(&status) && age <= settings().max_age);
                prop_assert_eq!(approval.owner.name(), Some(owner.trim()));
                prop_assert_eq!(approval.max_length.is_some(), limit.is_some());
            }
        }
    }
}
