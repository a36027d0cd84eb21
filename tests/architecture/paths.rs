//! Every path that a Rust source names, resolved as far as names alone allow.
//!
//! A lexer, not a compiler: comments, texts and documentation do not count, `use` trees are
//! unfolded, and `super::` is counted up to the crate's root. What it cannot see (a path that a
//! macro puts together) does not occur here.

/// One path, from its first segment on, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// Its segments; `super::` that reaches the crate's root is written as `crate`.
    pub segments: Vec<String>,
    /// Its line, counted from 1.
    pub line: usize,
}

impl NamedPath {
    /// The path as it is written in a rule.
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Colons,
    Open,
    Close,
    Comma,
    Other(char),
}

/// Every path in `source`, a file whose module lies `depth` modules below the crate's root.
pub(crate) fn named_paths(source: &str, depth: usize) -> Vec<NamedPath> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    // Inline modules deepen what `super` means: the brace depth at which each began.
    let (mut braces, mut inline) = (0_usize, Vec::new());
    let mut at = 0;
    while let Some((token, line)) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "mod" => {
                if matches!(tokens.get(at + 2), Some((Token::Open, _))) {
                    inline.push(braces);
                }
                at += 2;
            }
            Token::Word(_) => {
                let mut paths = Vec::new();
                at = path_at(&tokens, at, &[], &mut paths);
                let depth = depth + inline.len();
                found.extend(paths.into_iter().map(|segments| NamedPath {
                    segments: resolved(segments, depth),
                    line: *line,
                }));
            }
            Token::Open => {
                braces += 1;
                at += 1;
            }
            Token::Close => {
                braces = braces.saturating_sub(1);
                inline.pop_if(|began| *began == braces);
                at += 1;
            }
            Token::Colons | Token::Comma | Token::Other(_) => at += 1,
        }
    }
    found
}

/// Reads the path or `use` tree that starts at `at`; returns where it ends.
fn path_at(
    tokens: &[(Token, usize)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let mut segments = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some((Token::Word(word), _)) => {
                segments.push(word.clone());
                at += 1;
            }
            Some((Token::Other('*'), _)) => {
                segments.push("*".to_owned());
                at += 1;
            }
            Some((Token::Open, _)) => {
                at += 1;
                while !matches!(tokens.get(at), None | Some((Token::Close, _))) {
                    at = match tokens.get(at) {
                        Some((Token::Word(_) | Token::Open | Token::Other('*'), _)) => {
                            path_at(tokens, at, &segments, found)
                        }
                        _ => at + 1,
                    };
                }
                return at + 1;
            }
            _ => {
                found.push(segments);
                return at;
            }
        }
        match tokens.get(at) {
            Some((Token::Colons, _)) if continues(tokens, at + 1) => at += 1,
            _ => {
                found.push(segments);
                return at;
            }
        }
    }
}

/// Whether a path goes on behind `::`; a turbofish (`::<`) ends it for our purposes.
fn continues(tokens: &[(Token, usize)], at: usize) -> bool {
    matches!(tokens.get(at), Some((Token::Word(_) | Token::Open | Token::Other('*'), _)))
}

/// Rewrites `super::` chains that reach the root; shorter ones stay inside the layer.
fn resolved(segments: Vec<String>, depth: usize) -> Vec<String> {
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    if ups > 0 && ups >= depth {
        let rest = segments.into_iter().skip(ups);
        return std::iter::once("crate".to_owned()).chain(rest).collect();
    }
    // Our library seen from the binary and from integration tests.
    match segments.split_first() {
        Some((first, rest)) if first == "tidegate" && !rest.is_empty() => {
            std::iter::once("crate".to_owned()).chain(rest.iter().cloned()).collect()
        }
        _ => segments,
    }
}

fn tokens(source: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = source.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(&char) = chars.get(at) {
        let start = at;
        let next = chars.get(at + 1).copied();
        at = match char {
            '/' if next == Some('/') => end_of_line(&chars, at),
            '/' if next == Some('*') => end_of_comment(&chars, at),
            '"' => end_of_text(&chars, at + 1),
            'r' | 'b' | 'c' if raw_text(&chars, at).is_some() => {
                raw_text(&chars, at).unwrap_or(at + 1)
            }
            '\'' => end_of_char(&chars, at),
            ':' if next == Some(':') => {
                tokens.push((Token::Colons, line));
                at + 2
            }
            _ if char.is_alphabetic() || char == '_' => {
                let end = end_of_word(&chars, at);
                tokens.push((Token::Word(chars[at..end].iter().collect()), line));
                end
            }
            _ if char.is_numeric() => end_of_word(&chars, at),
            _ => {
                match char {
                    '{' => tokens.push((Token::Open, line)),
                    '}' => tokens.push((Token::Close, line)),
                    ',' => tokens.push((Token::Comma, line)),
                    _ if char.is_whitespace() => {}
                    _ => tokens.push((Token::Other(char), line)),
                }
                at + 1
            }
        };
        line += chars[start..at.min(chars.len())].iter().filter(|char| **char == '\n').count();
    }
    tokens
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|char| *char == '\n').map_or(chars.len(), |length| at + length)
}

