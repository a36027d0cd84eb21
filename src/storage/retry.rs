//! [`Retrying`]: a blob store that tries again when the device fails in passing.
//!
//! Only what can be done twice without a difference is done twice:
//!
//! | operation | tried again? | why |
//! |---|---|---|
//! | opening, looking, listing, reading | yes | changes nothing, or nothing more the second time |
//! | cutting back, writing bytes again | yes | the same bytes at the same place |
//! | writing bytes | by the engine | the same bytes at the same place; it may not wait on the thread of the first attempt |
//! | a sync, and whatever ends with one: publish, label, delete, keep a tail | no | after a sync that failed, one that succeeds says nothing |
//! | joining, taking in | no | long, and judged as a whole by who asked |
//! | the session store | no | sled does not go on after an error |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::upload::{UploadId, UploadOffset};

use super::{
    BlobReader, BlobState, BlobStore, BlobWriter, Joining, Labels, LocalFile, Pending, Room,
    StorageError, Tail, TakeIn,
};

/// The wait before the second attempt; each further one is twice as long …
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What became of another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retried {
    /// It succeeded.
    Succeeded,
    /// It failed as well.
    Failed,
}

/// How often something is tried again, and who is told.
#[derive(Clone)]
pub struct Retries {
    most: u32,
    told: Arc<dyn Fn(Retried) + Send + Sync>,
}

impl fmt::Debug for Retries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Retries").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Retries {
    /// The most further attempts that can be asked for. With all their waits they take 6 seconds.
    pub const MOST: u32 = 10;

    /// `most` further attempts, and no more than [`Retries::MOST`]; `told` hears of each. It must be
    /// quick.
    #[must_use]
    pub fn new(most: u32, told: impl Fn(Retried) + Send + Sync + 'static) -> Self {
        Self { most: most.min(Self::MOST), told: Arc::new(told) }
    }

    /// Whether anything is tried again.
    #[must_use]
    pub const fn are_any(&self) -> bool {
        self.most > 0
    }

    /// Attempts until one does not fail in passing, or all were made. Blocking.
    ///
    /// # Errors
    ///
    /// What the last attempt failed with.
    pub fn insist<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let first = attempt();
        self.go_on(first, attempt)
    }

    /// As [`Retries::insist`], where the first attempt was made already and failed.
    ///
    /// # Errors
    ///
    /// What the last attempt failed with.
    pub fn insist_after<T>(
        &self,
        failure: StorageError,
        attempt: impl FnMut() -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.go_on(Err(failure), attempt)
    }

    fn go_on<T>(
        &self,
        mut result: Result<T, StorageError>,
        mut attempt: impl FnMut() -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        for wait in self.waits() {
            if !result.as_ref().is_err_and(StorageError::is_passing) {
                break;
            }
            // Woken early, it costs an attempt.
            std::thread::park_timeout(wait);
            result = self.tell(attempt());
        }
        result
    }

    /// As [`Retries::insist`], without a thread that waits.
    async fn insist_later<'a, T>(
        &self,
        mut attempt: impl FnMut() -> Pending<'a, T>,
    ) -> Result<T, StorageError> {
        let mut result = attempt().await;
        for wait in self.waits() {
            if !result.as_ref().is_err_and(StorageError::is_passing) {
                break;
            }
            tokio::time::sleep(wait).await;
            result = self.tell(attempt().await);
        }
        result
    }

    fn waits(&self) -> impl Iterator<Item = Duration> {
        let double = |wait: &Duration| Some(wait.saturating_mul(2).min(LONGEST_WAIT));
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        std::iter::successors(Some(FIRST_WAIT), double).take(most)
    }

    fn tell<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        match &result {
            Ok(_) => (self.told)(Retried::Succeeded),
            Err(error) => {
                tracing::warn!(error = %error.with_causes(), "the device failed again");
                (self.told)(Retried::Failed);
            }
        }
        result
    }
}

/// A blob store that tries again.
pub struct Retrying {
    inner: Arc<dyn BlobStore>,
    retries: Retries,
}

impl Retrying {
    /// `inner`, and further attempts as `retries` has it.
    #[must_use]
    pub fn over(inner: Arc<dyn BlobStore>, retries: Retries) -> Self {
        Self { inner, retries }
    }

    fn insist<'a, T: Send + 'a>(
        &'a self,
        mut attempt: impl FnMut(&'a dyn BlobStore) -> Pending<'a, T> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(self.retries.insist_later(move || attempt(self.inner.as_ref())))
    }

    fn reader(&self, inner: Box<dyn BlobReader>) -> Box<dyn BlobReader> {
        Box::new(RetryingReader { inner, retries: self.retries.clone() })
    }
}

impl BlobStore for Retrying {
    fn begin(
        &self,
        id: UploadId,
        at: UploadOffset,
        tail: Tail,
    ) -> Pending<'_, Box<dyn BlobWriter>> {
        // It syncs nothing: the writer does that, with its first bytes.
        Box::pin(async move {
            let inner = self.insist(move |blobs| blobs.begin(id, at, tail)).await?;
            let retries = self.retries.clone();
            let writer: Box<dyn BlobWriter> = Box::new(RetryingWriter { inner, retries });
            Ok(writer)
        })
    }

