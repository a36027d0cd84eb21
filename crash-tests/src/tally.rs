//! What was found, and what was lost.

use std::fmt;

/// What can be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Bytes that were acknowledged are not there any more.
    Bytes(u64),
    /// A finished file is short or wrong.
    File,
    /// An upload that was deleted is there again.
    CameBack,
    /// The gateway does not start.
    Start,
    /// `tidegate doctor` finds something wrong that nobody can explain.
    Doctor,
    /// It answers as if the client had done something wrong, or fails.
    Answer,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Power cuts.
    pub cuts: u64,
    /// Those of them that came while the gateway started or recovered.
    pub early: u64,
    /// Times that the process alone was killed, and started again on the same boot.
    pub kills: u64,
    /// Looks at an upload after a cut.
    pub looks: u64,
    /// Bytes of which an acknowledgement was compared with what is there after a cut.
    pub acknowledged: u64,
    /// Finished files compared byte by byte.
    pub files: u64,
    /// Every loss, in the order in which it was found, and what it was.
    pub losses: Vec<(Loss, String)>,
}

impl Tally {
    /// Notes a loss.
    pub fn lose(&mut self, loss: Loss, what: impl Into<String>) {
        self.losses.push((loss, what.into()));
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.early += other.early;
        self.kills += other.kills;
        self.looks += other.looks;
        self.acknowledged += other.acknowledged;
        self.files += other.files;
        self.losses.extend(other.losses);
    }

    /// How many losses of one kind there were.
    #[must_use]
    pub fn count(&self, kind: &Loss) -> usize {
        self.losses.iter().filter(|(loss, _)| loss == kind).count()
    }

    /// Acknowledged bytes that are gone.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        let bytes = self.losses.iter().map(|(loss, _)| match loss {
            Loss::Bytes(bytes) => *bytes,
            Loss::File | Loss::CameBack | Loss::Start | Loss::Doctor | Loss::Answer => 0,
        });
        bytes.sum()
    }

    /// A row of the table, under [`HEAD`].
    #[must_use]
    pub fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.cuts,
            self.early,
            self.kills,
            self.looks,
            self.acknowledged,
            self.files,
            self.lost_bytes(),
            self.count(&Loss::File),
            self.count(&Loss::CameBack),
            self.count(&Loss::Start),
            self.count(&Loss::Doctor),
            self.count(&Loss::Answer),
        )
    }
}

/// Head of the table that [`Tally::row`] fills.
pub const HEAD: &str = "\
| setting | power cuts | of these while it started | kills | looks | acknowledged bytes looked at \
| finished files compared | lost | short or wrong | deleted that came back | starts failed \
| unexplained by the doctor | wrong answers |\n\
|---|---|---|---|---|---|---|---|---|---|---|---|---|";

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes} acknowledged bytes lost"),
            Self::File => f.write_str("a file is wrong"),
            Self::CameBack => f.write_str("a deleted upload came back"),
            Self::Start => f.write_str("a start failed"),
            Self::Doctor => f.write_str("the doctor found something"),
            Self::Answer => f.write_str("a wrong answer"),
        }
    }
}
