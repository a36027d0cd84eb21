//! Do bodies get through: as they arrive, long ones, slow ones?

use std::time::{Duration, Instant};

use super::address::Address;
use super::proxy::Trouble;
use super::site::{Asked, Request, Unasked};
use super::visit::{UPLOAD_BYTES, Visit};

/// What is sent of a body before the pause.
const HALF_BYTES: u64 = UPLOAD_BYTES / 2;
/// How long the gateway may take to see it.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// How long the bytes are given before the gateway is asked for the first time, in one attempt after the
/// other.
const FIRST_LOOKS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(3)];
/// How often it is asked from then on.
const ASKED_EVERY: Duration = Duration::from_millis(100);

const MIB: u64 = 1024 * 1024;
/// A body of this length is really sent.
const SENT_BYTES: u64 = 2 * MIB;
/// Lengths that are announced, to see whether they are refused; the limits that one meets lie between them.
const ANNOUNCED: [u64; 6] = [MIB, 2 * MIB, 16 * MIB, 128 * MIB, 1024 * MIB, 5 * 1024 * MIB];

/// A client that is silent for so long, as a phone between two networks, is to find its upload going on.
const SILENCE: Duration = Duration::from_secs(50);
/// An upload that takes so long is to be let through.
const LONG: Duration = Duration::from_secs(75);

/// Looks at all of it.
pub(super) fn look(visit: &mut Visit<'_>) {
    streaming(visit);
    long(visit);
    if visit.options.slow {
        slow(visit);
    }
}

/// How a body with a pause in it fares.
enum Halves {
    /// The first was there before the second was sent.
    Streamed,
    /// Both came together.
    HeldBack,
    /// The request ended otherwise.
    Unseen(String),
}

/// Does the gateway see the first half before the second is sent?
fn streaming(visit: &mut Visit<'_>) {
    let mut why = String::new();
    for patience in FIRST_LOOKS {
        match halves(visit, patience) {
            Halves::Streamed => {
                return visit.sound(
                    "bodies go on as they arrive: half of one was there before the rest was sent",
                );
            }
            Halves::HeldBack => {
                let text = format!(
                    "bodies are held back until they are whole: {} s after the first half of one was \
                     sent, nothing of it had arrived. An upload that breaks leaves nothing to resume, and \
                     progress jumps to its end",
                    SEEN_WITHIN.as_secs()
                );
                return visit.wrong(Trouble::Buffering, text);
            }
            Halves::Unseen(how) => why = how,
        }
    }
    visit.note(format!("whether bodies are held back was not seen: {why}"));
}

fn halves(visit: &mut Visit<'_>, first_look: Duration) -> Halves {
    let Some(upload) = visit.upload(UPLOAD_BYTES) else {
        return Halves::Unseen("no upload could be created".to_owned());
    };
    let mut asked = match visit.site.begin(&Request::append(&upload, 0, UPLOAD_BYTES)) {
        Ok(asked) => asked,
        Err(error) => return Halves::Unseen(error.to_string()),
    };
    let sent = asked.send(HALF_BYTES);
    let (since, mut pause) = (Instant::now(), first_look);
    while sent.is_ok() && since.elapsed() < SEEN_WITHIN {
        // Who looks while the bytes are still on their way may take the upload over before the first.
        if let Some(how) = ended_within(&mut asked, pause) {
            return Halves::Unseen(format!("a PATCH with a pause was ended: {how}"));
        }
        if arrived(visit, &upload) {
            return Halves::Streamed;
        }
        pause = ASKED_EVERY;
    }
    // If it cannot be sent, the answer tells.
    drop(sent.and_then(|()| asked.send(UPLOAD_BYTES.saturating_sub(HALF_BYTES))));
    match asked.answer(visit.site.patience) {
        Ok(answer) if answer.status == 204 => Halves::HeldBack,
        Ok(answer) => {
            Halves::Unseen(format!("a PATCH with a pause was answered {}", answer.status))
        }
        Err(error) => Halves::Unseen(format!("a PATCH with a pause failed: {error}")),
    }
}

/// A server that locks what it writes to is writing.
fn arrived(visit: &Visit<'_>, upload: &Address) -> bool {
    visit.ask(&Request::tus("HEAD", upload)).is_ok_and(|answer| {
        let offset = answer.field("Upload-Offset").and_then(|offset| offset.parse::<u64>().ok());
        answer.status == 423 || offset.is_some_and(|offset| offset > 0)
    })
}

