//! Creating uploads (T-60 … T-68).

use crate::case::{Case, Group, Stop, Verdict, ensure};
use crate::client::Client;
use crate::content::pair;

/// The cases about creating.
pub const GROUP: Group = Group {
    name: "creation",
    needs: &["creation"],
    cases: &[
        Case::new("post creates an upload and says where", &["T-61"], creates),
        Case::new("every creation makes another upload", &["T-61"], distinct),
        Case::new("post works with and without the trailing slash", &["T-61"], trailing_slash),
        Case::new("a creation needs a length", &["T-62"], no_length),
        Case::new("a length is known or deferred, not both", &["T-63"], both_lengths),
        Case::new("an empty upload is complete at once", &["T-64"], empty_upload),
        Case::new("an upload over the maximum size is refused", &["T-65"], over_the_maximum),
        Case::new("an upload of the maximum size is created", &["T-65"], the_maximum),
        Case::new("a creation without credentials is refused", &["T-66"], without_credentials),
        Case::new("put and post on odd places create nothing", &["T-61"], other_methods),
    ],
};

/// The cases that hold on every server.
pub const OFF: Group = Group {
    name: "creation-announced",
    needs: &[],
    cases: &[
        Case::new("a server that creates uploads says so", &["T-60"], announced),
        Case::new("without the extension nothing is created", &["T-67"], off),
    ],
};

fn announced(client: &Client<'_>) -> Verdict {
    let exchange = client.send(client.creation().with("Upload-Length", "3"))?;
    exchange
        .check(client.offers().has("creation") == (exchange.status() == 201), || {
            let listed = client.offers().extensions();
            format!("got {} while the extensions are {listed:?}", exchange.status())
        })
        .map(drop)
}

fn off(client: &Client<'_>) -> Verdict {
    if client.offers().has("creation") {
        return Err(Stop::not_applicable("creation is advertised"));
    }
    let exchange = client.send(client.creation().with("Upload-Length", "3"))?;
    exchange.is_one_of(&[405, 404])?.has_no("Location").map(drop)
}

fn creates(client: &Client<'_>) -> Verdict {
    let metadata = pair("filename", "a.txt");
    let creation = client.creation().with("Upload-Length", "300");
    let exchange = client.send(creation.with("Upload-Metadata", metadata))?;
    let upload = client.created(&exchange)?;
    exchange.check(upload.path != client.target().path(), || {
        "Location is the creation URL itself".to_owned()
    })?;
    client
        .head(&upload)?
        .is_one_of(&[200, 204])?
        .has("Upload-Offset", "0")?
        .has("Upload-Length", "300")
        .map(drop)
}

fn distinct(client: &Client<'_>) -> Verdict {
    let first = client.create(3)?;
    let second = client.create(3)?;
    ensure(first != second, || format!("two creations gave {}", first.path))?;
    client.patch(&first, 0, b"abc")?.is(204)?;
    client.offset_is(&second, 0)
}

fn trailing_slash(client: &Client<'_>) -> Verdict {
    let bare = client.target().path().trim_end_matches('/').to_owned();
    if bare.is_empty() {
        return Err(Stop::not_applicable("the endpoint is the root"));
    }
    for path in [bare.clone(), format!("{bare}/")] {
        let request = crate::wire::Request::tus("POST", &path).with("Upload-Length", "3");
        let upload = client.create_by(request)?;
        client.offset_is(&upload, 0)?;
    }
    Ok(())
}

fn no_length(client: &Client<'_>) -> Verdict {
    client.send(client.creation())?.is(400)?.has_no("Location").map(drop)
}

fn both_lengths(client: &Client<'_>) -> Verdict {
    let request = client.creation().with("Upload-Length", "3").with("Upload-Defer-Length", "1");
    client.send(request)?.is(400)?.has_no("Location").map(drop)
}

fn empty_upload(client: &Client<'_>) -> Verdict {
    let upload = client.create(0)?;
    let exchange = client.head(&upload)?;
    exchange.is(200)?.has("Upload-Offset", "0")?.has("Upload-Length", "0")?;
    client.content_is(&upload, b"")
}

fn over_the_maximum(client: &Client<'_>) -> Verdict {
    let most = client.max_size(u64::MAX >> 1)?;
    let request = client.creation().with("Upload-Length", most.saturating_add(1).to_string());
    client.send(request)?.is(413)?.has_no("Location").map(drop)
}

fn the_maximum(client: &Client<'_>) -> Verdict {
    // A larger one might be refused for the sake of the disk, which says nothing about the limit.
    let most = client.max_size(1 << 30)?;
    let upload = client.create(most)?;
    client.offset_is(&upload, 0)
}

fn without_credentials(client: &Client<'_>) -> Verdict {
    if !client.target().authenticates() {
        return Err(Stop::not_applicable("the suite was given no Authorization header"));
    }
    let request = client.creation().with("Upload-Length", "3").anonymous();
    client
        .send(request)?
        .is_one_of(&[401, 403])?
        .has_no("Location")?
        .has("Tus-Resumable", "1.0.0")
        .map(drop)
}

fn other_methods(client: &Client<'_>) -> Verdict {
    for (method, path) in
        [("PUT", client.target().path().to_owned()), ("POST", client.unknown().path)]
    {
        let request = crate::wire::Request::tus(method, &path).with("Upload-Length", "3");
        client.send(request)?.is_one_of(&[404, 405])?.has_no("Location")?;
    }
    Ok(())
}
