//! Random damage to a small data directory: whatever it is, no wrong byte is served as right, nothing
//! panics, the other uploads are what they were, and the doctor comes to an end.
//!
//! `PROPTEST_CASES` says how many are tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::engine::{AppendOrder, Engine, EngineError, Reader};
use crate::server::sessions::offline;
use crate::upload::{
    AppendRequest, Metadata, NewSession, Owner, Session, UploadLength, UploadOffset,
};

/// Nothing here takes longer on a machine that works.
const DEADLINE: Duration = Duration::from_secs(60);
/// Uploads: the first half is finished, the others are running.
const UPLOADS: u64 = 6;
const LENGTH: u64 = 3000;
const RUNNING: u64 = 2000;

/// One kind of damage, to one of the files.
#[derive(Clone, Debug)]
enum Damage {
    Flip { file: prop::sample::Index, at: prop::sample::Index, bit: u8 },
    Cut { file: prop::sample::Index, at: prop::sample::Index },
    Fill { file: prop::sample::Index, with: Vec<u8> },
    Remove { file: prop::sample::Index },
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), index(), 0_u8..8).prop_map(|(file, at, bit)| Damage::Flip { file, at, bit }),
        2 => (index(), index()).prop_map(|(file, at)| Damage::Cut { file, at }),
        1 => (index(), prop::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(file, with)| Damage::Fill { file, with }),
        1 => index().prop_map(|file| Damage::Remove { file }),
    ]
}

fn content(number: u64, bytes: u64) -> Vec<u8> {
    (0..bytes)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 3) ^ (number * 57)).to_le_bytes()[0])
        .collect()
}

fn settings(path: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.server.data_dir = path.to_owned();
    settings
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, work).await.expect("an end") })
}

async fn send(
    engine: &Engine,
    id: UploadId,
    at: u64,
    bytes: &[u8],
) -> Result<Session, EngineError> {
    let at = UploadOffset::new(at).unwrap();
    let request = AppendRequest { at, declares: None, body_bytes: None };
    let order = AppendOrder { id, owner: Owner::anonymous(), request, digest: None };
    let mut transfer = engine.append(order).await?;
    transfer.write(&mut vec![Bytes::copy_from_slice(bytes)]).await?;
    transfer.complete().await
}

/// A data directory with some uploads, and their ids.
fn house() -> (TempDir, Vec<UploadId>) {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    let ids = block_on(async {
        let offline = offline(&settings).await.unwrap();
        let mut ids = Vec::new();
        for number in 0..UPLOADS {
            let length = UploadLength::new(LENGTH);
            let new = NewSession::of(Owner::anonymous(), length, Metadata::default());
            let id = offline.engine.create(new).await.unwrap().id();
            let bytes = if number < UPLOADS / 2 { LENGTH } else { RUNNING };
            send(&offline.engine, id, 0, &content(number, bytes)).await.unwrap();
            ids.push(id);
        }
        offline.engine.stop().await;
        ids
    });
    (folder, ids)
}

/// Every file below a directory, in an order that does not depend on the moment.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Damages one file; returns which.
fn hurt(folder: &Path, damage: &Damage) -> PathBuf {
    let mut files = files(folder);
    files.retain(|path| !path.ends_with("secret"));
    let (Damage::Flip { file, .. }
    | Damage::Cut { file, .. }
    | Damage::Fill { file, .. }
    | Damage::Remove { file }) = damage;
    let path = files.swap_remove(file.index(files.len()));
    let mut bytes = fs::read(&path).unwrap();
    match damage {
        Damage::Flip { at, bit, .. } if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Damage::Cut { at, .. } if !bytes.is_empty() => bytes.truncate(at.index(bytes.len())),
        Damage::Fill { with, .. } => bytes.clone_from(with),
        Damage::Flip { .. } | Damage::Cut { .. } | Damage::Remove { .. } => {
            fs::remove_file(&path).unwrap();
            return path;
        }
    }
    fs::write(&path, bytes).unwrap();
    path
}

