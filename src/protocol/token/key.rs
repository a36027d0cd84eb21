//! Keys that verify tokens. Each is for one algorithm, whatever a token says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use spki::ObjectIdentifier;
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::UintRef;
use spki::der::{Decode as _, Reader as _, SliceReader};

use super::jws::{Algorithm, Jws};

/// Fewer bytes than this are no secret for HMAC with SHA-256 (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// Most keys that a set may hold: each may have to be tried for a token without a key id.
pub const MAX_KEYS: usize = 32;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const EDWARDS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Something that verifies signatures of one kind.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Hs256(hmac::Key),
    /// Modulus and exponent, the highest byte first and not zero.
    Rs256(Vec<u8>, Vec<u8>),
    /// An uncompressed point.
    Es256([u8; 65]),
    EdDsa([u8; 32]),
}

/// Why something is no key. Says nothing of what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A secret that could be guessed.
    #[error("is shorter than {MIN_SECRET_BYTES} bytes; HS256 needs a longer secret")]
    ShortSecret,
    /// A public key where a secret belongs: everybody knows it.
    #[error("is a PEM file; HS256 needs a secret, and a public key is none")]
    PublicSecret,
    /// Not a public key in PEM.
    #[error("holds no public key in PEM (BEGIN PUBLIC KEY)")]
    NotPem,
    /// A key of a kind that no algorithm here uses.
    #[error("holds a key of another kind; RSA from 2048 bits, EC on P-256 and Ed25519 are known")]
    Kind,
    /// A key of the kind of another algorithm.
    #[error("holds a key for {holds}, not for {wanted}", holds = holds.name(), wanted = wanted.name())]
    Other {
        /// What it is for.
        holds: Algorithm,
        /// What the settings say.
        wanted: Algorithm,
    },
    /// Not a JWK set.
    #[error("is not a set of JSON Web Keys; it looks like {{\"keys\":[..]}}")]
    NotASet,
    /// One of the keys of a set is damaged.
    #[error("key {number} of the set is damaged, or its parts do not fit its kind")]
    Damaged {
        /// Which one, counted from 1.
        number: usize,
    },
    /// A set with more keys than we try.
    #[error("holds more than {MAX_KEYS} keys")]
    TooMany,
}

impl Key {
    /// The HS256 key with these bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::ShortSecret`], [`KeyError::PublicSecret`].
    pub fn from_secret(id: Option<String>, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.starts_with(b"-----BEGIN") {
            return Err(KeyError::PublicSecret);
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::ShortSecret);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok(Self { id, material: Material::Hs256(key) })
    }

