use super::*;
use proptest::prelude::*;

const BOUNDARY: &str = "b-b";
const DELIMITER: &[u8] = b"\r\n--b-b";

/// Head and content of a part.
type Part = (String, Vec<u8>);

/// The heads and contents of a form that arrives in `pieces`, and whether it is whole.
fn split(pieces: &[&[u8]]) -> Result<(Vec<Part>, bool), Problem> {
    let mut splitter = Splitter::new(&Boundary::new(BOUNDARY).unwrap());
    let mut parts: Vec<Part> = Vec::new();
    let mut ends = 0;
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(piece) = splitter.next(&mut input)? {
            match piece {
                Piece::Head(head) => {
                    assert_eq!(ends, parts.len(), "a part begins before the last one ended");
                    parts.push((String::from_utf8_lossy(&head).into_owned(), Vec::new()));
                }
                Piece::Content(bytes) => {
                    assert!(!bytes.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(&bytes);
                }
                Piece::End => ends += 1,
            }
        }
        assert!(input.is_empty());
    }
    Ok((parts, splitter.is_whole()))
}

fn whole(form: &[u8]) -> Vec<Part> {
    let (parts, is_whole) = split(&[form]).unwrap();
    assert!(is_whole);
    parts
}

fn part(head: &str, content: &[u8]) -> Part {
    (head.to_owned(), content.to_owned())
}

#[test]
fn parts_are_found_with_and_without_what_is_around_them() {
    for form in [
        &b"--b-b\r\nA: 1\r\n\r\none\r\n--b-b\r\n\r\ntwo\r\n--b-b--"[..],
        b"\r\n--b-b\r\nA: 1\r\n\r\none\r\n--b-b\r\n\r\ntwo\r\n--b-b--\r\n",
        b"not a part\r\n--b-b \t\r\nA: 1\r\n\r\none\r\n--b-b  \r\n\r\ntwo\r\n--b-b--\r\nnor this --b-b",
    ] {
        let parts = whole(form);
        assert_eq!(parts, [part("A: 1\r\n\r\n", b"one"), part("\r\n", b"two")]);
    }
}

#[test]
fn what_only_looks_like_a_boundary_is_content() {
    for content in [
        &b""[..],
        b"\r",
        b"\r\n",
        b"\r\n--",
        b"\r\n--b-",
        b"--b-b",
        b"\n--b-b",
        b"\r--b-b",
        b"\r\r\n--b-a",
        b"\r\n\r\n--b-\r\n--b",
        b"\r\n--b-\r\n",
    ] {
        let form = [b"--b-b\r\n\r\n", content, DELIMITER, b"--"].concat();
        assert_eq!(whole(&form), [part("\r\n", content)], "{content:?}");
    }
}

#[test]
fn a_form_that_breaks_off_is_not_whole() {
    let form = b"--b-b\r\nA: 1\r\n\r\none\r\n--b-b--";
    for end in 0..form.len() {
        assert!(!split(&[&form[..end]]).unwrap().1, "{end}");
    }
    assert!(split(&[form]).unwrap().1);
}

#[test]
fn lines_that_end_otherwise_are_refused() {
    for form in [
        &b"--b-b\n\none\n--b-b--"[..],
        b"--b-bx\r\n\r\n",
        b"--b-b-\r\n",
        b"--b-b\r\r\n",
        b"--b-b -\r\n",
        &[b"--b-b", &[b' '; 65][..], b"\r\n"].concat(),
    ] {
        assert!(matches!(split(&[form]), Err(Problem::MalformedForm { .. })), "{form:?}");
    }
}

#[test]
fn a_head_has_a_longest_length() {
    let form =
        |filler: usize| [b"--b-b\r\n", &vec![b'h'; filler][..], b"\r\n\r\nx\r\n--b-b--"].concat();
    assert_eq!(whole(&form(MAX_HEAD_BYTES - 4)).len(), 1);
    let refused = split(&[&form(MAX_HEAD_BYTES - 3)]);
    assert!(matches!(refused, Err(Problem::FormTooLong { .. })), "{refused:?}");
    let endless = [b"--b-b\r\n", &vec![b'h'; 2 * MAX_HEAD_BYTES][..]].concat();
    assert!(split(&[&endless]).is_err());
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    // Mostly what delimiters are made of.
    let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), any::<u8>()];
    let pieces = prop_oneof![
        prop::collection::vec(byte, 0..6),
        Just(b"\r\n--b".to_vec()),
        Just(b"\r\n--b-".to_vec()),
    ];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat()).prop_filter(
        "holds no delimiter",
        |content| {
            let followed = [content, DELIMITER].concat();
            memchr::memmem::find(&followed, DELIMITER) == Some(content.len())
        },
    )
}

proptest! {
    #[test]
    fn however_a_form_arrives_its_parts_are_the_same(
        contents in prop::collection::vec(content(), 1..4),
        mut cuts in prop::collection::vec(0_usize..200, 0..12),
    ) {
        let mut form = Vec::new();
        for content in &contents {
            form.extend([&DELIMITER[if form.is_empty() { 2 } else { 0 }..], b"\r\nA: 1\r\n\r\n", content].concat());
        }
        form.extend([DELIMITER, b"--"].concat());
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(form.len()));
        cuts.sort_unstable();
        cuts.push(form.len());
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&form[from..cut]);
            from = cut;
        }
        let wanted: Vec<_> = contents.iter().map(|content| part("A: 1\r\n\r\n", content)).collect();
        prop_assert_eq!(split(&pieces).unwrap(), (wanted.clone(), true));
        let single: Vec<&[u8]> = form.chunks(1).collect();
        prop_assert_eq!(split(&single).unwrap(), (wanted, true));
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(content(), 0..6)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let _ = split(&pieces);
    }
}
