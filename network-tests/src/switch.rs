//! One switch: a link dies under an upload, and its client goes on by another.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use conformance_tests::content::Numbers;

use crate::lab::{BY_B, Cut, Lab};
use crate::resume::{Kind, Upload, ask, ask_once, connect};
use crate::trouble::Trouble;
use crate::writer::{Progress, Sent, send_steadily};

/// Bytes of the upload.
const LENGTH: usize = 2 * 1024 * 1024;
/// What the gateway may have read and not yet written: one batch.
const IN_HAND: u64 = 256 * 1024;
/// Nothing takes longer on the path that stays.
const STEP: Duration = Duration::from_secs(30);
/// Most rounds of asking and sending until the upload is whole.
const ROUNDS: usize = 5;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How the upload is sent.
    pub kind: Kind,
    /// Where the link is cut.
    pub cut: Cut,
    /// When the client notices, counted from the cut.
    pub notices_after: Duration,
    /// Chooses the content, and the moment of the cut.
    pub seed: u64,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// From the client's first packet on the new path (before `connect`) to the whole answer that
    /// tells where the upload stands.
    pub took: Duration,
    /// Bytes of bodies that had reached the gateway's kernel by the dead path; `None` if the kernel
    /// does not tell any more, because the gateway gave up the connection with bytes unread.
    pub arrived: Option<u64>,
    /// Bytes of these, and of heads, that the gateway had not read a moment before it was asked: on a
    /// machine where it has to wait for a processor.
    pub unread: u64,
    /// Of those that had arrived, how many the first answer did not count.
    pub unaccounted: Option<u64>,
    /// Bytes of bodies that were sent by the new path.
    pub sent_again: u64,
    /// Requests by the new path that were refused because the upload stood elsewhere.
    pub refused: u64,
}

impl Switch {
    /// Bytes that reached the gateway by one path and were sent by the other, too.
    #[must_use]
    pub fn twice(&self) -> Option<u64> {
        let whole = u64::try_from(LENGTH).unwrap_or(u64::MAX);
        Some(self.arrived?.saturating_add(self.sent_again).saturating_sub(whole))
    }

    /// Whether every byte counted that the gateway had read, save what it may have had in hand.
    #[must_use]
    pub fn counts_what_was_read(&self) -> bool {
        self.unaccounted.is_none_or(|bytes| bytes <= self.unread.saturating_add(IN_HAND))
    }
}

/// Does what `plan` says. The link is whole again afterwards.
///
/// # Errors
///
/// [`Trouble`] if the upload is not whole in the end, byte for byte.
pub fn switch(lab: &Lab, plan: &Plan) -> Result<Switch, Trouble> {
    let upload = Upload::new(plan.kind, plan.seed, LENGTH)?;
    let progress = Progress::default();
    let switched = thread::scope(|scope| {
        let writer = scope.spawn(|| send_steadily(&upload, &progress));
        let continued = cut_and_continue(lab, plan, &upload, &progress);
        progress.stop.store(true, Ordering::Relaxed);
        let sent = writer.join().unwrap_or_else(|_| Err(Trouble::wrong("the writer panicked")));
        account(lab, &upload, continued?, sent?)
    });
    let mended = lab.mend();
    let switched = switched?;
    mended?;
    upload.is_whole()?;
    Ok(switched)
}

/// What the client knows once it is through.
struct Continued {
    took: Duration,
    /// What the gateway had not read when it was asked.
    unread: u64,
    /// What was missing when it asked first.
    missing: u64,
    sent_again: u64,
    refused: u64,
}

fn cut_and_continue(
    lab: &Lab,
    plan: &Plan,
    upload: &Upload,
    progress: &Progress,
) -> Result<Continued, Trouble> {
    let mut numbers = Numbers::seeded(plan.seed);
    let enough = numbers.below(length(LENGTH * 3 / 4)).saturating_add(1);
    let until = Instant::now() + STEP;
    while progress.given.load(Ordering::Relaxed) < enough && Instant::now() < until {
        thread::park_timeout(Duration::from_micros(200));
    }
    if progress.given.load(Ordering::Relaxed) < enough {
        return Err(Trouble::wrong("nothing goes by path A while it is whole"));
    }
    lab.cut(plan.cut)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "how late a client notices is what is tried here"
    )]
    thread::sleep(plan.notices_after);
    let unread = lab.unread(progress.port.load(Ordering::Relaxed))?;
    let asked = Instant::now();
    let mut connection = connect(BY_B, STEP)?;
    let answer = ask(&mut connection, &upload.question())?;
    let took = asked.elapsed();
    progress.stop.store(true, Ordering::Relaxed);
    let mut ranges = upload.missing(&answer)?;
    let missing = ranges.iter().map(|range| length(range.len())).sum();
    let mut continued = Continued { took, unread, missing, sent_again: 0, refused: 0 };
    for _ in 0..ROUNDS {
        for request in ranges.iter().flat_map(|range| upload.rest(range)) {
            let bytes = request.field("Content-Length").map(String::from_utf8_lossy);
            let bytes = bytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            continued.sent_again = continued.sent_again.saturating_add(bytes);
            match ask(&mut connection, &request).map(|answer| answer.response.head) {
                Ok(head) if (200..300).contains(&head.status) => {}
                Ok(head) if ![409, 423].contains(&head.status) => {
                    return Err(Trouble::wrong(format!("the rest is refused: {}", head.line)));
                }
                // It stands elsewhere; or it was there already, and the gateway hung up on the body.
                Ok(_) | Err(Trouble::Wire(_)) => {
                    continued.refused = continued.refused.saturating_add(1);
                    connection = connect(BY_B, STEP)?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        ranges = upload.missing(&ask_once(&upload.question())?)?;
        if ranges.iter().all(std::ops::Range::is_empty) {
            return Ok(continued);
        }
    }
    Err(Trouble::wrong(format!("after {ROUNDS} rounds {ranges:?} are missing")))
}

fn account(
    lab: &Lab,
    upload: &Upload,
    continued: Continued,
    sent: Sent,
) -> Result<Switch, Trouble> {
    let port = sent.connection.local_port();
    let arrived = port.map_or(Ok(None), |port| lab.arrived(port))?;
    let arrived = arrived.map(|bytes| sent.body_bytes(bytes));
    let Continued { took, unread, missing, sent_again, refused } = continued;
    let counted = length(upload.bytes.len()).saturating_sub(missing);
    // Into the void, as the socket of a phone that changed networks.
    sent.connection.reset()?;
    if arrived.is_some_and(|arrived| counted > arrived) {
        let text = format!("{counted} bytes are said to be there, {arrived:?} had arrived");
        return Err(Trouble::wrong(text));
    }
    let unaccounted = arrived.map(|arrived| arrived.saturating_sub(counted));
    Ok(Switch { took, arrived, unread, unaccounted, sent_again, refused })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
