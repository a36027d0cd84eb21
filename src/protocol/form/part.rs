//! The head of a part (RFC 7578, section 4).

use crate::protocol::field::is_token;
use crate::protocol::problem::Problem;

use super::parameters;

/// What a part says before its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The name of the form's field.
    pub name: String,
    /// The name of the file as it was sent; `None` if the part has no `filename`.
    pub filename: Option<String>,
    /// The media type, if it says one.
    pub media_type: Option<String>,
}

impl PartHead {
    /// Reads a head, its empty line included (F-20 to F-23).
    ///
    /// Fields that are not about names, types and encodings are ignored, `Content-Length` too:
    /// only a boundary ends a part.
    ///
    /// # Errors
    ///
    /// [`Problem::MalformedForm`] with the reason.
    pub fn read(head: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(head).map_err(|_| malformed("a part's head is UTF-8"))?;
        let lines = text.strip_suffix("\r\n\r\n").unwrap_or_default();
        let mut fields = Fields::default();
        for line in lines.split("\r\n") {
            fields.take(line)?;
        }
        fields.encoding.map_or(Ok(()), unencoded)?;
        let disposition = fields.disposition.ok_or(malformed(
            "every part needs `Content-Disposition: form-data; name=\"..\"` and CR LF line ends",
        ))?;
        let (name, filename) = names(disposition)?;
        if fields.media_type.is_some_and(is_multipart) {
            return Err(malformed("a part that is multipart itself is not taken"));
        }
        Ok(Self { name, filename, media_type: fields.media_type.map(str::to_owned) })
    }

    /// The last segment of the file name, whichever slash separates them; `None` if there is none
    /// or it would name a directory (F-21).
    #[must_use]
    pub fn base_name(&self) -> Option<&str> {
        let base = self.filename.as_deref()?.rsplit(['/', '\\']).next()?;
        (!matches!(base, "" | "." | "..")).then_some(base)
    }
}

/// The fields of a head that say something to us.
#[derive(Default)]
struct Fields<'a> {
    disposition: Option<&'a str>,
    media_type: Option<&'a str>,
    encoding: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, line: &'a str) -> Result<(), Problem> {
        if line.contains(|character: char| character.is_control() && character != '\t') {
            return Err(malformed(
                "a part's head has no control characters, its lines end with CR LF",
            ));
        }
        let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_token(name)) else {
            return Err(malformed("a line of a part's head is `name: value`, unfolded"));
        };
        let field = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => &mut self.disposition,
            "content-type" => &mut self.media_type,
            "content-transfer-encoding" => &mut self.encoding,
            _ => return Ok(()),
        };
        match field.replace(value.trim()) {
            None => Ok(()),
            Some(_) => Err(malformed("a field appears twice in the head of a part")),
        }
    }
}

/// Reads `form-data; name="field"; filename="name"`. `filename*` is ignored (RFC 7578, section 4.2).
fn names(disposition: &str) -> Result<(String, Option<String>), Problem> {
    let reason = "Content-Disposition of a part is `form-data; name=\"..\"; filename=\"..\"`";
    let (kind, rest) = disposition.split_at(disposition.find(';').unwrap_or(disposition.len()));
    let parameters = parameters::read(rest);
    let Some(parameters) = parameters.filter(|_| kind.trim().eq_ignore_ascii_case("form-data"))
    else {
        return Err(malformed(reason));
    };
    let (mut name, mut filename) = (None, None);
    for (key, value) in parameters {
        let known = match key.as_str() {
            "name" => &mut name,
            "filename" => &mut filename,
            _ => continue,
        };
        // Browsers write a quote as %22, and a per cent sign as itself.
        if known.replace(value.replace("%22", "\"")).is_some() {
            return Err(malformed("a part has one name and one file name"));
        }
    }
    name.map(|name| (name, filename)).ok_or(malformed(reason))
}

/// What was encoded for the mail would be stored encoded (F-23).
fn unencoded(encoding: &str) -> Result<(), Problem> {
    let plain = ["7bit", "8bit", "binary"];
    if plain.iter().any(|known| encoding.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(malformed("send the content of a part as it is, without Content-Transfer-Encoding"))
}

fn is_multipart(media_type: &str) -> bool {
    media_type.split('/').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart"))
}

const fn malformed(reason: &'static str) -> Problem {
    Problem::MalformedForm { reason }
}
