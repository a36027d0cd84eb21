//! Which upload a slot is, and whose.

use sha1::{Digest as _, Sha1};

use crate::protocol::id_key::IdKey;
use crate::upload::{Metadata, MetadataError, Owner, UploadId};

use super::path::{BasePath, SlotPath};
use super::tenant::{OwnerHint, Scheme, Tenant, Verified};

/// Leads slots to uploads; never printed.
#[derive(Clone, Debug)]
pub struct SlotKey(IdKey);

impl SlotKey {
    /// The key with these bytes: secret, and the same for the life of the data directory.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(IdKey::new(bytes))
    }

    /// The upload that a slot is: always the same one, however its URL was escaped.
    #[must_use]
    pub fn upload(&self, base: &BasePath, slot: &SlotPath) -> UploadId {
        // No path holds a NUL, so that the one in between tells where the slot begins.
        self.0.upload(&[base.as_str().as_bytes(), &[0], slot.as_str().as_bytes()])
    }
}

/// Who owns what is put into a slot: whom the issuer names, otherwise everybody of the tenant.
#[must_use]
pub fn owner(base: &BasePath, hint: Option<&OwnerHint>) -> Owner {
    let name = match hint {
        Some(OwnerHint::Jid(name) | OwnerHint::Segment(name)) => name.as_str(),
        None => base.as_str(),
    };
    Owner::named(format!("xmpp:{name}"))
}

/// The name under which ejabberd's `external_secret` knows an owner that is named by a bare JID: the
/// SHA-1 of that.
#[must_use]
pub fn hashed(owner: &Owner) -> Option<Owner> {
    let jid = owner.name()?.strip_prefix("xmpp:").filter(|name| name.contains('@'))?;
    let digits = Sha1::digest(jid.as_bytes())
        .iter()
        .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    Some(Owner::named(format!("xmpp:{digits}")))
}

/// Who owns a file whose token nobody has seen, because it was there before the gateway: as if its
/// token had named whom the scheme puts in front of the path.
#[must_use]
pub fn owner_by_path(tenant: &Tenant, slot: &SlotPath) -> Owner {
    let mut segments = slot.segments();
    let hint = match (&tenant.scheme, segments.next(), segments.count()) {
        (Scheme::Ejabberd, Some(first), 2) => Some(OwnerHint::Segment(first.to_owned())),
        (
            Scheme::Ejabberd
            | Scheme::Prosody
            | Scheme::Metronome { .. }
            | Scheme::FileShare { .. }
            | Scheme::HmacFileServer
            | Scheme::Own,
            _,
            _,
        ) => None,
    };
    owner(&tenant.base, hint.as_ref())
}

/// What is remembered of a file: the name in its URL, and its type.
///
/// # Errors
///
/// None that anybody could cause: both keys are plain words.
pub fn metadata(verified: &Verified) -> Result<Metadata, MetadataError> {
    described(&verified.path, &verified.media_type)
}

/// As [`metadata`], of a file with this path and type.
///
/// # Errors
///
/// As [`metadata`].
pub fn described(path: &SlotPath, media_type: &str) -> Result<Metadata, MetadataError> {
    Metadata::of([("filename", path.file_name().as_bytes()), ("filetype", media_type.as_bytes())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(base: &str, path: &str) -> UploadId {
        let base = BasePath::new(base).unwrap();
        SlotKey::new([7; 32]).upload(&base, &base.slot(path).unwrap())
    }

    #[test]
    fn one_slot_is_one_upload_however_it_is_escaped() {
        let plain = id("/upload", "/upload/x/è.txt");
        assert_eq!(id("/upload", "/upload/x/%C3%A8.txt"), plain);
        assert_eq!(id("/upload", "/upload/%78/%c3%a8.txt"), plain);
        assert_ne!(id("/upload", "/upload/x/e.txt"), plain);
        assert_ne!(id("/other", "/other/x/è.txt"), plain);
        assert_ne!(id("/a", "/a/b/c"), id("/a/b", "/a/b/c"));
    }

    #[test]
    fn an_owner_with_an_address_has_a_second_name_on_ejabberd() {
        let hashed = |name: &str| {
            let hashed = hashed(&Owner::named(name.to_owned()));
            hashed.and_then(|owner| owner.name().map(str::to_owned))
        };
        let sha1 = "xmpp:9637f279e87dc3aba7eb582ceceaa621fa695865".to_owned();
        assert_eq!(hashed("xmpp:alice@localhost"), Some(sha1));
        for other in
            ["xmpp:/upload", "alice@localhost", "xmpp:9637f279e87dc3aba7eb582ceceaa621fa695865"]
        {
            assert_eq!(hashed(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_belongs_to_whom_the_issuer_names_or_to_the_tenant() {
        let base = BasePath::new("/upload").unwrap();
        let name = |hint: Option<OwnerHint>| owner(&base, hint.as_ref()).name().map(str::to_owned);
        let jid = OwnerHint::Jid("ann@example.org".to_owned());
        assert_eq!(name(Some(jid)).unwrap(), "xmpp:ann@example.org");
        assert_eq!(name(Some(OwnerHint::Segment("0a1b".to_owned()))).unwrap(), "xmpp:0a1b");
        assert_eq!(name(None).unwrap(), "xmpp:/upload");
    }

    #[test]
    fn a_file_that_was_there_before_belongs_to_whom_its_path_names() {
        let tenant = |scheme| Tenant {
            base: BasePath::new("/upload").unwrap(),
            scheme,
            secret: super::super::Secret::new("it-is-secret").unwrap(),
        };
        for (scheme, path, owner) in [
            (Scheme::Ejabberd, "0a1b/random/x.jpg", "xmpp:0a1b"),
            (Scheme::Ejabberd, "random/x.jpg", "xmpp:/upload"),
            (Scheme::Prosody, "0a1b/random/x.jpg", "xmpp:/upload"),
        ] {
            let found = owner_by_path(&tenant(scheme), &SlotPath::new(path).unwrap());
            assert_eq!(found.name(), Some(owner), "{path}");
        }
    }
}
