//! The desk over a real engine: what is there once there is a slot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine::events::Unobserved;
use crate::engine::{Clock, Engine, EngineParts, EngineSettings, PutOrder, PutStart, WhenCut};
use crate::protocol::xep0363::slot::{Carrier, Issuer, Purpose, Slot, SlotOrder, SlotRefusal};
use crate::protocol::xep0363::{BasePath, Secret, SlotKey};
use crate::storage::blob::memory::MemoryBlobStore;
use crate::storage::session::memory::MemorySessionStore;
use crate::upload::{
    BootId, Limits, Phase, Quota, Session, Timestamp, UploadId, UploadLength, UploadOffset,
};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// When all of it happens.
const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_795_000_000_000);

/// A clock that stands where it was put.
struct Standing(Mutex<Timestamp>);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Remembers what became of orders.
#[derive(Default)]
struct Notes(Mutex<Vec<Decision>>);

impl Witness for Notes {
    fn decided(&self, decision: Decision) {
        self.0.lock().unwrap().push(decision);
    }
}

struct Bench {
    desk: SlotDesk,
    engine: Engine,
    clock: Arc<Standing>,
    notes: Arc<Notes>,
}

fn base() -> BasePath {
    BasePath::new("/upload").unwrap()
}

impl Bench {
    fn new(offers: Offers) -> Self {
        Self::bounded(offers, None)
    }

    fn bounded(offers: Offers, quota: Option<Quota>) -> Self {
        let clock = Arc::new(Standing(Mutex::new(NOW)));
        let limits = Limits { retention: Some(DAY), ..EngineSettings::default().limits };
        let engine = Engine::start(EngineParts {
            sessions: Arc::new(MemorySessionStore::new()),
            blobs: Arc::new(MemoryBlobStore::new(10_000)),
            settings: EngineSettings {
                threads: 1,
                reap_interval: Duration::from_millis(10),
                limits,
                ..EngineSettings::default()
            },
            clock: Arc::<Standing>::clone(&clock),
            boot: BootId::new("boot".to_owned()),
            observer: Arc::new(Unobserved),
        });
        let engine = engine.unwrap();
        let lifetime = Duration::from_secs(300);
        let secret = Secret::new("it-is-secret").unwrap();
        let notes = Arc::new(Notes::default());
        let desk = SlotDesk::new(DeskParts {
            engine: engine.clone(),
            issuer: Issuer::new("https://up.example", base(), secret, lifetime).unwrap(),
            ids: SlotKey::new([9; 32]),
            base: base(),
            offers,
            lifetime,
            quota,
            clock: Arc::<Standing>::clone(&clock),
            witness: Arc::<Notes>::clone(&notes),
        });
        Self { desk, engine, clock, notes }
    }

    async fn slot(&self, order: SlotOrder) -> Slot {
        self.desk.grant(order, Carrier::Header).await.unwrap()
    }

    async fn session(&self, slot: &Slot) -> Session {
        self.engine.session(id(slot)).await.unwrap().unwrap()
    }
}

fn id(slot: &Slot) -> UploadId {
    SlotKey::new([9; 32]).upload(&base(), &slot.path)
}

fn order(purpose: Purpose) -> SlotOrder {
    SlotOrder {
        uploader: "ann@example.org".to_owned(),
        file_name: "très cool.jpg".to_owned(),
        size: 11,
        media_type: Some("image/jpeg".to_owned()),
        purpose,
    }
}

fn offers() -> Offers {
    let keeping = |keeping| Some(Offer { max_size: UploadLength::new(20), keeping });
    Offers {
        message: Offer { max_size: UploadLength::new(1000), keeping: Keeping::Configured },
        profile: keeping(Keeping::Own(Some(2 * DAY))),
        permanent: keeping(Keeping::Own(None)),
        ephemeral: keeping(Keeping::Configured),
        ..Offers::default()
    }
}

///
#[tokio::test]
async fn with_a_slot_there_is_an_upload_that_knows_whose_it_is() {
    let bench = Bench::new(offers());
    for carrier in [Carrier::Header, Carrier::Path] {
        let slot = bench.desk.grant(order(Purpose::Message), carrier).await.unwrap();
        let session = bench.session(&slot).await;
        assert_eq!(session.owner().name(), Some("xmpp:ann@example.org"));
        assert_eq!(session.length(), UploadLength::new(11));
        // Whatever the URL had to make of the name.
        assert_eq!(session.metadata().get("filename").unwrap(), "très cool.jpg".as_bytes());
        assert_eq!(session.metadata().get("filetype").unwrap(), b"image/jpeg");
        assert_eq!(session.phase(), Phase::Receiving);
    }
}

