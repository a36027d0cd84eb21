use super::*;
use crate::protocol::form::splitter::MAX_HEAD_BYTES;
use crate::upload::MetadataError;
use proptest::prelude::*;

const MAX_METADATA: usize = 200;

/// What a form with these parts (head lines without the last line break, content) comes to.
fn read(parts: &[(&str, &[u8])]) -> Result<(Vec<u8>, Metadata), Problem> {
    let mut form = Vec::new();
    for (head, content) in parts {
        form.extend([b"--b\r\n", head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat());
    }
    form.extend(b"--b--\r\n");
    read_raw(&form)
}

fn read_raw(form: &[u8]) -> Result<(Vec<u8>, Metadata), Problem> {
    let mut reader = Reader::new(&Boundary::new("b").unwrap(), MAX_METADATA);
    let (mut file, mut begun) = (Vec::new(), false);
    let mut input = Bytes::copy_from_slice(form);
    while let Some(event) = reader.next(&mut input)? {
        match event {
            Event::File => assert!(!std::mem::replace(&mut begun, true)),
            Event::Bytes(bytes) => {
                assert!(begun);
                file.extend_from_slice(&bytes);
            }
        }
    }
    Ok((file, reader.finish()?))
}

fn disposition(parameters: &str) -> String {
    format!("Content-Disposition: form-data; {parameters}")
}

const FILE_HEAD: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"";

fn text(metadata: &Metadata, key: &str) -> Option<String> {
    metadata.get(key).map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn fields_before_and_behind_the_file_become_its_metadata() {
    let before = disposition("name=\"album\"");
    let behind = disposition("name=submit");
    let file = format!("content-type: image/png\r\nX-Other: ignored\r\n{FILE_HEAD}");
    let (bytes, metadata) =
        read(&[(&before, "Löwen, 2024".as_bytes()), (&file, b"bytes\r\n"), (&behind, b"")])
            .unwrap();
    assert_eq!(bytes, b"bytes\r\n");
    for (key, value) in
        [("album", "Löwen, 2024"), ("filename", "a.txt"), ("filetype", "image/png"), ("submit", "")]
    {
        assert_eq!(text(&metadata, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn the_file_s_name_is_its_last_segment_in_any_script() {
    for (sent, kept) in [
        ("filename=\"日本語 ملف.txt\"", Some("日本語 ملف.txt")),
        ("filename=\"../../etc/passwd\"", Some("passwd")),
        (r#"filename="C:\dir\photo.jpg""#, Some("photo.jpg")),
        (r#"filename="a\"b.txt""#, Some("a\"b.txt")),
        ("filename=\"a%22b%0D%0Ac\"", Some("a\"b%0D%0Ac")),
        ("filename=\"100%25\"", Some("100%25")),
        ("filename=\"\u{202e}gpj.exe\"", Some("\u{202e}gpj.exe")),
        ("filename=\"..\"", None),
        ("filename=\"dir/\"", None),
        ("filename=\"x\"; filename*=UTF-8''evil", Some("x")),
        ("filename*=UTF-8''evil", None),
        ("FileName=plain", Some("plain")),
    ] {
        let head = disposition(&format!("name=\"file\"; {sent}"));
        let (_, metadata) = read(&[(&head, b"x")]).unwrap();
        assert_eq!(text(&metadata, "filename").as_deref(), kept, "{sent}");
    }
}

#[test]
fn an_empty_file_is_one_unless_none_was_chosen() {
    assert_eq!(read(&[(FILE_HEAD, b"")]).unwrap().0, b"");
    assert_eq!(read(&[(&disposition("name=file"), b"")]).unwrap().0, b"");
    let unchosen = disposition("name=\"file\"; filename=\"\"");
    assert_eq!(read(&[(&unchosen, b"")]), Err(Problem::OneFile { found: "none" }));
    assert_eq!(read(&[(&unchosen, b"x")]).unwrap().0, b"x");
}

#[test]
fn a_form_has_exactly_one_file_in_the_right_field() {
    let elsewhere = disposition("name=\"photo\"; filename=\"a\"");
    for (parts, found) in [
        (&[][..], "none"),
        (&[(&*disposition("name=\"File\""), &b"x"[..])], "none"),
        (&[(FILE_HEAD, b"x"), (FILE_HEAD, b"x")], "more than one"),
        (&[(&*elsewhere, b"x")], "one in another field"),
    ] {
        assert_eq!(read(parts), Err(Problem::OneFile { found }), "{parts:?}");
    }
}

#[test]
fn a_field_that_cannot_be_metadata_is_refused() {
    use MetadataError as E;
    let twice = disposition("name=\"filename\"");
    let key = || "filename".to_owned();
    for (head, error) in [
        (disposition("name=\"\""), E::EmptyKey),
        (disposition("name=\"two words\""), E::KeyCharacter),
        (disposition("name=\"a,b\""), E::KeyCharacter),
        (disposition("name=\"ключ\""), E::KeyCharacter),
        (twice, E::DuplicateKey(key())),
    ] {
        let refused = read(&[(FILE_HEAD, b"x"), (&head, b"v")]);
        assert_eq!(refused, Err(Problem::InvalidMetadata(error)), "{head}");
    }
}

#[test]
fn fields_fit_up_to_the_bound_and_no_further() {
    let head = disposition("name=\"k\"");
    // `filename YS50eHQ=,k ` and the value in base64.
    let room = (MAX_METADATA - 20) / 4 * 3;
    assert_eq!(read(&[(FILE_HEAD, b"x"), (&head, &vec![b'v'; room])]).unwrap().0, b"x");
    let refused = read(&[(FILE_HEAD, b"x"), (&head, &vec![b'v'; room + 1])]);
    assert!(matches!(refused, Err(Problem::FormTooLong { limit: MAX_METADATA, .. })));
    let long = disposition(&format!("name=\"file\"; filename=\"{}\"", "n".repeat(MAX_METADATA)));
    assert!(matches!(read(&[(&long, b"x")]), Err(Problem::FormTooLong { .. })));
}

#[test]
fn heads_that_are_none_are_refused() {
    for head in [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: attachment; name=\"file\"",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; filename=\"x\"",
        "Content-Disposition: form-data; name=\"file\"; name=\"other\"",
        "Content-Disposition: form-data; name=\"file",
        "Content-Disposition : form-data; name=\"file\"",
        "Content-Disposition: form-data;\r\n name=\"file\"",
        "Content-Disposition: form-data; name=\"file\"\nX: y",
        "Content-Disposition: form-data; name=\"fi\0le\"",
        "Content-Disposition: form-data; name=\"fi\rle\"",
    ] {
        let refused = read(&[(head, b"x")]);
        assert!(matches!(refused, Err(Problem::MalformedForm { .. })), "{head:?}: {refused:?}");
    }
    for line in [
        "Content-Type: multipart/mixed; boundary=c",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: form-data; name=\"file\"",
    ] {
        let refused = read(&[(&format!("{FILE_HEAD}\r\n{line}"), b"x")]);
        assert!(matches!(refused, Err(Problem::MalformedForm { .. })), "{line}: {refused:?}");
    }
    let latin = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\xe9\"\r\n\r\nx\r\n--b--";
    assert!(matches!(read_raw(latin), Err(Problem::MalformedForm { .. })));
}

#[test]
fn a_part_ends_at_its_boundary_whatever_length_it_states() {
    for lines in ["Content-Length: 3", "Content-Length: 300", "Content-Transfer-Encoding: Binary"] {
        let head = format!("{FILE_HEAD}\r\n{lines}");
        assert_eq!(read(&[(&head, b"hello")]).unwrap().0, b"hello");
    }
}

#[test]
fn a_form_that_breaks_off_is_refused() {
    let form = format!("--b\r\n{FILE_HEAD}\r\n\r\nhello\r\n--b--");
    for end in 0..form.len() {
        assert!(matches!(read_raw(&form.as_bytes()[..end]), Err(Problem::MalformedForm { .. })));
    }
    assert!(read_raw(form.as_bytes()).is_ok());
}

#[test]
fn what_is_around_the_parts_is_bounded() {
    let form = format!("--b\r\n{FILE_HEAD}\r\n\r\nhello\r\n--b--\r\n");
    let short = [&[b'.'; 1000][..], b"\r\n", form.as_bytes(), &[b'.'; 1000]].concat();
    assert_eq!(read_raw(&short).unwrap().0, b"hello");
    for around in [
        [&[b'.'; MAX_FRAME_BYTES][..], b"\r\n", form.as_bytes()].concat(),
        [form.as_bytes(), &[b'.'; MAX_FRAME_BYTES]].concat(),
    ] {
        assert!(matches!(read_raw(&around), Err(Problem::FormTooLong { .. })));
    }
    // Many parts, each of them short.
    let head = format!("{}\r\nX: {}", disposition("name=k"), "x".repeat(MAX_HEAD_BYTES - 100));
    let names: Vec<String> =
        (0..9).map(|n| head.replace("name=k", &format!("name=k{n}"))).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|head| (head.as_str(), &b""[..])).collect();
    assert!(matches!(read(&parts), Err(Problem::FormTooLong { .. })));
}

proptest! {
    #[test]
    fn a_long_file_is_no_frame(pieces in 1_usize..6) {
        let content = vec![b'\r'; pieces * MAX_FRAME_BYTES];
        prop_assert_eq!(read(&[(FILE_HEAD, &content)]).unwrap().0, content);
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(
        prop_oneof![
            Just(b"\r\n--b\r\n".to_vec()),
            Just(b"\r\n--b--".to_vec()),
            Just(b"\r\n\r\n".to_vec()),
            Just(FILE_HEAD.as_bytes().to_vec()),
            Just(b"Content-Disposition: form-data; name=\"".to_vec()),
            prop::collection::vec(any::<u8>(), 0..12),
        ], 0..12)) {
        let _ = read_raw(&pieces.concat());
    }
}
