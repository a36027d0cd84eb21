//! A file that was there before the gateway becomes an upload.

use crate::upload::id::UploadId;
use crate::upload::limits::Limits;
use crate::upload::quantity::UploadLength;
use crate::upload::refusal::Refusal;
use crate::upload::session::{NewSession, Session};
use crate::upload::time::Timestamp;

use super::Progress;

impl Session {
    /// A session that is complete from the start: all of it is there, as `progress` says, and was
    /// so since `since`.
    ///
    /// Its age counts from `since`, for the retention as for `Last-Modified`. Its length is what is
    /// there, and no maximum counts: maxima are for uploads, and this one was let in by somebody
    /// else.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if `new` asks for what only an upload can have, such as chunks.
    pub fn adopted(
        new: NewSession,
        id: UploadId,
        progress: Progress,
        limits: &Limits,
        since: Timestamp,
    ) -> Result<Self, Refusal> {
        let length = UploadLength::new(progress.received.offset().get());
        let new = NewSession { length, max_length: None, ..new };
        let unbounded = Limits { max_length: None, ..limits.clone() };
        let mut session = Self::create(new, id, &unbounded, progress.boot.clone(), since)?;
        session.receive(progress, limits, since);
        session.complete(limits, since);
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::upload::{BootId, Metadata, Owner, Phase, Received, Sums, UploadOffset};

    fn progress(bytes: u64) -> Progress {
        let received = Received::front(UploadOffset::new(bytes).unwrap(), Sums::default());
        Progress { received, boot: BootId::new("this".to_owned()), synced: true }
    }

    fn adopted(bytes: u64, limits: &Limits) -> Session {
        let new = NewSession::of(Owner::anonymous(), None, Metadata::default());
        let since = Timestamp::from_unix_milliseconds(1000);
        Session::adopted(new, UploadId::generate(), progress(bytes), limits, since).unwrap()
    }

    #[test]
    fn it_is_complete_and_as_old_as_the_file() {
        let session = adopted(5, &Limits::default());
        let since = Timestamp::from_unix_milliseconds(1000);
        assert_eq!(session.phase(), Phase::Complete);
        assert_eq!((session.length(), session.offset().get()), (UploadLength::new(5), 5));
        assert_eq!((session.completed_at(), session.created_at()), (Some(since), since));
        assert_eq!(session.expires_at(), None);
    }

    #[test]
    fn the_retention_counts_from_the_age_of_the_file() {
        let retention = Some(Duration::from_secs(1));
        let session = adopted(5, &Limits { retention, ..Limits::default() });
        assert!(!session.is_expired(Timestamp::from_unix_milliseconds(1999)));
        assert!(session.is_expired(Timestamp::from_unix_milliseconds(2000)));
    }

    #[test]
    fn the_longest_upload_is_no_bound_for_what_is_there_already() {
        let max_length = UploadLength::new(4);
        assert!(adopted(5, &Limits { max_length, ..Limits::default() }).is_complete());
    }
}
