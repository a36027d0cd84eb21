//! An application that answers, lies, hangs, redirects or is not there. Real
//! sockets, no sleeps.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::protocol::head::{BodyLength, RequestHead};
use crate::protocol::token::Verb;
use crate::upload::Timestamp;

pub(super) fn settings(url: String) -> ForwardSettings {
    ForwardSettings {
        url,
        ca: None,
        fields: vec!["Authorization".to_owned(), "Cookie".to_owned()],
        owner_field: "X-Tidegate-Owner".to_owned(),
        limit_field: "X-Tidegate-Max-Size".to_owned(),
        timeout: Duration::from_secs(20),
        max_requests: 4,
        cache_entries: 100,
        max_age: Duration::from_secs(60),
        refused_age: Duration::from_secs(60),
    }
}

const YES: &str = "HTTP/1.1 200 OK\r\nX-Tidegate-Owner: ann\r\nContent-Length: 0\r\n\r\n";
const KEPT: &str = "HTTP/1.1 200 OK\r\nX-Tidegate-Owner: ann\r\nCache-Control: max-age=60\r\n\
                    Content-Length: 2\r\n\r\nhi";

/// An application: what it answers, and what it was asked.
struct Application {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    /// Answers wait until this is notified once each, if it is there.
    arrived: Arc<Notify>,
    go: Option<Arc<Semaphore>>,
}

impl Application {
    async fn answering(answer: &str) -> Self {
        Self::start(answer, None).await
    }

    /// Answers only as often as it is given leave.
    async fn held(answer: &str) -> Self {
        Self::start(answer, Some(Arc::new(Semaphore::new(0)))).await
    }

    async fn start(answer: &str, go: Option<Arc<Semaphore>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let application = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
            arrived: Arc::default(),
            go,
        };
        let (seen, connections) = (application.seen.clone(), application.connections.clone());
        let (arrived, go) = (application.arrived.clone(), application.go.clone());
        let answer = answer.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let parts = (answer.clone(), seen.clone(), arrived.clone(), go.clone());
                tokio::spawn(async move { serve(stream, parts).await });
            }
        });
        application
    }

    fn url(&self) -> String {
        format!("http://{}/auth", self.address)
    }

    fn forward(&self) -> Forward {
        Forward::new(settings(self.url()), Handle::current()).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

type Parts = (String, Arc<Mutex<Vec<String>>>, Arc<Notify>, Option<Arc<Semaphore>>);

async fn serve(mut stream: TcpStream, (answer, seen, arrived, go): Parts) {
    let mut head = Vec::new();
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        seen.lock().unwrap().push(String::from_utf8(std::mem::take(&mut head)).unwrap());
        arrived.notify_one();
        if let Some(go) = &go {
            go.acquire().await.unwrap().forget();
        }
        if stream.write_all(answer.as_bytes()).await.is_err() || !answer.contains("Content-Length")
        {
            return;
        }
    }
}

async fn ask(forward: &Forward, verb: Verb, token: &str) -> Result<Grant, Denied> {
    let line = format!("Bearer {token}");
    let fields = vec![("authorization", line.as_bytes())];
    let head = RequestHead { method: "POST", path: "/files", fields, body: BodyLength::Empty };
    let now = Timestamp::default();
    let question = Question { verb, head: &head, query: None, upload: None, client: None, now };
    forward.grant(&question).await
}

async fn owner(forward: &Forward, verb: Verb, token: &str) -> Result<String, Denied> {
    let grant = ask(forward, verb, token).await?;
    assert!(grant.verbs.contains(verb));
    Ok(grant.owner.name().unwrap().to_owned())
}

const CLOSED: Result<String, Denied> = Err(Denied::Unavailable { retry_after: RETRY_AFTER });

#[tokio::test]
async fn a_yes_lets_in_for_the_verb_that_was_asked() {
    let application = Application::answering(YES).await;
    let forward = application.forward();
    assert_eq!(owner(&forward, Verb::Create, "one").await.as_deref(), Ok("ann"));
    let asked = application.seen().concat();
    assert!(asked.starts_with("GET /auth HTTP/1.1\r\n"), "{asked}");
    let asked = asked.to_ascii_lowercase();
    for line in ["authorization: bearer one\r\n", "x-tidegate-verb: create\r\n"] {
        assert!(asked.contains(line), "{asked}");
    }
    assert!(!ask(&forward, Verb::Create, "one").await.unwrap().verbs.contains(Verb::Append));
}

