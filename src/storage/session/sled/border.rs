//! Where a panic of sled ends.
//!
//! sled 0.34 checks what it reads with assertions: on a damaged file they hit, on whatever thread asked for
//! a record. That must cost the one answer and nothing else, so every call into sled is made through
//! [`caught`]. Unwinding is safe here: what sled was about to change is in its log or it is not, as after a
//! crash, and nothing of ours is half-changed by it either (`put` writes in an order that a crash may cut
//! anywhere).

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::storage::StorageError;

use super::open::SledTrouble;

thread_local! {
    /// Whether this thread is inside of sled, and somebody will say what the panic said.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What `work` returns; a panic in it is an error that says the same.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    keep_quiet();
    let outside = INSIDE.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outside);
    outcome.unwrap_or_else(|panic| Err(SledTrouble::Damaged(message(&*panic)).into()))
}

/// Keeps the panics that are caught here off standard error: a trace of sled's insides tells an operator
/// nothing, and the error that comes of it is told by whoever handles it. All others are told as before.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            // A thread that is just ending has no such value any more, and is not inside of anything.
            if !INSIDE.try_with(Cell::get).unwrap_or(false) {
                before(panic);
            }
        }));
    });
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_says_the_same_and_names_the_way_out() {
        let outcome = caught(|| -> Result<(), _> { panic!("assertion failed: lid >= 0") });
        let Err(StorageError::Database(trouble)) = outcome else { panic!("{outcome:?}") };
        assert!(trouble.to_string().contains("assertion failed: lid >= 0"), "{trouble}");
        assert!(trouble.to_string().contains("tidegate doctor --rebuild"), "{trouble}");
    }

    #[test]
    fn a_call_within_a_call_leaves_the_outer_one_inside() {
        caught(|| {
            caught(|| Ok(())).unwrap();
            assert!(INSIDE.get());
            Ok(())
        })
        .unwrap();
        assert!(!INSIDE.get());
    }
}
