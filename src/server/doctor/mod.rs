//! Looks at a data directory while no gateway works on it, mends it, and makes its session store anew.
//!
//! Looking changes nothing of ours (sled tidies up its own log whenever it is opened). Mending and
//! rebuilding delete nothing: what cannot be used is kept aside.
//!
//! | file | holds |
//! |---|---|
//! | `fault` | what can be wrong with an upload, and what would be done about it |
//! | `examination` | record, blob and label of one upload, compared |
//! | `mending` | `--repair` |
//! | `rebuilding` | `--rebuild` |

mod examination;
mod fault;
mod mending;
mod rebuilding;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::config::Settings;
use crate::engine::events::{Observer, Unobserved};
use crate::storage::{
    BlobCare, BlobStore, ListFault, Mend, Room, SessionStore, StorageError, Stray,
};
use crate::upload::UploadId;

use super::data_dir::DataDir;
use super::error::ServerError;
use super::secret::Secret;
use super::{authority, wiring};

pub use mending::repair;
pub use rebuilding::{Rebuilt, rebuild};

/// Uploads looked at per step: a step looks through whole directories, so few are better.
const PAGE: usize = 16 * 1024;
/// Most things that belong to no upload that are named at a time.
const MOST_STRAYS: usize = 1000;

/// How closely uploads are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Without reading their bytes.
    Quick,
    /// Every byte is read and compared with its sum.
    Thorough,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Sound,
    /// Heals by itself, or matters only if something else breaks.
    Note,
    /// Something is wrong, or lost.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What it is, and what to do about it.
    pub text: String,
}

impl Finding {
    fn new(grade: Grade, text: impl Into<String>) -> Self {
        Self { grade, text: text.into() }
    }
}

/// Looks at everything, without changing anything.
///
/// # Errors
///
/// [`ServerError`] if the directory cannot be looked at at all.
pub async fn examine(settings: &Settings, depth: Depth) -> Result<Vec<Finding>, ServerError> {
    let path = &settings.server.data_dir;
    if !path.is_dir() {
        let text = format!("there is no data directory {}; the gateway makes it", path.display());
        return Ok(vec![Finding::new(Grade::Note, text)]);
    }
    let data = DataDir::claim(path)?;
    let mut findings = vec![written(data.path())];
    findings.extend(authorisation(&data, settings));
    let blobs = wiring::open_blobs(&data, settings)?;
    findings.push(room(blobs.room()?));
    findings.extend(strays(blobs.as_ref()).await?);
    if !wiring::has_sessions(&data) {
        findings.push(if wiring::holds_uploads(blobs.as_ref()).await? {
            let text = "there are uploads but no session store; run `tidegate doctor --rebuild`";
            Finding::new(Grade::Wrong, text)
        } else {
            Finding::new(Grade::Sound, "there are no uploads yet")
        });
        return Ok(findings);
    }
    match open(&data.sessions(), settings) {
        Ok(sessions) => {
            let found = compare(sessions.as_ref(), blobs.as_ref(), depth).await;
            sessions.close().await?;
            findings.extend(found?);
        }
        Err(error) => {
            findings.push(Finding::new(Grade::Wrong, format!("{error}: {}", chain(&error))))
        }
    }
    Ok(findings)
}

/// The files that say who may do what.
fn authorisation(data: &DataDir, settings: &Settings) -> Vec<Finding> {
    let unusable = authority::unusable_files(settings).into_iter();
    let mut findings: Vec<Finding> =
        unusable.map(|text| Finding::new(Grade::Wrong, text)).collect();
    let path = data.path().join("secret");
    match Secret::read(&path).and_then(|_| std::fs::metadata(&path)) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let text = format!(
                "{} can be read by other users, who could make upload links; chmod 600 it",
                path.display()
            );
            findings.push(Finding::new(Grade::Wrong, text));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = "there is no secret yet; the gateway makes it, and older links are void";
            findings.push(Finding::new(Grade::Note, text));
        }
        Err(error) => {
            let text = format!(
                "{} cannot be used: {error}; put it back, or remove it, which ends every link",
                path.display()
            );
            findings.push(Finding::new(Grade::Wrong, text));
        }
    }
    findings
}

