//! A file into a slot, and out of it again.

use crate::case::{Case, Group, Verdict};
use crate::client::Client;
use crate::content::letters;
use crate::slot::Slot;
use crate::wire::Request;

/// The cases.
pub const GROUP: Group = Group {
    name: "slot-put",
    needs: &[],
    cases: &[
        Case::new("a slot stores its file byte for byte", &["X-50", "X-56"], bytes),
        Case::new("a slot says how long its body has to be", &["X-50"], lengths),
        Case::new("a refused token learns nothing of the file", &["X-51"], forged),
        Case::new("a slot that has its file takes no other", &["X-52"], twice),
        Case::new("a slot whose file was deleted takes no other", &["X-53", "X-54"], deleted),
        Case::new("pages of other origins may use slots", &["X-55"], cors),
        Case::new("the file of a slot is fetched by its address alone", &["X-56"], fetched),
        Case::new("a file with a dangerous type is saved and not shown", &["X-56"], dangerous),
        Case::new("the file of a slot has a name in any script", &["X-56"], names),
    ],
};

fn bytes(client: &Client<'_>) -> Verdict {
    for size in [0, 1, 300_000] {
        let slot = Slot::new(client, "a.png", &letters(201, size))?;
        let exchange = slot.put(client)?;
        exchange.is(201)?.check(exchange.body().is_empty(), || "a body".to_owned())?;
        slot.is_whole(client)?;
    }
    Ok(())
}

fn lengths(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a.png", b"hello")?;
    client.send(slot.head().chunked("hello"))?.is(411)?;
    client.send(slot.head().body("hell"))?.is_refused()?;
    client.send(slot.head().body("hello!"))?.is_refused()?;
    client.send(slot.head().with("Content-Length", "-1"))?.is_refused()?;
    client.get(&slot.upload())?.is(404)?;
    slot.put(client)?.is(201)?;
    slot.is_whole(client)
}

fn forged(client: &Client<'_>) -> Verdict {
    let (there, free) = (Slot::new(client, "a", b"hello")?, Slot::new(client, "a", b"hello")?);
    there.put(client)?.is(201)?;
    for slot in [&there, &free] {
        let token = slot.token();
        let flipped = if token.ends_with('0') { "1" } else { "0" };
        let other = format!("{}{flipped}", token.get(..63).unwrap_or_default());
        let upper = token.to_uppercase();
        let short = token.get(..62).unwrap_or_default().to_owned();
        let double = format!("{token}&v2={token}&token={token}");
        for bad in [other, upper, short, double, String::new()] {
            let request = Request::new("PUT", &slot.url(&bad)).with("Content-Type", "image/png");
            client.send(request.clone().body("hello"))?.is(403)?;
            let waiting = request.with("Expect", "100-continue").with("Content-Length", "5");
            let mut connection = client.begin(&waiting)?;
            let exchange = client.finish(&mut connection, &waiting)?;
            exchange.is(403)?.check(exchange.interim().is_empty(), || "100".to_owned())?;
        }
        client.send(Request::new("PUT", &slot.path()).body("hello"))?.is(403)?;
        let typed = Request::new("PUT", &slot.url(&token)).with("Content-Type", "text/html");
        client.send(typed.body("hello"))?.is(403)?;
    }
    client.get(&free.upload())?.is(404)?;
    there.is_whole(client)
}

fn twice(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", b"hello")?;
    slot.put(client)?.is(201)?;
    slot.put(client)?.is(409)?;
    client.send(slot.head().body("other"))?.is(409)?;
    slot.put_range(client, 3, 5)?.is(409)?;
    slot.is_whole(client)
}

fn deleted(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", b"hello")?;
    let deletion = slot.deletion()?;
    slot.put(client)?.is(201)?;
    client.send(Request::new("DELETE", &slot.url(&slot.token())))?.is(403)?;
    slot.is_whole(client)?;
    for _ in 0..2 {
        client.send(deletion.clone())?.is(204)?;
    }
    client.get(&slot.upload())?.is_one_of(&[404, 410])?;
    slot.put(client)?.is(410)?;
    Ok(())
}

