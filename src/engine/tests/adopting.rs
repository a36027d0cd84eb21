//! Files that were there before: taken in whole, once, and left where they are.

use std::path::Path;

use super::*;
use crate::engine::{AdoptOrder, Adopted};
use crate::storage::{LocalFile, TakeIn};
use crate::upload::{Sums, Timestamp};

fn order(id: UploadId, path: &Path) -> AdoptOrder {
    let file = std::fs::File::open(path).unwrap();
    AdoptOrder {
        id,
        new: NewSession::of(Owner::anonymous(), None, Metadata::default()),
        bytes: file.metadata().unwrap().len(),
        from: LocalFile { file, path: path.to_owned() },
        way: TakeIn::Copy,
        since: Timestamp::from_unix_milliseconds(1_600_000_000_000),
    }
}

#[tokio::test]
async fn a_file_becomes_a_finished_upload_of_its_age_with_sums_and_a_label() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let house = House::new();
    let engine = house.engine("this");
    let id = UploadId::generate();
    assert_eq!(engine.adopt(order(id, &path)).await.unwrap(), Adopted::Taken);
    assert_eq!(content(&engine, id).await.unwrap(), "hello");
    let session = engine.session(id).await.unwrap().unwrap();
    assert_eq!(session.completed_at().unwrap().unix_seconds(), 1_600_000_000);
    let mut sums = Sums::default();
    sums.update(b"hello");
    assert_eq!(session.sums(), &sums);
    let label = house.blobs.read_label(id).await.unwrap().unwrap();
    assert_eq!(crate::upload::record::decode(&label).unwrap(), session);
}

#[tokio::test]
async fn what_is_there_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let engine = engine();
    let id = UploadId::generate();
    engine.adopt(order(id, &path)).await.unwrap();
    assert_eq!(engine.adopt(order(id, &path)).await.unwrap(), Adopted::There);
    std::fs::write(&path, "longer than before").unwrap();
    assert_eq!(engine.adopt(order(id, &path)).await.unwrap(), Adopted::Other { bytes: 5 });
    assert_eq!(content(&engine, id).await.unwrap(), "hello");
    engine.terminate(id, &Owner::anonymous()).await.unwrap();
    assert_eq!(engine.adopt(order(id, &path)).await.unwrap(), Adopted::Gone);
}

#[tokio::test]
async fn what_an_interrupted_attempt_left_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let house = House::new();
    let (running, published) = (UploadId::generate(), UploadId::generate());
    for id in [running, published] {
        let writer = house.blobs.begin(id, offset(0), crate::storage::Tail::Keep).await.unwrap();
        writer.write(offset(0), &[Bytes::from_static(b"something else")]).unwrap();
    }
    house.blobs.publish(published).await.unwrap();
    let engine = house.engine("this");
    for id in [running, published] {
        assert_eq!(engine.adopt(order(id, &path)).await.unwrap(), Adopted::Taken);
        assert_eq!(content(&engine, id).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn what_would_have_expired_is_not_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let mut house = House::new();
    house.settings.limits.retention = Some(std::time::Duration::from_secs(60));
    let engine = house.engine("this");
    let id = UploadId::generate();
    assert_eq!(engine.adopt(order(id, &path)).await.unwrap(), Adopted::Over);
    assert!(house.blobs.state(id).await.unwrap().is_none());
}
