//! What a token of a slot is worth, for `tests/xmpp/run`: one JSON object per line in, one per line out.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "what cannot go on ends the test")]

use std::io::BufRead as _;
use std::time::SystemTime;

use serde_json::{Value, json};

use tidegate::protocol::xep0363::tenant::MediaTypeRule;
use tidegate::protocol::xep0363::{
    BasePath, Intent, OwnerHint, Scheme, Secret, SlotRequest, Tenant, TokenError, Verified,
};
use tidegate::upload::{Timestamp, UploadLength};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_milliseconds(u64::try_from(since.as_millis()).unwrap())
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn main() {
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match verified(&line) {
            Ok(verified) => described(verified),
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{answer}");
    }
}

fn verified(line: &Value) -> Result<Verified, TokenError> {
    let scheme = match text(line, "scheme").as_str() {
        "prosody" => Scheme::Prosody,
        "ejabberd" => Scheme::Ejabberd,
        "file_share" => Scheme::FileShare { media_type: MediaTypeRule::Exact },
        _ => Scheme::Own,
    };
    let base = BasePath::new("/upload").unwrap();
    let tenant = Tenant { base, scheme, secret: Secret::new(text(line, "secret")).unwrap() };
    let (target, media_type) = (text(line, "target"), text(line, "type"));
    let authorization = line.get("authorization").and_then(Value::as_str).map(str::as_bytes);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let request = SlotRequest {
        path,
        query,
        intent: Intent::Put,
        length: line.get("length").and_then(Value::as_u64),
        media_type: &media_type,
        authorization,
    };
    tenant.verify(&request, now())
}

fn described(verified: Verified) -> Value {
    let owner = verified.owner.map(|owner| match owner {
        OwnerHint::Jid(text) | OwnerHint::Segment(text) => text,
    });
    json!({
        "path": verified.path.as_str(),
        "name": verified.path.file_name(),
        "length": verified.length.map(UploadLength::get),
        "type": verified.media_type,
        "owner": owner,
        "file_expires": verified.file_expires_at.map(Timestamp::unix_seconds),
    })
}
