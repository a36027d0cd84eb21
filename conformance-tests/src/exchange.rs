//! One request with its answer, the checks on it, and how it is shown.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Failure, Stop};
use crate::target::Target;
use crate::wire::{Answer, Body, Head, Headers, Request, Response};

/// How many bytes of a body are shown.
const SHOWN_BYTES: usize = 200;
/// The longest body a curl line may carry.
const CURL_BODY_BYTES_MAX: usize = 1024;

/// How a request went out, beyond what it says itself.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// The whole URL.
    pub url: String,
    /// The fields that went along without being part of the case; their values are never shown.
    pub credentials: Vec<String>,
    /// What curl is told besides, to go the same way.
    pub options: Vec<String>,
}

/// A request and what the server answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    request: Request,
    route: Route,
    answer: Answer,
    /// From the first byte sent to the last byte received.
    pub took: Duration,
}

impl Exchange {
    /// Puts together what was sent by `route` and what came back.
    pub fn new(request: Request, route: Route, answer: Answer, took: Duration) -> Self {
        Self { request, route, answer, took }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.answer.response.head.status
    }

    /// The header lines of the final answer.
    pub fn headers(&self) -> &Headers {
        &self.answer.response.head.headers
    }

    /// The body of the final answer.
    pub fn body(&self) -> &[u8] {
        &self.answer.response.body
    }

    /// The 1xx heads that came before it.
    pub fn interim(&self) -> &[Head] {
        &self.answer.interim
    }

    /// The final answer.
    pub fn response(&self) -> &Response {
        &self.answer.response
    }

    /// The method that was sent.
    pub fn method(&self) -> &str {
        self.request.method()
    }

    /// One line for the trail of a case.
    pub fn summary(&self) -> String {
        format!("{} {} -> {}", self.request.method(), self.request.target(), self.status())
    }

    /// A failure that shows this exchange.
    pub fn fails(&self, message: impl Into<String>) -> Stop {
        Stop::Failed(Box::new(Failure {
            message: message.into(),
            exchange: Some(self.show()),
            curl: curl(&self.request, &self.route),
        }))
    }

    /// Fails with this exchange unless `holds`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it does not.
    pub fn check(&self, holds: bool, message: impl FnOnce() -> String) -> Result<&Self, Stop> {
        if holds { Ok(self) } else { Err(self.fails(message())) }
    }

    /// The status is `wanted`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is another.
    pub fn is(&self, wanted: u16) -> Result<&Self, Stop> {
        self.is_one_of(&[wanted])
    }

    /// The status is one of `wanted`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is another.
    pub fn is_one_of(&self, wanted: &[u16]) -> Result<&Self, Stop> {
        self.check(wanted.contains(&self.status()), || {
            let names: Vec<_> = wanted.iter().map(u16::to_string).collect();
            format!("expected status {}, got {}", names.join(" or "), self.status())
        })
    }

    /// The status is a 4xx.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is not.
    pub fn is_refused(&self) -> Result<&Self, Stop> {
        self.check((400..500).contains(&self.status()), || {
            format!("expected a 4xx, got {}", self.status())
        })
    }

    /// The field is there with exactly this value.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is missing, repeated or different.
    pub fn has(&self, name: &str, wanted: &str) -> Result<&Self, Stop> {
        let lines = self.headers().lines(name);
        self.check(lines == [wanted], || format!("expected {name}: {wanted}, got {lines:?}"))
    }

    /// The field is not there.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is.
    pub fn has_no(&self, name: &str) -> Result<&Self, Stop> {
        self.check(self.headers().get(name).is_none(), || {
            format!("expected no {name}, got {:?}", self.headers().get(name))
        })
    }

    /// The value of a field that must be there once.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is missing or repeated.
    pub fn field(&self, name: &str) -> Result<&str, Stop> {
        match self.headers().lines(name).as_slice() {
            [value] => Ok(value),
            [] => Err(self.fails(format!("expected {name}, which is missing"))),
            several => Err(self.fails(format!("{name} is there {} times", several.len()))),
        }
    }

