//! The promises of [`SessionStore`].

#![expect(missing_docs, reason = "the name of a promise is the sentence that documents it")]

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::storage::{Revision, SessionStore, StorageError, Stored};
use crate::upload::transition::Progress;
use crate::upload::{
    BootId, Departure, Holding, Limits, Metadata, NewSession, Owner, Received, Session, Timestamp,
    UploadId, UploadLength,
};

/// An adapter under test, empty.
pub struct Subject {
    /// The adapter.
    pub store: Arc<dyn SessionStore>,
    /// Breaks the stored record of this upload.
    pub damage: Box<dyn Fn(UploadId) + Send + Sync>,
    /// Whatever has to outlive the store, a directory for instance.
    pub guard: Box<dyn Any + Send>,
}

/// Makes every promise a test of the calling module. Takes a closure that makes a [`Subject`].
macro_rules! every_promise {
    ($subject:expr) => {
        $crate::storage::contract::session::every_promise!(@tests $subject;
            what_was_stored_is_read_back
            a_long_record_is_read_back_through_all_its_changes
            of_sixteen_creations_of_one_id_exactly_one_wins
            of_sixteen_commits_against_one_revision_exactly_one_wins
            a_commit_against_an_older_revision_conflicts_and_changes_nothing
            a_commit_to_what_is_not_there_conflicts
            what_was_deleted_is_gone_and_may_be_deleted_again
            what_expires_is_named_oldest_first_up_to_the_limit
            an_expiry_follows_the_session_when_it_moves
            a_session_that_no_longer_expires_is_not_named
            racing_commits_never_lose_the_expiry
            pages_of_ids_name_everything_once
            a_damaged_record_is_named_and_hides_no_other
            a_dropped_commit_leaves_one_whole_record
            what_an_owner_has_is_listed_as_its_records_say
            pages_of_holdings_name_everything_once_and_nothing_of_others
            a_list_is_set_right_by_the_record_and_forgets_what_it_is_told_to
            a_closed_store_takes_no_more_changes
        );
    };
    (@tests $subject:expr; $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                let subject: $crate::storage::contract::session::Subject = ($subject)();
                $crate::storage::contract::session::$promise(&subject).await;
            }
        )+
    };
}
pub(crate) use every_promise;

/// A session that expires at this moment.
pub fn session_expiring_at(id: UploadId, milliseconds: u64) -> Session {
    session_with(id, milliseconds, "")
}

fn session_with(id: UploadId, milliseconds: u64, metadata: &str) -> Session {
    let owner = Owner::named("alice".to_owned());
    let metadata = Metadata::parse(metadata).unwrap();
    let new = NewSession::of(owner, UploadLength::new(1000), metadata);
    let limits = Limits { session_timeout: Duration::ZERO, ..Limits::default() };
    Session::create(new, id, &limits, boot(), moment(milliseconds)).unwrap()
}

/// A session whose record has some 8 KiB.
pub fn long_session(id: UploadId, milliseconds: u64) -> Session {
    session_with(id, milliseconds, &format!("name {}", "QUJD".repeat(2000)))
}

fn boot() -> BootId {
    BootId::new("this boot".to_owned())
}

fn moment(milliseconds: u64) -> Timestamp {
    Timestamp::from_unix_milliseconds(milliseconds)
}

/// The same session, with this many bytes received.
fn grown(session: &Session, bytes: u64) -> Session {
    let mut session = session.clone();
    let mut received = Received::default();
    received.append(&vec![7; usize::try_from(bytes).unwrap()]);
    let limits = Limits { session_timeout: Duration::ZERO, ..Limits::default() };
    let progress = Progress { received, boot: boot(), synced: true };
    session.receive(progress, &limits, moment(0));
    session
}

fn stored(subject: &Subject, id: UploadId) -> Stored {
    subject.store.get(id).unwrap().unwrap()
}

fn due(subject: &Subject, milliseconds: u64) -> Vec<UploadId> {
    subject.store.expiring(moment(milliseconds), 1000).unwrap()
}

pub async fn what_was_stored_is_read_back(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 5);
    let revision = subject.store.create(&session).await.unwrap();
    assert_eq!(stored(subject, session.id()), Stored { session: session.clone(), revision });
    let later = grown(&session, 10);
    let next = subject.store.commit(&later, revision).await.unwrap();
    assert!(next > revision);
    assert_eq!(stored(subject, session.id()), Stored { session: later, revision: next });
    assert_eq!(subject.store.get(UploadId::generate()).unwrap(), None);
}

