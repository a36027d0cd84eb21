//! What is sent: a request line, header lines in the order given, and a body.

/// How the body travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body and no framing field.
    None,
    /// Announced by `Content-Length`.
    Sized(Vec<u8>),
    /// Sent with `Transfer-Encoding: chunked`, without saying how long it is.
    Chunked(Vec<u8>),
}

/// A request as it will be written. Nothing is checked or repaired.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Body,
    anonymous: bool,
}

impl Request {
    /// A request without any header field.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: Vec::new(),
            body: Body::None,
            anonymous: false,
        }
    }

    /// A request that says it speaks tus 1.0.0.
    pub fn tus(method: &str, target: &str) -> Self {
        Self::new(method, target).with("Tus-Resumable", "1.0.0")
    }

    /// Adds a header line; the same name may be added several times.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Takes every line of the field away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self
    }

    /// A body with a true `Content-Length`, unless a header line already states another one.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Sized(bytes.into());
        self
    }

    /// A body in chunks.
    #[must_use]
    pub fn chunked(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Chunked(bytes.into());
        self
    }

    /// Leaves out the fields the target asks to send with every request (its credentials).
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// The method on the request line.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The request target as written.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The header lines that were asked for.
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.fields
    }

    /// The body that was asked for.
    pub fn sent_body(&self) -> &Body {
        &self.body
    }

    /// Whether the target's own fields are left out.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The first value of a field this request sends.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|(present, _)| present.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The head as it goes over the wire, with `Host`, the target's own fields and the framing.
    pub fn encode_head(&self, host: &str, always: &[(String, String)]) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if self.field("Host").is_none() {
            line(&mut bytes, "Host", host.as_bytes());
        }
        if !self.anonymous {
            for (name, value) in always {
                line(&mut bytes, name, value.as_bytes());
            }
        }
        for (name, value) in &self.fields {
            line(&mut bytes, name, value);
        }
        if let Some((name, value)) = self.framing() {
            line(&mut bytes, name, value.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// The framing field that follows from the body, unless the case wrote its own.
    fn framing(&self) -> Option<(&'static str, String)> {
        if self.field("Content-Length").is_some() || self.field("Transfer-Encoding").is_some() {
            return None;
        }
        match &self.body {
            Body::None if matches!(self.method.as_str(), "POST" | "PATCH" | "PUT") => {
                Some(("Content-Length", "0".to_owned()))
            }
            Body::None => None,
            Body::Sized(bytes) => Some(("Content-Length", bytes.len().to_string())),
            Body::Chunked(_) => Some(("Transfer-Encoding", "chunked".to_owned())),
        }
    }
}

fn line(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: &Request) -> String {
        let always = [("Authorization".to_owned(), "Bearer x".to_owned())];
        String::from_utf8(request.encode_head("h:1", &always)).unwrap()
    }

    #[test]
    fn a_body_states_its_length_once() {
        let request = Request::new("PATCH", "/f").body("abc");
        assert_eq!(
            head(&request),
            "PATCH /f HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer x\r\nContent-Length: 3\r\n\r\n"
        );
    }

    #[test]
    fn a_length_written_by_the_case_is_left_as_it_is() {
        let request = Request::new("PATCH", "/f").with("Content-Length", "99").body("abc");
        assert!(head(&request).contains("Content-Length: 99\r\n"));
        assert!(!head(&request).contains("Content-Length: 3"));
    }

    #[test]
    fn an_anonymous_request_leaves_the_credentials_out() {
        assert!(!head(&Request::new("OPTIONS", "/f").anonymous()).contains("Authorization"));
    }

    #[test]
    fn a_post_without_a_body_says_so() {
        assert!(head(&Request::new("POST", "/f")).contains("Content-Length: 0\r\n"));
        assert!(!head(&Request::new("HEAD", "/f")).contains("Content-Length"));
    }
}
