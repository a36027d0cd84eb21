//! Versions, number grammars and the method override (T-1 … T-13).

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::{Client, UPLOAD_BYTES};
use crate::exchange::Exchange;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "core",
    needs: &["creation"],
    cases: &[
        Case::new("every answer names the protocol version", &["T-1"], every_answer_has_a_version),
        Case::new("every refusal names the protocol version", &["T-1"], refusals_have_a_version),
        Case::new("an unsupported version is refused", &["T-3"], unsupported_version),
        Case::new("a request without a version is refused", &["T-2", "T-4"], missing_version),
        Case::new("a head request needs no version", &["T-5"], head_without_version),
        Case::new("an offset is a plain decimal number", &["T-6", "T-33"], offset_grammar),
        Case::new("two different offsets are refused", &["T-6"], two_offsets),
        Case::new("a length is a plain decimal number", &["T-7"], length_grammar),
        Case::new("two different lengths are refused", &["T-7"], two_lengths),
        Case::new("the versions are a list that starts with 1.0.0", &["T-8"], version_list),
        Case::new("the extensions are a list or are left out", &["T-9"], extension_list),
        Case::new("the maximum size is a plain decimal number", &["T-10"], max_size_grammar),
        Case::new("post can stand for patch", &["T-11"], post_as_patch),
        Case::new("post can stand for delete", &["T-11"], post_as_delete),
        Case::new("post can stand for head", &["T-11"], post_as_head),
        Case::new("get can stand for options", &["T-11"], get_as_options),
        Case::new("an unknown override changes nothing", &["T-12"], unknown_override),
        Case::new("field names match in any case", &["T-13"], lower_case_names),
    ],
};

const NOT_NUMBERS: &[&str] =
    &["", "-1", "+5", "1.5", "0x10", "1e3", "five", "1 2", "18446744073709551616"];

fn every_answer_has_a_version(client: &Client<'_>) -> Verdict {
    let created = client.send(client.creation().with("Upload-Length", "3"))?;
    created.has("Tus-Resumable", "1.0.0")?;
    let upload = client.created(&created)?;
    client.head(&upload)?.is_one_of(&[200, 204])?.has("Tus-Resumable", "1.0.0")?;
    client.patch(&upload, 0, b"abc")?.is(204)?.has("Tus-Resumable", "1.0.0")?;
    if client.offers().has("termination") {
        client.delete(&upload)?.is(204)?.has("Tus-Resumable", "1.0.0")?;
    }
    Ok(())
}

/// One exchange for each way a request of an upload can be refused that every server has.
pub(super) fn refusals(client: &Client<'_>) -> Result<Vec<Exchange>, Stop> {
    let upload = client.create(3)?;
    let text = client.append(&upload, 0).without("Content-Type").with("Content-Type", "text/plain");
    let requests = [
        client.creation(),
        client.creation().with("Upload-Length", "x"),
        client.creation().without("Tus-Resumable").with("Tus-Resumable", "0.2.2"),
        Request::tus("HEAD", &client.unknown().path),
        client.append(&client.unknown(), 0).body("abc"),
        client.append(&upload, 1).body("ab"),
        client.append(&upload, 0).body("abcdef"),
        text.body("abc"),
    ];
    let mut refused = Vec::new();
    for request in requests {
        let exchange = client.send(request)?;
        exchange.is_refused()?;
        refused.push(exchange);
    }
    if client.offers().has("checksum") {
        let wrong = client.append(&upload, 0).with("Upload-Checksum", crate::content::sha1(b"x"));
        let exchange = client.send(wrong.body("abc"))?;
        exchange.is_refused()?;
        refused.push(exchange);
    }
    Ok(refused)
}

fn refusals_have_a_version(client: &Client<'_>) -> Verdict {
    for exchange in refusals(client)? {
        exchange.has("Tus-Resumable", "1.0.0")?;
    }
    Ok(())
}

fn refused_with_versions(exchange: &Exchange) -> Verdict {
    exchange.is(412)?.lists("Tus-Version", &["1.0.0"])?.has_no("Location").map(drop)
}

fn unsupported_version(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    for version in ["0.2.2", "1.0.1", "2", "", "1.0.0, 1.0.0"] {
        let wrong = |request: Request| {
            client.send(request.without("Tus-Resumable").with("Tus-Resumable", version))
        };
        refused_with_versions(&wrong(client.creation().with("Upload-Length", "3"))?)?;
        refused_with_versions(&wrong(client.append(&upload, 0).body("abc"))?)?;
        refused_with_versions(&wrong(Request::new("HEAD", &upload.path))?)?;
        if client.offers().has("termination") {
            refused_with_versions(&wrong(Request::new("DELETE", &upload.path))?)?;
        }
    }
    client.offset_is(&upload, 0)
}

fn missing_version(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    let bare = |request: Request| client.send(request.without("Tus-Resumable"));
    refused_with_versions(&bare(client.creation().with("Upload-Length", "3"))?)?;
    refused_with_versions(&bare(client.append(&upload, 0).body("abc"))?)?;
    if client.offers().has("termination") {
        refused_with_versions(&bare(Request::new("DELETE", &upload.path))?)?;
    }
    client.offset_is(&upload, 0)
}