    /// The value of a field that must be there once and be a plain decimal number.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is not.
    pub fn number(&self, name: &str) -> Result<u64, Stop> {
        let value = self.field(name)?;
        let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        plain
            .then(|| value.parse().ok())
            .flatten()
            .ok_or_else(|| self.fails(format!("{name} is {value:?}, not a decimal number")))
    }

    /// Every one of `members` is in the comma-separated list `name`, without regard to case.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] naming those that are missing.
    pub fn lists(&self, name: &str, members: &[&str]) -> Result<&Self, Stop> {
        let listed = self.headers().list(name);
        let missing: Vec<_> = members
            .iter()
            .filter(|member| !listed.iter().any(|present| present.eq_ignore_ascii_case(member)))
            .collect();
        self.check(missing.is_empty(), || format!("{name} lacks {missing:?}; it is {listed:?}"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it is none.
    pub fn json(&self) -> Result<Value, Stop> {
        serde_json::from_slice(self.body())
            .map_err(|error| self.fails(format!("the body is no JSON: {error}")))
    }

    /// The members of a JSON body with these names have these values.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when one has not, or is not there.
    pub fn says(&self, members: &Value) -> Result<&Self, Stop> {
        let body = self.json()?;
        for (name, wanted) in members.as_object().into_iter().flatten() {
            let seen = body.get(name);
            if seen != Some(wanted) {
                return Err(self.fails(format!("expected {name:?} to be {wanted}, got {seen:?}")));
            }
        }
        Ok(self)
    }

    /// The member `name` of a JSON body is a URL, absolute or not, that leads to `path` at `target`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it leads elsewhere, or is no text.
    pub fn leads_to(&self, target: &Target, name: &str, path: &str) -> Result<&Self, Stop> {
        let body = self.json()?;
        let seen = body.get(name).and_then(Value::as_str);
        self.check(seen.is_some_and(|url| target.resolve(url) == path), || {
            format!("expected {name:?} to lead to {path}, got {seen:?}")
        })
    }

    /// A refusal with a code and a sentence, in JSON.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when the status is another or the body says less.
    pub fn refuses(&self, status: u16, code: &str) -> Result<&Self, Stop> {
        self.is(status)?.says(&json!({"success": false, "error": code}))?;
        let message = self.json()?.get("message").and_then(Value::as_str).map_or(0, str::len);
        self.check(message > 15, || "the message says too little".to_owned())
    }

    /// The exchange as text: `>` is what was sent, `<` what came back.
    pub fn show(&self) -> String {
        let mut text = show_request(&self.request, &self.route);
        for head in &self.answer.interim {
            show_head(&mut text, head);
        }
        show_head(&mut text, &self.answer.response.head);
        if !self.body().is_empty() {
            let _ = writeln!(text, "< {}", show_bytes(self.body()));
        }
        text
    }
}

/// A request without its answer, as text.
pub fn show_request(request: &Request, route: &Route) -> String {
    let mut text = format!("> {} {}\n", request.method(), escape(request.target().as_bytes()));
    for name in &route.credentials {
        let _ = writeln!(text, "> {name}: (as given)");
    }
    for (name, value) in request.fields() {
        let _ = writeln!(text, "> {name}: {}", show_bytes(value));
    }
    match request.sent_body() {
        Body::None => {}
        Body::Sized(bytes) => {
            let _ = writeln!(text, "> {}", show_bytes(bytes));
        }
        Body::Chunked(bytes) => {
            let _ = writeln!(text, "> (chunked) {}", show_bytes(bytes));
        }
    }
    text
}

fn show_head(text: &mut String, head: &Head) {
    let _ = writeln!(text, "< {}", head.line);
    for (name, value) in head.headers.iter() {
        let _ = writeln!(text, "< {name}: {}", escape(value.as_bytes()));
    }
}

fn show_bytes(bytes: &[u8]) -> String {
    let shown = escape(bytes.get(..SHOWN_BYTES).unwrap_or(bytes));
    if bytes.len() > SHOWN_BYTES { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}

fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// A curl command for the request; `None` where the shell or curl would change it.
pub fn curl(request: &Request, route: &Route) -> Option<String> {
    let mut words = vec!["curl -i --path-as-is".to_owned()];
    words.extend(route.options.iter().cloned());
    words.push(match request.method() {
        "HEAD" => "--head".to_owned(),
        method => format!("-X {}", quoted(method.as_bytes())?),
    });
    for name in &route.credentials {
        words.push(format!("-H '{name}: …'"));
    }
    for (name, value) in request.fields() {
        let value = std::str::from_utf8(value).ok()?;
        // curl drops a field without a value unless it is written with a semicolon.
        let line = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        words.push(format!("-H {}", quoted(line.as_bytes())?));
    }
    let body = match request.sent_body() {
        Body::None => None,
        Body::Sized(bytes) => Some(bytes),
        Body::Chunked(bytes) => {
            words.push("-H 'Transfer-Encoding: chunked'".to_owned());
            Some(bytes)
        }
    };
    if let Some(bytes) = body {
        if bytes.len() > CURL_BODY_BYTES_MAX {
            return None;
        }
        if request.field("Content-Type").is_none() {
            words.push("-H 'Content-Type:'".to_owned());
        }
        match quoted(bytes) {
            // `--data-binary @x` would read a file.
            Some(word) => words.push(format!("--data-raw {word}")),
            None => {
                words.insert(0, printed(bytes));
                words.push("--data-binary @-".to_owned());
            }
        }
    }
    words.push(quoted(route.url.as_bytes())?);
    Some(words.join(" "))
}

/// A word of a shell; `None` where a terminal would not carry it.
fn quoted(bytes: &[u8]) -> Option<String> {
    let plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    plain.then(|| format!("'{}'", String::from_utf8_lossy(bytes).replace('\'', r"'\''")))
}

/// A `printf` that writes these bytes, which are not all plain text.
fn printed(bytes: &[u8]) -> String {
    let mut format = String::new();
    for byte in bytes {
        match byte {
            b'%' => format.push_str("%%"),
            b'\\' => format.push_str(r"\\"),
            b'\'' => format.push_str(r"'\''"),
            b' '..=b'~' => format.push(char::from(*byte)),
            // Three digits, so that a digit that follows is not taken for one of them.
            other => format.push_str(&format!("\\{other:03o}")),
        }
    }
    format!("printf '{format}' |")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> Route {
        Route { url: url.to_owned(), ..Route::default() }
    }

    #[test]
    fn a_curl_line_says_what_was_sent_and_hides_credentials() {
        let request = Request::tus("PATCH", "/f/x").with("Upload-Offset", "0").body("abc");
        let credentials = vec!["Authorization".to_owned()];
        let line = curl(&request, &Route { credentials, ..to("http://h/f/x") }).unwrap();
        assert_eq!(
            line,
            "curl -i --path-as-is -X 'PATCH' -H 'Authorization: …' -H 'Tus-Resumable: 1.0.0' \
             -H 'Upload-Offset: 0' -H 'Content-Type:' --data-raw 'abc' 'http://h/f/x'"
        );
    }

    #[test]
    fn bytes_reach_curl_as_they_are() {
        let line = |body: &[u8]| curl(&Request::tus("PATCH", "/f").body(body), &to("http://h/f"));
        assert!(line(b"it's").unwrap().contains(r"--data-raw 'it'\''s' "));
        assert!(line(b"@file").unwrap().contains("--data-raw '@file' "));
        let piped = line(b"\xFF1%\\'\n").unwrap();
        assert!(piped.starts_with(r"printf '\3771%%\\'\''\012' | curl -i"), "{piped}");
        assert!(piped.contains(" --data-binary @- "), "{piped}");
    }

    #[test]
    fn there_is_no_curl_line_for_what_a_shell_cannot_carry() {
        let request = Request::tus("PATCH", "/f");
        assert!(curl(&request.clone().body(vec![b'a'; 5000]), &to("http://h/f")).is_none());
        assert!(curl(&request.clone().with("X", [0xFF]), &to("http://h/f")).is_none());
        assert!(curl(&request.with("X", "a\r\nb"), &to("http://h/f")).is_none());
    }

    #[test]
    fn an_empty_field_keeps_its_line_in_curl() {
        let request = Request::new("POST", "/f").with("upload-metadata", "");
        assert!(curl(&request, &to("http://h/f")).unwrap().contains("'upload-metadata;'"));
    }
}
