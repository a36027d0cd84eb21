//! Certificates that are reloaded when their files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::TlsSettings;

/// Longest PEM file that is read: far more than any chain, far less than a mistake.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// What is wrong with a certificate or its key. Says which file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} {what}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, in words for the operator.
        what: &'static str,
    },
    /// Certificate and key cannot be used together.
    #[error("the key in {} cannot be used with the certificate in {}", key.display(), certificate.display())]
    Unfit {
        /// File of the certificate chain.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// What TLS says about it.
        #[source]
        source: Box<rustls::Error>,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up")]
    Setup(#[source] Box<rustls::Error>),
}

/// A certificate chain with its key; what is used for the next handshake.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<Stamps>,
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// [`CertificateError`]: what is wrong with which file.
    pub fn load(settings: &TlsSettings) -> Result<Arc<Self>, CertificateError> {
        // Looked at before reading: a change in between is noticed at the next look.
        let stamps = Stamps::of(&settings.certificate, &settings.key);
        let current = read(&settings.certificate, &settings.key)?;
        Ok(Arc::new(Self {
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            current: RwLock::new(Arc::new(current)),
            seen: Mutex::new(stamps),
        }))
    }

    /// Reads both files again; connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// [`CertificateError`]; what was used before goes on being used.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let stamps = Stamps::of(&self.certificate, &self.key);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        let fresh = read(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// Reloads if a file has changed since the last look, and logs what came of it. Blocking.
    pub fn reload_if_changed(&self) {
        let stamps = Stamps::of(&self.certificate, &self.key);
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == stamps {
            return;
        }
        match self.reload() {
            Ok(()) => {
                tracing::info!(certificate = %self.certificate.display(), "certificate reloaded");
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the new certificate is not usable; the old one stays");
            }
        }
    }

    /// How TLS is spoken with these certificates: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Setup`] if the cryptography is not available.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|source| CertificateError::Setup(Box::new(source)))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let unusable = |path: &Path, what| CertificateError::Unusable { path: path.to_owned(), what };
    let chain = CertificateDer::pem_slice_iter(&read_file(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(certificate, wrong_with(&error)))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "holds no certificate"));
    }
    let secret = match PrivateKeyDer::from_pem_slice(&read_file(key)?) {
        Err(pem::Error::NoItemsFound) => return Err(unusable(key, "holds no private key")),
        secret => secret.map_err(|error| unusable(key, wrong_with(&error)))?,
    };
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|source| CertificateError::Unfit {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source: Box::new(source),
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |source| CertificateError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_PEM_BYTES {
        let what = "is too long for a PEM file";
        return Err(CertificateError::Unusable { path: path.to_owned(), what });
    }
    fs::read(path).map_err(unreadable)
}

/// The words of the PEM reader itself could quote a line of the file.
fn wrong_with(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "is cut off: a section has no end",
        pem::Error::IllegalSectionStart { .. } => "is not PEM: a section has a bad first line",
        pem::Error::Base64Decode(_) => "is not PEM: a section is not base64",
        pem::Error::NoItemsFound => "holds nothing of use",
        pem::Error::SectionTooLarge => "is too long for a PEM file",
        pem::Error::Io(_) | _ => "is not PEM",
    }
}

/// What tells that a file is another one, or another version, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamps([Option<Stamp>; 2]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamps {
    fn of(certificate: &Path, key: &Path) -> Self {
        Self([certificate, key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some(Stamp {
                file: (found.dev(), found.ino()),
                bytes: found.len(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    /// A folder with a certificate and its key, just made.
    fn fresh() -> (TempDir, TlsSettings) {
        let folder = tempfile::tempdir().unwrap();
        let settings = TlsSettings {
            certificate: folder.path().join("chain.pem"),
            key: folder.path().join("key.pem"),
            reload_interval: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(1),
        };
        renew(&settings);
        (folder, settings)
    }

    fn renew(settings: &TlsSettings) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&settings.certificate, made.cert.pem()).unwrap();
        fs::write(&settings.key, made.signing_key.serialize_pem()).unwrap();
    }

    fn in_use(certificates: &Certificates) -> Vec<u8> {
        certificates.current.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_renewed_certificate_is_used_from_then_on() {
        let (_folder, settings) = fresh();
        let certificates = Certificates::load(&settings).unwrap();
        let before = in_use(&certificates);
        certificates.reload_if_changed();
        assert_eq!(in_use(&certificates), before);
        renew(&settings);
        certificates.reload_if_changed();
        assert_ne!(in_use(&certificates), before);
    }

    #[test]
    fn a_broken_new_certificate_leaves_the_old_one_in_use_until_it_is_mended() {
        let (_folder, settings) = fresh();
        let certificates = Certificates::load(&settings).unwrap();
        let before = in_use(&certificates);
        fs::write(&settings.certificate, "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
        assert!(certificates.reload().is_err());
        certificates.reload_if_changed();
        assert_eq!(in_use(&certificates), before);
        renew(&settings);
        certificates.reload_if_changed();
        assert_ne!(in_use(&certificates), before);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_of_the_file_and_without_its_content() {
        let (folder, settings) = fresh();
        let missing = TlsSettings { key: folder.path().join("none.pem"), ..settings.clone() };
        let error = Certificates::load(&missing).unwrap_err().to_string();
        assert_eq!(error, format!("cannot read {}", missing.key.display()));

        let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0!!\n-----END PRIVATE KEY-----\n";
        fs::write(&settings.key, secret).unwrap();
        let error = format!("{:?}", Certificates::load(&settings).unwrap_err());
        assert!(error.contains("key.pem") && !error.contains("c2VjcmV0"), "{error}");

        fs::write(&settings.key, "no key here").unwrap();
        let error = Certificates::load(&settings).unwrap_err().to_string();
        assert!(error.ends_with("key.pem holds no private key"), "{error}");
    }

    #[test]
    fn a_key_that_belongs_to_another_certificate_is_refused() {
        let (_folder, settings) = fresh();
        let (_other, others) = fresh();
        let mixed = TlsSettings { key: others.key, ..settings };
        assert!(matches!(Certificates::load(&mixed), Err(CertificateError::Unfit { .. })));
    }
}