#[tokio::test]
async fn connections_are_used_again() {
    let application = Application::answering(YES).await;
    let forward = application.forward();
    for round in 0..20 {
        assert!(owner(&forward, Verb::Create, &round.to_string()).await.is_ok());
    }
    assert_eq!(application.seen().len(), 20);
    assert_eq!(application.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_says_so_is_not_asked_for_again() {
    let application = Application::answering(KEPT).await;
    let forward = application.forward();
    for _ in 0..5 {
        assert!(owner(&forward, Verb::Create, "one").await.is_ok());
    }
    assert_eq!(application.seen().len(), 1);
    assert!(owner(&forward, Verb::Append, "one").await.is_ok());
    assert!(owner(&forward, Verb::Create, "two").await.is_ok());
    assert_eq!(application.seen().len(), 3, "another verb or credential is another question");
}

#[tokio::test]
async fn a_no_is_a_no_and_is_kept_for_a_while() {
    for (status, denied) in [(401, Denied::Unknown), (403, Denied::Forbidden)] {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        let application = Application::answering(&answer).await;
        let forward = application.forward();
        for _ in 0..3 {
            assert_eq!(owner(&forward, Verb::Create, "one").await, Err(denied));
        }
        assert_eq!(application.seen().len(), 1);
    }
}

#[tokio::test]
async fn whatever_is_neither_yes_nor_no_lets_nobody_in_and_is_asked_again() {
    let huge = format!("HTTP/1.1 200 OK\r\nX-Tidegate-Owner: ann\r\nX: {}\r\n", "x".repeat(65536));
    for answer in [
        "HTTP/1.1 302 Found\r\nLocation: /yes\r\nX-Tidegate-Owner: ann\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Oops\r\nX-Tidegate-Owner: ann\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Tidegate-Owner: a\r\nX-Tidegate-Owner: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Tidegate-Owner: ann",
        "this is not HTTP\r\n\r\n",
        "",
        &huge,
    ] {
        let application = Application::answering(answer).await;
        let forward = application.forward();
        assert_eq!(owner(&forward, Verb::Create, "one").await, CLOSED, "{answer:?}");
        let before = application.seen().len();
        assert_eq!(owner(&forward, Verb::Create, "one").await, CLOSED, "{answer:?}");
        assert!(application.seen().len() > before, "a failure is not remembered");
        assert!(!application.seen().concat().contains("/yes"), "no redirect is followed");
    }
}

#[tokio::test]
async fn an_application_that_is_not_there_lets_nobody_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let forward = Forward::new(settings(url), Handle::current()).unwrap();
    assert_eq!(owner(&forward, Verb::Create, "one").await, CLOSED);
}

#[tokio::test]
async fn an_application_that_hangs_is_waited_for_no_longer_than_the_bound() {
    let application = Application::held(YES).await;
    let timeout = Duration::from_millis(50);
    let hurried = ForwardSettings { timeout, ..settings(application.url()) };
    let forward = Forward::new(hurried, Handle::current()).unwrap();
    assert_eq!(owner(&forward, Verb::Create, "one").await, CLOSED);
    assert_eq!(application.seen().len(), 1);
}

#[tokio::test]
async fn equal_questions_at_once_are_asked_once_even_if_the_first_asker_goes_away() {
    let application = Application::held(YES).await;
    let forward = Arc::new(application.forward());
    let first = {
        let forward = Arc::clone(&forward);
        tokio::spawn(async move { owner(&forward, Verb::Create, "one").await })
    };
    application.arrived.notified().await;
    let others: Vec<_> = (0..50)
        .map(|_| {
            let forward = Arc::clone(&forward);
            tokio::spawn(async move { owner(&forward, Verb::Create, "one").await })
        })
        .collect();
    // Lets each of them get as far as waiting.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    first.abort();
    application.go.as_ref().unwrap().add_permits(1);
    for other in others {
        assert_eq!(other.await.unwrap().as_deref(), Ok("ann"));
    }
    assert_eq!(application.seen().len(), 1);
}

#[tokio::test]
async fn no_more_questions_are_asked_at_once_than_the_bound() {
    let application = Application::held(YES).await;
    let bounded = ForwardSettings { max_requests: 2, ..settings(application.url()) };
    let forward = Arc::new(Forward::new(bounded, Handle::current()).unwrap());
    let askers: Vec<_> = (0..20)
        .map(|number| {
            let forward = Arc::clone(&forward);
            tokio::spawn(async move { owner(&forward, Verb::Create, &number.to_string()).await })
        })
        .collect();
    application.arrived.notified().await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(application.seen().len() <= 2, "two have their turn");
    application.go.as_ref().unwrap().add_permits(20);
    let mut outcomes = Vec::new();
    for asker in askers {
        outcomes.push(asker.await.unwrap());
    }
    let let_in = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(let_in, 2 * WAITING_PER_REQUEST, "so many may wait; the rest is sent away at once");
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == CLOSED));
    assert!(application.connections.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn a_body_without_an_end_is_not_waited_for() {
    let endless = YES.replace("Content-Length: 0", "Content-Length: 999999999");
    let application = Application::answering(&format!("{endless}and then")).await;
    let forward = application.forward();
    assert_eq!(owner(&forward, Verb::Create, "one").await.as_deref(), Ok("ann"));
}

/// An application behind TLS, and the file with the certificate that it shows.
async fn secure_application(folder: &tempfile::TempDir) -> (String, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/auth", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut first = [0; 1];
            if stream.read_exact(&mut first).await.is_ok() {
                drop(stream.write_all(YES.as_bytes()).await);
                drop(stream.shutdown().await);
            }
        }
    });
    (url, ca)
}

#[tokio::test]
async fn an_application_behind_tls_is_believed_only_with_a_certificate_that_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (url, ca) = secure_application(&folder).await;
    let trusting = ForwardSettings { ca: Some(ca), ..settings(url.clone()) };
    let forward = Forward::new(trusting, Handle::current()).unwrap();
    assert_eq!(owner(&forward, Verb::Create, "one").await.as_deref(), Ok("ann"));
    let other = folder.path().join("other.pem");
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other, stranger.cert.pem()).unwrap();
    let doubting = ForwardSettings { ca: Some(other), ..settings(url) };
    let forward = Forward::new(doubting, Handle::current()).unwrap();
    assert_eq!(owner(&forward, Verb::Create, "one").await, CLOSED);
}

#[test]
fn what_cannot_be_asked_is_said_at_the_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let said = |settings| Forward::new(settings, runtime.handle().clone()).unwrap_err().to_string();
    assert!(said(settings("/auth".to_owned())).contains("auth.forward.url"));
    let ca = Some("/nonexistent/ca.pem".into());
    let secure = ForwardSettings { ca, ..settings("https://localhost/".to_owned()) };
    assert_eq!(said(secure), "the certificates in /nonexistent/ca.pem cannot be used");
}
