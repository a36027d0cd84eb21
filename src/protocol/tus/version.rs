//! The protocol version, and who has to name it.

use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;

/// The field in which both sides name the version they speak.
pub const TUS_RESUMABLE: &str = "Tus-Resumable";
/// The field that lists the versions we know, most preferred first (T-8).
pub const TUS_VERSION: &str = "Tus-Version";
/// The only version of tus there is besides drafts.
pub const VERSION: &str = "1.0.0";

/// Refuses a request that does not name our version (T-3, T-4).
///
/// # Errors
///
/// [`Problem::UnsupportedVersion`] if the version is missing, repeated or another one.
pub fn required(head: &RequestHead<'_>) -> Result<(), Problem> {
    match head.text(TUS_RESUMABLE) {
        Some(VERSION) => Ok(()),
        Some(_) | None => Err(Problem::UnsupportedVersion),
    }
}

/// The same for a request that need not name any version: looking is harmless (T-5).
///
/// # Errors
///
/// [`Problem::UnsupportedVersion`] if it names another version than ours.
pub fn tolerated(head: &RequestHead<'_>) -> Result<(), Problem> {
    if head.has(TUS_RESUMABLE) { required(head) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::head;

    #[test]
    fn exactly_our_version_is_taken() {
        for (fields, wanted, looked) in [
            (&[("tus-resumable", "1.0.0")][..], true, true),
            (&[][..], false, true),
            (&[("Tus-Resumable", "0.2.2")][..], false, false),
            (&[("Tus-Resumable", "")][..], false, false),
            (&[("Tus-Resumable", "1.0.0, 1.0.0")][..], false, false),
            (&[("Tus-Resumable", "1.0.0"), ("Tus-Resumable", "0.2.2")][..], false, false),
        ] {
            let head = head("PATCH", fields, BodyLength::Empty);
            assert_eq!(required(&head).is_ok(), wanted, "{fields:?}");
            assert_eq!(tolerated(&head).is_ok(), looked, "{fields:?}");
        }
    }
}
