//! The grammar of `Upload-Metadata` (T-70 … T-78).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::content::{base64, pair};
use crate::exchange::Exchange;

/// The cases.
pub const GROUP: Group = Group {
    name: "metadata",
    needs: &["creation"],
    cases: &[
        Case::new("pairs of key and base64 are accepted", &["T-70"], pairs),
        Case::new("a key may have no value", &["T-71"], no_value),
        Case::new("broken metadata is refused and creates nothing", &["T-72"], broken),
        Case::new("a key is ascii", &["T-73"], key_not_ascii),
        Case::new("a value may be any bytes", &["T-74"], any_bytes),
        Case::new("an empty metadata field is as good as none", &["T-75"], empty_field),
        Case::new("blanks around the comma do not matter", &["T-76"], blanks),
        Case::new("several metadata lines are one list", &["T-77"], several_lines),
        Case::new("a key may not come back in another line", &["T-72", "T-77"], key_in_two_lines),
        Case::new("metadata has a limit", &["T-78"], too_much),
    ],
};

fn creation_with(client: &Client<'_>, metadata: impl AsRef<[u8]>) -> Result<Exchange, Stop> {
    client.send(client.creation().with("Upload-Length", "3").with("Upload-Metadata", metadata))
}

fn accepted(client: &Client<'_>, metadata: &str) -> Verdict {
    let exchange = creation_with(client, metadata)?;
    let upload = client.created(&exchange)?;
    client.offset_is(&upload, 0)
}

fn refused(client: &Client<'_>, metadata: impl AsRef<[u8]>) -> Verdict {
    creation_with(client, metadata)?.is(400)?.has_no("Location").map(drop)
}

fn pairs(client: &Client<'_>) -> Verdict {
    let metadata = format!("{},{}", pair("filename", "a.txt"), pair("k-2.x_y!", "v"));
    let upload = client.created(&creation_with(client, &metadata)?)?;
    client.head(&upload)?.has("Upload-Metadata", &metadata).map(drop)
}

fn no_value(client: &Client<'_>) -> Verdict {
    accepted(client, &format!("{},flag", pair("a", "1")))?;
    accepted(client, &format!("flag,{}", pair("a", "1")))?;
    accepted(client, &format!("flag ,{}", pair("a", "1")))?;
    accepted(client, &format!("{},flag ", pair("a", "1")))?;
    accepted(client, "flag")
}

fn broken(client: &Client<'_>) -> Verdict {
    for metadata in [
        ",a YQ==",
        "YQ== YQ== YQ==",
        "k YQ== aa",
        "k  YQ== aa",
        "k testval-",
        "k testval*",
        "k Y",
        "a YQ==,",
        "a YQ==,,b Yg==",
        ",",
        "a YQ==,a Yg==",
        "a,a",
    ] {
        refused(client, metadata)?;
    }
    Ok(())
}

fn key_not_ascii(client: &Client<'_>) -> Verdict {
    refused(client, "schlüssel YQ==")?;
    refused(client, b"k\xFF YQ==")
}

fn any_bytes(client: &Client<'_>) -> Verdict {
    for value in [&b"a\r\nb: c"[..], b"\0", b"\xFF\xFE", b"\x7F\x1B[2J", b"\"quoted\\\""] {
        let metadata = pair("filename", value);
        let upload = client.created(&creation_with(client, &metadata)?)?;
        client.head(&upload)?.has("Upload-Metadata", &metadata)?;
    }
    Ok(())
}

fn empty_field(client: &Client<'_>) -> Verdict {
    for metadata in ["", "   "] {
        let upload = client.created(&creation_with(client, metadata)?)?;
        let exchange = client.head(&upload)?;
        let shown = exchange.headers().get("Upload-Metadata").unwrap_or_default();
        exchange.is(200)?.check(shown.is_empty(), || format!("metadata became {shown:?}"))?;
    }
    Ok(())
}

fn blanks(client: &Client<'_>) -> Verdict {
    accepted(client, "a YQ==, b Yg==")?;
    accepted(client, "a YQ== ,b Yg==")?;
    accepted(client, "  a YQ== ,\tb Yg==  ")
}

fn several_lines(client: &Client<'_>) -> Verdict {
    let creation = client
        .creation()
        .with("Upload-Length", "3")
        .with("Upload-Metadata", pair("a", "1"))
        .with("Upload-Metadata", pair("b", "2"));
    let upload = client.create_by(creation)?;
    let exchange = client.head(&upload)?;
    let shown = exchange.headers().list("Upload-Metadata");
    exchange
        .check(shown == [pair("a", "1"), pair("b", "2")], || {
            format!("the metadata of both lines became {shown:?}")
        })
        .map(drop)
}

fn key_in_two_lines(client: &Client<'_>) -> Verdict {
    let creation = client
        .creation()
        .with("Upload-Length", "3")
        .with("Upload-Metadata", pair("a", "1"))
        .with("Upload-Metadata", pair("a", "2"));
    client.send(creation)?.is(400)?.has_no("Location").map(drop)
}

fn too_much(client: &Client<'_>) -> Verdict {
    let long = format!("k {}", base64(vec![b'x'; 48 * 1024]));
    creation_with(client, long)?.is_one_of(&[400, 413, 431])?.has_no("Location")?;
    client.server_still_answers()
}
