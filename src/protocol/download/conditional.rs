//! Conditions of a request, in the order of RFC 9110, section 13.2.2.

use crate::protocol::date;
use crate::protocol::head::RequestHead;

/// What the conditions are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validators<'a> {
    /// The strong entity tag, with its quotes.
    pub etag: &'a str,
    /// Whole seconds since the epoch of the last change.
    pub modified_unix_seconds: u64,
}

/// What the conditions come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer as if there were none.
    Proceed,
    /// The client has it already: 304.
    NotModified,
    /// A condition does not hold: 412.
    Failed,
}

/// Judges `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`, in that order;
/// the tag of a pair beats its date.
#[must_use]
pub fn judge(head: &RequestHead<'_>, now: Validators<'_>) -> Verdict {
    if head.has("If-Match") {
        if !names(head, "If-Match", now.etag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let Some(date) = seconds(head, "If-Unmodified-Since")
        && now.modified_unix_seconds > date
    {
        return Verdict::Failed;
    }
    if head.has("If-None-Match") {
        if names(head, "If-None-Match", now.etag, Comparison::Weak) {
            return Verdict::NotModified;
        }
    } else if let Some(date) = seconds(head, "If-Modified-Since")
        && now.modified_unix_seconds <= date
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `Range` counts: there is no `If-Range`, or it names exactly what is there (section 13.1.5).
#[must_use]
pub fn range_counts(head: &RequestHead<'_>, now: Validators<'_>) -> bool {
    let mut lines = head.lines("If-Range");
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) => {
            let line = line.trim_ascii();
            line == now.etag.as_bytes()
                || date::read_unix_seconds(line) == Some(now.modified_unix_seconds)
        }
        (Some(_), Some(_)) => false,
    }
}

/// How entity tags are compared (section 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// A weak tag equals nothing.
    Strong,
    /// The mark of a weak tag is overlooked.
    Weak,
}

/// Whether a list of entity tags holds `etag`, or is `*`.
///
/// What is no tag equals nothing: `If-Match` then fails, which changes nothing, and
/// `If-None-Match` then gets the whole answer.
fn names(head: &RequestHead<'_>, field: &str, etag: &str, comparison: Comparison) -> bool {
    head.lines(field).any(|line| {
        // Our own tags contain no comma, so a foreign tag that does cannot be mistaken for one.
        line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|tag| {
            let tag = match comparison {
                Comparison::Strong => tag,
                Comparison::Weak => tag.strip_prefix(b"W/").unwrap_or(tag),
            };
            tag == b"*" || tag == etag.as_bytes()
        })
    })
}

/// A date field that appears once; anything else is ignored (section 13.1.3).
fn seconds(head: &RequestHead<'_>, field: &str) -> Option<u64> {
    head.text(field).and_then(|text| date::read_unix_seconds(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::head;

    const NOW: Validators<'static> =
        Validators { etag: "\"tag\"", modified_unix_seconds: 1_403_712_000 };
    const BEFORE: &str = "Wed, 25 Jun 2014 15:59:59 GMT";
    const SAME: &str = "Wed, 25 Jun 2014 16:00:00 GMT";

    fn verdict(fields: &[(&str, &str)]) -> Verdict {
        judge(&head("GET", fields, BodyLength::Empty), NOW)
    }

    #[test]
    fn each_condition_is_judged_as_the_rfc_says() {
        use Verdict::{Failed, NotModified, Proceed};
        for (fields, expected) in [
            (&[][..], Proceed),
            (&[("If-Match", "\"tag\"")], Proceed),
            (&[("If-Match", "\"x\", \"tag\"")], Proceed),
            (&[("If-Match", "*")], Proceed),
            (&[("If-Match", "W/\"tag\"")], Failed),
            (&[("If-Match", "\"x\"")], Failed),
            (&[("If-Match", "tag")], Failed),
            (&[("If-Unmodified-Since", BEFORE)], Failed),
            (&[("If-Unmodified-Since", SAME)], Proceed),
            (&[("If-Unmodified-Since", "rubbish")], Proceed),
            (&[("If-None-Match", "\"tag\"")], NotModified),
            (&[("If-None-Match", "W/\"tag\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "\"x\"")], Proceed),
            (&[("If-Modified-Since", SAME)], NotModified),
            (&[("If-Modified-Since", BEFORE)], Proceed),
        ] {
            assert_eq!(verdict(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn tags_beat_dates_and_preconditions_come_first() {
        use Verdict::{Failed, Proceed};
        assert_eq!(verdict(&[("If-Match", "\"tag\""), ("If-Unmodified-Since", BEFORE)]), Proceed);
        assert_eq!(verdict(&[("If-None-Match", "\"x\""), ("If-Modified-Since", SAME)]), Proceed);
        assert_eq!(verdict(&[("If-None-Match", "\"tag\""), ("If-Match", "\"x\"")]), Failed);
    }

    #[test]
    fn a_range_counts_only_for_exactly_what_is_there() {
        for (fields, counts) in [
            (&[][..], true),
            (&[("If-Range", "\"tag\"")], true),
            (&[("If-Range", "W/\"tag\"")], false),
            (&[("If-Range", "\"x\"")], false),
            (&[("If-Range", SAME)], true),
            (&[("If-Range", BEFORE)], false),
            (&[("If-Range", "rubbish")], false),
        ] {
            let head = head("GET", fields, BodyLength::Empty);
            assert_eq!(range_counts(&head, NOW), counts, "{fields:?}");
        }
    }
}
