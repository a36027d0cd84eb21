//! Whole exchanges with the real handlers, the real engine and stores in memory: whatever clients
//! send, in whatever order, and wherever it breaks off, nothing panics, no answer blames the gateway
//! for it, offsets never go back, an upload holds what was sent, strangers get nothing, and nothing
//! is left behind.

mod ask;
mod door;
mod model;
mod step;

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use tidegate::upload::UploadId;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use ask::Meaning;
use door::{Answer, Ask, Door, Then, Underway};
use model::{Owner, State, Upload};
use step::{Session, Step, Verb, Who};

/// Most requests of one exchange.
const MAX_STEPS: usize = 24;
/// Nothing here has to wait for anything.
const PATIENCE: Duration = Duration::from_secs(15);

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_all().build().expect("a runtime");
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    RUNTIME.with(|runtime| {
        LocalSet::new().block_on(runtime, async {
            let exchange = tokio::time::timeout(PATIENCE, exchange(&mut input));
            exchange.await.expect("no request waits for ever");
        });
    });
}

async fn exchange(input: &mut Unstructured<'_>) {
    let mut world = World {
        door: Door::open().await,
        uploads: Vec::new(),
        held: Vec::new(),
        lost: Vec::new(),
        told: std::env::var_os("FUZZ_TELL").is_some(),
    };
    for number in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(input) else { break };
        world.take(number, step).await;
    }
    world.end().await;
}

/// The gateway, and what its clients know.
struct World {
    door: Door,
    uploads: Vec<Upload>,
    held: Vec<Held>,
    /// Ids that clients chose for uploads of which they never heard again.
    lost: Vec<(Option<&'static str>, u8)>,
    /// Whether every request is shown; for whoever looks at a finding.
    told: bool,
}

/// A request whose body has stalled.
struct Held {
    underway: Underway,
    ask: Ask,
    meaning: Meaning,
}

impl World {
    async fn take(&mut self, number: usize, step: Step) {
        if let Verb::Release { held } = step.verb {
            if !self.held.is_empty() {
                let held = self.held.swap_remove(usize::from(held) % self.held.len());
                self.release(held).await;
            }
            return;
        }
        self.expect_slot(&step);
        let (ask, meaning) = ask::of(&step, number, &self.uploads);
        let Some(mut underway) = self.door.send(&ask).await else { return };
        let answer = underway.answer_or_stall().await;
        if self.told {
            eprintln!("{step:?}\n  {ask:?}\n  {meaning:?}\n  {answer:?}");
        }
        self.named(&meaning);
        match answer {
            Some(answer) => {
                judge(&ask, &answer);
                match meaning.upload {
                    Some(at) => self.settle(&step, &ask, (at, &meaning), &answer).await,
                    None => self.created(&step, &ask, &meaning, &answer).await,
                }
            }
            None => {
                self.sent(&step, &meaning);
                if ask::is_held(&step) {
                    self.held.push(Held { underway, ask, meaning });
                } else {
                    underway.drop_it();
                    self.look_at(meaning.upload).await;
                }
            }
        }
    }

    async fn release(&mut self, held: Held) {
        let Held { mut underway, ask, meaning } = held;
        // Another request may have taken over, and this one has its answer.
        if let Some(answer) = underway.answer_if_there().await {
            judge(&ask, &answer);
        }
        underway.drop_it();
        self.look_at(meaning.upload).await;
    }

    /// A slot has its address before anybody knows whether it will have a file.
    fn expect_slot(&mut self, step: &Step) {
        if let Verb::Slot { name, length, .. } = &step.verb {
            let (target, file) = ask::slot(*name, *length);
            if self.uploads.iter().all(|upload| upload.file != file) {
                let mut upload = Upload::new(target, file, Owner::Slot);
                upload.state = State::PerhapsHere;
                self.uploads.push(upload);
            }
        }
    }

