//! The file, its name, and the fields beside it.

use crate::case::{Case, Group, Verdict};
use crate::client::Client;
use crate::content::pair;

use super::{FILE, answer, refused, send, stored};

/// The cases.
pub const GROUP: Group = Group {
    name: "form-names",
    needs: &["creation"],
    cases: &[
        Case::new("an empty file is stored as one", &["F-11"], empty_file),
        Case::new("a form in which no file was chosen is refused", &["F-10", "F-11"], no_file),
        Case::new("a second file is refused with the first", &["F-12"], two_files),
        Case::new("a file in another field is refused", &["F-13"], file_elsewhere),
        Case::new("a part without a proper head is refused", &["F-20"], bad_heads),
        Case::new("a file name keeps its script and loses its path", &["F-21"], file_names),
        Case::new("the type of the file is its filetype", &["F-22"], file_types),
        Case::new("only a boundary ends a part", &["F-23"], stated_lengths),
        Case::new("encoded and nested parts are refused", &["F-23"], encodings),
        Case::new("fields before and behind the file are metadata", &["F-24"], fields),
        Case::new("a field that cannot be metadata is refused", &["F-24"], bad_fields),
    ],
};

fn field(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

/// The metadata of the upload that a form of these parts makes.
fn metadata(
    client: &Client<'_>,
    parts: &[(&str, &[u8])],
) -> Result<Vec<String>, crate::case::Stop> {
    let exchange = send(client, parts)?;
    let upload = stored(client, &exchange)?;
    Ok(client.head(&upload)?.is(200)?.headers().list("Upload-Metadata"))
}

fn empty_file(client: &Client<'_>) -> Verdict {
    let exchange = send(client, &[(FILE, b"")])?;
    let upload = stored(client, &exchange)?;
    client.content_is(&upload, b"")?;
    client.head(&upload)?.has("Upload-Length", "0").map(drop)
}

fn no_file(client: &Client<'_>) -> Verdict {
    refused(client, &[], 400)?;
    refused(client, &[(&field("comment"), b"no file")], 400)?;
    let unchosen = format!("{}; filename=\"\"", field("file"));
    refused(client, &[(&format!("{unchosen}\r\nContent-Type: application/octet-stream"), b"")], 400)
}

fn two_files(client: &Client<'_>) -> Verdict {
    refused(client, &[(FILE, b"one"), (FILE, b"two")], 400)?;
    refused(client, &[(FILE, b""), (FILE, b"")], 400)
}

fn file_elsewhere(client: &Client<'_>) -> Verdict {
    let photo = format!("{}; filename=\"photo.jpg\"", field("photo"));
    refused(client, &[(&photo, b"bytes")], 400)?;
    refused(client, &[(FILE, b"bytes"), (&photo, b"bytes")], 400)
}

fn bad_heads(client: &Client<'_>) -> Verdict {
    for head in [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: attachment; name=\"file\"",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; filename=\"a\"",
        "Content-Disposition: form-data; name=\"file\"; name=\"file\"",
        "Content-Disposition: form-data; name=\"file",
        "Content-Disposition: form-data; name=\"file\";\r\n filename=\"a\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\0b\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\rb\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\nb\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\r\nX: y\"",
        "not a field",
    ] {
        refused(client, &[(head, b"abc")], 400)?;
    }
    client.server_still_answers()
}

fn file_names(client: &Client<'_>) -> Verdict {
    let long = "n".repeat(300);
    for (sent, kept) in [
        ("日本語 ملف é.txt", "日本語 ملف é.txt"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ann\photo.jpg", "photo.jpg"),
        ("say %22hi%22%0D%0A.txt", "say \"hi\"%0D%0A.txt"),
        ("100%25.txt", "100%25.txt"),
        ("\u{202e}gpj.exe", "\u{202e}gpj.exe"),
        (&*long, &*long),
    ] {
        let head = format!("{}; filename=\"{sent}\"", field("file"));
        let exchange = send(client, &[(&head, b"abc")])?;
        let upload = stored(client, &exchange)?;
        let name = answer(&exchange)?.text("filename")?.to_owned();
        exchange.check(name == kept, || format!("{sent:?} became {name:?}"))?;
        client.head(&upload)?.has("Upload-Metadata", &pair("filename", kept))?;
        if client.parameters().downloads {
            // Whatever it is called, the field that shows it is one line of visible ASCII.
            let exchange = client.get(&upload)?;
            let shown = exchange.is(200)?.field("Content-Disposition")?;
            let visible = shown.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            exchange.check(visible && !shown.contains(['/', '\\']), || shown.to_owned())?;
        }
    }
    for nameless in ["..", ".", "dir/", r"dir\"] {
        let head = format!("{}; filename={nameless:?}", field("file"));
        let kept = metadata(client, &[(&head, b"abc")])?;
        crate::case::ensure(kept.is_empty(), || format!("{nameless} became {kept:?}"))?;
    }
    Ok(())
}

fn file_types(client: &Client<'_>) -> Verdict {
    let head = format!("{}\r\ncontent-type: image/png", field("file"));
    let kept = metadata(client, &[(&head, b"abc")])?;
    crate::case::ensure(kept == [pair("filetype", "image/png")], || format!("{kept:?}"))
}

fn stated_lengths(client: &Client<'_>) -> Verdict {
    for line in ["Content-Length: 2", "Content-Length: 2000", "Content-Length: x", "X-Any: thing"] {
        let exchange = send(client, &[(&format!("{FILE}\r\n{line}"), b"hello")])?;
        client.content_is(&stored(client, &exchange)?, b"hello")?;
    }
    Ok(())
}

fn encodings(client: &Client<'_>) -> Verdict {
    for line in [
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Type: multipart/mixed; boundary=inner",
        "Content-Type: multipart/form-data; boundary=inner",
    ] {
        let inner = b"--inner\r\nContent-Disposition: file; filename=\"a\"\r\n\r\nx\r\n--inner--";
        refused(client, &[(&format!("{FILE}\r\n{line}"), inner)], 400)?;
    }
    let exchange =
        send(client, &[(&format!("{FILE}\r\nContent-Transfer-Encoding: binary"), b"x")])?;
    client.content_is(&stored(client, &exchange)?, b"x")
}

fn fields(client: &Client<'_>) -> Verdict {
    let (album, submit) = (field("album"), field("submit"));
    let value = "Löwen, 2026\r\nzwei Zeilen".as_bytes();
    let kept = metadata(client, &[(&album, value), (FILE, b"abc"), (&submit, b"")])?;
    for wanted in [pair("album", value), pair("filename", "a.txt")] {
        crate::case::ensure(kept.contains(&wanted), || format!("{wanted} is not in {kept:?}"))?;
    }
    let submitted = kept.iter().any(|pair| pair.trim() == "submit");
    crate::case::ensure(submitted, || format!("submit is not in {kept:?}"))
}

fn bad_fields(client: &Client<'_>) -> Verdict {
    for name in ["", "two words", "a,b", "schlüssel", "filename"] {
        refused(client, &[(FILE, b"abc"), (&field(name), b"value")], 400)?;
    }
    let twice = field("k");
    refused(client, &[(&twice, b"1"), (&twice, b"2"), (FILE, b"abc")], 400)
}
