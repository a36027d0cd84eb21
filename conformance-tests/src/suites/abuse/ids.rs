//! Upload URLs no server handed out.

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, UPLOAD_BYTES};
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "ids",
    needs: &["creation"],
    cases: &[
        Case::new("an id with dots or slashes finds nothing", &["B-1"], dots_and_slashes),
        Case::new("an id with encoded bytes finds nothing", &["B-1"], encoded),
        Case::new("an overlong id finds nothing", &["B-1"], overlong),
        Case::new("a variation of a real id finds nothing", &["B-1"], variations),
        Case::new("a hostile id in upload-concat is refused", &["B-1", "T-153"], in_upload_concat),
    ],
};

/// Every verb on `path` is refused in an orderly way; a broken request line may end the connection.
fn finds_nothing(client: &Client<'_>, path: &str) -> Verdict {
    let patch = Request::tus("PATCH", path)
        .with("Content-Type", UPLOAD_BYTES)
        .with("Upload-Offset", "0")
        .body("abc");
    let requests = [
        Request::tus("HEAD", path),
        Request::new("GET", path),
        patch,
        Request::tus("DELETE", path),
    ];
    for request in requests {
        let mut connection = client.open()?;
        let target = client.target();
        connection.send_request(&request, target.host(), target.fields())?;
        // A server may drop what it cannot even parse; anything it says must be a refusal.
        match connection.answer(request.method()) {
            Ok(answer) => {
                let status = answer.response.head.status;
                // A redirect to another form of the path has found nothing either.
                if !(300..500).contains(&status) {
                    let line = format!("{} {}", request.method(), path.escape_default());
                    return Err(Stop::failed(format!("{line} was answered with {status}")));
                }
            }
            Err(error) if error.is_disconnect() => {}
            Err(error) => return Err(error.into()),
        }
    }
    client.server_still_answers()
}

fn dots_and_slashes(client: &Client<'_>) -> Verdict {
    let ids = [
        ".",
        "..",
        "../",
        "../../../../etc/passwd",
        "a/../../b",
        "....//",
        "/",
        "//",
        "/etc/passwd",
        "a/b",
        "a//b",
        "..\\..\\x",
        ".info",
        "x.info",
        "~",
        "*",
        "?",
        "?id=x",
        ";x",
    ];
    ids.iter().try_for_each(|id| finds_nothing(client, &client.target().below(id)))
}

fn encoded(client: &Client<'_>) -> Verdict {
    let ids = [
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%2e%2e",
        "..%2f..%2fetc",
        "%252e%252e%252f",
        "%00",
        "a%00b",
        "%0d%0aX-Evil:%201",
        "%ff%fe",
        "%c0%ae%c0%ae%c0%af",
        "%",
        "%zz",
        "%u002e",
    ];
    ids.iter().try_for_each(|id| finds_nothing(client, &client.target().below(id)))
}

fn overlong(client: &Client<'_>) -> Verdict {
    for length in [33, 255, 256, 4096, 7000] {
        finds_nothing(client, &client.target().below(&"a".repeat(length)))?;
    }
    Ok(())
}

fn variations(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let id = upload.path.rsplit('/').next().unwrap_or_default();
    let shouted = id.to_ascii_uppercase();
    let mut others =
        vec![format!("{id}x"), format!("{id}%00"), format!("{id}.bin"), format!(" {id}")];
    if shouted != id {
        others.push(shouted);
    }
    others.extend(id.get(1..).map(str::to_owned));
    others.retain(|other| !other.contains(' '));
    for other in others {
        finds_nothing(client, &client.target().below(&other))?;
    }
    client.offset_is(&upload, 0)
}

fn in_upload_concat(client: &Client<'_>) -> Verdict {
    if !client.offers().has("concatenation") {
        return Err(Stop::not_applicable("not advertised: concatenation"));
    }
    let base = client.target().path().trim_end_matches('/').to_owned();
    for part in [
        format!("{base}/../../etc/passwd"),
        format!("{base}/%2e%2e%2fx"),
        format!("{base}/"),
        base.clone(),
        "..".to_owned(),
        "%00".to_owned(),
        "file:///etc/passwd".to_owned(),
        "//".to_owned(),
        "http://".to_owned(),
        format!("{base}/{}", "a".repeat(5000)),
    ] {
        let request = client.creation().with("Upload-Concat", format!("final;{part}"));
        client.send(request)?.is_refused()?.has_no("Location")?;
    }
    client.server_still_answers()
}
