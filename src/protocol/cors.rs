//! CORS: what a browser on another origin has to be told, on every answer (T-170 to T-175).

use std::borrow::Cow;
use std::time::Duration;

use super::head::{RequestHead, ResponseHead};

/// Methods that a page may use (T-170, C-110).
const METHODS: &str = "POST, HEAD, PATCH, PUT, OPTIONS, DELETE, GET";

/// Fields that a page may send (T-171, C-110): named one by one, because `*` stops working as soon as
/// credentials are sent (T-174).
const REQUEST_FIELDS: &str = "Authorization, Origin, X-Requested-With, X-Request-ID, \
    X-HTTP-Method-Override, Content-Type, Tus-Resumable, Upload-Length, Upload-Offset, \
    Upload-Metadata, Upload-Defer-Length, Upload-Concat, Upload-Checksum, Upload-Complete, \
    Upload-Incomplete, Upload-Draft-Interop-Version, Content-Digest, Repr-Digest, \
    X-Upload-Session-ID, X-Chunk-Number, X-Total-Chunks, X-Total-Size, X-Chunk-Size, X-Filename, \
    X-Device-ID, \
    Content-Range, Content-Disposition, Range, If-Range, If-Match, If-None-Match, \
    If-Modified-Since, If-Unmodified-Since";

/// Fields that a page may read (T-172, C-111).
const RESPONSE_FIELDS: &str = "Location, Upload-Offset, Upload-Length, Upload-Metadata, \
    Upload-Defer-Length, Upload-Concat, Upload-Expires, Upload-Complete, Upload-Incomplete, \
    Upload-Limit, Upload-Draft-Interop-Version, Tus-Version, Tus-Resumable, Tus-Max-Size, \
    Tus-Extension, Tus-Checksum-Algorithm, X-Upload-Session-ID, X-Chunk-Size, X-Total-Chunks, \
    X-Recommended-Chunk-Size, Want-Content-Digest, Want-Repr-Digest, Allow, Repr-Digest, \
    X-Request-ID, Retry-After, ETag, Last-Modified, Accept-Ranges, Content-Range, Content-Length, \
    Content-Disposition";

/// Who may read our answers from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsPolicy {
    /// Allowed origins.
    pub origins: Origins,
    /// Whether pages may send cookies and other credentials of the browser.
    pub credentials: bool,
    /// How long a browser may remember a preflight.
    pub max_age: Duration,
}

/// Allowed origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// None: no CORS field is sent at all.
    Nobody,
    /// Every origin.
    Any,
    /// These, compared as browsers write them (`https://app.example.org`).
    Listed(Vec<String>),
}

impl CorsPolicy {
    /// The fields that the answer to `request` carries besides its own, success or not (T-173).
    ///
    /// An answer that depends on the origin says so in `Vary`, also when the origin is missing or
    /// not allowed: a cache must not hand it to another page (T-174).
    #[must_use]
    pub fn fields(
        &self,
        request: &RequestHead<'_>,
        preflight: bool,
    ) -> Vec<(&'static str, Cow<'static, str>)> {
        let origin = request.text("Origin").filter(|origin| is_origin(origin));
        let (allowed, varies) = match &self.origins {
            Origins::Nobody => return Vec::new(),
            Origins::Any if self.credentials => (origin, true),
            Origins::Any => (Some("*"), false),
            Origins::Listed(list) => {
                (origin.filter(|origin| list.iter().any(|known| known == origin)), true)
            }
        };
        let mut fields: Vec<(&'static str, Cow<'static, str>)> = Vec::new();
        if varies {
            fields.push(("Vary", "Origin".into()));
        }
        let Some(allowed) = allowed else { return fields };
        fields.push(("Access-Control-Allow-Origin", allowed.to_owned().into()));
        if self.credentials {
            fields.push(("Access-Control-Allow-Credentials", "true".into()));
        }
        if preflight {
            let seconds = self.max_age.as_secs().to_string();
            fields.push(("Access-Control-Allow-Methods", METHODS.into()));
            fields.push(("Access-Control-Allow-Headers", REQUEST_FIELDS.into()));
            fields.push(("Access-Control-Max-Age", seconds.into()));
        } else {
            fields.push(("Access-Control-Expose-Headers", RESPONSE_FIELDS.into()));
        }
        fields
    }

