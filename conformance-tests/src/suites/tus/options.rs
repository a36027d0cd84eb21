//! Discovery (T-50 … T-54).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "options",
    needs: &["creation"],
    cases: &[
        Case::new("options on the endpoint names the versions", &["T-50"], on_the_endpoint),
        Case::new("options on an upload names the versions", &["T-50"], on_an_upload),
        Case::new("options is answered with 204 and no body", &["T-50"], without_a_body),
        Case::new("options names the same extensions everywhere", &["T-51"], extensions),
        Case::new("options ignores the version it is asked in", &["T-52"], any_version),
        Case::new("options names the checksum algorithms", &["T-53"], algorithms),
        Case::new("a preflight is answered on the same endpoint", &["T-54"], preflight),
    ],
};

fn on_the_endpoint(client: &Client<'_>) -> Verdict {
    let exchange = client.send(Request::new("OPTIONS", client.target().path()))?;
    exchange.is_one_of(&[200, 204])?.lists("Tus-Version", &["1.0.0"]).map(drop)
}

fn on_an_upload(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    for path in [upload.path, client.unknown().path] {
        let exchange = client.send(Request::new("OPTIONS", &path))?;
        exchange.is_one_of(&[200, 204])?.lists("Tus-Version", &["1.0.0"])?;
    }
    Ok(())
}

fn without_a_body(client: &Client<'_>) -> Verdict {
    client.send(Request::new("OPTIONS", client.target().path()))?.is(204).map(drop)
}

fn extensions(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let here = client.send(Request::new("OPTIONS", client.target().path()))?;
    let there = client.send(Request::new("OPTIONS", &upload.path))?;
    for name in ["Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"] {
        let wanted = here.headers().list(name);
        there.check(there.headers().list(name) == wanted, || {
            format!("{name} differs from that of the endpoint, which is {wanted:?}")
        })?;
    }
    Ok(())
}

fn any_version(client: &Client<'_>) -> Verdict {
    for version in ["1.0.0", "0.2.2", "nonsense", ""] {
        let request =
            Request::new("OPTIONS", client.target().path()).with("Tus-Resumable", version);
        client.send(request)?.is_one_of(&[200, 204])?.lists("Tus-Version", &["1.0.0"])?;
    }
    Ok(())
}

fn algorithms(client: &Client<'_>) -> Verdict {
    if !client.offers().has("checksum") {
        return Err(Stop::not_applicable("not advertised: checksum"));
    }
    let exchange = client.send(Request::new("OPTIONS", client.target().path()))?;
    exchange.field("Tus-Checksum-Algorithm").map(drop)
}

fn preflight(client: &Client<'_>) -> Verdict {
    let request = Request::new("OPTIONS", client.target().path())
        .with("Origin", "https://app.example")
        .with("Access-Control-Request-Method", "POST")
        .with("Access-Control-Request-Headers", "tus-resumable,upload-length");
    let exchange = client.send(request.anonymous())?;
    exchange.is_one_of(&[200, 204])?.field("Access-Control-Allow-Origin")?;
    exchange.field("Access-Control-Allow-Methods").map(drop)
}
