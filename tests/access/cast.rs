//! Who asks: every kind of credential there is, good and bad, and the application that knows some.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use tidegate::protocol::token::link::Link;
use tidegate::protocol::token::{Verb, Verbs};
use tidegate::server::authority::link_key;
use tidegate::server::data_dir::secret_in;
use tidegate::upload::{Owner, Timestamp};

/// Who has a session about which the application does not say a word.
pub(crate) const SILENT: &str = "application: silent";

const JWT_SECRET: &[u8] = b"the-secret-of-whoever-issues-the-tokens";

/// Somebody who asks. All but the first act for Ann, or try to.
pub(crate) struct Asker {
    /// The column of the table.
    pub(crate) name: &'static str,
    /// A field line with its line break, or nothing.
    pub(crate) field: String,
    /// A query with its question mark, or nothing.
    pub(crate) query: String,
    /// What must not be seen anywhere.
    pub(crate) secret: Option<String>,
}

impl Asker {
    fn with_field(name: &'static str, field: &str, secret: &str) -> Self {
        let secret_in_it = Some(secret.to_owned());
        Self { name, field: format!("{field}\r\n"), query: String::new(), secret: secret_in_it }
    }

    fn bearer(name: &'static str, token: &str) -> Self {
        Self::with_field(name, &format!("Authorization: Bearer {token}"), token)
    }

    fn session(name: &'static str, session: &str) -> Self {
        let cookie = format!("session={session}");
        Self::with_field(name, &format!("Cookie: {cookie}"), &cookie)
    }

    fn link(name: &'static str, link: String) -> Self {
        Self { name, field: String::new(), query: format!("?link={link}"), secret: Some(link) }
    }

    pub(crate) fn nobody() -> Self {
        Self { name: "nobody", field: String::new(), query: String::new(), secret: None }
    }

    pub(crate) fn token(owner: &str) -> Self {
        Self::bearer("token", &token_of(owner))
    }
}

pub(crate) fn token_of(owner: &str) -> String {
    format!("static-token-of-{owner}")
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn jwt(more: Value) -> String {
    let mut claims = json!({"sub": "ann", "exp": now_seconds() + 3600});
    let Value::Object(more) = more else { panic!("claims are an object") };
    claims.as_object_mut().unwrap().extend(more);
    let header = json!({"alg": "HS256", "kid": "app"}).to_string();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, JWT_SECRET), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn link(data: &Path, expires_in_seconds: i64) -> String {
    let expires = now_seconds().checked_add_signed(expires_in_seconds).unwrap();
    let link = Link {
        owner: Owner::named("ann".to_owned()),
        expires_at: Timestamp::from_unix_milliseconds(expires * 1000),
        max_length: None,
        verbs: Verbs::UPLOAD,
    };
    link.sign(&link_key(&secret_in(data).unwrap())).unwrap()
}

/// Everybody, in the order of the columns. `data` is the directory of the gateway that is asked.
pub(crate) fn everybody(data: &Path) -> Vec<Asker> {
    let verbs = Verbs::NONE.and(Verb::Inspect).and(Verb::Download);
    let verbs: Vec<_> = verbs.iter().map(Verb::name).collect();
    let unsigned = jwt(json!({"who": "nobody signed this"}));
    let unsigned = unsigned[..=unsigned.rfind('.').unwrap()].to_owned();
    vec![
        Asker::nobody(),
        Asker::bearer("unknown token", "static-token-of-nobody"),
        Asker::token("ann"),
        Asker::bearer("JWT", &jwt(json!({}))),
        Asker::bearer("JWT to read", &jwt(json!({ "tidegate_verbs": verbs }))),
        Asker::bearer("JWT expired", &jwt(json!({"exp": 1}))),
        Asker::bearer("JWT unsigned", &unsigned),
        Asker::link("link", link(data, 3600)),
        Asker::link("link expired", link(data, -1)),
        Asker::session("application: yes", "ann-7c1f"),
        Asker::session("application: who?", "nobody-5d2e"),
        Asker::session("application: no", "banned-9a3b"),
        Asker::session(SILENT, "silent-4e6d"),
    ]
}

/// The settings under which all of them mean something. `folder` gets the files for them.
pub(crate) fn settings(folder: &Path, application: &str) -> Vec<(&'static str, String)> {
    let keys = folder.join("keys.json");
    let key = json!({"kty": "oct", "kid": "app", "k": URL_SAFE_NO_PAD.encode(JWT_SECRET)});
    std::fs::write(&keys, json!({ "keys": [key] }).to_string()).unwrap();
    vec![
        ("TIDEGATE__AUTH__TOKENS", tokens("")),
        ("TIDEGATE__AUTH__JWT__JWKS", keys.display().to_string()),
        ("TIDEGATE__AUTH__FORWARD__URL", application.to_owned()),
    ]
}

/// Static tokens for Ann and Ben, each with `more` keys.
pub(crate) fn tokens(more: &str) -> String {
    let token = |owner| format!("{{name = '{owner}', token = '{}'{more}}}", token_of(owner));
    format!("[{}, {}]", token("ann"), token("ben"))
}

/// Starts the application: it knows some sessions. Ends with the test's process.
pub(crate) fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/auth", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    url
}

fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let answer = if head.contains("session=ann-") {
        "HTTP/1.1 204 Yes\r\nX-Tidegate-Owner: ann\r\nConnection: close\r\n\r\n"
    } else if head.contains("session=banned-") {
        "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    } else if head.contains("session=silent-") {
        // Until the gateway has had enough.
        drop(stream.read(&mut [0]));
        return;
    } else {
        "HTTP/1.1 401 Who\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    };
    drop(stream.write_all(answer.as_bytes()));
}
