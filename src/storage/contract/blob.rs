//! The promises of [`BlobStore`].

#![expect(missing_docs, reason = "the name of a promise is the sentence that documents it")]

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::label::label;
pub use super::label::{
    a_label_is_found_before_the_first_byte_and_after_publishing,
    pages_of_labels_name_everything_once, the_newest_label_counts,
    what_nobody_knows_is_swept_and_nothing_else,
};
pub use super::take_in::{
    a_file_that_is_taken_in_is_published_and_stays_where_it_is,
    nothing_is_taken_in_over_what_is_published, what_does_not_fit_is_not_taken_in,
};
use crate::storage::{BlobReader, BlobState, BlobStore, BlobWriter, Joining, StorageError, Tail};
use crate::upload::{UploadId, UploadOffset};

/// An adapter under test, empty.
pub struct Subject {
    /// The adapter.
    pub store: Arc<dyn BlobStore>,
    /// The same kind of adapter with nothing but the reserve left.
    pub full: Arc<dyn BlobStore>,
    /// Whatever has to outlive the store, a directory for instance.
    pub guard: Box<dyn Any + Send>,
}

/// Makes every promise a test of the calling module. Takes a closure that makes a [`Subject`].
macro_rules! every_promise {
    ($subject:expr) => {
        $crate::storage::contract::blob::every_promise!(@tests $subject;
            bytes_are_read_back_from_where_they_were_written
            a_batch_of_very_many_slices_is_written_whole_and_in_order
            a_reader_gets_stretches_up_to_the_end
            beginning_again_cuts_off_what_lies_behind
            beginning_a_recorded_blob_again_keeps_what_lies_ahead
            a_blob_shorter_than_the_offset_is_refused_and_not_padded
            a_cut_takes_back_the_end_and_never_pads
            bytes_that_are_written_again_stay_as_they_are
            the_state_tells_how_far_the_bytes_go
            an_unproven_tail_does_not_count_until_it_is_kept
            beginning_again_forgets_what_was_unproven
            publishing_makes_the_bytes_visible_all_at_once
            publishing_twice_is_fine
            a_published_blob_cannot_be_begun_again
            an_upload_of_length_zero_can_be_published_without_a_blob
            deleting_twice_is_fine_and_leaves_nothing
            a_running_blob_can_be_deleted_under_its_writer
            a_joined_blob_equals_its_parts_in_order
            joining_again_replaces_what_was_joined_before
            only_published_parts_are_joined
            a_label_is_found_before_the_first_byte_and_after_publishing
            the_newest_label_counts
            pages_of_labels_name_everything_once
            a_file_that_is_taken_in_is_published_and_stays_where_it_is
            nothing_is_taken_in_over_what_is_published
            what_does_not_fit_is_not_taken_in
            the_reserve_is_not_written_into
            what_nobody_knows_is_swept_and_nothing_else
        );
    };
    (@tests $subject:expr; $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let subject: $crate::storage::contract::blob::Subject = ($subject)();
                $crate::storage::contract::blob::$promise(&subject).await;
            }
        )+
    };
}
pub(crate) use every_promise;

fn at(bytes: usize) -> UploadOffset {
    UploadOffset::new(count(bytes)).unwrap()
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap()
}

pub(super) async fn begin(subject: &Subject, id: UploadId, offset: usize) -> Box<dyn BlobWriter> {
    subject.store.begin(id, at(offset), Tail::Keep).await.unwrap()
}

/// A running blob with these bytes.
pub(super) async fn running(subject: &Subject, bytes: &[u8]) -> UploadId {
    let id = UploadId::generate();
    let writer = begin(subject, id, 0).await;
    writer.write(at(0), &[Bytes::copy_from_slice(bytes)]).unwrap();
    writer.sync().unwrap();
    id
}

/// A published blob with these bytes.
pub(super) async fn published(subject: &Subject, bytes: &[u8]) -> UploadId {
    let id = running(subject, bytes).await;
    subject.store.publish(id).await.unwrap();
    id
}

fn content(reader: &dyn BlobReader) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(reader.length()).unwrap()];
    assert_eq!(reader.read_at(at(0), &mut bytes).unwrap(), bytes.len());
    bytes
}

