//! The desk: makes slots for XMPP users, by whichever door they came.
//!
//! Both doors, the component (`xmpp`) and ejabberd's `service_url` (`http`), look down at this
//! layer, and it knows neither of them. Requirement ids are those of `protocol-spec/xep-0363.md`.
//!
//! | file | holds |
//! |---|---|
//! | `access` | addresses, and who may upload |
//! | `keeping` | how long the files of a tenant are kept |
//! | `offers` | what is offered for which purpose |
//! | `promise` | the promise of whoever makes slots |
//! | `desk` | keeps it: judged, signed, and remembered as an upload that waits for its bytes |
//! | `witness` | who is told what became of orders |

pub mod access;
pub mod desk;
pub mod keeping;
pub mod offers;
pub mod promise;
pub mod witness;

pub use access::{Access, BareJid};
pub use desk::{DeskParts, SlotDesk};
pub use keeping::Keeping;
pub use offers::{Offer, Offers};
pub use promise::{Pending, Slots};
pub use witness::{Decision, Unwitnessed, Witness};

#[cfg(test)]
mod tests;
