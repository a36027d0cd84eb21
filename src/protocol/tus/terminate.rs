//! `DELETE` on an upload: removes it (T-130 to T-135).

use crate::protocol::head::{RequestHead, ResponseHead};
use crate::protocol::problem::Problem;

use super::extensions::{Extension, Profile};
use super::{speaking, version};

/// Reads a termination.
///
/// # Errors
///
/// Another version, or [`Problem::MethodNotAllowed`] while the extension is off (T-135).
pub fn read(head: &RequestHead<'_>, profile: &Profile) -> Result<(), Problem> {
    version::required(head)?;
    if profile.has(Extension::Termination) {
        Ok(())
    } else {
        Err(Problem::MethodNotAllowed { allow: profile.methods_of_an_upload() })
    }
}

/// `204`: the upload is gone. Nothing else will do for tus-js-client (T-131).
#[must_use]
pub fn terminated() -> ResponseHead {
    speaking(204)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::BodyLength;
    use crate::protocol::tus::examples::{head, profile};
    use crate::upload::Limits;

    #[test]
    fn a_termination_needs_the_version_and_the_extension() {
        let versioned = head("DELETE", &[("Tus-Resumable", "1.0.0")], BodyLength::Empty);
        assert_eq!(read(&versioned, &profile()), Ok(()));
        let bare = Profile::new([Extension::Creation], &Limits::default());
        let allow = "OPTIONS, HEAD, GET, PATCH";
        assert_eq!(read(&versioned, &bare), Err(Problem::MethodNotAllowed { allow }));
        let unversioned = head("DELETE", &[], BodyLength::Empty);
        assert_eq!(read(&unversioned, &profile()), Err(Problem::UnsupportedVersion));
        assert_eq!(terminated().status, 204);
    }
}
