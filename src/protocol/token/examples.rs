//! What the tests of tokens share: signers of every kind, with the keys that know them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use ring::{hmac, rsa};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::jws::Algorithm;
use super::key::Key;

pub(crate) const RSA_PUBLIC: &str = include_str!("../../../tests/keys/rsa-public.pem");
pub(crate) const EC_PUBLIC: &str = include_str!("../../../tests/keys/ec-public.pem");
pub(crate) const ED25519_PUBLIC: &str = include_str!("../../../tests/keys/ed25519-public.pem");
const RSA_PRIVATE: &str = include_str!("../../../tests/keys/rsa-private.pem");
const ED25519_PRIVATE: &str = include_str!("../../../tests/keys/ed25519-private.pem");
const EC_PRIVATE: &str = include_str!("../../../tests/keys/ec-private.pem");

/// A moment at which [`claims`] are good.
pub(crate) const NOW_SECONDS: u64 = 1_403_697_600;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Claims of this owner that are good for a minute.
pub(crate) fn claims(owner: &str) -> Value {
    json!({"sub": owner, "exp": NOW_SECONDS + 60})
}

/// Signs tokens.
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    pub(crate) id: Option<&'static str>,
    secret: Secret,
}

enum Secret {
    Hs256(Vec<u8>),
    Rs256(Box<RsaKeyPair>),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn hs256(id: Option<&'static str>, secret: &[u8]) -> Self {
        Self { algorithm: Algorithm::Hs256, id, secret: Secret::Hs256(secret.to_vec()) }
    }

    pub(crate) fn rs256(id: Option<&'static str>) -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA_PRIVATE.as_bytes()).unwrap();
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        Self { algorithm: Algorithm::Rs256, id, secret: Secret::Rs256(Box::new(pair)) }
    }

    pub(crate) fn es256(id: Option<&'static str>) -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(EC_PRIVATE.as_bytes()).unwrap();
        let (way, der) = (&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der());
        let pair = EcdsaKeyPair::from_pkcs8(way, der, &SystemRandom::new()).unwrap();
        Self { algorithm: Algorithm::Es256, id, secret: Secret::Es256(pair) }
    }

    pub(crate) fn eddsa(id: Option<&'static str>, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Self { algorithm: Algorithm::EdDsa, id, secret: Secret::EdDsa(pair) }
    }

    /// The signer whose public half is [`ED25519_PUBLIC`].
    pub(crate) fn eddsa_of_the_file() -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(ED25519_PRIVATE.as_bytes()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).unwrap();
        Self { algorithm: Algorithm::EdDsa, id: None, secret: Secret::EdDsa(pair) }
    }

    /// One of each.
    pub(crate) fn all() -> [Self; 4] {
        [
            Self::hs256(Some("h"), &[7; 32]),
            Self::rs256(Some("r")),
            Self::es256(Some("e")),
            Self::eddsa(Some("d"), 7),
        ]
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Hs256(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), bytes).as_ref().to_vec()
            }
            Secret::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            Secret::Es256(pair) => {
                pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec()
            }
            Secret::EdDsa(pair) => pair.sign(bytes).as_ref().to_vec(),
        }
    }

    /// A token under a header of one's own.
    pub(crate) fn token_under(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", base64url(signature))
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        let mut header = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        if let Some(id) = self.id {
            header["kid"] = json!(id);
        }
        self.token_under(&header, claims)
    }

    /// The key that knows its tokens, as a member of a set.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Hs256(secret) => json!({"kty": "oct", "k": base64url(secret)}),
            Secret::Rs256(pair) => {
                let parts: rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": base64url(parts.n), "e": base64url(parts.e)})
            }
            Secret::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Secret::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
        };
        if let Some(id) = self.id {
            jwk["kid"] = json!(id);
        }
        jwk
    }

    pub(crate) fn key(&self) -> Key {
        let set = json!({"keys": [self.jwk()]}).to_string();
        Key::from_set(set.as_bytes()).unwrap().remove(0)
    }
}
