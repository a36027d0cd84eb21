//! The component against servers that behave, and against others.

mod server;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::server::{Answering, Server};
use super::backoff::Backoff;
use super::slots::Pending;
use super::*;
use crate::protocol::xep0363::slot::{PurposeLimits, Slot, SlotLimits, SlotOrder, SlotRefusal};
use crate::protocol::xep0363::{Secret, SlotPath};
use crate::upload::UploadLength;

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(20);

/// Gives everybody the same slot, but the name `wait` only once it is told to, and `never` never.
struct OneSlot {
    go_on: Notify,
}

impl Slots for OneSlot {
    fn request(&self, order: SlotOrder) -> Pending<'_> {
        Box::pin(async move {
            match order.file_name.as_str() {
                "wait" => self.go_on.notified().await,
                "never" => std::future::pending().await,
                "full" => return Err(SlotRefusal::QuotaReached { retry_at: None }),
                _ => {}
            }
            Ok(Slot {
                put: "https://up.example/s/x".to_owned(),
                get: "https://up.example/s/x".to_owned(),
                authorization: Some("Bearer t".to_owned()),
                path: SlotPath::new("s/x").unwrap(),
            })
        })
    }
}

/// A running component, and the handles on it.
struct Running {
    state: watch::Receiver<State>,
    stop: watch::Sender<bool>,
    slots: Arc<OneSlot>,
    task: JoinHandle<()>,
}

fn settings(server: &Server) -> ComponentSettings {
    let message = PurposeLimits { max_size: UploadLength::new(1000), retention: None };
    let millis = Duration::from_millis;
    ComponentSettings {
        server: server.address(),
        secret: Secret::new("comp-secret").unwrap(),
        component: Component {
            domain: "up.localhost".to_owned(),
            access: Access::new(&["localhost".to_owned()], &[]),
            limits: SlotLimits { message, ..SlotLimits::default() },
        },
        max_stanza_bytes: 10_000,
        max_pending: 3,
        timings: Timings {
            backoff: Backoff { first: millis(1), longest: millis(20) },
            ..Timings::default()
        },
    }
}

fn started(settings: ComponentSettings) -> Running {
    let (tell, state) = watch::channel(State::Connecting);
    let (stop, told) = watch::channel(false);
    let slots = Arc::new(OneSlot { go_on: Notify::new() });
    let task = tokio::spawn(run(
        Arc::new(settings),
        Arc::<OneSlot>::clone(&slots) as Arc<dyn Slots>,
        tell,
        told,
    ));
    Running { state, stop, slots, task }
}

impl Running {
    async fn is(&mut self, wanted: impl Fn(&State) -> bool) -> State {
        let waiting = timeout(DEADLINE, self.state.wait_for(wanted));
        waiting.await.expect("the component does not come to that").unwrap().clone()
    }

    /// What it says went wrong.
    async fn complains(&mut self) -> String {
        let state = self.is(|state| matches!(state, State::Waiting { .. })).await;
        let State::Waiting { why } = state else { panic!("{state:?}") };
        why
    }
}

fn request(id: &str, name: &str) -> String {
    format!(
        "<iq type='get' from='alice@localhost/phone' to='up.localhost' id='{id}'>\
         <request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='7'/></iq>"
    )
}

/// A component that a server has taken.
async fn taken() -> (Server, Running, Answering) {
    let server = Server::bind().await;
    let mut running = started(settings(&server));
    let answering = server.takes_the_component().await;
    running.is(|state| *state == State::Ready).await;
    (server, running, answering)
}

#[tokio::test]
async fn a_user_gets_a_slot_and_a_stranger_does_not() {
    let (_server, _running, mut peer) = taken().await;
    peer.say(&request("1", "x")).await;
    let answer = peer.stanza().await;
    assert_eq!(
        (answer.attribute("type"), answer.attribute("id"), answer.attribute("to")),
        (Some("result"), Some("1"), Some("alice@localhost/phone"))
    );
    let slot = answer.child("slot", "urn:xmpp:http:upload:0").unwrap();
    assert_eq!(slot.elements().count(), 2);
    peer.say(&request("2", "x").replace("alice@localhost", "eve@elsewhere.example")).await;
    assert!(peer.stanza().await.written_in("").contains("<forbidden "));
    peer.say(&request("3", "full")).await;
    assert!(peer.stanza().await.written_in("").contains("<resource-constraint "));
}

