//! The client that comes back by the path that stays: asks where its upload stands, and sends the rest.

use std::ops::Range;
use std::slice::Iter;
use std::thread;
use std::time::{Duration, Instant};

use conformance_tests::wire::{Answer, Connection};

use crate::resume::{Upload, connect};
use crate::trouble::Trouble;

/// Nothing takes longer on the path that stays.
const STEP: Duration = Duration::from_secs(30);
/// Most rounds of asking and sending until the upload is whole.
const ROUNDS: usize = 5;

/// After which waits a client tries once more what was refused; then it gives up.
pub type Delays = &'static [Duration];

/// The gateway's own measure: where an upload stands is told at once.
pub const AT_ONCE: Delays = &[];
/// The delays that tus-js-client 4.3 has unless it is told otherwise (`retryDelays`).
pub const AS_TUS_JS_CLIENT: Delays =
    &[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];

/// Answers that told the client to try again, by what they said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// 423: somebody else has the upload.
    pub locked: u64,
    /// 409: the upload stands elsewhere.
    pub elsewhere: u64,
    /// 5xx: the server is in trouble, or could not get hold of the upload in time.
    pub errors: u64,
    /// Any other status.
    pub others: u64,
    /// No answer, or a connection that broke.
    pub broken: u64,
}

impl Refusals {
    /// Counts one more; `None` stands for no answer.
    pub const fn count(&mut self, status: Option<u16>) {
        let kind = match status {
            Some(423) => &mut self.locked,
            Some(409) => &mut self.elsewhere,
            Some(500..) => &mut self.errors,
            Some(_) => &mut self.others,
            None => &mut self.broken,
        };
        *kind = kind.saturating_add(1);
    }

    /// All of them.
    #[must_use]
    pub const fn all(self) -> u64 {
        let Self { locked, elsewhere, errors, others, broken } = self;
        let told = locked.saturating_add(elsewhere).saturating_add(errors);
        told.saturating_add(others).saturating_add(broken)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            locked: self.locked.saturating_add(other.locked),
            elsewhere: self.elsewhere.saturating_add(other.elsewhere),
            errors: self.errors.saturating_add(other.errors),
            others: self.others.saturating_add(other.others),
            broken: self.broken.saturating_add(other.broken),
        }
    }
}

/// What the client knows once it is through.
#[derive(Clone, Copy, Debug)]
pub struct Continued {
    /// From its first packet on the new path (before `connect`) to the whole answer that tells where the
    /// upload stands.
    pub took: Duration,
    /// From that packet to the answer that the rest was taken.
    pub through: Duration,
    /// What was missing when it was told so first.
    pub missing: u64,
    /// Bytes of bodies that it sent.
    pub sent_again: u64,
    /// Questions that were refused.
    pub asked_again: Refusals,
    /// Requests with bytes that were refused.
    pub refused: Refusals,
}

/// The client.
#[derive(Debug)]
pub struct Returning<'a> {
    upload: &'a Upload,
    began: Instant,
    delays: Iter<'static, Duration>,
    asked_again: Refusals,
    refused: Refusals,
    sent_again: u64,
}

impl<'a> Returning<'a> {
    /// It begins now, before it connects.
    #[must_use]
    pub fn new(upload: &'a Upload, delays: Delays) -> Self {
        let (asked_again, refused) = (Refusals::default(), Refusals::default());
        let began = Instant::now();
        Self { upload, began, delays: delays.iter(), asked_again, refused, sent_again: 0 }
    }

    /// Asks, and sends what is missing, until nothing is. `told` is called once it knows where the upload stands.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it has to give up.
    pub fn goes_on(mut self, told: impl FnOnce()) -> Result<Continued, Trouble> {
        let (mut connection, mut ranges) = self.asks()?;
        let took = self.began.elapsed();
        told();
        let missing = ranges.iter().map(|range| length(range.len())).sum();
        for _ in 0..ROUNDS {
            let sent = self.sends(&mut connection, &ranges)?;
            let through = self.began.elapsed();
            if !sent {
                self.waits();
            }
            (connection, ranges) = self.asks()?;
            if ranges.iter().all(Range::is_empty) {
                let Self { asked_again, refused, sent_again, .. } = self;
                return Ok(Continued { took, through, missing, sent_again, asked_again, refused });
            }
        }
        Err(Trouble::wrong(format!("after {ROUNDS} rounds {ranges:?} are missing")))
    }

    /// Asks on a new connection where the upload stands, until it is told or has no patience left.
    fn asks(&mut self) -> Result<(Connection, Vec<Range<usize>>), Trouble> {
        let upload = self.upload;
        loop {
            let patient = self.delays.len() > 0;
            let status = match asked(upload) {
                Ok((_, answer)) if patient && answer.response.head.status != 200 => {
                    Some(answer.response.head.status)
                }
                Ok((connection, answer)) => return Ok((connection, upload.missing(&answer)?)),
                Err(Trouble::Wire(_)) if patient => None,
                Err(error) => return Err(error),
            };
            self.asked_again.count(status);
            self.waits();
        }
    }

    /// Sends what is missing; whether all of it was taken.
    fn sends(
        &mut self,
        connection: &mut Connection,
        ranges: &[Range<usize>],
    ) -> Result<bool, Trouble> {
        let upload = self.upload;
        for request in ranges.iter().flat_map(|range| upload.rest(range)) {
            let bytes = request.field("Content-Length").map(String::from_utf8_lossy);
            let bytes = bytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            self.sent_again = self.sent_again.saturating_add(bytes);
            let status = match upload.ask(connection, &request).map(|answer| answer.response.head) {
                Ok(head) if (200..300).contains(&head.status) => continue,
                Ok(head) if may_try_again(head.status, self.delays.len() > 0) => Some(head.status),
                Ok(head) => {
                    return Err(Trouble::wrong(format!("the rest is refused: {}", head.line)));
                }
                // It was there already, and the server hung up on the body.
                Err(Trouble::Wire(_)) => None,
                Err(error) => return Err(error),
            };
            self.refused.count(status);
            return Ok(false);
        }
        Ok(true)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the waits of a client are imitated, not an event awaited"
    )]
    fn waits(&mut self) {
        if let Some(delay) = self.delays.next() {
            thread::sleep(*delay);
        }
    }
}

/// Whether a refusal may pass: the upload stands elsewhere or is locked; or, to the patient, the server is in
/// trouble.
const fn may_try_again(status: u16, patient: bool) -> bool {
    matches!(status, 409 | 423) || (patient && status >= 500)
}

fn asked(upload: &Upload) -> Result<(Connection, Answer), Trouble> {
    let mut connection = connect(&upload.server().by_b(), STEP)?;
    let answer = upload.ask(&mut connection, &upload.question())?;
    Ok((connection, answer))
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_patient_try_again_when_a_server_is_in_trouble_and_nobody_when_it_says_no() {
        for patient in [false, true] {
            assert!(may_try_again(409, patient) && may_try_again(423, patient));
            assert!(!may_try_again(404, patient) && !may_try_again(413, patient));
            assert_eq!(may_try_again(500, patient), patient);
        }
    }

    #[test]
    fn refusals_are_counted_by_what_they_said() {
        let mut one = Refusals::default();
        for status in [Some(423), Some(409), Some(500), Some(503), Some(404), None] {
            one.count(status);
        }
        assert_eq!(one, Refusals { locked: 1, elsewhere: 1, errors: 2, others: 1, broken: 1 });
        assert_eq!(one.and(one).all(), 12);
    }
}
