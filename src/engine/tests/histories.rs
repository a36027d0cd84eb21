//! Random histories: the engine does what a plain model of it does, whatever comes in whatever order.
//!
//! Every step sends bytes of its own, so that bytes which get mixed, moved or changed show. After
//! each step all uploads are compared. `PROPTEST_CASES` says how many histories are tried.

mod reference;
mod step;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::engine::{Body, ChunkOrder, ChunkStart, PutOrder, PutStart, WhenCut};
use crate::storage::Tail;
use crate::storage::contract::on_disk;
use crate::upload::{ChunkClaim, Quota, Refusal};
use reference::{CHUNK, Held, LENGTH, Upload, fill, front};
use step::{End, SLOTS, Step, steps};

/// Most unfinished uploads of the owner: one less than there are slots.
const RUNNING: usize = SLOTS - 1;

/// One upload: what it ought to be, where it is, and the transfer that is open.
struct Slot {
    upload: Upload,
    id: UploadId,
    transfer: Option<Transfer>,
}

struct World {
    house: House,
    engine: Engine,
    boot: u32,
    slots: [Option<Slot>; SLOTS],
    /// What the bytes of this step look like.
    byte: u8,
    /// Whether a look takes an open transfer for silent.
    silent: bool,
}

fn alice() -> Owner {
    Owner::named("alice".to_owned())
}

fn hers() -> NewSession {
    let quota = Some(Quota { running: Some(RUNNING), ..Quota::default() });
    NewSession { owner: alice(), quota, ..of_length(LENGTH as u64) }
}

fn patch(id: UploadId, at: usize) -> AppendOrder {
    AppendOrder { owner: alice(), ..append(id, at as u64) }
}

/// Runs a request beside an open transfer. If that is told to stop, it stops, and is gone.
async fn beside<T>(open: &mut Option<Transfer>, request: impl Future<Output = T>) -> T {
    let mut request = std::pin::pin!(request);
    let Some(transfer) = open.as_ref() else { return request.await };
    let stopped = std::future::poll_fn(|cx| transfer.poll_stopped(cx));
    tokio::select! {
        biased;
        answer = &mut request => return answer,
        () = stopped => {}
    }
    let ended = open.take().unwrap().halt().await;
    assert!(matches!(ended, Err(EngineError::TakenOver { .. } | EngineError::NotFound)));
    request.await
}

impl World {
    fn new(house: House, silent: bool) -> Self {
        let mut house = house;
        let hour = std::time::Duration::from_secs(3600);
        house.settings.silent_after = if silent { std::time::Duration::ZERO } else { hour };
        let engine = house.engine("0");
        Self { house, engine, boot: 0, slots: [None, None, None], byte: 0, silent }
    }

    fn running(&self) -> usize {
        self.slots.iter().flatten().filter(|slot| !slot.upload.is_complete()).count()
    }

    async fn end(&self, transfer: Transfer, end: End) {
        let id = transfer.id();
        match end {
            End::Whole => drop(transfer.complete().await.unwrap()),
            End::Cut => drop(transfer.halt().await.unwrap()),
            End::Dropped => {
                drop(transfer);
                until("it is settled", async || !self.engine.shared.leases.is_taken(id)).await;
            }
        }
    }

    async fn send(&self, mut transfer: Transfer, bytes: usize, end: End) {
        if bytes > 0 {
            write(&mut transfer, &vec![self.byte; bytes]).await.unwrap();
        }
        self.end(transfer, end).await;
    }

    async fn take(&mut self, step: Step) {
        self.byte += 1;
        match step {
            Step::Create(at) => self.create(at, None).await,
            Step::CreateWithBody(at, bytes, end) => self.create(at, Some((bytes, end))).await,
            Step::Kill => self.restart(false).await,
            Step::CutPower => self.restart(true).await,
            Step::Reap => self.reap().await,
            Step::Append(at, ..)
            | Step::AppendWithWrongSum(at, _)
            | Step::AppendElsewhere(at, _)
            | Step::Put(at, ..)
            | Step::Chunk(at, ..)
            | Step::Open(at)
            | Step::Feed(at, _)
            | Step::Close(at, _)
            | Step::Inspect(at)
            | Step::Read(at)
            | Step::Terminate(at) => {
                if let Some(slot) = self.slots[at].take() {
                    self.slots[at] = self.change(slot, step).await;
                }
            }
        }
        for at in 0..SLOTS {
            self.compare(at).await;
        }
    }

