//! The effective method: what the request line says, or the override.

use super::head::RequestHead;

/// The field that overrides the method, for clients whose environment knows only GET and POST.
pub const OVERRIDE: &str = "X-HTTP-Method-Override";

/// A method, as far as we tell methods apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// OPTIONS
    Options,
    /// HEAD
    Head,
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// Any other: answered with 405 (T-12).
    Other,
}

impl Method {
    /// The method as which a request is handled; the request line is ignored if there is an
    /// override (T-11).
    ///
    /// Authorization and CORS look at this one too, so that an override opens no side door (T-12).
    #[must_use]
    pub fn effective(head: &RequestHead<'_>) -> Self {
        if !head.has(OVERRIDE) {
            return Self::named(head.method);
        }
        head.text(OVERRIDE).map_or(Self::Other, Self::named)
    }

    /// Method names are case-sensitive (RFC 9110, section 9.1).
    fn named(name: &str) -> Self {
        match name {
            "OPTIONS" => Self::Options,
            "HEAD" => Self::Head,
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;

    fn effective(method: &str, overrides: &[&'static [u8]]) -> Method {
        let fields = overrides.iter().map(|line| ("x-http-method-override", *line)).collect();
        Method::effective(&RequestHead { method, path: "/", fields, body: BodyLength::Empty })
    }

    #[test]
    fn the_override_wins_over_the_request_line() {
        for (method, overrides, expected) in [
            ("PATCH", &[][..], Method::Patch),
            ("POST", &[&b"PATCH"[..]][..], Method::Patch),
            ("POST", &[&b"DELETE"[..]][..], Method::Delete),
            ("POST", &[&b" HEAD "[..]][..], Method::Head),
            ("GET", &[&b"OPTIONS"[..]][..], Method::Options),
        ] {
            assert_eq!(effective(method, overrides), expected, "{method} {overrides:?}");
        }
    }

    #[test]
    fn an_override_that_names_no_known_method_is_no_method_at_all() {
        for overrides in [
            &[&b"BREW"[..]][..],
            &[&b""[..]][..],
            &[&b"patch"[..]][..],
            &[&b"\xff"[..]][..],
            &[&b"PATCH"[..], &b"DELETE"[..]][..],
        ] {
            assert_eq!(effective("POST", overrides), Method::Other, "{overrides:?}");
        }
        assert_eq!(effective("BREW", &[]), Method::Other);
    }
}
