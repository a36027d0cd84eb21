//! Settings: read once, validated whole, and from then on types.
//!
//! Four layers, the later one wins: built-in defaults, a TOML file, the environment
//! (`TIDEGATE__SECTION__KEY`), flags. Everything that is wrong is reported at once, with the place
//! it comes from and what would be right. Secrets are never printed.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | every section and key, with its built-in default |
//! | `load` | the layers, and who said what |
//! | `hmac_file_server` | the settings of that server, taken over |
//! | `known` | which keys exist, and the nearest one to a key that does not |
//! | `changes` | what differs between two readings |
//! | `check` | what only several keys together can get wrong |
//! | `problem` | what is wrong, where, and what would be right |
//! | `address` | where to listen: IP and port, or a Unix socket |
//! | `size`, `duration` | quantities as people write them |
//! | `absent` | words for "no value": `none`, `auto` |
//! | `token` | static bearer tokens, never printed |
//! | `tenant` | issuers of slots |
//! | `quota` | what one owner may have |

pub mod absent;
pub mod address;
pub mod changes;
pub mod check;
pub mod duration;
pub mod hmac_file_server;
pub mod known;
pub mod load;
pub mod problem;
pub mod quota;
pub mod settings;
pub mod size;
pub mod tenant;
pub mod token;

pub use address::{Address, Listen};
pub use changes::changes;
pub use duration::Span;
pub use load::{Flag, Sources, load};
pub use problem::{ConfigError, Origin, Problem};
pub use settings::Settings;
pub use size::Size;