pub async fn a_long_record_is_read_back_through_all_its_changes(subject: &Subject) {
    let session = long_session(UploadId::generate(), 5);
    let mut revision = subject.store.create(&session).await.unwrap();
    let short = session_expiring_at(session.id(), 5);
    for next in [grown(&session, 1), short, session.clone()] {
        revision = subject.store.commit(&next, revision).await.unwrap();
        assert_eq!(stored(subject, session.id()), Stored { session: next, revision });
    }
    subject.store.delete(session.id()).await.unwrap();
    assert_eq!(subject.store.get(session.id()).unwrap(), None);
}

pub async fn of_sixteen_creations_of_one_id_exactly_one_wins(subject: &Subject) {
    let id = UploadId::generate();
    let candidates = (0..16).map(|expiry| session_expiring_at(id, expiry)).collect();
    let winner = race(subject, candidates, |store, session| {
        Box::pin(async move { store.create(&session).await })
    });
    let (winner, revision) = winner.await;
    assert_eq!(stored(subject, id), Stored { session: winner, revision });
}

pub async fn of_sixteen_commits_against_one_revision_exactly_one_wins(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 5);
    let seen = subject.store.create(&session).await.unwrap();
    let candidates = (1..=16).map(|bytes| grown(&session, bytes)).collect();
    let winner = race(subject, candidates, move |store, session| {
        Box::pin(async move { store.commit(&session, seen).await })
    });
    let (winner, revision) = winner.await;
    assert_eq!(stored(subject, session.id()), Stored { session: winner, revision });
}

type Attempt = std::pin::Pin<Box<dyn Future<Output = Result<Revision, StorageError>> + Send>>;

