//! Answers that still hold, and questions that are on their way. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Judged;

/// By what a question is remembered.
pub(super) type Key = [u8; 32];

type Waiting = watch::Receiver<Option<Judged>>;

/// What is known about a question.
pub(super) enum Recall {
    /// The answer, which still holds.
    Known(Judged),
    /// Somebody is asking; the answer comes here.
    Asked(Waiting),
    /// Nothing: the caller has to ask, tell the sender, and [`Memory::settle`].
    ToAsk(watch::Sender<Option<Judged>>, Waiting),
    /// Nothing, and too many are being asked already.
    Crowded,
}

/// A bounded memory.
#[derive(Debug)]
pub(super) struct Memory {
    answers: HashMap<Key, Kept>,
    /// Every key of `answers` once, the one that was learnt first in front.
    order: VecDeque<Key>,
    max_answers: usize,
    asked: HashMap<Key, Waiting>,
    max_asked: usize,
}

#[derive(Debug)]
struct Kept {
    judged: Judged,
    until: Instant,
}

impl Memory {
    pub(super) fn new(max_answers: usize, max_asked: usize) -> Self {
        let (answers, order, asked) = (HashMap::new(), VecDeque::new(), HashMap::new());
        Self { answers, order, max_answers, asked, max_asked }
    }

    /// What is known about a question at the moment `now`.
    pub(super) fn recall(&mut self, key: Key, now: Instant) -> Recall {
        if let Some(kept) = self.answers.get(&key).filter(|kept| now < kept.until) {
            return Recall::Known(kept.judged.clone());
        }
        if let Some(waiting) = self.asked.get(&key) {
            // Who asked may have ended without a word, with its runtime.
            let lost = waiting.has_changed().is_err() && waiting.borrow().is_none();
            if !lost {
                return Recall::Asked(waiting.clone());
            }
            self.asked.remove(&key);
        }
        if self.asked.len() >= self.max_asked {
            return Recall::Crowded;
        }
        let (sender, waiting) = watch::channel(None);
        self.asked.insert(key, waiting.clone());
        Recall::ToAsk(sender, waiting)
    }

    /// Takes an answer, and keeps it for `age`.
    pub(super) fn settle(&mut self, key: Key, judged: &Judged, age: Duration, now: Instant) {
        self.asked.remove(&key);
        let Some(until) = now.checked_add(age).filter(|until| *until > now) else { return };
        let kept = Kept { judged: judged.clone(), until };
        if self.max_answers == 0 {
            return;
        }
        if self.answers.insert(key, kept).is_some() {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > self.max_answers {
            if let Some(oldest) = self.order.pop_front() {
                self.answers.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::denied::Denied;

    const NO: Judged = Err(Denied::Unknown);
    const SECOND: Duration = Duration::from_secs(1);

    fn known(memory: &mut Memory, key: u8, now: Instant) -> bool {
        matches!(memory.recall([key; 32], now), Recall::Known(_))
    }

    #[test]
    fn an_answer_holds_for_its_age_and_no_longer() {
        let (mut memory, now) = (Memory::new(2, 9), Instant::now());
        memory.settle([1; 32], &NO, SECOND, now);
        memory.settle([2; 32], &NO, Duration::ZERO, now);
        assert!(known(&mut memory, 1, now + SECOND / 2));
        assert!(!known(&mut memory, 1, now + SECOND));
        assert!(!known(&mut memory, 2, now));
    }

    #[test]
    fn the_oldest_answer_makes_room_for_a_new_one() {
        let (mut memory, now) = (Memory::new(2, 9), Instant::now());
        for key in 1..=3 {
            memory.settle([key; 32], &NO, SECOND, now);
        }
        assert!(!known(&mut memory, 1, now));
        assert!(known(&mut memory, 2, now) && known(&mut memory, 3, now));
        let mut none = Memory::new(0, 9);
        none.settle([1; 32], &NO, SECOND, now);
        assert!(!known(&mut none, 1, now));
    }

    #[test]
    fn a_question_on_its_way_is_not_asked_again() {
        let (mut memory, now) = (Memory::new(2, 1), Instant::now());
        let Recall::ToAsk(sender, _) = memory.recall([1; 32], now) else { panic!("nobody asked") };
        let Recall::Asked(waiting) = memory.recall([1; 32], now) else { panic!("asked twice") };
        assert!(matches!(memory.recall([2; 32], now), Recall::Crowded));
        memory.settle([1; 32], &NO, Duration::ZERO, now);
        sender.send_replace(Some(NO));
        assert_eq!(*waiting.borrow(), Some(NO));
        assert!(matches!(memory.recall([2; 32], now), Recall::ToAsk(..)));
    }

    #[test]
    fn a_question_whose_asker_was_lost_is_asked_again() {
        let (mut memory, now) = (Memory::new(2, 1), Instant::now());
        drop(memory.recall([1; 32], now));
        assert!(matches!(memory.recall([1; 32], now), Recall::ToAsk(..)));
    }

    proptest! {
        #[test]
        fn no_more_is_kept_than_there_is_room_for(
            keys in prop::collection::vec(any::<u8>(), 0..200),
            room in 0..8_usize,
        ) {
            let (mut memory, now) = (Memory::new(room, 4), Instant::now());
            let mut asked = Vec::new();
            for (step, key) in (0..).zip(keys) {
                if let Recall::ToAsk(sender, _) = memory.recall([key; 32], now) {
                    asked.push((key, sender));
                }
                if step % 3 == 0 && let Some((key, _)) = asked.pop() {
                    memory.settle([key; 32], &NO, SECOND, now);
                }
                prop_assert!(memory.answers.len() <= room);
                prop_assert_eq!(memory.answers.len(), memory.order.len());
                prop_assert!(memory.asked.len() <= 4);
            }
        }
    }
}
