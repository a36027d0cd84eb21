use std::num::NonZeroU64;

use super::*;
use proptest::prelude::*;

/// The plain truth: the client's bytes, and which of them are there.
struct Model {
    bytes: Vec<u8>,
    there: Vec<bool>,
}

impl Model {
    fn contiguous(&self) -> usize {
        self.there.iter().take_while(|there| **there).count()
    }

    fn missing(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (at, _) in self.there.iter().enumerate().filter(|(_, there)| !**there) {
            let at = at as u64;
            match spans.last_mut().filter(|span| span.end == at) {
                Some(span) => span.end = at + 1,
                None => spans.push(Span { start: at, end: at + 1 }),
            }
        }
        spans
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many bytes behind the offset, as a PATCH brings them.
    Append(u64),
    /// So many bytes of a chunk, from where it was cut.
    Chunk(u32, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..40).prop_map(Step::Append),
        (0_u32..40, prop_oneof![1_u64..9, Just(u64::MAX)])
            .prop_map(|(chunk, bytes)| Step::Chunk(chunk, bytes)),
    ]
}

fn apply(received: &mut Received, model: &mut Model, geometry: &Geometry, step: &Step) {
    match *step {
        Step::Append(bytes) => {
            let at = received.offset().get();
            let room = received.gap().unwrap_or(u64::MAX).min(geometry.length().get() - at);
            let (from, to) = (at as usize, (at + bytes.min(room)) as usize);
            received.append(&model.bytes[from..to]);
            model.there[from..to].fill(true);
        }
        Step::Chunk(chunk, bytes) => {
            let Some(span) = geometry.span(chunk) else { return };
            let have = received.of_chunk(chunk, span);
            let bytes = bytes.min(span.bytes() - have);
            let from = (span.start + have) as usize;
            let to = from + bytes as usize;
            let crc = crc32fast::hash(&model.bytes[from..to]);
            received.take(ChunkPiece { chunk, bytes, crc });
            model.there[from..to].fill(true);
        }
    }
}

fn geometry(length: u64, chunk_bytes: u64) -> Geometry {
    let length = UploadLength::new(length).unwrap();
    Geometry::new(length, NonZeroU64::new(chunk_bytes).unwrap()).unwrap()
}

/// Every sum must be that of the bytes it names.
fn sums_are_right(received: &Received, bytes: &[u8]) -> bool {
    let mut at = 0;
    let front = received.sums().segments().iter().all(|segment| {
        let end = at + segment.bytes as usize;
        let right = crc32fast::hash(&bytes[at..end]) == segment.crc;
        at = end;
        right
    });
    let ahead = received.chunks().map_or_else(Vec::new, Chunks::sums_ahead);
    front
        && ahead.iter().all(|(span, crc)| {
            crc32fast::hash(&bytes[span.start as usize..span.end as usize]) == *crc
        })
}

proptest! {
    #[test]
    fn what_has_arrived_agrees_with_the_plain_truth_after_every_step(
        length in 0_u64..200, chunk_bytes in 1_u64..20, steps in prop::collection::vec(step(), 0..60),
        late in 0_usize..10,
    ) {
        let geometry = geometry(length, chunk_bytes);
        let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + 3) as u8).collect();
        let mut model = Model { there: vec![false; bytes.len()], bytes };
        let mut received = Received::default();
        for (count, step) in steps.iter().enumerate() {
            if count == late {
                received.cut_into(geometry);
            }
            if received.chunks().is_none() && matches!(step, Step::Chunk(..)) {
                continue;
            }
            apply(&mut received, &mut model, &geometry, step);
            prop_assert_eq!(received.offset().get() as usize, model.contiguous());
            prop_assert_eq!(received.bytes() as usize, model.there.iter().filter(|there| **there).count());
            prop_assert_eq!(received.missing(geometry.length()).collect::<Vec<_>>(), model.missing());
            prop_assert_eq!(received.sums().covered(), received.offset().get());
            prop_assert!(sums_are_right(&received, &model.bytes));
            let chunks = received.chunks().cloned();
            let stored = Received::stored(received.offset(), received.sums().clone(), chunks);
            prop_assert_eq!(stored.as_ref(), Some(&received));
        }
    }

    #[test]
    fn after_a_cut_only_what_is_sound_is_left(
        length in 1_u64..200, chunk_bytes in 1_u64..20, steps in prop::collection::vec(step(), 0..60),
        keep in 0_u64..200, verdicts: Vec<bool>,
    ) {
        let geometry = geometry(length, chunk_bytes);
        let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + 3) as u8).collect();
        let mut model = Model { there: vec![false; bytes.len()], bytes };
        let mut received = Received::default();
        received.cut_into(geometry);
        for step in &steps {
            apply(&mut received, &mut model, &geometry, step);
        }
        let ahead = received.chunks().unwrap().sums_ahead();
        let mut sums = received.sums().clone();
        let keep = received.offset().min(UploadOffset::new(keep).unwrap());
        let kept = sums.cut(keep);
        received.cut_back(kept, sums, &verdicts);
        let good = ahead.iter().zip(verdicts.iter().chain(std::iter::repeat(&false)));
        let good: u64 = good.filter(|(_, good)| **good).map(|((span, _), _)| span.bytes()).sum();
        prop_assert_eq!(received.bytes(), kept.get() + good);
        prop_assert!(sums_are_right(&received, &model.bytes));
    }
}

#[test]
fn chunks_in_disorder_past_the_bound_are_kept_without_their_sums() {
    let geometry = geometry(10_000, 1);
    let mut received = Received::default();
    received.cut_into(geometry);
    let crc = crc32fast::hash(&[0]);
    for chunk in (1..10_000).step_by(2) {
        received.take(ChunkPiece { chunk, bytes: 1, crc });
    }
    assert_eq!(received.chunks().unwrap().summed.len(), Chunks::MAX_SUMMED);
    for chunk in (0..10_000).step_by(2) {
        received.take(ChunkPiece { chunk, bytes: 1, crc });
    }
    assert_eq!(received.offset().get(), 10_000);
    assert!(sums_are_right(&received, &[0; 10_000]));
    assert!(received.sums().covered() < 10_000);
}

#[test]
fn of_many_cut_chunks_the_longest_are_remembered() {
    let mut received = Received::default();
    received.cut_into(geometry(1_000_000, 1000));
    for chunk in 1..200 {
        received.take(ChunkPiece { chunk, bytes: u64::from(chunk), crc: 0 });
    }
    let fronts = &received.chunks().unwrap().fronts;
    assert_eq!(fronts.len(), Chunks::MAX_FRONTS);
    assert!(fronts.iter().all(|front| front.chunk >= 200 - 64));
}
