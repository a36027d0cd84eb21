//! The cases: one registry per suite.
//!
//! | suite | judges |
//! |---|---|
//! | [`tus`] | the tus 1.0 protocol, core and extensions |
//! | [`resume`] | what survives cuts, silence, races and takeovers |
//! | [`abuse`] | what hostile or broken requests can do |
//! | [`download`] | how finished uploads are served |
//! | [`chunked`] | chunk headers |
//! | [`sessions`] | one upload, written by tus and by chunks |
//! | [`form`] | files sent by HTML forms |
//! | [`slots`] | slots of XMPP servers |
//! | [`vectors`] | the heads of `protocol-spec/vectors` |

pub mod abuse;
pub mod chunked;
pub mod download;
pub mod form;
pub mod resume;
pub mod sessions;
pub mod slots;
pub mod tus;
pub mod vectors;

use crate::case::Group;

/// A list of groups under one name.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// What `--suite` calls it.
    pub name: &'static str,
    /// Its groups.
    pub groups: &'static [&'static Group],
}

/// Every suite.
pub const ALL: &[Suite] = &[
    Suite { name: "tus", groups: tus::GROUPS },
    Suite { name: "resume", groups: resume::GROUPS },
    Suite { name: "abuse", groups: abuse::GROUPS },
    Suite { name: "download", groups: download::GROUPS },
    Suite { name: "chunked", groups: chunked::GROUPS },
    Suite { name: "sessions", groups: sessions::GROUPS },
    Suite { name: "form", groups: form::GROUPS },
    Suite { name: "slots", groups: slots::GROUPS },
    Suite { name: "vectors", groups: vectors::GROUPS },
];
