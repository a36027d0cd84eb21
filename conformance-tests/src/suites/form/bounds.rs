//! How long the parts of a form may be, and how long they may take.

use std::time::Duration;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::content::letters;

use super::{BOUNDARY, FILE, content, head, path, refused, send, stored};

/// The cases.
pub const GROUP: Group = Group {
    name: "form-bounds",
    needs: &[],
    cases: &[
        Case::new("fields that are too long are refused", &["F-30"], long_fields),
        Case::new("a file of the maximum passes and no longer one", &["F-31"], long_files),
        Case::new("a part with a long head is refused", &["F-32"], long_heads),
        Case::new("what is around the parts has an end", &["F-33"], long_frames),
        Case::new("a form that falls silent is ended", &["F-34"], silence).alone(),
    ],
};

fn long_fields(client: &Client<'_>) -> Verdict {
    let field = "Content-Disposition: form-data; name=\"k\"";
    refused(client, &[(field, &letters(111, 1 << 20)), (FILE, b"abc")], 413)?;
    refused(client, &[(FILE, b"abc"), (field, &letters(112, 1 << 20))], 413)?;
    let long = format!("{}; filename=\"{}\"", field.replace("\"k\"", "file"), "n".repeat(7000));
    refused(client, &[(&long, b"abc")], 413)?;
    client.server_still_answers()
}

fn long_files(client: &Client<'_>) -> Verdict {
    path(client)?;
    let max = client.max_size(8 << 20)?;
    let bytes = letters(113, usize::try_from(max).unwrap_or_default());
    let exchange = send(client, &[(FILE, &bytes)])?;
    client.content_is(&stored(client, &exchange)?, &bytes)?;
    let longer = [&bytes[..], b"x"].concat();
    refused(client, &[(FILE, &longer)], 413)?;
    let chunked = head(client)?.chunked(content(&[(FILE, &longer)]));
    client.send(chunked)?.is(413)?.has_no("Location")?;
    // Nobody waits for a body that is too long whatever its frame is.
    let announced = head(client)?.with("Content-Length", (max + (1 << 20)).to_string());
    let mut connection = client.begin(&announced)?;
    let exchange = client.finish(&mut connection, &announced)?;
    exchange.is(413)?.has_no("Location")?;
    Ok(())
}

fn long_heads(client: &Client<'_>) -> Verdict {
    let head = format!("{FILE}\r\nX-Long: {}", "x".repeat(9000));
    refused(client, &[(&head, b"abc")], 413)?;
    let many = format!("{FILE}\r\n{}", "X: y\r\n".repeat(2000));
    refused(client, &[(many.trim_end(), b"abc")], 413)?;
    client.server_still_answers()
}

fn long_frames(client: &Client<'_>) -> Verdict {
    let form = content(&[(FILE, b"abc")]);
    let filler = letters(114, 100_000);
    for body in [
        [&filler[..], b"\r\n", &form].concat(),
        [&form[..], &filler].concat(),
        content(&vec![("Content-Disposition: form-data; name=\"k\"", &b""[..]); 5000]),
    ] {
        client.send(head(client)?.body(body))?.is_one_of(&[400, 413])?.has_no("Location")?;
    }
    let around = [&b"a short preamble\r\n"[..], &form, b"and an epilogue"].concat();
    let exchange = client.send(head(client)?.body(around))?;
    client.content_is(&stored(client, &exchange)?, b"abc")
}

fn silence(client: &Client<'_>) -> Verdict {
    path(client)?;
    let Some(idle) = client.parameters().idle_timeout else {
        return Err(Stop::not_applicable("--idle-timeout-seconds was not given"));
    };
    let open = format!("--{BOUNDARY}\r\n{FILE}\r\n\r\nhello");
    for sent in [format!("--{BOUNDARY}\r\n"), open] {
        let request = head(client)?.with("Content-Length", "10000");
        let mut connection = client.begin(&request)?;
        connection.send(sent.as_bytes())?;
        let patience = idle.saturating_add(Duration::from_secs(3));
        if !connection.hears_within(patience)? {
            return Err(Stop::failed(format!("nothing was heard within {patience:?}")));
        }
        let exchange = client.finish(&mut connection, &request)?;
        exchange.is(408)?.has_no("Location")?;
    }
    Ok(())
}