/// Everything that is handed out of a finished upload; `Err` if it breaks off.
async fn downloaded(engine: &Engine, id: UploadId) -> Result<Vec<u8>, EngineError> {
    let download = engine.read(id, Reader::Anyone).await?;
    let mut bytes = Vec::new();
    while u64::try_from(bytes.len()).unwrap() < download.length() {
        let at = UploadOffset::new(bytes.len().try_into().unwrap()).unwrap();
        let read = download.read(at, 700).await?;
        assert!(!read.is_empty(), "an end before the end");
        bytes.extend_from_slice(&read);
    }
    Ok(bytes)
}

/// What may be said of the uploads; `hurt` is the file that was damaged.
async fn served(engine: &Engine, ids: &[UploadId], hurt: &Path) {
    for (number, id) in (0..).zip(ids) {
        let is_hurt = hurt.to_str().unwrap().contains(&id.to_string());
        if number < UPLOADS / 2 {
            match downloaded(engine, *id).await {
                Ok(bytes) => assert_eq!(bytes, content(number, LENGTH), "wrong bytes as right"),
                Err(error) => assert!(is_hurt, "{id} was not touched: {error:?}"),
            }
            continue;
        }
        match engine.inspect(*id, &Owner::anonymous()).await {
            Ok(session) => {
                let offset = session.offset().get();
                assert!(offset <= RUNNING && (is_hurt || offset == RUNNING), "{id} at {offset}");
                let rest = &content(number, LENGTH)[usize::try_from(offset).unwrap()..];
                match send(engine, *id, offset, rest).await {
                    Ok(session) => {
                        assert!(session.is_complete());
                        // The bytes on the disk may be wrong, which their sums tell.
                        match downloaded(engine, *id).await {
                            Ok(bytes) => assert_eq!(bytes, content(number, LENGTH)),
                            Err(error) => assert!(is_hurt, "{id} was not touched: {error:?}"),
                        }
                    }
                    Err(error) => assert!(is_hurt, "{id} was not touched: {error:?}"),
                }
            }
            Err(error) => assert!(is_hurt, "{id} was not touched: {error:?}"),
        }
    }
}

/// Polls `work` so many times, then forgets it, as a kill between two steps would.
async fn killed_after<T>(polls: usize, work: impl Future<Output = T>) {
    let mut work = std::pin::pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        work.as_mut().poll(context).map(drop)
    })
    .await;
}

fn after_damage(damage: &Damage, polls: usize, doctor_first: bool) {
    let (folder, ids) = house();
    let hurt = hurt(folder.path(), damage);
    let settings = settings(folder.path());
    if !doctor_first {
        block_on(async {
            match offline(&settings).await {
                Ok(offline) => {
                    served(&offline.engine, &ids, &hurt).await;
                    offline.engine.stop().await;
                }
                // The store says that it is damaged; only damage to it may make it say so.
                Err(error) => {
                    assert!(hurt.to_str().unwrap().contains("/sessions/"), "{error:?}");
                }
            }
        });
        return;
    }
    let since = Instant::now();
    block_on(async {
        examine(&settings, Depth::Thorough).await.unwrap();
        killed_after(polls, repair(&settings, Depth::Thorough)).await;
    });
    block_on(async {
        if repair(&settings, Depth::Thorough).await.is_err() {
            assert!(hurt.to_str().unwrap().contains("/sessions/"), "{hurt:?}");
            killed_after(polls, rebuild(&settings)).await;
        }
    });
    block_on(async {
        let opens = repair(&settings, Depth::Thorough).await.is_ok();
        if !opens {
            rebuild(&settings).await.unwrap();
        }
        let findings = examine(&settings, Depth::Thorough).await.unwrap();
        let worst = findings.iter().map(|finding| finding.grade).max();
        assert!(worst < Some(Grade::Wrong), "{hurt:?}: {findings:?}");
        let offline = offline(&settings).await.unwrap();
        served(&offline.engine, &ids, &hurt).await;
        offline.engine.stop().await;
    });
    assert!(since.elapsed() < DEADLINE);
}

/// Some dozens, unless more are asked for.
fn cases() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if asked.cases == 256 { 24 } else { asked.cases };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_damage_serves_wrong_bytes_or_touches_other_uploads(
        damage in damage(), polls in 0_usize..60, doctor_first: bool,
    ) {
        after_damage(&damage, polls, doctor_first);
    }
}