/// Lets every candidate try at once; the one that won. Everybody else has to meet a conflict.
async fn race(
    subject: &Subject,
    candidates: Vec<Session>,
    attempt: impl Fn(Arc<dyn SessionStore>, Session) -> Attempt,
) -> (Session, Revision) {
    let start = Arc::new(tokio::sync::Barrier::new(candidates.len()));
    let tries: Vec<_> = candidates
        .into_iter()
        .map(|candidate| {
            let attempt = attempt(Arc::clone(&subject.store), candidate.clone());
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                (candidate, attempt.await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for outcome in tries {
        match outcome.await.unwrap() {
            (winner, Ok(revision)) => winners.push((winner, revision)),
            (_, Err(error)) => assert!(matches!(error, StorageError::Conflict), "{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "winners");
    winners.remove(0)
}

pub async fn a_commit_against_an_older_revision_conflicts_and_changes_nothing(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 5);
    let first = subject.store.create(&session).await.unwrap();
    let second = subject.store.commit(&grown(&session, 1), first).await.unwrap();
    let stale = subject.store.commit(&session_expiring_at(session.id(), 99), first).await;
    assert!(matches!(stale, Err(StorageError::Conflict)), "{stale:?}");
    let kept = Stored { session: grown(&session, 1), revision: second };
    assert_eq!(stored(subject, session.id()), kept);
    assert_eq!(due(subject, 98), [session.id()]);
}

pub async fn a_commit_to_what_is_not_there_conflicts(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 5);
    let never = subject.store.commit(&session, Revision::FIRST).await;
    assert!(matches!(never, Err(StorageError::Conflict)), "{never:?}");
    let revision = subject.store.create(&session).await.unwrap();
    subject.store.delete(session.id()).await.unwrap();
    let gone = subject.store.commit(&session, revision).await;
    assert!(matches!(gone, Err(StorageError::Conflict)), "{gone:?}");
    assert_eq!(subject.store.get(session.id()).unwrap(), None);
}

pub async fn what_was_deleted_is_gone_and_may_be_deleted_again(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 5);
    subject.store.create(&session).await.unwrap();
    subject.store.delete(session.id()).await.unwrap();
    subject.store.delete(session.id()).await.unwrap();
    assert_eq!(subject.store.get(session.id()).unwrap(), None);
    assert_eq!(due(subject, u64::MAX), []);
    assert_eq!(subject.store.ids(None, 10).unwrap(), []);
}

pub async fn what_expires_is_named_oldest_first_up_to_the_limit(subject: &Subject) {
    let mut ids = Vec::new();
    for expiry in [30, 10, 20, 1_000_000] {
        let session = session_expiring_at(UploadId::generate(), expiry);
        subject.store.create(&session).await.unwrap();
        ids.push(session.id());
    }
    assert_eq!(due(subject, 9), []);
    assert_eq!(due(subject, 10), [ids[1]]);
    assert_eq!(due(subject, 30), [ids[1], ids[2], ids[0]]);
    assert_eq!(subject.store.expiring(moment(u64::MAX), 2).unwrap(), [ids[1], ids[2]]);
    assert_eq!(subject.store.expiring(moment(u64::MAX), 0).unwrap(), []);
}

pub async fn an_expiry_follows_the_session_when_it_moves(subject: &Subject) {
    let id = UploadId::generate();
    let mut revision = subject.store.create(&session_expiring_at(id, 10)).await.unwrap();
    for expiry in [50, 20, 20, 40] {
        revision = subject.store.commit(&session_expiring_at(id, expiry), revision).await.unwrap();
        assert_eq!(due(subject, expiry - 1), [], "before {expiry}");
        assert_eq!(due(subject, expiry), [id], "at {expiry}");
        assert_eq!(due(subject, u64::MAX), [id], "named once");
    }
}

pub async fn a_session_that_no_longer_expires_is_not_named(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 10);
    let revision = subject.store.create(&session).await.unwrap();
    let mut finished = grown(&session, 1000);
    finished.complete(&Limits { retention: None, ..Limits::default() }, moment(11));
    assert_eq!(finished.expires_at(), None);
    subject.store.commit(&finished, revision).await.unwrap();
    assert_eq!(due(subject, u64::MAX), []);
}

/// Writers that move one expiry to and fro must not remove each other's entry.
pub async fn racing_commits_never_lose_the_expiry(subject: &Subject) {
    let id = UploadId::generate();
    subject.store.create(&session_expiring_at(id, 10)).await.unwrap();
    let writers: Vec<_> = [10, 20, 30, 10]
        .into_iter()
        .map(|expiry| {
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move {
                for _ in 0..50 {
                    let seen = store.get(id).unwrap().unwrap().revision;
                    match store.commit(&session_expiring_at(id, expiry), seen).await {
                        Ok(_) | Err(StorageError::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                    let found = store.expiring(moment(30), 10).unwrap();
                    assert!(found.iter().all(|other| *other == id), "{found:?}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let expiry = stored(subject, id).session.expires_at().unwrap().unix_milliseconds();
    assert_eq!(due(subject, expiry), [id]);
    assert_eq!(due(subject, expiry - 1), []);
}

pub async fn pages_of_ids_name_everything_once(subject: &Subject) {
    let mut expected = BTreeSet::new();
    for _ in 0..57 {
        let session = session_expiring_at(UploadId::generate(), 10);
        subject.store.create(&session).await.unwrap();
        expected.insert(session.id());
    }
    let mut found = Vec::new();
    loop {
        let page = subject.store.ids(found.last().copied(), 10).unwrap();
        assert!(page.len() <= 10);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
}

pub async fn a_damaged_record_is_named_and_hides_no_other(subject: &Subject) {
    let bad = session_expiring_at(UploadId::generate(), 10);
    let good = session_expiring_at(UploadId::generate(), 20);
    for session in [&bad, &good] {
        subject.store.create(session).await.unwrap();
    }
    (subject.damage)(bad.id());
    let answer = subject.store.get(bad.id());
    assert!(
        matches!(&answer, Err(StorageError::Record { id, .. }) if *id == bad.id()),
        "{answer:?}"
    );
    assert_eq!(stored(subject, good.id()).session, good);
    assert_eq!(subject.store.ids(None, 10).unwrap().len(), 2, "the operator can find it");
    assert_eq!(subject.store.expiring(moment(100), 1).unwrap(), [good.id()]);
    subject.store.delete(bad.id()).await.unwrap();
    assert_eq!(subject.store.get(bad.id()).unwrap(), None);
    subject.store.create(&bad).await.unwrap();
    assert_eq!(due(subject, 10), [bad.id()]);
}

pub async fn a_dropped_commit_leaves_one_whole_record(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 10);
    let first = subject.store.create(&session).await.unwrap();
    let later = grown(&session, 3);
    {
        let mut commit = subject.store.commit(&later, first);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = commit.as_mut().poll(&mut context);
    }
    let now = stored(subject, session.id());
    if now.revision == first {
        assert_eq!(now.session, session);
    } else {
        assert_eq!(now.session, later);
    }
    subject.store.commit(&grown(&session, 4), now.revision).await.unwrap();
    assert_eq!(stored(subject, session.id()).session, grown(&session, 4));
}

fn held(subject: &Subject, owner: &str) -> Vec<Holding> {
    subject.store.holdings(&Owner::named(owner.to_owned()), None, usize::MAX).unwrap()
}

fn session_of(owner: Owner, id: UploadId) -> Session {
    let new = NewSession::of(owner, UploadLength::new(1000), Metadata::default());
    Session::create(new, id, &Limits::default(), boot(), moment(1)).unwrap()
}

pub async fn what_an_owner_has_is_listed_as_its_records_say(subject: &Subject) {
    let mut session = session_expiring_at(UploadId::generate(), 7);
    let first = subject.store.create(&session).await.unwrap();
    assert_eq!(held(subject, "alice"), [Holding::of(&session)]);
    session = grown(&session, 10);
    let second = subject.store.commit(&session, first).await.unwrap();
    assert_eq!(held(subject, "alice"), [Holding::of(&session)]);
    session.depart(Departure::Terminated, &Limits::default(), moment(2));
    subject.store.commit(&session, second).await.unwrap();
    assert_eq!(held(subject, "alice"), [Holding::of(&session)]);
    assert_eq!((held(subject, "alice")[0].bytes, held(subject, "alice")[0].day_bytes), (0, 10));
    subject.store.delete(session.id()).await.unwrap();
    assert_eq!(held(subject, "alice"), []);
}

pub async fn pages_of_holdings_name_everything_once_and_nothing_of_others(subject: &Subject) {
    let ids: BTreeSet<_> = (0..20).map(|_| UploadId::generate()).collect();
    for id in &ids {
        for (owner, id) in [("alice", *id), ("alicf", UploadId::generate())] {
            let session = session_of(Owner::named(owner.to_owned()), id);
            subject.store.create(&session).await.unwrap();
        }
        let nobodys = session_of(Owner::anonymous(), UploadId::generate());
        subject.store.create(&nobodys).await.unwrap();
    }
    let (alice, mut after, mut found) = (Owner::named("alice".to_owned()), None, Vec::new());
    loop {
        let page = subject.store.holdings(&alice, after, 7).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page.iter().map(|holding| holding.id));
    }
    assert_eq!(found, ids.into_iter().collect::<Vec<_>>());
    assert_eq!(subject.store.holdings(&Owner::anonymous(), None, 7).unwrap(), []);
}

pub async fn a_list_is_set_right_by_the_record_and_forgets_what_it_is_told_to(subject: &Subject) {
    let (alice, bob) = (Owner::named("alice".to_owned()), Owner::named("bob".to_owned()));
    let session = session_of(alice.clone(), UploadId::generate());
    let id = session.id();
    let first = subject.store.create(&session).await.unwrap();
    subject.store.unlist(&alice, id).unwrap();
    assert_eq!(held(subject, "alice"), []);
    assert_eq!(subject.store.relist(&alice, id).unwrap(), Some(Holding::of(&session)));
    assert_eq!(held(subject, "alice"), [Holding::of(&session)]);
    assert_eq!(subject.store.relist(&bob, id).unwrap(), None);
    let mut nobodys = session;
    nobodys.disown();
    subject.store.commit(&nobodys, first).await.unwrap();
    assert_eq!(held(subject, "alice").len(), 1, "whose it was is not known to a commit");
    assert_eq!(subject.store.relist(&alice, id).unwrap(), None);
    assert_eq!(held(subject, "alice"), []);
    assert_eq!(subject.store.relist(&alice, UploadId::generate()).unwrap(), None);
}

pub async fn a_closed_store_takes_no_more_changes(subject: &Subject) {
    let session = session_expiring_at(UploadId::generate(), 10);
    let revision = subject.store.create(&session).await.unwrap();
    subject.store.close().await.unwrap();
    subject.store.close().await.unwrap();
    let other = session_expiring_at(UploadId::generate(), 10);
    let refused = |outcome: Result<(), StorageError>| {
        assert!(matches!(outcome, Err(StorageError::Closed)), "{outcome:?}");
    };
    refused(subject.store.create(&other).await.map(drop));
    refused(subject.store.commit(&grown(&session, 1), revision).await.map(drop));
    refused(subject.store.delete(session.id()).await);
    assert_eq!(stored(subject, session.id()).session, session);
}