    /// The public key in a PEM file.
    ///
    /// # Errors
    ///
    /// [`KeyError`], also if it is for another algorithm than the wanted one.
    pub fn from_pem(id: Option<String>, wanted: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem)?;
        let info =
            SubjectPublicKeyInfoRef::try_from(info.as_ref()).map_err(|_| KeyError::NotPem)?;
        let key = Self { id, material: material(&info).ok_or(KeyError::Kind)? };
        let holds = key.algorithm();
        if holds == wanted { Ok(key) } else { Err(KeyError::Other { holds, wanted }) }
    }

    /// The keys of a JWK set (RFC 7517). Those of kinds that nothing here uses are left out.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is no set, or if a key that would be used is damaged: then the whole set
    /// is not believed.
    pub fn from_set(json: &[u8]) -> Result<Vec<Self>, KeyError> {
        let set: Set = serde_json::from_slice(json).map_err(|_| KeyError::NotASet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        let mut keys = Vec::new();
        for (number, jwk) in (1..).zip(set.keys) {
            let jwk: Jwk = Jwk::deserialize(jwk).map_err(|_| KeyError::Damaged { number })?;
            if jwk.is_for_us() {
                let material = jwk.material().ok_or(KeyError::Damaged { number })?;
                keys.push(Self { id: jwk.kid, material });
            }
        }
        Ok(keys)
    }

    /// What it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Rs256(..) => Algorithm::Rs256,
            Material::Es256(_) => Algorithm::Es256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether a token could be signed with it: the algorithm is its own, and the ids agree as far
    /// as both have one.
    fn could_have_signed(&self, token: &Jws<'_>) -> bool {
        let ids_agree = match (&self.id, &token.key_id) {
            (Some(mine), Some(wanted)) => mine == wanted,
            (None, _) | (_, None) => true,
        };
        ids_agree && self.algorithm() == token.algorithm
    }

    /// Whether it signed this token.
    pub(super) fn verifies(&self, token: &Jws<'_>) -> bool {
        if !self.could_have_signed(token) {
            return false;
        }
        let (signed, signature) = (token.signed, token.signature.as_slice());
        match &self.material {
            Material::Hs256(key) => hmac::verify(key, signed, signature).is_ok(),
            Material::Rs256(n, e) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            Material::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, signature)
                .is_ok(),
            Material::EdDsa(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok()
            }
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Key");
        shown.field("id", &self.id).field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// The key in a `SubjectPublicKeyInfo`; `None` for kinds that we do not know.
fn material(info: &SubjectPublicKeyInfoRef<'_>) -> Option<Material> {
    let bytes = info.subject_public_key.as_bytes()?;
    let kind = info.algorithm.oid;
    if kind == RSA {
        let mut reader = SliceReader::new(bytes).ok()?;
        let (n, e) = reader
            .sequence(|inner| {
                Ok::<_, spki::der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?))
            })
            .ok()?;
        rsa(n.as_bytes(), e.as_bytes())
    } else if kind == EC {
        let curve = ObjectIdentifier::try_from(info.algorithm.parameters?).ok()?;
        let point: [u8; 65] = bytes.try_into().ok()?;
        (curve == P256 && point.first() == Some(&4)).then_some(Material::Es256(point))
    } else if kind == EDWARDS {
        bytes.try_into().ok().map(Material::EdDsa)
    } else {
        None
    }
}

/// An RSA key of a size that can be trusted and that `ring` takes.
fn rsa(n: &[u8], e: &[u8]) -> Option<Material> {
    let plain = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        bytes.get(start..).map(<[u8]>::to_vec)
    };
    let (n, e) = (plain(n)?, plain(e)?);
    let sound = (256..=1024).contains(&n.len()) && (1..=5).contains(&e.len());
    sound.then_some(Material::Rs256(n, e))
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// One JSON Web Key, as far as we look at it.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

impl Jwk {
    /// The algorithm of its kind.
    fn algorithm(&self) -> Option<Algorithm> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Some(Algorithm::Hs256),
            ("RSA", _) => Some(Algorithm::Rs256),
            ("EC", Some("P-256")) => Some(Algorithm::Es256),
            ("OKP", Some("Ed25519")) => Some(Algorithm::EdDsa),
            _ => None,
        }
    }

    /// Whether it is for signatures of a kind we know.
    fn is_for_us(&self) -> bool {
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let kind = self.algorithm();
        let fits = self.alg.as_deref().is_none_or(|named| Algorithm::named(named) == kind);
        signs && kind.is_some() && fits
    }

    fn material(&self) -> Option<Material> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match self.algorithm()? {
            Algorithm::Hs256 => {
                let secret = bytes(&self.k).filter(|secret| secret.len() >= MIN_SECRET_BYTES)?;
                Some(Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
            }
            Algorithm::Rs256 => rsa(&bytes(&self.n)?, &bytes(&self.e)?),
            Algorithm::Es256 => {
                let coordinate = |text| <[u8; 32]>::try_from(bytes(text)?).ok();
                let (x, y) = (coordinate(&self.x)?, coordinate(&self.y)?);
                let point = [&[4][..], &x, &y].concat();
                point.try_into().ok().map(Material::Es256)
            }
            Algorithm::EdDsa => bytes(&self.x)?.try_into().ok().map(Material::EdDsa),
        }
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