fn cors(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a", b"hello")?;
    let page = ("Origin", "https://page.example");
    let exchange = client.send(Request::new("OPTIONS", &slot.path()))?;
    let allowed = exchange.is(200)?.headers().list("Allow");
    for method in ["OPTIONS", "GET", "HEAD", "PUT"] {
        exchange.check(allowed.iter().any(|one| one == method), || format!("no {method}"))?;
    }
    let preflight = Request::new("OPTIONS", &slot.path())
        .with(page.0, page.1)
        .with("Access-Control-Request-Method", "PUT")
        .with("Access-Control-Request-Headers", "authorization, content-type");
    let exchange = client.send(preflight)?;
    let fields = exchange.is(200)?.headers().list("Access-Control-Allow-Headers");
    let methods = exchange.headers().list("Access-Control-Allow-Methods");
    for name in ["Authorization", "Content-Type", "Content-Range"] {
        exchange.check(fields.iter().any(|one| one == name), || format!("no {name}"))?;
    }
    exchange.check(methods.iter().any(|one| one == "PUT"), || "no PUT".to_owned())?;
    let stored = client.send(slot.head().with(page.0, page.1).body("hello"))?;
    stored.is(201)?.field("Access-Control-Allow-Origin")?;
    let refused = client.send(slot.head().with(page.0, page.1).body("hello"))?;
    refused.is(409)?.field("Access-Control-Allow-Origin")?;
    client.send(Request::new("POST", &slot.path()))?.is(405)?.field("Allow").map(drop)
}

fn fetched(client: &Client<'_>) -> Verdict {
    let slot = Slot::new(client, "a.png", b"hello")?;
    let look = || Request::new("HEAD", &slot.path()).anonymous();
    client.send(look())?.is(404)?;
    slot.put(client)?.is(201)?;
    let exchange = client.send(look())?;
    exchange.is(200)?.has("Content-Length", "5")?.has("Content-Type", "image/png")?;
    let part = Request::new("GET", &slot.path()).with("Range", "bytes=2-").anonymous();
    let exchange = client.send(part)?;
    exchange.is(206)?.has("Content-Range", "bytes 2-4/5")?;
    exchange.check(exchange.body() == b"llo", || "another part".to_owned())?;
    Ok(())
}

fn dangerous(client: &Client<'_>) -> Verdict {
    let page = b"<script>alert(1)</script>";
    let slot = Slot::new(client, "a.html", page)?.of_type("text/html");
    slot.put(client)?.is(201)?;
    let exchange = client.get(&slot.upload())?;
    exchange.is(200)?.has("X-Content-Type-Options", "nosniff")?;
    let shown = exchange.field("Content-Disposition")?;
    exchange.check(shown.starts_with("attachment"), || shown.to_owned())?;
    exchange.field("Content-Security-Policy").map(drop)
}

fn names(client: &Client<'_>) -> Verdict {
    for name in ["très cool.jpg", "日本語 ملف.txt", "a+b&c=d;e,f'g\"h#i?j%k.txt", "~()!*"] {
        let slot = Slot::new(client, name, name.as_bytes())?;
        slot.put(client)?.is(201)?;
        slot.is_whole(client)?;
        let exchange = client.get(&slot.upload())?;
        let shown = exchange.is(200)?.field("Content-Disposition")?;
        let visible = shown.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        exchange.check(visible && shown.contains("filename"), || shown.to_owned())?;
    }
    let slot = Slot::new(client, "a", b"hello")?;
    for bad in ["/../a", "/%2e%2e/a", "/a%2fb", "/a%00", "//a", "/a%0a", "/%zz", "/%ff"] {
        let path = format!("{}{bad}", slot.path());
        client.send(Request::new("PUT", &format!("{path}?v2={}", slot.token())))?.is(400)?;
    }
    Ok(())
}
