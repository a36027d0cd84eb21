//! One switch: a link dies under an upload, and its client goes on by another.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use conformance_tests::content::Numbers;

use crate::lab::{Cut, Lab, Server};
use crate::resume::{Kind, Upload};
use crate::returning::{Continued, Delays, Refusals, Returning};
use crate::trouble::Trouble;
use crate::writer::{Progress, Sent, send_steadily};

/// Bytes of the upload.
const LENGTH: usize = 2 * 1024 * 1024;
/// What the gateway may have read and not yet written: one batch.
const IN_HAND: u64 = 256 * 1024;
/// Nothing takes longer on the path that stays.
const STEP: Duration = Duration::from_secs(30);

/// When clients notice that their link is dead.
pub const NOTICES: [(&str, Duration); 4] = [
    ("0 ms", Duration::ZERO),
    ("10 ms", Duration::from_millis(10)),
    ("50 ms", Duration::from_millis(50)),
    ("1 s", Duration::from_secs(1)),
];

/// Where the link is cut in one round of several.
#[must_use]
pub const fn cut_of(round: u64) -> Cut {
    if round.is_multiple_of(2) { Cut::InTheMiddle } else { Cut::AtTheClient }
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who is sent to.
    pub server: Server,
    /// How the upload is sent.
    pub kind: Kind,
    /// Where the link is cut.
    pub cut: Cut,
    /// When the client notices, counted from the cut.
    pub notices_after: Duration,
    /// What the client does if it is refused.
    pub delays: Delays,
    /// Chooses the content, and the moment of the cut.
    pub seed: u64,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switch {
    /// From the client's first packet on the new path (before `connect`) to the whole answer that
    /// tells where the upload stands.
    pub took: Duration,
    /// From that packet to the answer that the rest was taken.
    pub through: Duration,
    /// Bytes of bodies that had reached the server's kernel by the dead path; `None` if the kernel
    /// does not tell any more, because the server gave up the connection with bytes unread.
    pub arrived: Option<u64>,
    /// Bytes of these, and of heads, that the server had not read a moment before it was asked: on a
    /// machine where it has to wait for a processor.
    pub unread: u64,
    /// Of those that had arrived, how many the first answer did not count.
    pub unaccounted: Option<u64>,
    /// Bytes of bodies that were sent by the new path.
    pub sent_again: u64,
    /// Questions by the new path that were refused; in the gateway's own measure there are none.
    pub asked_again: Refusals,
    /// Requests by the new path that were refused because the upload stood elsewhere.
    pub refused: Refusals,
}

impl Switch {
    /// Bytes that reached the server by one path and were sent by the other, too.
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
    let upload = Upload::on(plan.server, plan.kind, plan.seed, LENGTH)?;
    let progress = Progress::default();
    let by_a = plan.server.by_a();
    let switched = thread::scope(|scope| {
        let writer = scope.spawn(|| send_steadily(&upload, &by_a, &progress));
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

fn cut_and_continue(
    lab: &Lab,
    plan: &Plan,
    upload: &Upload,
    progress: &Progress,
) -> Result<(u64, Continued), Trouble> {
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
    let unread = lab.unread(plan.server, progress.port.load(Ordering::Relaxed))?;
    let returning = Returning::new(upload, plan.delays);
    let continued = returning.goes_on(|| progress.stop.store(true, Ordering::Relaxed))?;
    Ok((unread, continued))
}

fn account(
    lab: &Lab,
    upload: &Upload,
    (unread, continued): (u64, Continued),
    sent: Sent,
) -> Result<Switch, Trouble> {
    let port = sent.connection.local_port();
    let arrived = port.map_or(Ok(None), |port| lab.arrived(upload.server(), port))?;
    let arrived = arrived.map(|bytes| sent.body_bytes(bytes));
    let Continued { took, through, missing, sent_again, asked_again, refused } = continued;
    let counted = length(upload.bytes.len()).saturating_sub(missing);
    // Into the void, as the socket of a phone that changed networks.
    sent.connection.reset()?;
    if arrived.is_some_and(|arrived| counted > arrived) {
        let text = format!("{counted} bytes are said to be there, {arrived:?} had arrived");
        return Err(Trouble::wrong(text));
    }
    let unaccounted = arrived.map(|arrived| arrived.saturating_sub(counted));
    Ok(Switch { took, through, arrived, unread, unaccounted, sent_again, asked_again, refused })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
