//! [`Frames`]: what the peer of an HTTP/2 connection sends, counted as it passes.
//!
//! `actix-http` lets nobody set the bounds of `h2`, which takes any number of streams, heads of 16 MiB
//! each, and frames without content for ever. The bounds are kept here, on the way to it.

use std::time::{Duration, Instant};

/// What a client says before its first frame (RFC 9113, section 3.4).
const PREFACE_BYTES: u64 = 24;

/// Length, type, flags and stream of a frame.
const HEADER_BYTES: usize = 9;

/// The identifier of each parameter that is told beside those of `h2` (RFC 9113, section 6.5.2).
const MAX_CONCURRENT_STREAMS: u16 = 3;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const PARAMETER_BYTES: u32 = 6;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// Frames that carry nothing (pings, settings, resets, empty data) in a second; more is a flood. A
/// client that cancels all its requests and pings after each is far below.
pub(super) const MAX_IDLE_FRAMES: u32 = 10_000;

const WINDOW: Duration = Duration::from_secs(1);

/// Longest head of a request as it travels, compressed.
const MAX_HEAD_BYTES: u64 = 128 * 1024;

/// How far the peer's bytes have been followed.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes before the next header: of the preface, or of a frame's content.
    skip: u64,
    header: [u8; HEADER_BYTES],
    /// How much of `header` is there.
    known: usize,
    /// Bytes of the head that is being sent.
    head_bytes: u64,
    idle: u32,
    window: Instant,
}

/// What a peer does that no client needs to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// The head of a request is too long.
    Head,
    /// There are too many frames that carry nothing.
    IdleFrames,
}

impl Frames {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            skip: PREFACE_BYTES,
            header: [0; HEADER_BYTES],
            known: 0,
            head_bytes: 0,
            idle: 0,
            window: now,
        }
    }

    /// Follows bytes of the peer.
    pub(super) fn passed(&mut self, bytes: &[u8], now: Instant) -> Result<(), Excess> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.skip > 0 {
                let here = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rest.len());
                self.skip = self.skip.saturating_sub(count(here));
                rest = rest.get(here..).unwrap_or_default();
                continue;
            }
            let wanted = self.header.get_mut(self.known..).unwrap_or_default();
            let here = wanted.len().min(rest.len());
            let (taken, left) = rest.split_at(here);
            if let Some(wanted) = wanted.get_mut(..here) {
                wanted.copy_from_slice(taken);
            }
            rest = left;
            self.known = self.known.saturating_add(here);
            if self.known == HEADER_BYTES {
                self.known = 0;
                self.begins(now)?;
            }
        }
        Ok(())
    }

    /// A frame begins.
    fn begins(&mut self, now: Instant) -> Result<(), Excess> {
        let [a, b, c, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]);
        self.skip = u64::from(length);
        match kind {
            HEADERS => self.head_bytes = self.skip,
            CONTINUATION => self.head_bytes = self.head_bytes.saturating_add(self.skip),
            _ => {}
        }
        if self.head_bytes > MAX_HEAD_BYTES {
            return Err(Excess::Head);
        }
        let carries = match kind {
            DATA => length > 0 || flags & END_STREAM != 0,
            CONTINUATION => length > 0,
            HEADERS | WINDOW_UPDATE => true,
            _ => false,
        };
        if !carries {
            self.idles(now)?;
        }
        Ok(())
    }

    fn idles(&mut self, now: Instant) -> Result<(), Excess> {
        if now.saturating_duration_since(self.window) >= WINDOW {
            (self.window, self.idle) = (now, 0);
        }
        self.idle = self.idle.saturating_add(1);
        if self.idle > MAX_IDLE_FRAMES { Err(Excess::IdleFrames) } else { Ok(()) }
    }
}

