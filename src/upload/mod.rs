//! The domain: what an upload is, and every change it may go through.
//!
//! Nothing here waits, reads a clock or touches a file; time and randomness come in as arguments
//! (ids excepted: [`UploadId::generate`] asks the operating system). Other layers look here, this
//! one looks nowhere.
//!
//! | file | holds |
//! |---|---|
//! | `id` | the unguessable name of an upload |
//! | `quantity` | offsets and lengths that cannot be mixed up |
//! | `time` | a moment, in milliseconds, as an argument |
//! | `metadata` | what the client said about its file, as it said it |
//! | `digest` | checksums a client may ask for |
//! | `sums` | CRCs of what was stored, bounded in number |
//! | `chunk_map` | which numbered chunks have arrived |
//! | `received` | what has arrived: contiguously, and in chunks ahead |
//! | `chunks` | the chunks ahead, with their sums |
//! | `geometry` | how an upload is cut into chunks, and what a request says of it |
//! | `limits` | the bounds a session is created under |
//! | `quota` | what one owner may have, and whether one upload more fits |
//! | `relation` | whole, partial or final (tus concatenation) |
//! | `session` | an upload session: the state itself |
//! | `transition` | **every** change of a session, and who judges it |
//! | `refusal` | why a session does not do what was asked |
//! | `record` | the session as stored, with its version |

pub mod chunk_map;
pub mod chunks;
pub mod digest;
pub mod geometry;
pub mod id;
pub mod limits;
pub mod metadata;
pub mod quantity;
pub mod quota;
pub mod received;
pub mod record;
pub mod refusal;
pub mod relation;
pub mod session;
pub mod sums;
pub mod time;
pub mod transition;

pub use chunk_map::ChunkMap;
pub use chunks::Chunks;
pub use digest::{Digest, DigestAlgorithm, DigestHasher};
pub use geometry::{ChunkClaim, Geometry};
pub use id::UploadId;
pub use limits::Limits;
pub use metadata::{Metadata, MetadataError};
pub use quantity::{UploadLength, UploadOffset};
pub use quota::{Holding, Quota, Usage};
pub use received::{ChunkPiece, Received};
pub use refusal::Refusal;
pub use relation::Relation;
pub use session::{BootId, Departure, Memory, NewSession, Owner, Phase, Retention, Session};
pub use sums::Sums;
pub use time::Timestamp;
pub use transition::{AppendPlan, AppendRequest, ConcatOrder, Progress};
