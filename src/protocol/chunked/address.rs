//! The URLs of the protocol, and which session a URL means.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::protocol::location::Place;
use crate::protocol::problem::Problem;

use super::name::{EXPECTED, SessionName};

/// Where sessions begin, and where chunks go that name their session by a field.
pub const CHUNKED_UPLOAD: &str = "/chunked-upload";
/// Where the status of a session is asked for by its id.
pub const UPLOAD_STATUS: &str = "/upload-status";
/// The parameter of its query.
pub const SESSION_ID: &str = "session_id";

/// What a session id may hold that means something in a query.
const IN_A_QUERY: &AsciiSet = &CONTROLS.add(b'=').add(b'@').add(b':');

/// The URL of a session.
#[must_use]
pub fn session_url(place: &Place, name: &SessionName) -> String {
    let url = place.beside(&format!("{CHUNKED_UPLOAD}/{}", name.as_str()));
    place.by_link(url)
}

/// The URL of a session's status.
#[must_use]
pub fn status_url(place: &Place, name: &SessionName) -> String {
    let name = utf8_percent_encode(name.as_str(), IN_A_QUERY);
    place.by_link(place.beside(&format!("{UPLOAD_STATUS}?{SESSION_ID}={name}")))
}

/// The session that a path below [`CHUNKED_UPLOAD`] means; `None` for the endpoint itself and for
/// any other path.
///
/// # Errors
///
/// [`Problem::MalformedField`] if what follows is no session id (C-1).
pub fn session_at(path: &str) -> Option<Result<SessionName, Problem>> {
    let segment = path.strip_prefix(CHUNKED_UPLOAD)?.strip_prefix('/')?;
    (!segment.is_empty()).then(|| decoded("the session id in the URL", segment))
}

/// The session that a query means.
///
/// # Errors
///
/// Missing, repeated, or no session id.
pub fn session_in(query: &str) -> Result<SessionName, Problem> {
    let mut values = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == SESSION_ID).then_some(value)
    });
    let value = values
        .next()
        .ok_or(Problem::MissingField { field: SESSION_ID, expected: "it in the query" })?;
    if values.next().is_some() {
        return Err(Problem::RepeatedField { field: SESSION_ID });
    }
    decoded(SESSION_ID, value)
}

/// Whether the path belongs to this protocol.
#[must_use]
pub fn is_ours(path: &str) -> bool {
    let rest = path.strip_prefix(CHUNKED_UPLOAD);
    path == UPLOAD_STATUS || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn decoded(field: &'static str, text: &str) -> Result<SessionName, Problem> {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    SessionName::parse(&bytes).ok_or(Problem::MalformedField { field, expected: EXPECTED })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::location::Outside;
    use proptest::prelude::*;

    fn place(url: &str) -> Place {
        let outside = Outside::from_public_url(url).unwrap();
        Place { base_path: "/files".to_owned(), outside, link: None }
    }

    #[test]
    fn a_path_below_the_endpoint_means_a_session() {
        for (path, name) in [
            ("/chunked-upload/a", Some("a")),
            ("/chunked-upload/a%3Ab%40c%3D", Some("a:b@c=")),
            ("/chunked-upload/%61", Some("a")),
            ("/chunked-upload", None),
            ("/chunked-upload/", None),
            ("/chunked-uploads/a", None),
            ("/files/a", None),
        ] {
            let found = session_at(path).map(|name| name.unwrap().as_str().to_owned());
            assert_eq!(found.as_deref(), name, "{path}");
        }
        for bad in ["a%2Fb", "a/b", "%00", "..", "%2e%2e", "a%", "%ff", "a%2561"] {
            let found = session_at(&format!("/chunked-upload/{bad}"));
            assert!(matches!(found, Some(Err(Problem::MalformedField { .. }))), "{bad}");
        }
    }

    #[test]
    fn a_query_means_a_session_by_exactly_one_parameter() {
        for (query, name) in
            [("session_id=a", "a"), ("x=1&session_id=a%3D%3D&y", "a=="), ("session_id=a==", "a==")]
        {
            assert_eq!(session_in(query).unwrap().as_str(), name, "{query}");
        }
        assert!(matches!(session_in(""), Err(Problem::MissingField { .. })));
        assert!(matches!(session_in("Session_ID=a"), Err(Problem::MissingField { .. })));
        let twice = session_in("session_id=a&session_id=a");
        assert!(matches!(twice, Err(Problem::RepeatedField { .. })));
        for bad in ["session_id", "session_id=", "session_id=a/b", "session_id=a+b", "session_id=%"]
        {
            assert!(matches!(session_in(bad), Err(Problem::MalformedField { .. })), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_urls_of_a_session_lead_back_to_it(text in "[A-Za-z0-9._~:@=-]{1,40}") {
            let Some(name) = SessionName::parse(text.as_bytes()) else { return Ok(()) };
            let place = place("https://a.example/in");
            let url = session_url(&place, &name);
            let path = url.strip_prefix("https://a.example/in").unwrap();
            prop_assert_eq!(session_at(path), Some(Ok(name.clone())));
            let url = status_url(&place, &name);
            let query = url.strip_prefix("https://a.example/in/upload-status?").unwrap();
            prop_assert_eq!(session_in(query), Ok(name));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,60}") {
            let _ = session_in(&text);
            let _ = session_at(&format!("/chunked-upload/{text}"));
        }
    }
}