    async fn create(&mut self, at: usize, body: Option<(usize, End)>) {
        if self.slots[at].is_some() {
            return;
        }
        let full = self.running() >= RUNNING;
        let mut upload = Upload::new();
        let id = match body {
            None => self.engine.create(hers()).await.map(|session| session.id()),
            Some((bytes, end)) => {
                fill(&mut upload.committed, 0, bytes, self.byte);
                let body = Body { bytes: None, digest: None, when_cut: WhenCut::Keep };
                match self.engine.create_with_body(hers(), body).await {
                    Err(error) => Err(error),
                    Ok(transfer) => {
                        let id = transfer.id();
                        self.send(transfer, bytes, end).await;
                        Ok(id)
                    }
                }
            }
        };
        match id {
            Ok(id) => {
                assert!(!full, "one more than the quota");
                self.slots[at] = Some(Slot { upload, id, transfer: None });
            }
            Err(EngineError::Refused(Refusal::QuotaReached { .. })) => assert!(full),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// What a step that is about one upload does to it; `None` if it is gone then.
    async fn change(&self, mut slot: Slot, step: Step) -> Option<Slot> {
        match step {
            Step::Append(_, bytes, end) => self.append(&mut slot, bytes, Some(end)).await,
            Step::AppendWithWrongSum(_, bytes) => self.append(&mut slot, bytes, None).await,
            Step::AppendElsewhere(_, at) => self.append_elsewhere(&mut slot, at).await,
            Step::Put(_, bytes, end) => self.put(&mut slot, bytes, end).await,
            Step::Chunk(_, chunk, bytes) => self.chunk(&mut slot, chunk, bytes).await,
            Step::Open(_) => self.open(&mut slot).await,
            Step::Feed(_, bytes) => self.feed(&mut slot, bytes).await,
            Step::Close(_, end) => {
                if let Some(transfer) = slot.transfer.take() {
                    self.end(transfer, end).await;
                    slot.upload.settle();
                }
            }
            Step::Inspect(_) => self.inspect(&mut slot).await,
            Step::Read(_) => self.read(&slot).await,
            Step::Terminate(_) => {
                let owner = alice();
                let gone = self.engine.terminate(slot.id, &owner);
                beside(&mut slot.transfer, gone).await.unwrap();
                assert!(slot.transfer.is_none(), "a writer outlives its upload");
                let looked = self.engine.inspect(slot.id, &owner).await;
                assert!(matches!(looked, Err(EngineError::NotFound)));
                return None;
            }
            Step::Create(_)
            | Step::CreateWithBody(..)
            | Step::Kill
            | Step::CutPower
            | Step::Reap => {}
        }
        Some(slot)
    }

    /// A PATCH at the offset at which an open transfer yields, or at the committed one.
    async fn patch(&self, slot: &mut Slot, wrong_sum: bool) -> (Transfer, usize) {
        let reached = slot.upload.held.as_ref().map_or(slot.upload.committed, |held| held.reached);
        let at = front(&reached);
        let digest = wrong_sum.then(|| sha1_of(b"nobody sends this"));
        let order = AppendOrder { digest, ..patch(slot.id, at) };
        let transfer = beside(&mut slot.transfer, self.engine.append(order)).await.unwrap();
        assert!(slot.transfer.is_none(), "two writers");
        slot.upload.settle();
        (transfer, at)
    }

    /// Without an end, its bytes have another digest than was announced.
    async fn append(&self, slot: &mut Slot, bytes: usize, end: Option<End>) {
        let (mut transfer, at) = self.patch(slot, end.is_none()).await;
        let bytes = bytes.min(LENGTH - at);
        if let Some(end) = end {
            self.send(transfer, bytes, end).await;
            fill(&mut slot.upload.committed, at, bytes, self.byte);
            return;
        }
        if bytes > 0 {
            write(&mut transfer, &vec![self.byte; bytes]).await.unwrap();
        }
        assert!(matches!(transfer.complete().await, Err(EngineError::ChecksumMismatch { .. })));
    }

    async fn append_elsewhere(&self, slot: &mut Slot, at: usize) {
        let reached = slot.upload.held.as_ref().map_or(slot.upload.committed, |held| held.reached);
        if at == front(&reached) {
            return;
        }
        slot.upload.checkpoint();
        let request = self.engine.append(patch(slot.id, at));
        let refused = beside(&mut slot.transfer, request).await.unwrap_err();
        let EngineError::Refused(Refusal::OffsetMismatch { expected }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(expected, offset(front(&slot.upload.committed) as u64));
        assert_eq!(slot.transfer.is_some(), slot.upload.held.is_some(), "it disturbs nobody");
    }

    async fn put(&self, slot: &mut Slot, bytes: usize, end: End) {
        let (id, owner) = (slot.id, alice());
        let from = UploadOffset::ZERO;
        let order =
            PutOrder { id, owner, from, body_bytes: None, opens: None, when_cut: WhenCut::Keep };
        let start = beside(&mut slot.transfer, self.engine.put(order)).await.unwrap();
        if !slot.upload.is_complete() {
            slot.upload.settle();
        }
        match start {
            PutStart::There(_) => assert!(slot.upload.is_complete()),
            PutStart::Receive(transfer) => {
                self.send(transfer, bytes, end).await;
                fill(&mut slot.upload.committed, 0, bytes, self.byte);
            }
        }
    }

    async fn chunk(&self, slot: &mut Slot, chunk: usize, bytes: usize) {
        let claim = ChunkClaim {
            chunk: chunk as u64,
            total_chunks: None,
            length: Some(LENGTH as u64),
            chunk_bytes: Some(CHUNK as u64),
            range: None,
            body_bytes: None,
        };
        let order = ChunkOrder { id: slot.id, owner: alice(), claim, digest: None, opens: None };
        let there = slot.upload.has_chunk(chunk);
        let start = beside(&mut slot.transfer, self.engine.chunk(order)).await.unwrap();
        if !there {
            slot.upload.settle();
        }
        match start {
            ChunkStart::There(_) => assert!(slot.upload.has_chunk(chunk)),
            ChunkStart::Receive(transfer) => {
                assert!(!slot.upload.has_chunk(chunk));
                slot.upload.in_chunks = true;
                let end = if bytes == CHUNK { End::Whole } else { End::Cut };
                self.send(transfer, bytes, end).await;
                fill(&mut slot.upload.committed, chunk * CHUNK, bytes, self.byte);
            }
        }
    }

    async fn open(&self, slot: &mut Slot) {
        let (transfer, at) = self.patch(slot, false).await;
        slot.transfer = Some(transfer);
        slot.upload.held = Some(Held { at, reached: slot.upload.committed });
    }

    async fn feed(&self, slot: &mut Slot, bytes: usize) {
        let Some((transfer, held)) = slot.transfer.as_mut().zip(slot.upload.held.as_mut()) else {
            return;
        };
        let bytes = bytes.min(LENGTH - held.at);
        write(transfer, &vec![self.byte; bytes]).await.unwrap();
        fill(&mut held.reached, held.at, bytes, self.byte);
        held.at += bytes;
    }

    async fn inspect(&self, slot: &mut Slot) {
        let owner = alice();
        let look = self.engine.inspect(slot.id, &owner);
        let session = beside(&mut slot.transfer, look).await.unwrap();
        if self.silent {
            assert!(slot.transfer.is_none(), "a silent writer is asked to stop");
            slot.upload.settle();
        }
        slot.upload.checkpoint();
        assert_eq!(session.offset(), offset(front(&slot.upload.committed) as u64));
    }

    async fn read(&self, slot: &Slot) {
        let download = self.engine.read(slot.id, Reader::Owner(alice())).await;
        assert_eq!(download.is_ok(), slot.upload.is_complete(), "half an upload is not served");
        if let Ok(download) = download {
            let bytes = download.read(UploadOffset::ZERO, LENGTH).await.unwrap();
            let sent: Vec<u8> = slot.upload.committed.iter().flatten().copied().collect();
            assert_eq!(bytes, sent);
        }
    }

    /// The engine is forgotten as it stands, and another one takes its place.
    async fn restart(&mut self, power_cut: bool) {
        for slot in self.slots.iter_mut().flatten() {
            std::mem::forget(slot.transfer.take());
            if !power_cut {
                slot.upload.kill();
                continue;
            }
            let tail = slot.upload.held.as_ref().map(|held| front(&held.reached));
            slot.upload.cut_power();
            if let Some(reached) = tail.filter(|_| !slot.upload.in_chunks) {
                lose(&self.house, slot.id, front(&slot.upload.committed), reached).await;
            }
        }
        self.boot += u32::from(power_cut);
        self.engine = self.house.engine(&self.boot.to_string());
        // Who asks while the sweep is under way is told the same as who asks later.
        for slot in self.slots.iter().flatten() {
            let session = self.engine.inspect(slot.id, &alice()).await.unwrap();
            assert_eq!(session.offset(), offset(front(&slot.upload.committed) as u64));
        }
        let swept = async || self.engine.shared.recovered.load(Ordering::SeqCst);
        until("the sweep is through", swept).await;
    }

    /// Everything rests for longer than it may.
    async fn reap(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            if let Some(transfer) = slot.transfer.take() {
                drop(transfer.halt().await.unwrap());
                slot.upload.settle();
            }
        }
        self.house.clock.advance(std::time::Duration::from_secs(25 * 60 * 60));
        self.engine.shared.reap().await;
        for slot in &mut self.slots {
            let Some(Slot { id, .. }) = slot.take_if(|slot| !slot.upload.is_complete()) else {
                continue;
            };
            let looked = self.engine.inspect(id, &alice()).await;
            assert!(matches!(looked, Err(EngineError::Refused(Refusal::Expired))));
        }
    }

    /// What is told of an upload without disturbing anybody is what was committed.
    async fn compare(&self, at: usize) {
        let Some(slot) = &self.slots[at] else { return };
        // The record as it is: to ask for the upload would make more of it durable.
        let session = self.engine.session(slot.id).await.unwrap().unwrap();
        assert_eq!(session.offset(), offset(front(&slot.upload.committed) as u64));
        assert_eq!(session.received().bytes(), slot.upload.count() as u64);
        assert_eq!(session.is_complete(), slot.upload.is_complete());
        self.read(slot).await;
    }
}

/// The bytes behind what was synced come back from a power cut as zeros.
async fn lose(house: &House, id: UploadId, synced: usize, reached: usize) {
    if reached > synced {
        let writer = house.blobs.begin(id, offset(synced as u64), Tail::Keep).await.unwrap();
        let zeros = Bytes::from(vec![0; reached - synced]);
        writer.write(offset(synced as u64), &[zeros]).unwrap();
    }
}

fn live(house: House, silent: bool, steps: Vec<Step>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(house, silent);
        for step in steps {
            world.take(step).await;
        }
    });
}

/// A tenth of what is tried in memory, since every commit waits for a disk.
fn fewer() -> ProptestConfig {
    let all = ProptestConfig::default();
    ProptestConfig { cases: all.cases.div_ceil(10), ..all }
}

proptest! {
    #[test]
    fn random_histories_are_what_the_reference_says(silent: bool, steps in steps()) {
        live(House::new(), silent, steps);
    }
}

proptest! {
    #![proptest_config(fewer())]
    #[test]
    fn random_histories_on_a_disk_are_what_the_reference_says(silent: bool, steps in steps()) {
        let directory = TempDir::new().unwrap();
        let mut house = House::new();
        (house.sessions, house.blobs) = on_disk::stores(directory.path());
        live(house, silent, steps);
    }
}