pub async fn beginning_a_recorded_blob_again_keeps_what_lies_ahead(subject: &Subject) {
    let id = UploadId::generate();
    let recorded = async |from| subject.store.begin(id, at(from), Tail::Recorded).await;
    recorded(0).await.unwrap().write(at(6), &[Bytes::from_static(b"ahead")]).unwrap();
    let again = recorded(11).await.unwrap();
    again.write(at(0), &[Bytes::from_static(b"front")]).unwrap();
    again.sync().unwrap();
    assert_eq!(running_content(subject, id).await, b"front\0ahead");
    assert!(matches!(recorded(12).await, Err(StorageError::Damaged { .. })));
}

async fn running_content(subject: &Subject, id: UploadId) -> Vec<u8> {
    content(&*subject.store.open_unpublished(id).await.unwrap())
}

pub(super) async fn published_content(subject: &Subject, id: UploadId) -> Vec<u8> {
    content(&*subject.store.open(id).await.unwrap())
}

pub(super) async fn state(subject: &Subject, id: UploadId) -> Option<(u64, bool)> {
    let state = subject.store.state(id).await.unwrap();
    state.map(|BlobState { offset, published }| (offset.get(), published))
}

fn is_missing<T>(outcome: &Result<T, StorageError>, id: UploadId) -> bool {
    matches!(outcome, Err(StorageError::Missing(missing)) if *missing == id)
}

fn is_damaged<T>(outcome: &Result<T, StorageError>, id: UploadId) -> bool {
    matches!(outcome, Err(StorageError::Damaged { id: damaged, .. }) if *damaged == id)
}

pub async fn bytes_are_read_back_from_where_they_were_written(subject: &Subject) {
    let id = UploadId::generate();
    let writer = begin(subject, id, 0).await;
    writer.write(at(0), &[Bytes::from_static(b"abcdefgh")]).unwrap();
    writer.write(at(8), &[Bytes::from_static(b"ij"), Bytes::from_static(b"kl")]).unwrap();
    writer.write(at(2), &[Bytes::from_static(b"CD")]).unwrap();
    writer.write(at(12), &[]).unwrap();
    writer.sync().unwrap();
    assert_eq!(running_content(subject, id).await, b"abCDefghijkl");
}

pub async fn a_batch_of_very_many_slices_is_written_whole_and_in_order(subject: &Subject) {
    let id = UploadId::generate();
    let batch: Vec<_> =
        (0..5000_usize).map(|number| Bytes::from(number.to_string().repeat(number % 4))).collect();
    let writer = begin(subject, id, 0).await;
    writer.write(at(0), &batch).unwrap();
    assert!(running_content(subject, id).await == batch.concat());
    assert_eq!(writer.written().unwrap(), at(batch.concat().len()));
}

pub async fn a_reader_gets_stretches_up_to_the_end(subject: &Subject) {
    let id = published(subject, b"0123456789").await;
    let reader = subject.store.open(id).await.unwrap();
    assert_eq!(reader.length(), 10);
    let mut buffer = [0; 4];
    assert_eq!((reader.read_at(at(3), &mut buffer).unwrap(), &buffer), (4, b"3456"));
    assert_eq!((reader.read_at(at(8), &mut buffer).unwrap(), &buffer[..2]), (2, &b"89"[..]));
    assert_eq!(reader.read_at(at(10), &mut buffer).unwrap(), 0);
    assert_eq!(reader.read_at(at(1000), &mut buffer).unwrap(), 0);
}

pub async fn beginning_again_cuts_off_what_lies_behind(subject: &Subject) {
    let id = running(subject, b"abcdefgh").await;
    let writer = begin(subject, id, 3).await;
    assert_eq!(writer.written().unwrap(), at(3));
    writer.write(at(3), &[Bytes::from_static(b"XY")]).unwrap();
    assert_eq!(running_content(subject, id).await, b"abcXY");
    begin(subject, id, 0).await;
    assert_eq!(running_content(subject, id).await, b"");
}

pub async fn a_blob_shorter_than_the_offset_is_refused_and_not_padded(subject: &Subject) {
    let id = running(subject, b"abc").await;
    let short = subject.store.begin(id, at(4), Tail::Keep).await;
    assert!(is_damaged(&short, id));
    assert_eq!(running_content(subject, id).await, b"abc");
    let nothing = UploadId::generate();
    let absent = subject.store.begin(nothing, at(4), Tail::Keep).await;
    assert!(is_damaged(&absent, nothing));
    assert!(state(subject, nothing).await.is_none_or(|state| state == (0, false)));
}

