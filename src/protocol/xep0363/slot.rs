//! Slots that we issue ourselves: what may be asked for, and the URLs.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::protocol::location::Outside;
use crate::upload::{Timestamp, UploadLength};

use super::jwt::{Claims, MAX_TOKEN_BYTES};
use super::path::{BasePath, SlotPath};
use super::request::OCTET_STREAM;
use super::secret::Secret;

/// Longest file name, in bytes: 255 characters of any script.
const MAX_NAME_BYTES: usize = 1020;
/// Longest file name in a URL whose token is part of the path.
const MAX_PLAIN_NAME_BYTES: usize = 128;
/// Longest media type.
const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A message: the default.
    Message,
    /// An avatar and the like: small, and kept.
    Profile,
    /// To be gone by a moment that the client names.
    Ephemeral {
        /// From here on the file must not be served.
        expire_before: Timestamp,
    },
    /// To be kept for long.
    Permanent,
}

/// What one purpose allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurposeLimits {
    /// Largest file; `None` for no bound.
    pub max_size: Option<UploadLength>,
    /// How long files are kept; `None` for ever.
    pub retention: Option<Duration>,
}

/// What is allowed for which purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotLimits {
    /// Messages, which can always be asked for.
    pub message: PurposeLimits,
    /// Offered if there.
    pub profile: Option<PurposeLimits>,
    /// Offered if there.
    pub ephemeral: Option<PurposeLimits>,
    /// Offered if there.
    pub permanent: Option<PurposeLimits>,
    /// `type/subtype` or `type/*`, lower-case; empty allows every type. Encrypted files come as
    /// `application/octet-stream` or under the type of what they hide.
    pub media_types: Vec<String>,
}

/// What somebody asks a slot for, before anything of it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotOrder {
    /// Bare JID of who asks, as the XMPP server says it.
    pub uploader: String,
    /// What the file is called.
    pub file_name: String,
    /// Its bytes.
    pub size: u64,
    /// Its media type, if it was said.
    pub media_type: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
}

/// Why somebody gets no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotRefusal {
    /// The request is not one: the text says what about it.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The file is larger than allowed.
    #[error("the file is too large; at most {max} bytes are taken")]
    TooLarge {
        /// The bound that was passed.
        max: UploadLength,
    },
    /// Files of this type are not taken.
    #[error("files of this type are not taken")]
    MediaTypeNotAllowed,
    /// The purpose is not offered.
    #[error("this purpose is not offered")]
    PurposeNotOffered,
    /// This user may not upload.
    #[error("you may not upload here")]
    NotAllowed,
    /// This user has used up what is allowed for now.
    #[error("the quota is used up")]
    QuotaReached {
        /// When to try again, if that is known.
        retry_at: Option<Timestamp>,
    },
    /// No slot can be made at the moment.
    #[error("no slot can be made at the moment")]
    Unavailable,
}

/// An order that may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Bare JID of who asks.
    pub uploader: String,
    /// What the file is called; a segment of a path.
    pub file_name: String,
    /// Its bytes.
    pub length: UploadLength,
    /// Its media type.
    pub media_type: String,
    /// When it has to go, if it has to.
    pub file_expires_at: Option<Timestamp>,
}

impl SlotLimits {
    /// The bounds of a purpose; `None` if it is not offered.
    #[must_use]
    pub const fn of(&self, purpose: Purpose) -> Option<PurposeLimits> {
        match purpose {
            Purpose::Message => Some(self.message),
            Purpose::Profile => self.profile,
            Purpose::Ephemeral { .. } => self.ephemeral,
            Purpose::Permanent => self.permanent,
        }
    }

    /// Judges an order. Who may ask at all, and quotas, are judged elsewhere.
    ///
    /// # Errors
    ///
    /// [`SlotRefusal`], by what is wrong.
    pub fn judge(&self, order: SlotOrder, now: Timestamp) -> Result<Allowed, SlotRefusal> {
        let limits = self.of(order.purpose).ok_or(SlotRefusal::PurposeNotOffered)?;
        check_name(&order.file_name)?;
        let length = UploadLength::new(order.size).filter(|length| *length != UploadLength::ZERO);
        let length = length.ok_or(SlotRefusal::BadRequest("size has to be a positive integer"))?;
        if let Some(max) = limits.max_size.filter(|max| length > *max) {
            return Err(SlotRefusal::TooLarge { max });
        }
        let media_type = order.media_type.unwrap_or_else(|| OCTET_STREAM.to_owned());
        self.check_media_type(&media_type)?;
        let file_expires_at = expiry(order.purpose, limits.retention, now)?;
        let (uploader, file_name) = (order.uploader, order.file_name);
        Ok(Allowed { uploader, file_name, length, media_type, file_expires_at })
    }

    fn check_media_type(&self, text: &str) -> Result<(), SlotRefusal> {
        let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        let sound = text.len() <= MAX_MEDIA_TYPE_BYTES && text.bytes().all(visible);
        if !sound || !text.contains('/') {
            return Err(SlotRefusal::BadRequest("content-type is no media type"));
        }
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let kind = essence.split('/').next().unwrap_or_default();
        let matches = |pattern: &String| match pattern.strip_suffix("/*") {
            Some(wanted) => wanted == kind,
            None => *pattern == essence,
        };
        if self.media_types.is_empty() || self.media_types.iter().any(matches) {
            Ok(())
        } else {
            Err(SlotRefusal::MediaTypeNotAllowed)
        }
    }
}