fn head_without_version(client: &Client<'_>) -> Verdict {
    let upload = client.create(3)?;
    client.send(Request::new("HEAD", &upload.path))?.is(200)?.has("Upload-Offset", "0").map(drop)
}

fn offset_grammar(client: &Client<'_>) -> Verdict {
    let upload = client.create(20)?;
    for value in NOT_NUMBERS {
        let request = client.append(&upload, 0).without("Upload-Offset");
        client.send(request.with("Upload-Offset", value).body("abc"))?.is(400)?;
    }
    client.send(client.append(&upload, 0).without("Upload-Offset").body("abc"))?.is(400)?;
    client.offset_is(&upload, 0)
}

fn two_offsets(client: &Client<'_>) -> Verdict {
    let upload = client.create(20)?;
    for other in ["1", "3"] {
        client.send(client.append(&upload, 0).with("Upload-Offset", other).body("abc"))?.is(400)?;
    }
    client.offset_is(&upload, 0)
}

fn length_grammar(client: &Client<'_>) -> Verdict {
    for value in NOT_NUMBERS {
        let request = client.creation().with("Upload-Length", value);
        client.send(request)?.is(400)?.has_no("Location")?;
    }
    Ok(())
}

fn two_lengths(client: &Client<'_>) -> Verdict {
    let request = client.creation().with("Upload-Length", "3").with("Upload-Length", "4");
    client.send(request)?.is(400)?.has_no("Location").map(drop)
}

fn options(client: &Client<'_>) -> Result<Exchange, Stop> {
    client.send(Request::new("OPTIONS", client.target().path()))
}

fn version_list(client: &Client<'_>) -> Verdict {
    let exchange = options(client)?;
    let versions = exchange.headers().list("Tus-Version");
    exchange
        .check(versions.first().is_some_and(|first| first == "1.0.0"), || {
            format!("expected Tus-Version to begin with 1.0.0, it is {versions:?}")
        })
        .map(drop)
}

fn extension_list(client: &Client<'_>) -> Verdict {
    let exchange = options(client)?;
    let lines = exchange.headers().lines("Tus-Extension");
    let well_formed = lines.iter().flat_map(|line| line.split(',')).map(str::trim).all(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    });
    exchange
        .check(well_formed, || format!("Tus-Extension is not a list of names: {lines:?}"))
        .map(drop)
}

fn max_size_grammar(client: &Client<'_>) -> Verdict {
    let exchange = options(client)?;
    if exchange.headers().get("Tus-Max-Size").is_none() {
        return Err(Stop::not_applicable("no Tus-Max-Size is advertised"));
    }
    exchange.number("Tus-Max-Size").map(drop)
}

fn post_as_patch(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    let request = Request::tus("POST", &upload.path)
        .with("X-HTTP-Method-Override", "PATCH")
        .with("Content-Type", UPLOAD_BYTES)
        .with("Upload-Offset", "0");
    client.send(request.body("hello"))?.is(204)?.has("Upload-Offset", "5")?;
    client.offset_is(&upload, 5)?;
    client.content_is(&upload, b"hello")
}

fn post_as_delete(client: &Client<'_>) -> Verdict {
    if !client.offers().has("termination") {
        return Err(Stop::not_applicable("not advertised: termination"));
    }
    let upload = client.create(5)?;
    let request = Request::tus("POST", &upload.path).with("X-HTTP-Method-Override", "DELETE");
    client.send(request)?.is(204)?;
    client.head(&upload)?.is_one_of(&[404, 410]).map(drop)
}

fn post_as_head(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    let request = Request::tus("POST", &upload.path).with("X-HTTP-Method-Override", "HEAD");
    let exchange = client.send(request)?;
    exchange.is_one_of(&[200, 204])?.has("Upload-Offset", "0")?.has("Upload-Length", "5")?;
    exchange.check(exchange.body().is_empty(), || "expected no body".to_owned()).map(drop)
}

fn get_as_options(client: &Client<'_>) -> Verdict {
    let request =
        Request::new("GET", client.target().path()).with("X-HTTP-Method-Override", "OPTIONS");
    client.send(request)?.is_one_of(&[200, 204])?.lists("Tus-Version", &["1.0.0"]).map(drop)
}

fn unknown_override(client: &Client<'_>) -> Verdict {
    let upload = client.create(5)?;
    for method in ["FROB", "CONNECT", ""] {
        let request = client.append(&upload, 0).with("X-HTTP-Method-Override", method);
        client.send(request.body("hello"))?.is_one_of(&[405, 501])?;
    }
    client.offset_is(&upload, 0)
}

fn lower_case_names(client: &Client<'_>) -> Verdict {
    let creation = Request::new("POST", client.target().path())
        .with("tus-resumable", "1.0.0")
        .with("upload-length", "5");
    let upload = client.create_by(creation)?;
    let append = Request::new("PATCH", &upload.path)
        .with("tus-resumable", "1.0.0")
        .with("content-type", UPLOAD_BYTES)
        .with("UPLOAD-OFFSET", "0");
    client.send(append.body("hello"))?.is(204)?.has("Upload-Offset", "5").map(drop)
}