///
#[tokio::test]
async fn a_slot_that_nobody_uses_goes_with_its_time() {
    let bench = Bench::new(offers());
    let slot = bench.slot(order(Purpose::Message)).await;
    let end = NOW.after(Duration::from_secs(300));
    assert_eq!(bench.session(&slot).await.expires_at(), Some(end));
    *bench.clock.0.lock().unwrap() = end;
    let gone = async {
        while !matches!(bench.session(&slot).await.phase(), Phase::Gone(_)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

///
#[tokio::test]
async fn a_quota_says_when_to_try_again_and_unused_slots_stop_counting() {
    let quota = Quota { running: Some(1), ..Quota::default() };
    let bench = Bench::bounded(offers(), Some(quota));
    bench.slot(order(Purpose::Message)).await;
    let end = NOW.after(Duration::from_secs(300));
    let refused = bench.desk.grant(order(Purpose::Message), Carrier::Header).await;
    assert_eq!(refused, Err(SlotRefusal::QuotaReached { retry_at: Some(end) }));
    *bench.clock.0.lock().unwrap() = end;
    bench.slot(order(Purpose::Message)).await;
}

///
#[tokio::test]
async fn a_purpose_decides_how_long_its_files_are_kept() {
    let bench = Bench::new(offers());
    let soon = NOW.after(Duration::from_secs(60));
    for (purpose, kept_until) in [
        (Purpose::Message, Some(NOW.after(DAY))),
        (Purpose::Profile, Some(NOW.after(2 * DAY))),
        (Purpose::Permanent, None),
        (Purpose::Ephemeral { expire_before: soon }, Some(soon)),
    ] {
        let slot = bench.slot(order(purpose)).await;
        let put = PutOrder {
            id: id(&slot),
            owner: bench.session(&slot).await.owner().clone(),
            from: UploadOffset::ZERO,
            body_bytes: Some(11),
            opens: None,
            when_cut: WhenCut::Keep,
        };
        let PutStart::Receive(mut transfer) = bench.engine.put(put).await.unwrap() else {
            panic!("it is there already")
        };
        transfer.write(&mut vec![bytes::Bytes::from_static(b"hello world")]).await.unwrap();
        let session = transfer.complete().await.unwrap();
        assert!(session.is_complete());
        assert_eq!(session.expires_at(), kept_until, "{purpose:?}");
    }
}

#[tokio::test]
async fn what_is_refused_makes_nothing_and_is_counted() {
    let bench = Bench::new(Offers { profile: None, ..offers() });
    let ask = |order| bench.desk.grant(order, Carrier::Header);
    let large = SlotOrder { size: 1001, ..order(Purpose::Message) };
    let max = UploadLength::new(1000).unwrap();
    assert_eq!(ask(large).await, Err(SlotRefusal::TooLarge { max }));
    assert_eq!(ask(order(Purpose::Profile)).await, Err(SlotRefusal::PurposeNotOffered));
    let nameless = SlotOrder { file_name: "a/b".to_owned(), ..order(Purpose::Message) };
    assert!(matches!(ask(nameless).await, Err(SlotRefusal::BadRequest(_))));
    assert_eq!(bench.engine.sessions(None, 10).await.unwrap().len(), 0);
    bench.slot(order(Purpose::Message)).await;
    bench.desk.note_refused(&SlotRefusal::NotAllowed);
    let notes = bench.notes.0.lock().unwrap();
    let expected = [
        Decision::TooLarge,
        Decision::Purpose,
        Decision::BadRequest,
        Decision::Granted,
        Decision::NotAllowed,
    ];
    assert_eq!(notes.as_slice(), expected);
}

#[tokio::test]
async fn no_two_slots_are_the_same() {
    let bench = Bench::new(offers());
    let (one, other) =
        (bench.slot(order(Purpose::Message)).await, bench.slot(order(Purpose::Message)).await);
    assert_ne!(one.put, other.put);
    assert_ne!(id(&one), id(&other));
}

#[tokio::test]
async fn a_gateway_that_stops_makes_no_slots() {
    let bench = Bench::new(offers());
    bench.engine.stop().await;
    let refused = bench.desk.grant(order(Purpose::Message), Carrier::Header).await;
    assert_eq!(refused, Err(SlotRefusal::Unavailable));
}