/// Whether the name can be one segment of a path.
fn check_name(name: &str) -> Result<(), SlotRefusal> {
    let sound = name.len() <= MAX_NAME_BYTES && !name.contains('/') && SlotPath::new(name).is_ok();
    if sound { Ok(()) } else { Err(SlotRefusal::BadRequest("filename cannot be used")) }
}

/// The earlier of what the client wants and what is configured.
fn expiry(
    purpose: Purpose,
    retention: Option<Duration>,
    now: Timestamp,
) -> Result<Option<Timestamp>, SlotRefusal> {
    let kept_until = retention.map(|retention| now.after(retention));
    let Purpose::Ephemeral { expire_before } = purpose else { return Ok(kept_until) };
    if expire_before <= now {
        return Err(SlotRefusal::BadRequest("expire-before is in the past"));
    }
    Ok(Some(kept_until.map_or(expire_before, |until| until.min(expire_before))))
}

/// Where the token of a slot travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// In `Authorization`: both URLs are the same.
    Header,
    /// In the path of the PUT URL, all of it unreserved ASCII: ejabberd hands on no headers, and
    /// escapes whatever else a URL may hold.
    Path,
}

/// A slot as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where to put the file.
    pub put: String,
    /// Where anybody gets it, who knows this.
    pub get: String,
    /// What the PUT has to carry in `Authorization`.
    pub authorization: Option<String>,
    /// What it is stored under.
    pub path: SlotPath,
}

/// Makes slots of allowed orders. The matching tenant has [`super::Scheme::Own`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Scheme, host and prefix, as clients see them.
    outside: Outside,
    base: BasePath,
    secret: Secret,
    /// How long a PUT may begin; about 300 s is usual.
    lifetime: Duration,
}

impl Issuer {
    /// An issuer for the tenant with this base path and secret, reached under `public_url`.
    ///
    /// `None` unless that is `http(s)://host[:port][/prefix]`.
    #[must_use]
    pub fn new(
        public_url: &str,
        base: BasePath,
        secret: Secret,
        lifetime: Duration,
    ) -> Option<Self> {
        let outside = Outside::from_public_url(public_url)?;
        Some(Self { outside, base, secret, lifetime })
    }

    /// The slot named by `random`, which nobody can guess.
    ///
    /// # Errors
    ///
    /// [`SlotRefusal::BadRequest`] if what has to stand in the path, or in the field, is too long for it.
    pub fn issue(
        &self,
        order: &Allowed,
        random: [u8; 18],
        carrier: Carrier,
        now: Timestamp,
    ) -> Result<Slot, SlotRefusal> {
        let too_long = SlotRefusal::BadRequest("filename is too long");
        let name = match carrier {
            Carrier::Header => order.file_name.clone(),
            Carrier::Path => plain_name(&order.file_name),
        };
        let id = BASE64_URL_SAFE_NO_PAD.encode(random);
        let path = SlotPath::new(&format!("{id}/{name}")).map_err(|_| too_long)?;
        let claims = self.claims(order, &id, &name, now);
        let token = claims.signed(&self.secret).ok_or(SlotRefusal::Unavailable)?;
        let get = self.url(&path);
        let (put, authorization) = match carrier {
            Carrier::Header => {
                let value = format!("Bearer {token}");
                // A client drops longer fields, and we take no longer tokens.
                if value.len() > MAX_TOKEN_BYTES {
                    return Err(SlotRefusal::BadRequest("address and filename are too long"));
                }
                (get.clone(), Some(value))
            }
            Carrier::Path => {
                let put = SlotPath::new(&format!("{id}/{token}/{name}")).map_err(|_| too_long)?;
                (self.url(&put), None)
            }
        };
        Ok(Slot { put, get, authorization, path })
    }

    fn claims(&self, order: &Allowed, id: &str, name: &str, now: Timestamp) -> Claims {
        Claims {
            sub: order.uploader.clone(),
            iat: Some(now.unix_seconds()),
            exp: now.after(self.lifetime).unix_seconds(),
            slot: id.to_owned(),
            filename: name.to_owned(),
            filesize: order.length.get(),
            filetype: order.media_type.clone(),
            expires: order.file_expires_at.map(Timestamp::unix_seconds),
        }
    }

    fn url(&self, path: &SlotPath) -> String {
        let origin = self.outside.origin.as_deref().unwrap_or_default();
        format!("{origin}{}{}/{}", self.outside.prefix, self.base.encoded(), path.encoded())
    }
}

/// The name with everything but ASCII letters, digits and `_ . -` made `_`; its end is kept.
fn plain_name(name: &str) -> String {
    let plain = |letter: char| {
        let kept = letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        if kept { letter } else { '_' }
    };
    let all: Vec<char> = name.chars().map(plain).collect();
    all.iter().skip(all.len().saturating_sub(MAX_PLAIN_NAME_BYTES)).collect()
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
