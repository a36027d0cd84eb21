//! What the doctor sees in stores, and what it brings back.

use bytes::Bytes;

use super::rebuilding::{restore, take_over};
use super::*;
use crate::storage::Tail;
use crate::storage::blob::memory::MemoryBlobStore;
use crate::storage::session::memory::MemorySessionStore;
use crate::upload::transition::Progress;
use crate::upload::{
    BootId, Departure, Limits, Metadata, NewSession, Owner, Received, Session, Timestamp,
    UploadLength, UploadOffset, record,
};

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_000_000);

struct House {
    sessions: MemorySessionStore,
    blobs: MemoryBlobStore,
}

impl House {
    fn new() -> Self {
        Self { sessions: MemorySessionStore::new(), blobs: MemoryBlobStore::new(u64::MAX) }
    }

    async fn looked_at(&self) -> Vec<Finding> {
        let mut findings = compare(&self.sessions, &self.blobs, Depth::Thorough).await.unwrap();
        // The last one counts.
        findings.pop();
        findings
    }

    async fn stored(&self, id: UploadId, bytes: &'static [u8]) {
        let writer = self.blobs.begin(id, UploadOffset::ZERO, Tail::Keep).await.unwrap();
        writer.write(UploadOffset::ZERO, &[Bytes::from_static(bytes)]).unwrap();
        writer.sync().unwrap();
    }

    async fn labelled(&self, session: &Session) {
        let label = record::encode(session).unwrap();
        self.blobs.label(session.id(), Bytes::from(label)).await.unwrap();
    }
}

/// An upload of ten bytes of which `offset` were accepted.
fn session(offset: u64) -> Session {
    let new = NewSession::of(Owner::anonymous(), UploadLength::new(10), Metadata::default());
    let (limits, boot) = (Limits::default(), BootId::new("boot".to_owned()));
    let mut session =
        Session::create(new, UploadId::generate(), &limits, boot.clone(), NOW).unwrap();
    let mut received = Received::default();
    received.append(&b"0123456789"[..usize::try_from(offset).unwrap()]);
    let progress = Progress { received, boot, synced: true };
    session.receive(progress, &limits, NOW);
    session
}

fn grades(findings: &[Finding]) -> Vec<Grade> {
    findings.iter().map(|finding| finding.grade).collect()
}

#[tokio::test]
async fn an_upload_whose_record_bytes_and_label_agree_is_not_mentioned() {
    let house = House::new();
    let session = session(4);
    house.sessions.create(&session).await.unwrap();
    house.stored(session.id(), b"0123").await;
    house.labelled(&session).await;
    assert_eq!(house.looked_at().await, []);
}

#[tokio::test]
async fn accepted_bytes_that_are_not_there_are_wrong() {
    for there in [&b""[..], b"01"] {
        let house = House::new();
        let session = session(4);
        house.sessions.create(&session).await.unwrap();
        house.labelled(&session).await;
        if !there.is_empty() {
            house.stored(session.id(), there).await;
        }
        let findings = house.looked_at().await;
        assert_eq!(grades(&findings), [Grade::Wrong], "{findings:?}");
        assert!(findings[0].text.contains("4 bytes were accepted"), "{findings:?}");
    }
}

#[tokio::test]
async fn a_complete_upload_without_its_published_bytes_is_wrong() {
    let house = House::new();
    let mut session = session(10);
    session.complete(&Limits::default(), NOW);
    house.sessions.create(&session).await.unwrap();
    house.labelled(&session).await;
    assert_eq!(grades(&house.looked_at().await), [Grade::Wrong]);
    house.stored(session.id(), b"0123456789").await;
    assert_eq!(grades(&house.looked_at().await), [Grade::Wrong]);
    house.blobs.publish(session.id()).await.unwrap();
    assert_eq!(house.looked_at().await, []);
}

#[tokio::test]
async fn an_upload_that_a_rebuild_would_miss_is_noted() {
    let house = House::new();
    let session = session(4);
    house.sessions.create(&session).await.unwrap();
    house.stored(session.id(), b"0123").await;
    assert_eq!(grades(&house.looked_at().await), [Grade::Note]);
}

#[tokio::test]
async fn an_upload_that_is_gone_needs_nothing() {
    let house = House::new();
    let mut session = session(4);
    session.depart(Departure::Terminated, &Limits::default(), NOW);
    house.sessions.create(&session).await.unwrap();
    assert_eq!(house.looked_at().await, []);
}

#[tokio::test]
async fn a_lost_record_is_wrong_and_comes_back_from_its_label() {
    let house = House::new();
    let session = session(4);
    house.stored(session.id(), b"0123").await;
    house.labelled(&session).await;
    assert_eq!(grades(&house.looked_at().await), [Grade::Wrong]);
    let mut rebuilt = Rebuilt::default();
    restore(&house.sessions, &house.blobs, &mut rebuilt).await.unwrap();
    assert_eq!(rebuilt.restored, 1);
    assert_eq!(house.sessions.get(session.id()).unwrap().unwrap().session, session);
    assert_eq!(house.looked_at().await, []);
}

#[tokio::test]
async fn bytes_without_a_record_anywhere_are_named_and_left_alone() {
    let house = House::new();
    let id = UploadId::generate();
    house.stored(id, b"0123").await;
    let mut rebuilt = Rebuilt::default();
    restore(&house.sessions, &house.blobs, &mut rebuilt).await.unwrap();
    assert_eq!((rebuilt.restored, rebuilt.without_record), (0, vec![id]));
    assert!(house.blobs.state(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_record_that_is_already_there_is_not_replaced_by_its_older_label() {
    let house = House::new();
    let older = session(2);
    let mut newer = older.clone();
    newer.declare(UploadLength::new(10).unwrap());
    house.sessions.create(&newer).await.unwrap();
    house.labelled(&older).await;
    let mut rebuilt = Rebuilt::default();
    restore(&house.sessions, &house.blobs, &mut rebuilt).await.unwrap();
    assert_eq!(rebuilt, Rebuilt::default());
}

#[tokio::test]
async fn records_of_an_old_store_are_preferred_to_labels() {
    let (old, new) = (MemorySessionStore::new(), House::new());
    let (session, other) = (session(4), session(0));
    old.create(&session).await.unwrap();
    old.create(&other).await.unwrap();
    assert_eq!(take_over(&old, &new.sessions).await.unwrap(), 2);
    assert_eq!(new.sessions.get(session.id()).unwrap().unwrap().session, session);
}