    /// What a request may have done to uploads that it names in its fields.
    fn named(&mut self, meaning: &Meaning) {
        let bytes = !meaning.bytes.is_empty();
        for at in &meaning.names {
            if let Some(upload) = self.uploads.get_mut(*at) {
                upload.wild |= bytes;
                upload.mixed |= bytes;
            }
        }
    }

    /// Bytes are on their way, and nobody knows yet how many will be kept.
    fn sent(&mut self, step: &Step, meaning: &Meaning) {
        let Some(upload) = meaning.upload.and_then(|at| self.uploads.get_mut(at)) else {
            if let Verb::Chunk { session: Session::Chosen(name), .. } = step.verb {
                self.lost.push((step.who.credential(), name % 4));
            }
            return;
        };
        upload.mixed = true;
        upload.may_hold_from(meaning.start, &meaning.bytes);
        if meaning.removes && upload.state == State::Here {
            upload.state = State::PerhapsHere;
        }
    }

    /// An answer about an upload that its client knows.
    async fn settle(
        &mut self,
        step: &Step,
        ask: &Ask,
        (at, meaning): (usize, &Meaning),
        answer: &Answer,
    ) {
        let overlaps = self.held.iter().any(|held| held.meaning.upload == Some(at));
        let upload = &mut self.uploads[at];
        let before = upload.offset;
        if upload.is_foreign_to(step.who) && ask::comes_as(ask, step.who) {
            let refused = !answer.is_success() || ask::is_anybodys(ask);
            assert!(refused, "a stranger gets something: {ask:?} {answer:?}");
            let after = self.look_at(Some(at)).await;
            assert!(overlaps || after.is_none_or(|after| after == before), "{ask:?} {answer:?}");
            return;
        }
        if meaning.sum == Some(false) && !meaning.tweaked && !meaning.bytes.is_empty() {
            assert!(!answer.is_success(), "a wrong checksum passes: {ask:?} {answer:?}");
        }
        if meaning.sum == Some(true) && !meaning.tweaked {
            assert_ne!(answer.status, 460, "a right checksum fails: {ask:?} {answer:?}");
        }
        upload.mixed |= overlaps || meaning.in_chunks;
        if upload.mixed {
            upload.may_hold_from(meaning.start, &meaning.bytes);
        }
        if meaning.removes && answer.is_success() && upload.state == State::Here {
            upload.state = if meaning.tweaked { State::PerhapsHere } else { State::Gone };
        }
        if self.look_at(Some(at)).await.is_some() {
            self.uploads[at].agrees(before, (ask, meaning), answer);
        }
    }

    /// An upload that its client may just have learnt of.
    async fn created(&mut self, step: &Step, ask: &Ask, meaning: &Meaning, answer: &Answer) {
        let Some(mut upload) = self.learnt(step, answer).await else { return };
        if self.uploads.iter().any(|known| known.file == upload.file) {
            return;
        }
        upload.mixed = meaning.in_chunks;
        upload.wild = meaning.tweaked || self.lost.iter().any(|one| upload.called == Some(*one));
        if matches!(step.verb, Verb::Join { .. }) {
            self.joined(&mut upload, meaning);
        } else {
            upload.may_hold_from(meaning.start, &meaning.bytes);
        }
        self.uploads.push(upload);
        let at = self.uploads.len() - 1;
        let Some(after) = self.look_at(Some(at)).await else { return };
        let upload = &mut self.uploads[at];
        // A final upload that waits for its parts is joined when they are, whatever they have by then.
        let is_waiting = after == 0 && matches!(step.verb, Verb::Join { .. });
        upload.wild |= is_waiting;
        upload.mixed |= is_waiting;
        let told = answer.number("Upload-Offset");
        assert!(told.is_none_or(|told| told <= after), "{ask:?} {answer:?} {upload:?}");
        assert!(upload.was_sent(), "what nobody sent is there: {answer:?} {upload:?}");
        if !upload.mixed && !upload.wild {
            upload.holds_only(after);
            let whole = answer.is_success() && matches!(step.verb, Verb::Create { .. });
            assert!(!whole || after == meaning.length(), "{ask:?} {answer:?} {upload:?}");
        }
    }