fn open(path: &Path, settings: &Settings) -> Result<Arc<dyn SessionStore>, ServerError> {
    let nobody: Arc<dyn Observer> = Arc::new(Unobserved);
    wiring::open_sessions(path, settings, &nobody)
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn written(path: &Path) -> Finding {
    match tempfile_in(path) {
        Ok(()) => Finding::new(Grade::Sound, format!("{} can be written", path.display())),
        Err(error) => Finding::new(
            Grade::Wrong,
            format!("{} cannot be written: {error}; give its user the right to", path.display()),
        ),
    }
}

fn tempfile_in(path: &Path) -> std::io::Result<()> {
    let probe = path.join("doctor-was-here");
    std::fs::write(&probe, b"x")?;
    std::fs::remove_file(&probe)
}

fn room(room: Room) -> Finding {
    let usable = bytesize::ByteSize(room.usable_bytes);
    let reserve = bytesize::ByteSize(room.reserve_bytes);
    if room.usable_bytes == 0 {
        let text = format!(
            "no room: less than storage.reserve = {reserve} is free, so uploads are refused; free \
             some space"
        );
        return Finding::new(Grade::Wrong, text);
    }
    Finding::new(
        Grade::Sound,
        format!("room for {usable} of uploads, beside a reserve of {reserve}"),
    )
}

/// Compares records, blobs, labels and lists.
async fn compare(
    sessions: &dyn SessionStore,
    blobs: &dyn BlobStore,
    depth: Depth,
) -> Result<Vec<Finding>, StorageError> {
    let (mut findings, mut looked_at, mut after) = (Vec::new(), 0_u64, None);
    loop {
        let ids = match sessions.ids(after, PAGE) {
            Ok(ids) => ids,
            Err(error) => {
                let why = chain(&error);
                let text = format!("the session store cannot be listed to its end: {error}: {why}");
                findings.push(Finding::new(Grade::Wrong, text));
                break;
            }
        };
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            looked_at += 1;
            let fault = examination::of_record(sessions, blobs, id, depth).await;
            findings.extend(fault.map(|fault| fault.finding()));
        }
    }
    let mut strays = Vec::new();
    if let Err(error) = each_stray(sessions, blobs, &mut |id| strays.push(id)).await {
        let text = format!("not all that lies there can be listed: {error}: {}", chain(&error));
        findings.push(Finding::new(Grade::Wrong, text));
    }
    for id in strays {
        findings.extend(examination::of_stray(blobs, id).await.map(|fault| fault.finding()));
    }
    findings.extend(lists(sessions));
    let wrong = findings.iter().filter(|finding| finding.grade == Grade::Wrong).count();
    findings.push(Finding::new(
        Grade::Sound,
        format!("{looked_at} uploads looked at, {wrong} of them with something wrong"),
    ));
    Ok(findings)
}

/// What is wrong with the lists beside the records.
fn lists(sessions: &dyn SessionStore) -> Vec<Finding> {
    let mut findings = Vec::new();
    let compared = sessions.compare_lists(Mend::No, &mut |id, fault| {
        let grade = match fault {
            ListFault::NotDue | ListFault::NotListed => Grade::Wrong,
            ListFault::DueWithoutRecord
            | ListFault::ListedWithoutRecord
            | ListFault::StrayPieces => Grade::Note,
        };
        let text = format!("{id}: {fault}; `tidegate doctor --repair` sets it right");
        findings.push(Finding::new(grade, text));
    });
    if let Err(error) = compared {
        let text = format!("the lists of the session store cannot be read: {}", chain(&error));
        findings.push(Finding::new(Grade::Wrong, text));
    }
    findings
}

/// Names every upload of which something lies there, but that has no record.
async fn each_stray(
    sessions: &dyn SessionStore,
    blobs: &dyn BlobStore,
    each: &mut (dyn FnMut(UploadId) + Send),
) -> Result<(), StorageError> {
    let mut after = None;
    loop {
        let ids = blobs.labels(after, PAGE).await?.ids;
        let Some(last) = ids.last() else { return Ok(()) };
        after = Some(*last);
        for id in ids {
            if matches!(sessions.get(id), Ok(None)) {
                each(id);
            }
        }
    }
}

/// What lies in the store and belongs to no upload.
async fn strays(blobs: &dyn BlobCare) -> Result<Vec<Finding>, StorageError> {
    let strays = blobs.strays(MOST_STRAYS).await?;
    let findings = strays.iter().map(|stray| {
        let (grade, plan) = match stray {
            Stray::Leftover(_) => (Grade::Note, "removes it"),
            Stray::Foreign(_) => (Grade::Wrong, "moves it into the quarantine"),
            Stray::Closed(_) => (Grade::Wrong, "opens it to its user"),
        };
        Finding::new(grade, format!("{}; `tidegate doctor --repair` {plan}", stray_text(stray)))
    });
    Ok(findings.collect())
}

fn stray_text(stray: &Stray) -> String {
    let path = stray.path().display();
    match stray {
        Stray::Leftover(_) => format!("{path} was left by a crash"),
        Stray::Foreign(_) => format!("{path} does not belong there"),
        Stray::Closed(_) => format!("{path} cannot be used: its permissions forbid it"),
    }
}

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
