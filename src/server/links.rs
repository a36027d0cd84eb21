//! Makes upload links.

use std::time::Duration;

use crate::config::{Address, Settings};
use crate::engine::{Clock as _, SystemClock};
use crate::protocol::location::{Outside, Place};
use crate::protocol::token::link::{Link, PARAMETER};
use crate::protocol::token::owner;
use crate::upload::UploadLength;

use super::error::ServerError;
use super::{authority, data_dir};

pub use crate::protocol::token::{Verb, Verbs};

/// No link lives longer: whoever needs that needs a token.
const MAX_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// What a link is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// To whom uploads made with it belong.
    pub owner: String,
    /// How long it lives, from now on.
    pub life: Duration,
    /// Longest upload that may be created with it, in bytes.
    pub max_bytes: Option<u64>,
    /// What it is good for.
    pub verbs: Verbs,
}

/// The URL of a new link. Nothing of it is kept anywhere: it cannot be listed or taken back, except
/// by changing the secret, which ends every link.
///
/// # Errors
///
/// [`ServerError::Link`] if it cannot be as wanted, [`ServerError::Secret`] if it cannot be signed.
pub fn create(settings: &Settings, wanted: &Wanted) -> Result<String, ServerError> {
    let links = &settings.auth.links;
    if !links.enabled {
        return Err(ServerError::Link("auth.links.enabled = false: links would not be taken"));
    }
    let link = Link {
        owner: owner(&wanted.owner).ok_or(ServerError::Link(
            "the owner of a link is 1 to 256 bytes of text without control characters, and \
             without blanks at its ends",
        ))?,
        expires_at: expiry(wanted.life)?,
        max_length: bound(wanted.max_bytes)?,
        verbs: wanted.verbs,
    };
    let place = place(settings)?;
    let secret = match &links.secret_file {
        Some(path) => authority::named(path)?,
        None => data_dir::secret_in(&settings.server.data_dir)?,
    };
    let text = link.sign(&authority::link_key(&secret));
    let text = text.ok_or(ServerError::Link("the link cannot be signed"))?;
    Ok(format!("{}?{PARAMETER}={text}", place.endpoint()))
}

fn expiry(life: Duration) -> Result<crate::upload::Timestamp, ServerError> {
    if life < Duration::from_secs(1) || life > MAX_LIFE {
        return Err(ServerError::Link("a link lives between 1s and 10 years"));
    }
    // Up to the next whole second, so that no link is shorter than wanted.
    Ok(SystemClock.now().after(life + Duration::from_millis(999)))
}

fn bound(max_bytes: Option<u64>) -> Result<Option<UploadLength>, ServerError> {
    let Some(bytes) = max_bytes else { return Ok(None) };
    UploadLength::new(bytes).map(Some).ok_or(ServerError::Link("no upload is that long"))
}

/// Where clients reach the endpoint: the public URL, or the first address that is listened on.
fn place(settings: &Settings) -> Result<Place, ServerError> {
    let server = &settings.server;
    let scheme = if settings.tls.certificate.is_some() { "https" } else { "http" };
    let url = server.public_url.clone().or_else(|| {
        server.listen.addresses().iter().find_map(|address| match address {
            Address::Tcp(address) if address.port() == 0 => None,
            Address::Tcp(address) if address.ip().is_unspecified() => {
                Some(format!("{scheme}://localhost:{}", address.port()))
            }
            Address::Tcp(address) => Some(format!("{scheme}://{address}")),
            Address::Unix(_) => None,
        })
    });
    let outside = url.and_then(|url| Outside::from_public_url(&url));
    let outside = outside.ok_or(ServerError::Link(
        "nobody knows where clients reach the gateway; set server.public_url, or give the same \
         --listen as to the gateway",
    ))?;
    Ok(Place { base_path: server.base_path.clone(), outside, link: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::Timestamp;

    fn settings(folder: &tempfile::TempDir) -> Settings {
        let mut settings = Settings::default();
        settings.server.data_dir = folder.path().to_owned();
        settings
    }

    fn wanted() -> Wanted {
        Wanted {
            owner: "ann".to_owned(),
            life: Duration::from_secs(60),
            max_bytes: Some(7),
            verbs: Verbs::UPLOAD,
        }
    }

    fn said(settings: &Settings, wanted: &Wanted) -> String {
        create(settings, wanted).unwrap_err().to_string()
    }

    #[test]
    fn a_link_is_known_by_the_gateway_of_the_same_directory() {
        let folder = tempfile::tempdir().unwrap();
        let url = create(&settings(&folder), &wanted()).unwrap();
        let text = url.strip_prefix("http://127.0.0.1:8080/files?link=").unwrap();
        let key = authority::link_key(&data_dir::secret_in(folder.path()).unwrap());
        let link = Link::read(text.as_bytes(), &key, SystemClock.now()).unwrap();
        assert_eq!((link.owner.name(), link.verbs), (Some("ann"), Verbs::UPLOAD));
        assert_eq!(link.max_length, UploadLength::new(7));
        let life = link.expires_at.since(SystemClock.now());
        assert!(life <= Duration::from_secs(61) && link.expires_at > Timestamp::default());
    }

    #[test]
    fn a_link_leads_where_clients_reach_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder);
        settings.server.public_url = Some("https://up.example.org/in".to_owned());
        let url = create(&settings, &wanted()).unwrap();
        assert!(url.starts_with("https://up.example.org/in/files?link=tgl1."), "{url}");
    }

    #[test]
    fn what_cannot_be_a_link_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder);
        let nameless = Wanted { owner: " ".to_owned(), ..wanted() };
        assert!(said(&settings, &nameless).contains("the owner of a link"));
        let brief = Wanted { life: Duration::from_millis(1), ..wanted() };
        assert!(said(&settings, &brief).contains("between 1s"));
        let huge = Wanted { max_bytes: Some(u64::MAX), ..wanted() };
        assert!(said(&settings, &huge).contains("no upload is that long"));
        settings.auth.links.enabled = false;
        assert!(said(&settings, &wanted()).contains("auth.links.enabled"));
    }
}
