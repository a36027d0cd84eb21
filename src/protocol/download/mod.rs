//! Downloads: `GET` and `HEAD` of a finished upload (RFC 9110).
//!
//! What users uploaded is served to other users from our origin, so nothing of it may act there:
//! types are declared, never sniffed; what a browser would run is not shown but saved.
//!
//! | file | holds |
//! |---|---|
//! | `answer` | the whole decision: head and stretches of a download |
//! | `range` | `Range`, bounded and coalesced |
//! | `conditional` | `If-*`, in the order the RFC gives |
//! | `disposition` | a safe file name, and whether it is shown or saved |
//! | `media_type` | a safe media type |
//! | `status` | the status of every problem, and the head of a refusal |

pub mod answer;
pub mod conditional;
pub mod disposition;
pub mod media_type;
pub mod range;
pub mod status;

pub use answer::{Answer, Content, Representation, Sharing, Stretch, answer, look};
pub use status::refused;