/// The first frame of a server, with the bounds in it that `h2` does not tell; `None` if `bytes` do
/// not begin with a whole frame of settings.
pub(super) fn settings_with_bounds(bytes: &[u8], max_streams: u32) -> Option<(usize, Vec<u8>)> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let [a, b, c, kind, ..] = *header;
    let length = u32::from_be_bytes([0, a, b, c]);
    let whole = HEADER_BYTES.checked_add(usize::try_from(length).ok()?)?;
    let content = bytes.get(HEADER_BYTES..whole)?;
    if kind != SETTINGS {
        return None;
    }
    let [_, a, b, c] = length.checked_add(PARAMETER_BYTES.saturating_mul(2))?.to_be_bytes();
    let mut frame = vec![a, b, c];
    frame.extend_from_slice(header.get(3..)?);
    frame.extend_from_slice(content);
    let head_bytes = u32::try_from(super::admission::MAX_HEAD_BYTES).unwrap_or(u32::MAX);
    for (parameter, value) in
        [(MAX_CONCURRENT_STREAMS, max_streams), (MAX_HEADER_LIST_SIZE, head_bytes)]
    {
        frame.extend_from_slice(&parameter.to_be_bytes());
        frame.extend_from_slice(&value.to_be_bytes());
    }
    Some((whole, frame))
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(length).unwrap().to_be_bytes();
        let mut frame = vec![a, b, c, kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER_BYTES + length, 0);
        frame
    }

    fn connected(now: Instant) -> Frames {
        let mut frames = Frames::new(now);
        frames.passed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now).unwrap();
        frames
    }

    #[test]
    fn a_head_may_be_as_long_as_over_http1_and_not_longer() {
        let now = Instant::now();
        let mut frames = connected(now);
        let head = |frames: &mut Frames, bytes: usize| {
            frames.passed(&frame(HEADERS, 0, 16_384), now)?;
            let rest = bytes - 16_384;
            frames.passed(&frame(CONTINUATION, 0, rest / 2), now)?;
            frames.passed(&frame(CONTINUATION, 4, rest - rest / 2), now)
        };
        assert_eq!(head(&mut frames, 128 * 1024), Ok(()));
        assert_eq!(head(&mut frames, 128 * 1024), Ok(()), "each head is counted on its own");
        assert_eq!(head(&mut frames, 128 * 1024 + 1), Err(Excess::Head));
    }

    #[test]
    fn frames_that_carry_nothing_are_bounded_in_a_second_and_not_over_time() {
        let start = Instant::now();
        let mut frames = connected(start);
        for second in 0..3 {
            let now = start + WINDOW * second;
            for _ in 0..MAX_IDLE_FRAMES {
                assert_eq!(frames.passed(&frame(PING, 0, 8), now), Ok(()));
            }
        }
        let now = start + WINDOW * 2;
        assert_eq!(frames.passed(&frame(PING, 0, 8), now), Err(Excess::IdleFrames));
    }

    #[test]
    fn bytes_of_bodies_are_not_counted_as_idle_however_they_are_cut() {
        let now = Instant::now();
        let mut frames = connected(now);
        let body = frame(DATA, 0, 3);
        for _ in 0..3 * MAX_IDLE_FRAMES {
            for byte in &body {
                assert_eq!(frames.passed(std::slice::from_ref(byte), now), Ok(()));
            }
        }
        for _ in 0..MAX_IDLE_FRAMES {
            assert_eq!(frames.passed(&frame(DATA, 0, 0), now), Ok(()));
        }
        assert_eq!(frames.passed(&frame(DATA, 0, 0), now), Err(Excess::IdleFrames));
    }

    #[test]
    fn the_settings_of_the_server_tell_its_bounds_beside_its_own() {
        let own = frame(SETTINGS, 0, 6);
        let sent = [own.clone(), frame(WINDOW_UPDATE, 0, 4)].concat();
        let (taken, told) = settings_with_bounds(&sent, 7).unwrap();
        assert_eq!(taken, own.len());
        assert_eq!(told.first_chunk(), Some(&[0, 0, 18, SETTINGS]));
        assert_eq!(told[15..], [0, 3, 0, 0, 0, 7, 0, 6, 0, 2, 0, 0]);
        assert_eq!(settings_with_bounds(&frame(PING, 0, 8), 7), None);
        assert_eq!(settings_with_bounds(&own[..10], 7), None);
    }
}
