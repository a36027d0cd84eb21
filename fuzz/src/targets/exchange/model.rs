//! What clients know of their uploads: what the gateway may never go back on.

use super::ask::Meaning;
use super::door::{Answer, Ask, Then};
use super::step::Who;

/// An upload as its client knows it.
#[derive(Debug)]
pub(super) struct Upload {
    /// Where it is asked for and added to, with a token if it is a slot.
    pub(super) target: String,
    /// Where it is fetched.
    pub(super) file: String,
    pub(super) owner: Owner,
    /// The largest offset that was told.
    pub(super) offset: u64,
    /// What may stand at each place: all that was ever sent for it, or exactly what was kept.
    cells: Vec<Vec<u8>>,
    pub(super) state: State,
    /// Whether its bytes may have come in any order, or by several requests at once.
    pub(super) mixed: bool,
    /// Whether bytes may have gone anywhere.
    pub(super) wild: bool,
    /// The id that its client chose, and that client.
    pub(super) called: Option<(Option<&'static str>, u8)>,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever has this credential.
    Token(Who),
    /// Whoever has the slot's token.
    Slot,
}

/// What is known of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Here,
    Gone,
    /// What came of the request that makes or removes it is not known.
    PerhapsHere,
}

impl Upload {
    pub(super) fn new(target: String, file: String, owner: Owner) -> Self {
        let (offset, cells, state) = (0, Vec::new(), State::Here);
        let (mixed, wild, called) = (false, false, None);
        Self { target, file, owner, offset, cells, state, mixed, wild, called }
    }

    /// A credential that may do everything with it.
    pub(super) fn credential(&self) -> Option<&'static str> {
        match self.owner {
            Owner::Token(who) => who.credential(),
            Owner::Slot => None,
        }
    }

    /// Whether `who` has no right to it.
    pub(super) fn is_foreign_to(&self, who: Who) -> bool {
        match self.owner {
            Owner::Token(owner) => owner.credential() != who.credential(),
            Owner::Slot => false,
        }
    }

    /// Bytes that may have been kept from `start` on, beside whatever is there.
    pub(super) fn may_hold(&mut self, start: u64, bytes: &[u8]) {
        let Ok(start) = usize::try_from(start) else { return };
        if start > 1 << 16 {
            return;
        }
        if self.cells.len() < start + bytes.len() {
            self.cells.resize(start + bytes.len(), Vec::new());
        }
        for (cell, byte) in self.cells.iter_mut().skip(start).zip(bytes) {
            if !cell.contains(byte) {
                cell.push(*byte);
            }
        }
    }

    /// As [`Upload::may_hold`]; where it cannot be told from where on, they may be anywhere.
    pub(super) fn may_hold_from(&mut self, start: Option<u64>, bytes: &[u8]) {
        match start {
            Some(start) => self.may_hold(start, bytes),
            None => self.wild |= !bytes.is_empty(),
        }
    }

    /// Nothing behind `offset` was kept.
    pub(super) fn holds_only(&mut self, offset: u64) {
        self.cells.truncate(usize::try_from(offset).unwrap_or(usize::MAX));
    }

    /// Takes note of where it stands, as a `HEAD` of its owner says; its offset, if it is there.
    pub(super) fn stands(&mut self, answer: &Answer) -> Option<u64> {
        let gone = matches!(answer.status, 403 | 404 | 410);
        match self.state {
            State::Gone => assert!(gone, "what is gone is there: {self:?} {answer:?}"),
            State::PerhapsHere if gone => {}
            State::Here | State::PerhapsHere => {
                assert_eq!(answer.status, 200, "an upload is not seen: {self:?} {answer:?}");
                // A final upload whose parts are not all there has no offset yet.
                let offset = answer.number("Upload-Offset").unwrap_or(self.offset);
                assert!(offset >= self.offset, "an offset goes back: {self:?} {answer:?}");
                let length = answer.number("Upload-Length");
                assert!(length.is_none_or(|length| offset <= length), "{self:?} {answer:?}");
                self.offset = offset;
                return Some(offset);
            }
        }
        None
    }

    /// Compares what is there with what a request and its answer were, and learns from it.
    pub(super) fn agrees(&mut self, before: u64, request: (&Ask, &Meaning), answer: &Answer) {
        let (ask, meaning) = request;
        if !self.mixed {
            let kept = self.offset - before;
            let sent = meaning.length();
            assert!(kept <= sent, "more is kept than was sent: {ask:?} {answer:?} {self:?}");
            self.may_hold(before, &meaning.bytes);
            self.holds_only(self.offset);
            let whole = ask.then == Then::End && answer.is_success() && !meaning.tweaked;
            if whole && meaning.start.is_some() {
                let told = answer.number("Upload-Offset");
                assert_eq!((kept, told), (sent, Some(self.offset)), "{ask:?} {answer:?}");
            }
        }
        assert!(self.was_sent(), "what nobody sent is there: {ask:?} {answer:?} {self:?}");
        if meaning.whole_file {
            self.is_served_by(answer);
        }
    }

    /// Whether a download is what was uploaded.
    pub(super) fn is_served_by(&self, answer: &Answer) {
        if answer.status != 200 {
            return;
        }
        let body = answer.body.as_deref().expect("a download does not break off");
        assert_ne!(self.state, State::Gone, "{self:?} {answer:?}");
        assert!(self.can_begin_with(body), "{self:?} {answer:?}");
        let whole = u64::try_from(body.len()) == Ok(self.offset);
        assert!(whole || self.state == State::PerhapsHere, "{self:?} {answer:?}");
    }

    /// Whether these bytes can be its first ones.
    pub(super) fn can_begin_with(&self, bytes: &[u8]) -> bool {
        let known = self.cells.iter().zip(bytes).all(|(cell, byte)| cell.contains(byte));
        self.wild || (known && bytes.len() <= self.cells.len())
    }

    /// Whether everything up to its offset was ever sent.
    pub(super) fn was_sent(&self) -> bool {
        let ahead = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let sent = self.cells.iter().take_while(|cell| !cell.is_empty()).count();
        self.wild || ahead <= sent
    }

    /// What it holds, if nothing about that is in doubt.
    pub(super) fn exactly(&self) -> Option<Vec<u8>> {
        let exact = |cell: &Vec<u8>| match cell.as_slice() {
            [byte] => Some(*byte),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = self.cells.iter().map(exact).collect();
        let whole = |bytes: &Vec<u8>| u64::try_from(bytes.len()) == Ok(self.offset);
        bytes.filter(whole).filter(|_| !self.wild && !self.mixed)
    }
}

impl Who {
    pub(super) const fn credential(self) -> Option<&'static str> {
        match self {
            Self::Ann | Self::AnnAgain => Some("Bearer ann-secret"),
            Self::Ben => Some("Bearer ben-secret"),
            Self::Nobody => None,
        }
    }
}