#[tokio::test]
async fn what_is_too_large_is_skipped_and_the_users_are_not_cut_off() {
    let (_server, _running, mut peer) = taken().await;
    let long = "x".repeat(500_000);
    peer.say(&format!("<message from='eve@elsewhere.example'><body>{long}</body></message>")).await;
    peer.say(&format!("<message from='eve@elsewhere.example' id='{long}'/>")).await;
    peer.say(&request("1", "x")).await;
    assert_eq!(peer.stanza().await.attribute("id"), Some("1"));
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_tried_again() {
    let server = Server::bind().await;
    let wrong = Secret::new("wrong").unwrap();
    let mut running = started(ComponentSettings { secret: wrong, ..settings(&server) });
    for _ in 0..3 {
        server.refuses_the_component("not-authorized").await;
    }
    assert!(running.complains().await.contains("not-authorized"));
}

#[tokio::test]
async fn the_component_comes_back_whatever_the_server_does() {
    let server = Server::bind().await;
    let mut running = started(settings(&server));
    for bad in [
        "<iq></message>",
        "<!DOCTYPE x>",
        "</stream:stream>",
        "\u{1}",
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        "",
    ] {
        let mut peer = server.takes_the_component().await;
        peer.say(bad).await;
        drop(peer);
        running.complains().await;
    }
    for bad in ["HTTP/1.1 400 Bad Request\r\n\r\n", "<html/>", "<stream:stream/>"] {
        let mut peer = server.accepts().await;
        peer.say(bad).await;
        drop(peer);
        running.complains().await;
    }
    let mut peer = server.takes_the_component().await;
    peer.say(&request("1", "x")).await;
    assert_eq!(peer.stanza().await.attribute("type"), Some("result"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    let server = Server::bind().await;
    let settings = settings(&server);
    let address = server.address();
    drop(server);
    let mut running = started(settings);
    assert!(running.complains().await.contains("cannot be reached"));
    let server = Server::bind_to(&address).await;
    let _peer = server.takes_the_component().await;
    running.is(|state| *state == State::Ready).await;
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_left() {
    let server = Server::bind().await;
    let mut settings = settings(&server);
    settings.timings.connect = Duration::from_millis(50);
    let mut running = started(settings);
    let _mute = server.accepts().await;
    assert!(running.complains().await.contains("shake hands"));
}

#[tokio::test]
async fn a_silent_server_is_pinged_and_then_left() {
    let server = Server::bind().await;
    let mut settings = settings(&server);
    settings.timings.silence = Duration::from_millis(20);
    settings.timings.pong = Duration::from_secs(2);
    let mut running = started(settings);
    let mut peer = server.takes_the_component().await;
    for number in 1..=3 {
        let ping = peer.stanza().await;
        assert_eq!(ping.attribute("id"), Some(&*format!("ping-{number}")));
        // The server routes it back to the component, as it is addressed.
        peer.say(&ping.written_in("jabber:component:accept")).await;
        assert_eq!(peer.stanza().await.attribute("type"), Some("result"));
    }
    assert_eq!(*running.state.borrow(), State::Ready);
    assert!(running.complains().await.contains("fell silent"));
}

#[tokio::test]
async fn more_requests_than_can_be_in_the_making_are_told_to_wait() {
    let (_server, running, mut peer) = taken().await;
    for id in 1..=4 {
        peer.say(&request(&id.to_string(), "wait")).await;
    }
    let refused = peer.stanza().await;
    assert_eq!(refused.attribute("id"), Some("4"));
    assert!(refused.written_in("").contains("<resource-constraint "));
    for _ in 1..=3 {
        running.slots.go_on.notify_one();
        assert_eq!(peer.stanza().await.attribute("type"), Some("result"));
    }
    peer.say(&request("5", "x")).await;
    assert_eq!(peer.stanza().await.attribute("id"), Some("5"));
}

#[tokio::test]
async fn a_slot_that_is_not_made_in_time_is_an_error() {
    let server = Server::bind().await;
    let mut settings = settings(&server);
    settings.timings.slot = Duration::from_millis(20);
    let _running = started(settings);
    let mut peer = server.takes_the_component().await;
    peer.say(&request("1", "never")).await;
    assert!(peer.stanza().await.written_in("").contains("<internal-server-error "));
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_left() {
    let server = Server::bind().await;
    let mut settings = settings(&server);
    settings.timings.write = Duration::from_millis(50);
    let hour = Duration::from_secs(3600);
    settings.timings.backoff = Backoff { first: hour, longest: hour };
    let mut running = started(settings);
    let mut peer = server.takes_the_component().await;
    running.is(|state| *state == State::Ready).await;
    // The answers are not read; once the socket's buffers are full, writing them takes too long.
    let flood = request("1", &"é".repeat(400)).replace("alice@localhost", "eve@x").repeat(20);
    let flooding = async { while peer.try_say(&flood).await.is_ok() {} };
    timeout(DEADLINE, flooding).await.expect("it reads on for ever");
    assert!(running.complains().await.contains("take an answer"));
}

#[tokio::test]
async fn a_component_that_is_told_to_stop_closes_its_stream() {
    let (_server, mut running, mut peer) = taken().await;
    running.stop.send_replace(true);
    peer.is_closed().await;
    running.is(|state| *state == State::Stopped).await;
    timeout(DEADLINE, running.task).await.expect("it does not end").unwrap();
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_server_that_is_not_there() {
    let server = Server::bind().await;
    let mut settings = settings(&server);
    settings.timings.backoff =
        Backoff { first: Duration::from_secs(3600), longest: Duration::from_secs(3600) };
    drop(server);
    let mut running = started(settings);
    running.complains().await;
    drop(running.stop);
    timeout(DEADLINE, running.task).await.expect("it does not end").unwrap();
}
