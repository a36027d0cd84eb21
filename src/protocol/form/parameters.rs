//! `*( ";" name "=" ( token / quoted-string ) )`, as browsers write it.

use crate::protocol::field::is_token;

/// Reads parameters; names in lower case. `None` if the text is anything else.
///
/// In a quoted value a backslash escapes a quote or a backslash and otherwise stands for itself:
/// curl escapes, old browsers send `C:\path` as it is, and neither is misread.
pub(super) fn read(text: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_matches(BLANKS);
    while !rest.is_empty() {
        rest = rest.strip_prefix(';')?.trim_start_matches(BLANKS);
        if rest.is_empty() {
            break;
        }
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim_end_matches(BLANKS);
        let behind = behind.trim_start_matches(BLANKS);
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => token(behind)?,
        };
        if !is_token(name) {
            return None;
        }
        parameters.push((name.to_ascii_lowercase(), value));
        rest = behind.trim_start_matches(BLANKS);
    }
    Some(parameters)
}

const BLANKS: [char; 2] = [' ', '\t'];

fn token(text: &str) -> Option<(String, &str)> {
    let (value, behind) = text.split_at(text.find(';').unwrap_or(text.len()));
    let value = value.trim_end_matches(BLANKS);
    is_token(value).then(|| (value.to_owned(), behind))
}

/// The value up to the closing quote, and what is behind that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some((value, characters.as_str())),
            '\\' if characters.as_str().starts_with(['"', '\\']) => {
                value.extend(characters.next());
            }
            plain => value.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Option<Vec<(String, String)>> {
        read(text)
    }

    #[test]
    fn tokens_and_quoted_values_are_read() {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (text, value) in [
            ("; a=b", "b"),
            (" ;\tA = \"b\" ", "b"),
            (r#";a="x\"y""#, "x\"y"),
            (r#";a="C:\dir\n.txt""#, r"C:\dir\n.txt"),
            (r#";a="a\\b""#, r"a\b"),
            (r#";a="x; y=z""#, "x; y=z"),
            (";a=\"日本語\"", "日本語"),
            (";a=b;", "b"),
        ] {
            assert_eq!(pairs(text), Some(vec![own("a", value)]), "{text}");
        }
        assert_eq!(pairs(";a=b; c=\"d\""), Some(vec![own("a", "b"), own("c", "d")]));
        assert_eq!(pairs(""), Some(Vec::new()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["a=b", ";a", ";=b", ";a=", ";a=\"b", ";a=\"b\"c", ";a=b c", ";;", ";a b=c"] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_quoted_text_survives(value in "[^\\p{Cc}]{0,40}") {
            let escaped = value.replace('\\', r"\\").replace('"', "\\\"");
            let read = pairs(&format!("; k=\"{escaped}\"")).unwrap();
            prop_assert_eq!(read, vec![("k".to_owned(), value)]);
        }
    }
}
