//! Which extensions are on.

use crate::protocol::problem::Problem;
use crate::upload::{Limits, UploadLength};

/// An extension of tus 1.0.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Uploads are created with POST (T-60).
    Creation,
    /// … together with their first bytes (T-90).
    CreationWithUpload,
    /// … before their length is known (T-80).
    CreationDeferLength,
    /// Unfinished uploads expire, and say when (T-100).
    Expiration,
    /// Bodies are compared with a digest (T-110).
    Checksum,
    /// Uploads are removed with DELETE (T-130).
    Termination,
    /// Partial uploads are joined (T-140).
    Concatenation,
    /// … also before they are complete (T-152).
    ConcatenationUnfinished,
}

impl Extension {
    /// Every extension we can offer, in the order in which they are listed.
    pub const ALL: [Self; 8] = [
        Self::Creation,
        Self::CreationWithUpload,
        Self::CreationDeferLength,
        Self::Expiration,
        Self::Checksum,
        Self::Termination,
        Self::Concatenation,
        Self::ConcatenationUnfinished,
    ];

    /// The name in `Tus-Extension`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::CreationWithUpload => "creation-with-upload",
            Self::CreationDeferLength => "creation-defer-length",
            Self::Expiration => "expiration",
            Self::Checksum => "checksum",
            Self::Termination => "termination",
            Self::Concatenation => "concatenation",
            Self::ConcatenationUnfinished => "concatenation-unfinished",
        }
    }

    /// The extension without which this one means nothing.
    const fn rests_on(self) -> Option<Self> {
        match self {
            Self::CreationWithUpload | Self::CreationDeferLength | Self::Concatenation => {
                Some(Self::Creation)
            }
            Self::ConcatenationUnfinished => Some(Self::Concatenation),
            Self::Creation | Self::Expiration | Self::Checksum | Self::Termination => None,
        }
    }
}

/// What this gateway offers over tus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    extensions: Vec<Extension>,
    /// Longest upload, sent as `Tus-Max-Size` (T-10).
    pub max_length: Option<UploadLength>,
    /// Longest `Upload-Metadata` (T-78).
    pub max_metadata_bytes: usize,
    /// Most parts of a final upload.
    pub max_parts: usize,
}

impl Profile {
    /// The extensions that are wanted and rest on something; the order is ours, not the caller's.
    #[must_use]
    pub fn new(wanted: impl IntoIterator<Item = Extension>, limits: &Limits) -> Self {
        let wanted: Vec<Extension> = wanted.into_iter().collect();
        let mut extensions: Vec<Extension> = Vec::new();
        // `ALL` lists every extension behind the one it rests on.
        for extension in Extension::ALL {
            let rests = extension.rests_on().is_none_or(|basis| extensions.contains(&basis));
            if rests && wanted.contains(&extension) {
                extensions.push(extension);
            }
        }
        Self {
            extensions,
            max_length: limits.max_length,
            max_metadata_bytes: limits.max_metadata_bytes,
            max_parts: limits.max_parts,
        }
    }

    /// Whether an extension is on.
    #[must_use]
    pub fn has(&self, extension: Extension) -> bool {
        self.extensions.contains(&extension)
    }

    /// Refuses what needs an extension that is off.
    ///
    /// # Errors
    ///
    /// [`Problem::ExtensionOff`].
    pub fn require(&self, extension: Extension) -> Result<(), Problem> {
        if self.has(extension) {
            Ok(())
        } else {
            Err(Problem::ExtensionOff { extension: extension.name() })
        }
    }

    /// The value of `Tus-Extension`; `None` when nothing is on (T-9).
    #[must_use]
    pub fn listed(&self) -> Option<String> {
        let names: Vec<_> = self.extensions.iter().map(|extension| extension.name()).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Refuses more bytes than one upload may have (T-65, T-88).
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`].
    pub fn admit(&self, bytes: u64) -> Result<(), Problem> {
        match self.max_length {
            Some(max) if bytes > max.get() => Err(Problem::TooLarge { max }),
            Some(_) | None => Ok(()),
        }
    }

    /// The methods that an upload's address takes.
    #[must_use]
    pub fn methods_of_an_upload(&self) -> &'static str {
        if self.has(Extension::Termination) {
            "OPTIONS, HEAD, GET, PATCH, DELETE"
        } else {
            "OPTIONS, HEAD, GET, PATCH"
        }
    }

    /// The methods that an upload's address takes where uploads cannot be continued.
    #[must_use]
    pub fn methods_of_a_file(&self) -> &'static str {
        if self.has(Extension::Termination) {
            "OPTIONS, HEAD, GET, DELETE"
        } else {
            "OPTIONS, HEAD, GET"
        }
    }

    /// The methods that the endpoint takes.
    #[must_use]
    pub fn methods_of_the_endpoint(&self) -> &'static str {
        if self.has(Extension::Creation) { "OPTIONS, POST" } else { "OPTIONS" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(wanted: &[Extension]) -> Option<String> {
        Profile::new(wanted.iter().copied(), &Limits::default()).listed()
    }

    #[test]
    fn everything_on_is_listed_in_a_fixed_order() {
        let mut wanted = Extension::ALL;
        wanted.reverse();
        assert_eq!(
            listed(&wanted).as_deref(),
            Some(
                "creation,creation-with-upload,creation-defer-length,expiration,checksum,\
                 termination,concatenation,concatenation-unfinished"
            )
        );
    }

    #[test]
    fn nothing_on_means_no_list_at_all() {
        assert_eq!(listed(&[]), None);
    }

    #[test]
    fn what_builds_on_creation_is_off_without_it() {
        use Extension as E;
        assert_eq!(listed(&[E::CreationWithUpload, E::CreationDeferLength]), None);
        assert_eq!(listed(&[E::Concatenation, E::ConcatenationUnfinished]), None);
        assert_eq!(listed(&[E::Creation, E::ConcatenationUnfinished]).as_deref(), Some("creation"));
    }

    #[test]
    fn exactly_the_maximum_is_admitted() {
        let limits = Limits { max_length: UploadLength::new(10), ..Limits::default() };
        let profile = Profile::new([], &limits);
        assert_eq!(profile.admit(10), Ok(()));
        assert!(profile.admit(11).is_err());
    }
}
