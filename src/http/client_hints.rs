//! What a client says of itself and its connection: fields that browsers send, and a device of its choice.
//!
//! All of it is optional and none of it is believed further than [`Hints`] goes. What cannot be read is passed
//! over: a hint is no reason to refuse anything.

use std::time::Duration;

use crate::tuning::profile::{Connection, Hints};

use crate::protocol::head::RequestHead;

/// Names one device of an owner, as the client likes.
pub(super) const X_DEVICE_ID: &str = "X-Device-ID";

/// Longest name of a device; a longer one is passed over.
pub(super) const MAX_DEVICE_BYTES: usize = 128;

/// Longest round trip that is believed.
const LONGEST: Duration = Duration::from_secs(10);

/// The name of the device, if there is one that can be.
#[must_use]
pub(super) fn device<'a>(head: &RequestHead<'a>) -> Option<&'a str> {
    let name = head.text(X_DEVICE_ID)?;
    let fits = (1..=MAX_DEVICE_BYTES).contains(&name.len());
    (fits && name.bytes().all(|byte| byte.is_ascii_graphic())).then_some(name)
}

/// What it says of its connection: `Downlink` (Mbit/s), `RTT` (ms), `ECT`, `Save-Data`.
#[must_use]
pub(super) fn read(head: &RequestHead<'_>) -> Hints {
    let kind = match head.text("ECT") {
        Some("slow-2g" | "2g" | "3g") => Some(Connection::Slow),
        // "4g" is what browsers say of everything that is faster, cable and fibre too.
        Some(_) | None => None,
    };
    Hints {
        rate: head.text("Downlink").and_then(rate),
        rtt: head.text("RTT").and_then(round_trip),
        kind,
        saves_data: head.text("Save-Data").is_some_and(|text| text.eq_ignore_ascii_case("on")),
    }
}

/// Megabits with at most three decimals, in bytes per second.
fn rate(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 3 || !digits(whole) || !digits(part) {
        return None;
    }
    let kilobits: u64 = format!("{whole}{part:0<3}").parse().ok()?;
    Some(kilobits.saturating_mul(125))
}

fn round_trip(text: &str) -> Option<Duration> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let millis: u64 = digits.then(|| text.parse().ok()).flatten()?;
    Some(Duration::from_millis(millis).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::head;

    fn hints(fields: &[(&str, &str)]) -> Hints {
        read(&head("POST", fields, BodyLength::Empty))
    }

    #[test]
    fn what_browsers_say_is_read() {
        let said =
            hints(&[("Downlink", "1.45"), ("RTT", "150"), ("ECT", "3g"), ("Save-Data", "on")]);
        let expected = Hints {
            rate: Some(181_250),
            rtt: Some(Duration::from_millis(150)),
            kind: Some(Connection::Slow),
            saves_data: true,
        };
        assert_eq!(said, expected);
        assert_eq!(hints(&[]), Hints::default());
        assert_eq!(hints(&[("ECT", "4g")]).kind, None, "that may be anything");
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        for lie in ["-1", "", ".", "1e9", "NaN", "99999999999999999999999", "1.2345", "1.2.3"] {
            assert_eq!(hints(&[("Downlink", lie)]).rate, None, "{lie}");
        }
        for lie in ["-1", "", "1.5", "99999999999999999999999"] {
            assert_eq!(hints(&[("RTT", lie)]).rtt, None, "{lie}");
        }
        assert_eq!(hints(&[("RTT", "99999999")]).rtt, Some(LONGEST));
        assert_eq!(hints(&[("ECT", "9g"), ("Save-Data", "off")]), Hints::default());
    }

    #[test]
    fn a_device_has_a_short_name() {
        let named =
            |name: &str| device(&head("POST", &[(X_DEVICE_ID, name)], BodyLength::Empty)).is_some();
        let longest = "x".repeat(MAX_DEVICE_BYTES);
        assert!(named("phone-7") && named(&longest));
        for bad in ["", "a b", "ä", &format!("{longest}x")] {
            assert!(!named(bad), "{bad}");
        }
    }
}
