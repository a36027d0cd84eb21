//! Pure wire: a request head becomes a command, an outcome becomes a response head.
//!
//! No socket, no clock, no `await`. A protocol test is a table of heads, a fuzz target three lines.
//!
//! | folder or file | holds |
//! |---|---|
//! | `head` | request and response heads, as plain data |
//! | `problem` | every refusal a client may see: the rows of `protocol-spec/errors.md` |
//! | `field` | field grammars shared by protocols: integers, lists, dates |
//! | `tus/` | tus 1.0.0 |
//! | `download/` | ranges, conditions, safe names and types |
//! | `cors` | what a browser has to be told |

pub mod head;
pub mod problem;