pub async fn a_cut_takes_back_the_end_and_never_pads(subject: &Subject) {
    let id = running(subject, b"abcdefgh").await;
    let writer = begin(subject, id, 8).await;
    writer.cut(at(5)).unwrap();
    assert_eq!(writer.written().unwrap(), at(5));
    assert!(is_damaged(&writer.cut(at(6)), id));
    assert_eq!(running_content(subject, id).await, b"abcde");
}

pub async fn bytes_that_are_written_again_stay_as_they_are(subject: &Subject) {
    let (store, id) = (&subject.store, UploadId::generate());
    let bytes: Vec<u8> = (0..=250).cycle().take(600_000).collect();
    let writer = store.begin(id, at(0), Tail::Keep).await.unwrap();
    writer.write(at(0), &[Bytes::from(bytes.clone())]).unwrap();
    writer.renew(at(17), at(600_000)).unwrap();
    writer.sync().unwrap();
    let mut found = vec![0; 600_000];
    let reader = store.open_unpublished(id).await.unwrap();
    assert_eq!(reader.read_at(at(0), &mut found).unwrap(), 600_000);
    assert!(found == bytes);
}

pub async fn the_state_tells_how_far_the_bytes_go(subject: &Subject) {
    let id = UploadId::generate();
    assert_eq!(state(subject, id).await, None);
    let writer = begin(subject, id, 0).await;
    assert_eq!(state(subject, id).await, Some((0, false)));
    writer.write(at(0), &[Bytes::from_static(b"abc")]).unwrap();
    assert_eq!(state(subject, id).await, Some((3, false)));
    subject.store.publish(id).await.unwrap();
    assert_eq!(state(subject, id).await, Some((3, true)));
}

pub async fn an_unproven_tail_does_not_count_until_it_is_kept(subject: &Subject) {
    let id = running(subject, b"proven").await;
    let writer = subject.store.begin(id, at(6), Tail::Discard).await.unwrap();
    writer.write(at(6), &[Bytes::from_static(b" or not")]).unwrap();
    assert_eq!(state(subject, id).await, Some((6, false)));
    assert_eq!(writer.written().unwrap(), at(13));
    writer.keep_tail().unwrap();
    writer.keep_tail().unwrap();
    assert_eq!(state(subject, id).await, Some((13, false)));
}

pub async fn beginning_again_forgets_what_was_unproven(subject: &Subject) {
    let id = running(subject, b"proven").await;
    for (from, tail) in [(6, Tail::Discard), (4, Tail::Discard), (4, Tail::Keep)] {
        let writer = subject.store.begin(id, at(from), tail).await.unwrap();
        assert_eq!(state(subject, id).await, Some((count(from), false)));
        writer.write(at(from), &[Bytes::from_static(b"1234")]).unwrap();
        let kept = if tail == Tail::Keep { from + 4 } else { from };
        assert_eq!(state(subject, id).await, Some((count(kept), false)), "{from} {tail:?}");
    }
}

pub async fn publishing_makes_the_bytes_visible_all_at_once(subject: &Subject) {
    let id = running(subject, b"abc").await;
    assert!(is_missing(&subject.store.open(id).await, id));
    subject.store.publish(id).await.unwrap();
    assert_eq!(published_content(subject, id).await, b"abc");
    assert!(is_missing(&subject.store.open_unpublished(id).await, id));
}

pub async fn publishing_twice_is_fine(subject: &Subject) {
    let id = published(subject, b"abc").await;
    subject.store.publish(id).await.unwrap();
    assert_eq!(published_content(subject, id).await, b"abc");
}

pub async fn a_published_blob_cannot_be_begun_again(subject: &Subject) {
    let id = published(subject, b"abc").await;
    for offset in [0, 3] {
        let again = subject.store.begin(id, at(offset), Tail::Keep).await;
        assert!(is_damaged(&again, id), "at {offset}");
    }
    assert_eq!(published_content(subject, id).await, b"abc");
    assert_eq!(state(subject, id).await, Some((3, true)));
}

