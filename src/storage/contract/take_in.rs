//! The promises of [`BlobStore::take_in`](crate::storage::BlobStore::take_in).

#![expect(missing_docs, reason = "the name of a promise is the sentence that documents it")]

use std::fs::File;
use std::path::Path;

use super::blob::{Subject, published, published_content, state};
use crate::storage::{LocalFile, StorageError, TakeIn};
use crate::upload::UploadId;

fn local(path: &Path) -> LocalFile {
    LocalFile { file: File::open(path).unwrap(), path: path.to_owned() }
}

pub async fn a_file_that_is_taken_in_is_published_and_stays_where_it_is(subject: &Subject) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for bytes in [&b""[..], b"abc", &[7; 300_000]] {
        std::fs::write(&path, bytes).unwrap();
        let id = UploadId::generate();
        let count = u64::try_from(bytes.len()).unwrap();
        let taken = subject.store.take_in(id, local(&path), TakeIn::Copy).await;
        assert_eq!(taken.unwrap(), count);
        assert_eq!(state(subject, id).await, Some((count, true)));
        assert!(published_content(subject, id).await == bytes);
        subject.store.delete(id).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
}

pub async fn nothing_is_taken_in_over_what_is_published(subject: &Subject) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "other").unwrap();
    let id = published(subject, b"abc").await;
    for way in [TakeIn::Copy, TakeIn::Link] {
        let refused = subject.store.take_in(id, local(&path), way).await;
        assert!(matches!(refused, Err(StorageError::Damaged { .. })), "{refused:?}");
    }
    assert_eq!(published_content(subject, id).await, b"abc");
}

pub async fn what_does_not_fit_is_not_taken_in(subject: &Subject) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "abc").unwrap();
    let id = UploadId::generate();
    let refused = subject.full.take_in(id, local(&path), TakeIn::Copy).await;
    assert!(matches!(refused, Err(StorageError::NoRoom)), "{refused:?}");
    assert!(subject.full.state(id).await.unwrap().is_none());
}