fn end_of_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0_usize, at);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_text(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of a raw text such as `r#".."#` or of a prefixed one such as `b".."`, if one starts here.
fn raw_text(chars: &[char], at: usize) -> Option<usize> {
    let prefix = chars[at..].iter().take_while(|char| "rbc".contains(**char)).count();
    let raw = chars[at..at + prefix].contains(&'r');
    let mut behind = at + prefix;
    let hashes = chars[behind..].iter().take_while(|char| **char == '#').count();
    behind += hashes;
    if prefix > 2 || chars.get(behind) != Some(&'"') || (hashes > 0 && !raw) {
        return None;
    }
    if !raw {
        return Some(end_of_text(chars, behind + 1));
    }
    let mut closing = vec!['"'];
    closing.extend(std::iter::repeat_n('#', hashes));
    let body = chars.get(behind + 1..)?;
    let length = body.windows(closing.len()).position(|window| window == closing.as_slice());
    Some(length.map_or(chars.len(), |length| behind + 1 + length + closing.len()))
}

/// The end of a character, or of a lifetime's tick.
fn end_of_char(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let closing = chars[at + 3..].iter().position(|char| *char == '\'');
            closing.map_or(chars.len(), |length| at + 4 + length)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

fn end_of_word(chars: &[char], at: usize) -> usize {
    let word = |char: &&char| char.is_alphanumeric() || **char == '_';
    at + chars[at..].iter().take_while(word).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str, depth: usize) -> Vec<String> {
        named_paths(source, depth).iter().map(NamedPath::text).collect()
    }

    #[test]
    fn a_use_tree_is_unfolded() {
        let found = texts("use crate::{a::{B, c::D}, e};", 1);
        assert_eq!(found, ["use", "crate::a::B", "crate::a::c::D", "crate::e"]);
    }

    #[test]
    fn a_path_in_the_middle_of_code_is_found_with_its_line() {
        let found = named_paths("fn f() {\n    let x = std::fs::read(p);\n}", 1);
        let path = found.iter().find(|path| path.text() == "std::fs::read").unwrap();
        assert_eq!(path.line, 2);
    }

    #[test]
    fn comments_documentation_and_texts_do_not_count() {
        let source = "/// [`tokio::spawn`]\n//! x\n/* sled /* sled */ */ let a = \"sled::Db\"; \
                      let b = r#\"sled \" sled\"#; let c = b\"sled\"; let d = '\"'; sled2()";
        let found = texts(source, 1);
        assert!(found.iter().all(|path| !path.contains("tokio") && path != "sled"), "{found:?}");
        assert!(found.contains(&"sled2".to_owned()), "{found:?}");
    }

    #[test]
    fn super_reaches_the_root_only_when_it_goes_all_the_way_up() {
        assert!(texts("use super::storage;", 1).contains(&"crate::storage".to_owned()));
        assert!(texts("use super::storage;", 2).contains(&"super::storage".to_owned()));
        assert!(texts("use super::super::{http};", 2).contains(&"crate::http".to_owned()));
    }

    #[test]
    fn an_inline_module_deepens_super() {
        let source = "mod tests { use super::super::http; } use super::http;";
        let found = texts(source, 1);
        assert_eq!(found.iter().filter(|path| *path == "crate::http").count(), 2, "{found:?}");
        let one_up = texts("mod tests { fn f() { if x { } } use super::http; }", 1);
        assert!(one_up.contains(&"super::http".to_owned()), "{one_up:?}");
    }

    #[test]
    fn lifetimes_do_not_swallow_code() {
        let found = texts("fn f<'a>(x: &'a str) -> char { sled::x('\\'', 'b') }", 1);
        assert!(found.contains(&"sled::x".to_owned()), "{found:?}");
    }
}
