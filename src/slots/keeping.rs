//! How long the files of a tenant are kept. Pure.

use std::time::Duration;

use crate::upload::{Retention, Timestamp};

/// How long files are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// As every upload: the configured retention counts from the end of the upload.
    #[default]
    Configured,
    /// This long from the beginning of the upload, whatever is configured; `None` for ever.
    Own(Option<Duration>),
}

impl Keeping {
    /// Whether the configured retention ends such a file, too.
    #[must_use]
    pub const fn retention(self) -> Retention {
        match self {
            Self::Configured => Retention::Configured,
            Self::Own(_) => Retention::Own,
        }
    }

    /// How long it is kept at most, as far as that is ours to say.
    #[must_use]
    pub const fn span(self) -> Option<Duration> {
        match self {
            Self::Configured => None,
            Self::Own(span) => span,
        }
    }

    /// Until when a file of `now` is kept, if its issuer says `said`: whichever comes first.
    #[must_use]
    pub fn until(self, said: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let ours = self.span().map(|span| now.after(span));
        said.into_iter().chain(ours).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    #[test]
    fn whichever_end_comes_first_holds() {
        let hour = Keeping::Own(Some(Duration::from_secs(3600)));
        for (keeping, said, until) in [
            (Keeping::Configured, None, None),
            (Keeping::Configured, Some(at(5)), Some(at(5))),
            (Keeping::Own(None), None, None),
            (Keeping::Own(None), Some(at(5)), Some(at(5))),
            (hour, None, Some(at(3700))),
            (hour, Some(at(200)), Some(at(200))),
            (hour, Some(at(9000)), Some(at(3700))),
        ] {
            assert_eq!(keeping.until(said, at(100)), until, "{keeping:?} {said:?}");
        }
    }

    #[test]
    fn only_what_nobody_set_is_left_to_the_configured_retention() {
        assert_eq!(Keeping::default().retention(), Retention::Configured);
        assert_eq!(Keeping::Own(None).retention(), Retention::Own);
    }
}
