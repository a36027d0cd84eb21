//! Group commit: many waiters, one flush.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::storage::StorageError;

use super::FlushObserver;
use super::open::SledTrouble;

/// Brings everything written so far to where the settings want it; blocks meanwhile.
pub(super) type Flush = Box<dyn FnMut() -> Result<(), String> + Send>;

type Answer = Result<(), String>;

/// A thread that flushes on behalf of whoever waits.
///
/// While one flush runs, newcomers gather; the next flush answers all of them. Waiters are bounded
/// by the callers there are: each has one.
pub(super) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Changes that were made, and how many of them a flush has covered.
    changes: AtomicU64,
    covered: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiters: Vec<oneshot::Sender<Answer>>,
    closing: bool,
    /// Set once and for good: after a failed sync the system may have dropped what was to be
    /// written, and a later success would say nothing about it.
    failed: Option<String>,
}

impl Shared {
    /// A panic between lock and unlock cannot leave the queue half-changed.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next group of waiters, and whether it is the last.
    fn gather(&self) -> (Vec<oneshot::Sender<Answer>>, bool) {
        let idle = |queue: &mut Queue| queue.waiters.is_empty() && !queue.closing;
        let queue = self.wake.wait_while(self.queue(), idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut queue.waiters), queue.closing)
    }
}

impl Flusher {
    pub(super) fn start(
        flush: Flush,
        observer: Option<FlushObserver>,
    ) -> Result<Self, StorageError> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("session-flush".to_owned())
            .spawn(move || run(&theirs, flush, observer.as_deref()))
            .map_err(StorageError::io("starting the thread that flushes sessions"))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether changes are still taken.
    ///
    /// # Errors
    ///
    /// [`StorageError::Closed`] after [`Flusher::close`], [`StorageError::Database`] after a flush
    /// that failed.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        self.shared.queue().check()
    }

    /// Whether what can be read can also be believed.
    ///
    /// # Errors
    ///
    /// [`StorageError::Database`] after a flush that failed: memory is then ahead of the device.
    pub(super) fn sound(&self) -> Result<(), StorageError> {
        self.shared.queue().sound()
    }

    /// Counts a change that was just made; its number.
    pub(super) fn changed(&self) -> u64 {
        self.shared.changes.fetch_add(1, Ordering::AcqRel).saturating_add(1)
    }

    /// Waits until this change is flushed; not at all if it is.
    pub(super) async fn covered(&self, change: u64) -> Result<(), StorageError> {
        if self.shared.covered.load(Ordering::Acquire) >= change {
            return self.sound();
        }
        self.flushed().await
    }

    /// Waits until everything written before this call is flushed.
    pub(super) async fn flushed(&self) -> Result<(), StorageError> {
        let (answer, wait) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            queue.check()?;
            queue.waiters.push(answer);
        }
        self.shared.wake.notify_one();
        heard(wait).await
    }

    /// Flushes a last time, then takes nothing more. Closing twice is fine.
    pub(super) async fn close(&self) -> Result<(), StorageError> {
        let (answer, wait) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.closing {
                return Ok(());
            }
            queue.closing = true;
            queue.waiters.push(answer);
        }
        self.shared.wake.notify_one();
        heard(wait).await
    }
}

impl Queue {
    fn check(&self) -> Result<(), StorageError> {
        self.sound()?;
        if self.closing { Err(StorageError::Closed) } else { Ok(()) }
    }

    fn sound(&self) -> Result<(), StorageError> {
        match &self.failed {
            Some(what) => Err(SledTrouble::Flush(what.clone()).into()),
            None => Ok(()),
        }
    }
}

async fn heard(wait: oneshot::Receiver<Answer>) -> Result<(), StorageError> {
    match wait.await {
        Ok(answer) => answer.map_err(|what| SledTrouble::Flush(what).into()),
        Err(_) => Err(StorageError::Closed),
    }
}