    /// `answer` with the fields of [`CorsPolicy::fields`].
    #[must_use]
    pub fn applied_to(&self, answer: ResponseHead, request: &RequestHead<'_>) -> ResponseHead {
        let fields = self.fields(request, is_preflight(request));
        fields.into_iter().fold(answer, |answer, (name, value)| answer.with(name, value))
    }
}

/// Whether a browser asks for permission before it sends the request itself (T-54).
#[must_use]
pub fn is_preflight(request: &RequestHead<'_>) -> bool {
    request.method == "OPTIONS"
        && request.has("Origin")
        && request.has("Access-Control-Request-Method")
}

/// Whether a text can be an origin: visible, and nothing that a field value could break on.
fn is_origin(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b",;\"\\<>".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;

    const PAGE: &str = "https://app.example.org";

    fn policy(origins: Origins, credentials: bool) -> CorsPolicy {
        CorsPolicy { origins, credentials, max_age: Duration::from_secs(86_400) }
    }

    fn answer(policy: &CorsPolicy, method: &str, fields: &[(&str, &str)]) -> ResponseHead {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let request = RequestHead { method, path: "/files", fields, body: BodyLength::Empty };
        policy.applied_to(ResponseHead::new(404), &request)
    }

    fn listed() -> Origins {
        Origins::Listed(vec![PAGE.to_owned()])
    }

    #[test]
    fn a_preflight_names_every_method_and_field_a_client_needs() {
        let fields = [("Origin", PAGE), ("Access-Control-Request-Method", "PATCH")];
        let answer = answer(&policy(Origins::Any, false), "OPTIONS", &fields);
        let methods = answer.get("Access-Control-Allow-Methods").unwrap();
        for method in ["POST", "HEAD", "PATCH", "PUT", "OPTIONS", "DELETE", "GET"] {
            assert!(methods.split(", ").any(|known| known == method), "{method}");
        }
        let allowed = answer.get("Access-Control-Allow-Headers").unwrap();
        for field in ["Authorization", "Upload-Checksum", "X-Chunk-Number", "Content-Range"] {
            assert!(allowed.split(", ").any(|known| known == field), "{field}");
        }
        assert_eq!(answer.get("Access-Control-Max-Age"), Some("86400"));
        assert_eq!(answer.get("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(answer.get("Access-Control-Expose-Headers"), None);
    }

    #[test]
    fn an_error_exposes_its_fields_too() {
        let answer = answer(&policy(Origins::Any, false), "HEAD", &[("Origin", PAGE)]);
        let exposed = answer.get("Access-Control-Expose-Headers").unwrap();
        for field in ["Upload-Offset", "Location", "Upload-Expires", "X-Upload-Session-ID"] {
            assert!(exposed.split(", ").any(|known| known == field), "{field}");
        }
    }

    #[test]
    fn a_listed_origin_is_echoed_and_the_answer_varies_with_it() {
        for (origin, echoed) in
            [(Some(PAGE), Some(PAGE)), (Some("https://evil.example"), None), (None, None)]
        {
            let fields: Vec<_> = origin.map(|origin| ("Origin", origin)).into_iter().collect();
            let answer = answer(&policy(listed(), true), "POST", &fields);
            assert_eq!(answer.get("Access-Control-Allow-Origin"), echoed);
            assert_eq!(answer.get("Access-Control-Allow-Credentials"), echoed.map(|_| "true"));
            assert_eq!(answer.get("Vary"), Some("Origin"));
        }
    }

    #[test]
    fn credentials_never_meet_a_wildcard() {
        let answer = answer(&policy(Origins::Any, true), "POST", &[("Origin", PAGE)]);
        assert_eq!(answer.get("Access-Control-Allow-Origin"), Some(PAGE));
        assert_eq!(answer.get("Vary"), Some("Origin"));
    }

    #[test]
    fn an_origin_that_is_none_is_not_echoed() {
        for origin in ["", "a b", "a,b", "https://a\"", "<script>"] {
            let answer = answer(&policy(Origins::Any, true), "POST", &[("Origin", origin)]);
            assert_eq!(answer.get("Access-Control-Allow-Origin"), None, "{origin:?}");
        }
    }

    #[test]
    fn nothing_is_said_while_cors_is_off() {
        let answer = answer(&policy(Origins::Nobody, true), "POST", &[("Origin", PAGE)]);
        assert!(answer.fields.is_empty());
    }
}