    fn state(&self, id: UploadId) -> Pending<'_, Option<BlobState>> {
        self.insist(move |blobs| blobs.state(id))
    }

    fn publish(&self, id: UploadId) -> Pending<'_, ()> {
        self.inner.publish(id)
    }

    fn open(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        Box::pin(async move {
            self.insist(move |blobs| blobs.open(id)).await.map(|inner| self.reader(inner))
        })
    }

    fn open_unpublished(&self, id: UploadId) -> Pending<'_, Box<dyn BlobReader>> {
        Box::pin(async move {
            let opened = self.insist(move |blobs| blobs.open_unpublished(id)).await;
            opened.map(|inner| self.reader(inner))
        })
    }

    fn delete(&self, id: UploadId) -> Pending<'_, ()> {
        self.inner.delete(id)
    }

    fn join(&self, target: UploadId, at: UploadOffset, part: UploadId) -> Pending<'_, u64> {
        self.inner.join(target, at, part)
    }

    fn take_in(&self, id: UploadId, from: LocalFile, way: TakeIn) -> Pending<'_, u64> {
        self.inner.take_in(id, from, way)
    }

    fn room(&self) -> Result<Room, StorageError> {
        self.inner.room()
    }

    fn label(&self, id: UploadId, record: Bytes) -> Pending<'_, ()> {
        self.inner.label(id, record)
    }

    fn read_label(&self, id: UploadId) -> Pending<'_, Option<Vec<u8>>> {
        self.insist(move |blobs| blobs.read_label(id))
    }

    fn labels(&self, after: Option<UploadId>, limit: usize) -> Pending<'_, Labels> {
        self.insist(move |blobs| blobs.labels(after, limit))
    }

    fn joining(&self) -> Joining {
        self.inner.joining()
    }

    fn sweep(
        &self,
        age: Duration,
        known: Box<dyn Fn(UploadId) -> bool + Send>,
    ) -> Pending<'_, u64> {
        self.inner.sweep(age, known)
    }
}

struct RetryingWriter {
    inner: Box<dyn BlobWriter>,
    retries: Retries,
}

impl BlobWriter for RetryingWriter {
    fn write(&self, at: UploadOffset, batch: &[Bytes]) -> Result<(), StorageError> {
        self.inner.write(at, batch)
    }

    fn written(&self) -> Result<UploadOffset, StorageError> {
        self.inner.written()
    }

    fn renew(&self, from: UploadOffset, to: UploadOffset) -> Result<(), StorageError> {
        self.retries.insist(|| self.inner.renew(from, to))
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.inner.sync()
    }

    fn cut(&self, at: UploadOffset) -> Result<(), StorageError> {
        self.retries.insist(|| self.inner.cut(at))
    }

    fn keep_tail(&self) -> Result<(), StorageError> {
        self.inner.keep_tail()
    }
}

struct RetryingReader {
    inner: Box<dyn BlobReader>,
    retries: Retries,
}

impl BlobReader for RetryingReader {
    fn length(&self) -> u64 {
        self.inner.length()
    }

    fn read_at(&self, at: UploadOffset, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.retries.insist(|| self.inner.read_at(at, buffer))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::io::Errno;

    use super::*;
    use crate::storage::blob::memory::MemoryBlobStore;
    use crate::storage::contract::blob::{Subject, every_promise};

    fn retrying(bytes: u64) -> Arc<dyn BlobStore> {
        let inner = Arc::new(MemoryBlobStore::new(bytes));
        Arc::new(Retrying::over(inner, Retries::new(2, |_| {})))
    }

    every_promise!(|| Subject {
        store: retrying(u64::MAX),
        full: retrying(0),
        guard: Box::new(()),
    });

    fn failing(errno: Errno) -> StorageError {
        let source = io::Error::from_raw_os_error(errno.raw_os_error());
        StorageError::Io { doing: "a test", source }
    }

    /// Attempts that fail with `errno` until the last of `failures`; how many there were, and what
    /// was told of them.
    fn attempts(most: u32, errno: Errno, failures: u32) -> (bool, u32, u32) {
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        let retries = Retries::new(most, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let mut made = 0;
        let result = retries.insist(|| {
            made += 1;
            if made <= failures { Err(failing(errno)) } else { Ok(()) }
        });
        (result.is_ok(), made, told.load(Ordering::SeqCst))
    }

    #[test]
    fn what_fails_in_passing_is_tried_again_until_it_succeeds() {
        for errno in [Errno::INTR, Errno::AGAIN, Errno::IO, Errno::BUSY, Errno::TIMEDOUT] {
            assert_eq!(attempts(5, errno, 2), (true, 3, 2), "{errno}");
        }
    }

    #[test]
    fn attempts_are_bounded() {
        assert_eq!(attempts(2, Errno::IO, 99), (false, 3, 2));
        let all: Duration = Retries::new(u32::MAX, |_| {}).waits().sum();
        assert!(all < Duration::from_secs(6), "{all:?}");
    }

    #[test]
    fn without_retries_the_first_failure_counts() {
        assert_eq!(attempts(0, Errno::IO, 1), (false, 1, 0));
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        for errno in [Errno::NOSPC, Errno::ROFS, Errno::ACCESS, Errno::BADF] {
            assert_eq!(attempts(5, errno, 1), (false, 1, 0), "{errno}");
        }
        assert!(!StorageError::NoRoom.is_passing());
    }
}
