//! The promises of [`BlobStore`](crate::storage::BlobStore) about finding uploads again: labels,
//! and what is swept for want of one.

#![expect(missing_docs, reason = "the name of a promise is the sentence that documents it")]

use std::time::Duration;

use bytes::Bytes;

use super::blob::{Subject, begin, published, published_content, running, state};
use super::session::session_expiring_at;
use crate::upload::{UploadId, record};

/// A label that is a true record, of a session that expires at `moment`.
pub(super) fn label(id: UploadId, moment: u64) -> Bytes {
    record::encode(&session_expiring_at(id, moment)).unwrap().into()
}

pub async fn a_label_is_found_before_the_first_byte_and_after_publishing(subject: &Subject) {
    let id = UploadId::generate();
    assert_eq!(subject.store.read_label(id).await.unwrap(), None);
    let record = label(id, 1);
    subject.store.label(id, record.clone()).await.unwrap();
    for step in 0..3 {
        let found = subject.store.read_label(id).await.unwrap();
        assert_eq!(found.as_deref(), Some(&*record), "step {step}");
        assert_eq!(subject.store.labels(None, 10).await.unwrap().ids, [id], "step {step}");
        match step {
            0 => drop(begin(subject, id, 0).await),
            _ => subject.store.publish(id).await.unwrap(),
        }
    }
}

pub async fn the_newest_label_counts(subject: &Subject) {
    let id = UploadId::generate();
    for moment in 0..600 {
        let record = label(id, moment);
        subject.store.label(id, record.clone()).await.unwrap();
        let found = subject.store.read_label(id).await.unwrap();
        assert_eq!(found.as_deref(), Some(&*record));
    }
}

pub async fn pages_of_labels_name_everything_once(subject: &Subject) {
    let mut expected = Vec::new();
    for number in 0..40 {
        let id = match number % 4 {
            0 => running(subject, b"abc").await,
            1 => published(subject, b"abc").await,
            _ => UploadId::generate(),
        };
        if number % 4 != 0 {
            subject.store.label(id, label(id, 1)).await.unwrap();
        }
        expected.push(id);
    }
    expected.sort();
    let mut found = Vec::new();
    loop {
        let page = subject.store.labels(found.last().copied(), 7).await.unwrap();
        assert!(page.ids.len() <= 7);
        if page.ids.is_empty() {
            break;
        }
        found.extend(page.ids);
    }
    assert_eq!(found, expected);
    assert_eq!(subject.store.labels(None, 0).await.unwrap().ids, []);
}

pub async fn what_nobody_knows_is_swept_and_nothing_else(subject: &Subject) {
    let orphan = running(subject, b"orphan").await;
    let mislabelled = running(subject, b"orphan too").await;
    subject.store.label(mislabelled, Bytes::from_static(b"torn")).await.unwrap();
    let labelled = running(subject, b"labelled").await;
    subject.store.label(labelled, label(labelled, 1)).await.unwrap();
    let known = running(subject, b"known").await;
    let finished = published(subject, b"finished").await;
    let sweep = |age| subject.store.sweep(age, Box::new(move |id| id == known));
    assert_eq!(sweep(Duration::from_secs(3600)).await.unwrap(), 0, "nothing is that old");
    assert_eq!(sweep(Duration::ZERO).await.unwrap(), 2);
    assert_eq!(sweep(Duration::ZERO).await.unwrap(), 0);
    for gone in [orphan, mislabelled] {
        assert_eq!(state(subject, gone).await, None);
    }
    let mut left = subject.store.labels(None, 10).await.unwrap().ids;
    let mut expected = [labelled, known, finished];
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(published_content(subject, finished).await, b"finished");
}