    /// The upload that an answer tells of.
    async fn learnt(&self, step: &Step, answer: &Answer) -> Option<Upload> {
        let owner = if step.who == Who::Nobody { Who::Ann } else { step.who };
        let mut called = None;
        let url = if let Verb::Chunk { session: Session::Chosen(name), .. } = &step.verb {
            let ask = ask::status_of_chosen(*name).with("Authorization", owner.credential()?);
            let status = self.door.ask(&ask).await?;
            called = Some((owner.credential(), name % 4));
            let body = String::from_utf8_lossy(status.body.as_deref()?).into_owned();
            let (_, rest) = body.split_once("\"upload_url\":\"")?;
            rest.split_once('"')?.0.to_owned()
        } else {
            answer.field("Location")?.to_owned()
        };
        let id: UploadId = url.split('?').next()?.rsplit('/').next()?.parse().ok()?;
        let target = format!("/files/{id}");
        let mut upload = Upload::new(target.clone(), target, Owner::Token(owner));
        upload.called = called;
        Some(upload)
    }

    fn joined(&self, upload: &mut Upload, meaning: &Meaning) {
        let parts = meaning.parts.iter().map(|at| self.uploads.get(*at)?.exactly());
        match parts.collect::<Option<Vec<_>>>() {
            Some(parts) => upload.may_hold_from(Some(0), &parts.concat()),
            None => upload.wild = true,
        }
    }

    /// Asks where an upload stands, as whoever owns it; its offset, if it is there.
    async fn look_at(&mut self, at: Option<usize>) -> Option<u64> {
        let upload = self.uploads.get_mut(at?)?;
        let mut ask = Ask::new("HEAD", &upload.target).with("Tus-Resumable", "1.0.0");
        if let Some(credential) = upload.credential() {
            ask = ask.with("Authorization", credential);
        }
        let answer = self.door.ask(&ask).await.expect("a request that is right");
        upload.stands(&answer)
    }

    /// Everybody leaves. Nothing is being written then, and what is removed is gone.
    async fn end(mut self) {
        while let Some(held) = self.held.pop() {
            self.release(held).await;
        }
        for at in 0..self.uploads.len() {
            self.look_at(Some(at)).await;
            self.fetch(at).await;
        }
        while self.door.engine.running() > 0 {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        let sessions = self.door.engine.sessions(None, usize::MAX).await.expect("sessions");
        for session in sessions {
            let id = session.id();
            self.door.engine.remove(id).await.expect("what is there can be removed");
            let left = self.door.blobs.state(id).await.expect("memory answers");
            assert!(left.is_none(), "bytes of {id} are left behind");
        }
        self.door.engine.stop().await;
        let labels = self.door.blobs.labels(None, usize::MAX).await.expect("memory answers");
        assert!(labels.ids.is_empty(), "labels are left behind");
    }

    async fn fetch(&self, at: usize) {
        let upload = &self.uploads[at];
        let mut ask = Ask::new("GET", &upload.file);
        if let Some(credential) = upload.credential() {
            ask = ask.with("Authorization", credential);
        }
        let answer = self.door.ask(&ask).await.expect("a request that is right");
        judge(&ask, &answer);
        upload.is_served_by(&answer);
    }
}

/// What holds for every answer.
fn judge(ask: &Ask, answer: &Answer) {
    let no_room = answer.status == 507 && ask::wants_much(ask);
    assert!(answer.status < 500 || no_room, "our fault? {ask:?} {answer:?}");
    assert_ne!(answer.status, 423, "nobody holds an upload: {ask:?}");
    let silent = ask.method == "HEAD" || ask.has("X-HTTP-Method-Override");
    if answer.status >= 400 && !silent && ask.then == Then::End {
        let body = answer.body.as_deref().unwrap_or_default();
        assert!(!body.is_empty(), "a refusal says why: {ask:?} {answer:?}");
    }
}