pub async fn an_upload_of_length_zero_can_be_published_without_a_blob(subject: &Subject) {
    let id = UploadId::generate();
    subject.store.publish(id).await.unwrap();
    subject.store.publish(id).await.unwrap();
    assert_eq!(published_content(subject, id).await, b"");
    assert_eq!(state(subject, id).await, Some((0, true)));
}

pub async fn deleting_twice_is_fine_and_leaves_nothing(subject: &Subject) {
    let unproven = running(subject, b"abc").await;
    drop(subject.store.begin(unproven, at(3), Tail::Discard).await.unwrap());
    for id in [unproven, published(subject, b"abc").await] {
        subject.store.label(id, label(id, 1)).await.unwrap();
        subject.store.delete(id).await.unwrap();
        subject.store.delete(id).await.unwrap();
        assert_eq!(state(subject, id).await, None);
        assert_eq!(subject.store.read_label(id).await.unwrap(), None);
        assert!(is_missing(&subject.store.open(id).await, id));
        assert!(is_missing(&subject.store.open_unpublished(id).await, id));
    }
    assert_eq!(subject.store.labels(None, 10).await.unwrap().ids, []);
}

pub async fn a_running_blob_can_be_deleted_under_its_writer(subject: &Subject) {
    let id = running(subject, b"abc").await;
    let writer = begin(subject, id, 3).await;
    subject.store.delete(id).await.unwrap();
    writer.write(at(3), &[Bytes::from_static(b"def")]).unwrap();
    writer.sync().unwrap();
    assert_eq!(state(subject, id).await, None);
}

pub async fn a_joined_blob_equals_its_parts_in_order(subject: &Subject) {
    assert_eq!(subject.store.joining(), Joining::Supported);
    let mut runner = TestRunner::deterministic();
    // Sizes around the page and the block size, and everything between.
    let size = proptest::prop_oneof![0_usize..3, 4090_usize..4100, 0_usize..20_000];
    let sizes = proptest::collection::vec(size, 1..6);
    for _ in 0..24 {
        let sizes = sizes.new_tree(&mut runner).unwrap().current();
        let target = UploadId::generate();
        let mut expected = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let bytes: Vec<u8> =
                (0..*size).map(|byte| (byte * 7 + number).to_le_bytes()[0]).collect();
            let part = published(subject, &bytes).await;
            let joined = subject.store.join(target, at(expected.len()), part).await.unwrap();
            assert_eq!(joined, count(*size));
            expected.extend(bytes);
        }
        assert!(running_content(subject, target).await == expected, "parts of {sizes:?}");
        subject.store.publish(target).await.unwrap();
        assert!(published_content(subject, target).await == expected, "parts of {sizes:?}");
    }
}

pub async fn joining_again_replaces_what_was_joined_before(subject: &Subject) {
    let part = published(subject, b"part").await;
    let target = UploadId::generate();
    for offset in [0, 4, 0, 4] {
        subject.store.join(target, at(offset), part).await.unwrap();
    }
    assert_eq!(running_content(subject, target).await, b"partpart");
    let gap = subject.store.join(target, at(9), part).await;
    assert!(is_damaged(&gap, target));
    assert_eq!(running_content(subject, target).await, b"partpart");
}

pub async fn only_published_parts_are_joined(subject: &Subject) {
    let part = running(subject, b"part").await;
    let target = UploadId::generate();
    assert!(is_missing(&subject.store.join(target, at(0), part).await, part));
    let absent = UploadId::generate();
    assert!(is_missing(&subject.store.join(target, at(0), absent).await, absent));
    assert_eq!(state(subject, target).await, None);
}

pub async fn the_reserve_is_not_written_into(subject: &Subject) {
    assert!(subject.store.room().unwrap().usable_bytes > 0);
    assert_eq!(subject.full.room().unwrap().usable_bytes, 0);
    let id = UploadId::generate();
    let writer = subject.full.begin(id, at(0), Tail::Keep).await.unwrap();
    let refused = writer.write(at(0), &[Bytes::from_static(b"abc")]);
    assert!(matches!(refused, Err(StorageError::NoRoom)), "{refused:?}");
    assert_eq!(writer.written().unwrap(), at(0));
    // What frees room, and what needs none, still works.
    subject.full.publish(id).await.unwrap();
    subject.full.delete(id).await.unwrap();
}