/// How a body of some length fares.
enum Fate {
    Passes,
    /// Somebody in between refuses it.
    Refused(String),
    /// The gateway itself has something against it, or it was not seen.
    Unseen,
}

/// Are long bodies refused on the way?
fn long(visit: &mut Visit<'_>) {
    let mut passed = UPLOAD_BYTES;
    for bytes in ANNOUNCED {
        let mut fate = announced(visit, bytes);
        if matches!(fate, Fate::Passes) && bytes == SENT_BYTES {
            fate = sent(visit, bytes);
        }
        match fate {
            Fate::Passes => passed = bytes,
            Fate::Unseen => break,
            Fate::Refused(how) => {
                let (passed, bytes) = (size(passed), size(bytes));
                let text = format!("a body of {bytes} is {how}, one of {passed} passes");
                return visit.wrong(Trouble::BodyLimit, text);
            }
        }
    }
    if passed < SENT_BYTES {
        return visit.note("whether long bodies are let through was not seen");
    }
    visit.sound(format!("bodies of {} are let through", size(passed)));
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}

/// Announces a body and waits to be told to go on; then goes away.
fn announced(visit: &mut Visit<'_>, bytes: u64) -> Fate {
    let Some(upload) = visit.upload(bytes) else { return Fate::Unseen };
    let request = Request::append(&upload, 0, bytes).with("Expect", "100-continue");
    let Ok(mut asked) = visit.site.begin(&request) else { return Fate::Unseen };
    // Who does not know the question keeps silent; then only what is really sent tells.
    match asked.next_answer(visit.site.patience.min(SEEN_WITHIN)) {
        Ok(answer) if answer.status == 100 => Fate::Passes,
        Ok(answer) if answer.field("Tus-Resumable").is_some() => Fate::Unseen,
        Ok(answer) if answer.status == 413 => Fate::Refused("refused with 413".to_owned()),
        Ok(_) | Err(_) if bytes <= SENT_BYTES => Fate::Passes,
        Ok(_) | Err(_) => Fate::Unseen,
    }
}

/// Sends a whole body.
fn sent(visit: &mut Visit<'_>, bytes: u64) -> Fate {
    let Some(upload) = visit.upload(bytes) else { return Fate::Unseen };
    match visit.ask(&Request::append(&upload, 0, bytes)) {
        Ok(answer) if answer.status == 204 => Fate::Passes,
        Ok(answer) if answer.status == 413 && answer.field("Tus-Resumable").is_none() => {
            Fate::Refused("refused with 413".to_owned())
        }
        Ok(_) => Fate::Unseen,
        Err(error) => Fate::Refused(format!("cut short ({error})")),
    }
}

/// Is a client ended that pauses, or that takes its time?
fn slow(visit: &mut Visit<'_>) {
    let Some(upload) = visit.upload(UPLOAD_BYTES) else { return };
    let Ok(mut asked) = visit.site.begin(&Request::append(&upload, 0, UPLOAD_BYTES)) else {
        return;
    };
    let since = Instant::now();
    let paces = [(SILENCE, 1), (LONG.saturating_sub(SILENCE), UPLOAD_BYTES.saturating_sub(2))];
    let mut ended = asked.send(1).err().map(|error| error.to_string());
    for (pause, bytes) in paces {
        if ended.is_none() {
            ended = ended_within(&mut asked, pause)
                .or_else(|| asked.send(bytes).err().map(|error| error.to_string()));
        }
    }
    let answer = asked.answer(visit.site.patience);
    match (ended, answer) {
        (None, Ok(answer)) if answer.status == 204 => visit.sound(format!(
            "a client may be silent for {} s, and take {} s",
            SILENCE.as_secs(),
            LONG.as_secs()
        )),
        (ended, _) => {
            let how = ended.unwrap_or_else(|| "no answer in the end".to_owned());
            let seconds = since.elapsed().as_secs();
            visit.wrong(
                Trouble::Impatience,
                format!(
                    "a client that pauses for {} s is ended after {seconds} s: {how}",
                    SILENCE.as_secs()
                ),
            );
        }
    }
}

/// Waits, and says how the request ended if it did not outlast that.
fn ended_within(asked: &mut Asked, pause: Duration) -> Option<String> {
    match asked.next_answer(pause) {
        Ok(answer) => Some(format!("answered {}", answer.status)),
        Err(Unasked::Answer(super::answer::NoAnswer::Late)) => None,
        Err(error) => Some(error.to_string()),
    }
}
