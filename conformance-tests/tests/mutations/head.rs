//! A head that can be changed, and how the body behind it ends.

/// The first line and the fields of a request or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The request line or the status line.
    pub(crate) line: String,
    fields: Vec<(String, String)>,
}

/// Where the body behind a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Sized(u64),
    Chunked,
    UntilClose,
}

impl Head {
    /// Reads a head; what has no colon is left out.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let field =
            |line: &str| line.split_once(':').map(|(n, v)| (n.to_owned(), v.trim().to_owned()));
        Self { line, fields: lines.filter_map(field).collect() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.line);
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        // Every char is the byte that it was read from.
        text.chars().map(|char| u8::try_from(char).unwrap()).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(present, _)| present.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Takes away every field that `unwanted` says so about, by its name in lower case.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(&str) -> bool) {
        self.fields.retain(|(name, _)| !unwanted(&name.to_ascii_lowercase()));
    }

    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.remove(|present| present.eq_ignore_ascii_case(name));
        self.fields.push((name.to_owned(), value.to_string()));
    }

    /// The method, or the version of HTTP.
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    /// The path, or the status.
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> u16 {
        self.path().parse().unwrap_or(0)
    }

    /// Makes this an answer with another status and without a body.
    pub(crate) fn become_empty(&mut self, status: u16) {
        self.line = format!("HTTP/1.1 {status} Mutated");
        self.remove(|name| matches!(name, "content-type" | "transfer-encoding"));
        self.set("Content-Length", 0);
    }

    fn chunked(&self) -> bool {
        self.get("Transfer-Encoding").is_some_and(|coding| coding.contains("chunked"))
    }

    pub(crate) fn framing_of_request(&self) -> Framing {
        if self.chunked() {
            return Framing::Chunked;
        }
        Framing::Sized(self.number("Content-Length").unwrap_or(0))
    }

    pub(crate) fn framing_of_answer_to(&self, method: &str) -> Framing {
        let status = self.status();
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Framing::Sized(0);
        }
        if self.chunked() {
            return Framing::Chunked;
        }
        self.number("Content-Length").map_or(Framing::UntilClose, Framing::Sized)
    }
}