fn run(shared: &Shared, mut flush: Flush, observer: Option<&(dyn Fn() + Send + Sync)>) {
    loop {
        let (waiters, last) = shared.gather();
        let changes = shared.changes.load(Ordering::Acquire);
        let failed = shared.queue().failed.clone();
        let outcome = match failed {
            // Not even for those who began to wait before it failed: another flush may say that it
            // succeeded, and the device would have nothing of it.
            Some(what) => Err(what),
            // sled panics on some kinds of damage; the waiters have to hear of it.
            None => catch_unwind(AssertUnwindSafe(&mut flush))
                .unwrap_or_else(|_| Err("the database panicked".to_owned())),
        };
        match &outcome {
            Ok(()) => shared.covered.store(changes, Ordering::Release),
            Err(what) => drop(shared.queue().failed.get_or_insert_with(|| what.clone())),
        }
        if let Some(observe) = observer {
            observe();
        }
        for waiter in waiters {
            // Whoever stopped waiting does not need the answer.
            let _ = waiter.send(outcome.clone());
        }
        if last {
            return;
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.queue().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It cannot panic: `run` catches what the flush throws. Joined, because it holds the
            // database, and with it the lock that the next process needs.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn waiters_that_gather_during_a_flush_share_the_next_one() {
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let flushes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&flushes);
        let flush = Box::new(move || {
            begun.send(()).unwrap();
            released.recv().unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let flusher = Arc::new(Flusher::start(flush, None).unwrap());
        let wait = || {
            let flusher = Arc::clone(&flusher);
            tokio::spawn(async move { flusher.flushed().await })
        };
        let first = wait();
        let begins = tokio::task::spawn_blocking(move || begins.recv().map(|()| begins));
        let _begins = begins.await.unwrap().unwrap();
        let others: Vec<_> = (0..50).map(|_| wait()).collect();
        while flusher.shared.queue().waiters.len() < 50 {
            tokio::task::yield_now().await;
        }
        release.send(()).unwrap();
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        for other in others {
            other.await.unwrap().unwrap();
        }
        assert_eq!(flushes.load(Ordering::SeqCst), 2);
        release.send(()).unwrap();
        flusher.close().await.unwrap();
    }

    #[tokio::test]
    async fn after_a_failed_flush_nothing_is_promised_any_more() {
        let mut outcomes = vec![Ok(()), Err("no device".to_owned())].into_iter();
        let flush = Box::new(move || outcomes.next().unwrap_or(Ok(())));
        let flusher = Flusher::start(flush, None).unwrap();
        flusher.flushed().await.unwrap();
        assert!(matches!(flusher.flushed().await, Err(StorageError::Database(_))));
        assert!(matches!(flusher.flushed().await, Err(StorageError::Database(_))));
        assert!(matches!(flusher.check(), Err(StorageError::Database(_))));
    }

    #[tokio::test]
    async fn whoever_waited_while_a_flush_failed_is_not_answered_by_another_one() {
        let (begun, begins) = mpsc::channel();
        let (fail, failed) = mpsc::channel::<()>();
        let mut outcomes = vec![Err("no device".to_owned())].into_iter();
        let flush = Box::new(move || {
            begun.send(()).unwrap();
            failed.recv().unwrap();
            outcomes.next().unwrap_or(Ok(()))
        });
        let flusher = Arc::new(Flusher::start(flush, None).unwrap());
        let wait = || {
            let flusher = Arc::clone(&flusher);
            tokio::spawn(async move { flusher.flushed().await })
        };
        let first = wait();
        let begins = tokio::task::spawn_blocking(move || begins.recv().map(|()| begins));
        let _begins = begins.await.unwrap().unwrap();
        let second = wait();
        while flusher.shared.queue().waiters.is_empty() {
            tokio::task::yield_now().await;
        }
        fail.send(()).unwrap();
        assert!(matches!(first.await.unwrap(), Err(StorageError::Database(_))));
        // Were there another flush, it would not hang here but succeed.
        let _ = fail.send(());
        assert!(matches!(second.await.unwrap(), Err(StorageError::Database(_))));
        assert_eq!(flusher.shared.covered.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_in_the_database_reaches_the_waiters_as_an_error() {
        let flusher = Flusher::start(Box::new(|| panic!("damaged")), None).unwrap();
        assert!(matches!(flusher.flushed().await, Err(StorageError::Database(_))));
        assert!(matches!(flusher.flushed().await, Err(StorageError::Database(_))));
    }

    #[tokio::test]
    async fn a_closed_flusher_has_flushed_and_takes_nothing_more() {
        let flushes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&flushes);
        let flush = Box::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let flusher = Flusher::start(flush, None).unwrap();
        flusher.close().await.unwrap();
        flusher.close().await.unwrap();
        assert_eq!(flushes.load(Ordering::SeqCst), 1);
        assert!(matches!(flusher.flushed().await, Err(StorageError::Closed)));
    }
}
