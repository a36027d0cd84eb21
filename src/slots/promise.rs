//! [`Slots`]: makes slots for users who may have one.

use std::pin::Pin;

use crate::protocol::xep0363::slot::{Slot, SlotOrder, SlotRefusal};

/// A boxed future, so that the trait stays usable as a trait object.
pub type Pending<'a> = Pin<Box<dyn Future<Output = Result<Slot, SlotRefusal>> + Send + 'a>>;

/// Makes slots.
///
/// # Guarantees every implementation gives
///
/// - **Judged.** Size, name, type, purpose and quota are judged before anything is made.
/// - **Usable at once.** A slot that is returned can be put to right away, by any node.
/// - **Cancel-safe.** Dropping a future leaves nothing behind but, at most, a slot that nobody
///   knows and that expires like any other.
pub trait Slots: Send + Sync + 'static {
    /// A slot for this order. That the uploader may ask at all has been judged.
    fn request(&self, order: SlotOrder) -> Pending<'_>;

    /// Takes note of a request that was refused before it came to an order.
    fn note_refused(&self, _: &SlotRefusal) {}
}
