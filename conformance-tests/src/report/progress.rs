//! One line that tells how far a run has got.

use std::io::Write;

use super::title;
use crate::runner::{Judged, Outcome};

/// The longest line; a longer one would wrap, and could not be overwritten.
const WIDTH: usize = 79;

/// A line on a terminal that is written over and over. What cannot be written is left out.
pub struct Progress<'a> {
    out: Option<&'a mut dyn Write>,
    of: usize,
    ended: usize,
    failed: usize,
}

impl<'a> Progress<'a> {
    /// Progress of a run of `of` cases; without `out` nothing is shown.
    pub fn new(out: Option<&'a mut dyn Write>, of: usize) -> Self {
        Self { out, of, ended: 0, failed: 0 }
    }

    /// Counts a case that has ended, and shows it.
    pub fn note(&mut self, result: &Judged) {
        self.ended = self.ended.saturating_add(1);
        if let Outcome::Failed { .. } = result.outcome {
            self.failed = self.failed.saturating_add(1);
        }
        let text = format!(
            "{}/{}, {} failed  {}",
            self.ended,
            self.of,
            self.failed,
            title(&result.listed)
        );
        let text: String = text.chars().take(WIDTH).collect();
        self.show(&text);
    }

    /// Wipes the line.
    pub fn end(&mut self) {
        self.show("");
    }

    fn show(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
        }
    }
}
