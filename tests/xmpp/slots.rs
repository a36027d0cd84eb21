//! The parts of the gateway that speak with XMPP servers, run on their own for `tests/xmpp/run`.
//!
//! - `xmpp_slots component`: settings as one line of JSON on standard input; an external component
//!   that makes slots, and says on standard output where it stands. Ends with standard input.
//! - `xmpp_slots verify`: one JSON object per line in, one per line out: what a token is worth.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "what cannot go on ends the test")]

use std::io::{BufRead as _, Read as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::sync::watch;

use tidegate::protocol::xep0363::slot::{
    Carrier, Issuer, PurposeLimits, Slot, SlotLimits, SlotOrder, SlotRefusal,
};
use tidegate::protocol::xep0363::tenant::MediaTypeRule;
use tidegate::protocol::xep0363::{
    BasePath, Intent, OwnerHint, Scheme, Secret, SlotRequest, Tenant, TokenError, Verified,
};
use tidegate::upload::{Timestamp, UploadLength};
use tidegate::xmpp::backoff::Backoff;
use tidegate::xmpp::slots::Pending;
use tidegate::xmpp::{Access, Component, ComponentSettings, Slots, State, Timings};

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("component") => component(),
        Some("verify") => verify(),
        _ => println!("xmpp_slots component|verify"),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_milliseconds(u64::try_from(since.as_millis()).unwrap())
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn milliseconds(value: &Value, key: &str) -> Duration {
    Duration::from_millis(value.get(key).and_then(Value::as_u64).unwrap())
}

/// Makes slots that need no store: everything is in the token.
struct Stateless {
    limits: SlotLimits,
    issuer: Issuer,
}

impl Slots for Stateless {
    fn request(&self, order: SlotOrder) -> Pending<'_> {
        Box::pin(std::future::ready(self.make(order)))
    }
}

impl Stateless {
    fn make(&self, order: SlotOrder) -> Result<Slot, SlotRefusal> {
        if order.file_name == "quota" {
            let retry_at = Some(now().after(Duration::from_secs(3600)));
            return Err(SlotRefusal::QuotaReached { retry_at });
        }
        let allowed = self.limits.judge(order, now())?;
        let mut random = [0; 18];
        let bits = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()];
        for (byte, bit) in random.iter_mut().zip(bits.as_flattened()) {
            *byte = *bit;
        }
        self.issuer.issue(&allowed, random, Carrier::Header, now())
    }
}

fn settings(line: &Value) -> (ComponentSettings, Stateless) {
    let max_size = UploadLength::new(line.get("max_size").and_then(Value::as_u64).unwrap());
    let bounds = PurposeLimits { max_size, retention: None };
    let limits = SlotLimits { message: bounds, ephemeral: Some(bounds), ..SlotLimits::default() };
    let base = BasePath::new("/upload").unwrap();
    let key = Secret::new("the gateway's own key").unwrap();
    let issuer = Issuer::new("https://upload.example.org", base, key, Duration::from_secs(300));
    let settings = ComponentSettings {
        server: text(line, "server"),
        secret: Secret::new(text(line, "secret")).unwrap(),
        component: Component {
            domain: text(line, "domain"),
            access: Access::new(&[text(line, "users")], &[]),
            limits: limits.clone(),
        },
        max_stanza_bytes: 65_536,
        max_pending: 64,
        timings: Timings {
            silence: milliseconds(line, "silence"),
            pong: milliseconds(line, "pong"),
            backoff: Backoff {
                first: milliseconds(line, "first_wait"),
                longest: milliseconds(line, "longest_wait"),
            },
            ..Timings::default()
        },
    };
    (settings, Stateless { limits, issuer: issuer.unwrap() })
}

fn component() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let (settings, slots) = settings(&serde_json::from_str(&line).unwrap());
    let (tell, mut state) = watch::channel(State::Connecting);
    let (stop, told) = watch::channel(false);
    // Whoever started us says that it is enough by closing our input.
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        stop.send_replace(true);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = tidegate::xmpp::run(Arc::new(settings), Arc::new(slots), tell, told);
        let running = tokio::spawn(running);
        loop {
            let now = state.borrow_and_update().clone();
            println!("{now:?}");
            if now == State::Stopped || state.changed().await.is_err() {
                break;
            }
        }
        running.await.unwrap();
    });
}

fn verify() {
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
