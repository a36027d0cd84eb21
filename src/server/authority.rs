//! Who may do what, put together from the settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{
    Authority, Forward, ForwardSettings, Holds, Jwt, KeyFile, KeyFiles, Links, Parts, StaticToken,
    Tokens,
};
use crate::config::settings::{ForwardAuth, JwtAuth, KeyAlgorithm, KeySettings, LinkAuth};
use crate::config::{Settings, Size};
use crate::protocol::token::claims::ClaimRules;
use crate::protocol::token::jws::Algorithm;
use crate::protocol::token::link::LinkKey;
use crate::upload::UploadLength;

use super::data_dir::DataDir;
use super::error::ServerError;
use super::secret::{SIGNED_LINK, Secret};

/// The authority that `settings` describe. Reads files: blocking.
///
/// # Errors
///
/// [`ServerError`] if a token, a key file or a secret cannot be used.
pub fn build(data: &DataDir, settings: &Settings) -> Result<Guard, ServerError> {
    let keys = keys(&settings.auth.jwt)?;
    let rules = || ClaimRules {
        owner: settings.auth.jwt.owner_claim.clone(),
        issuer: settings.auth.jwt.issuer.clone(),
        audiences: settings.auth.jwt.audience.clone(),
        expiry_required: settings.auth.jwt.require_expiry,
        leeway: settings.auth.jwt.leeway.get(),
        limit: settings.auth.jwt.limit_claim.clone(),
        verbs: settings.auth.jwt.verbs_claim.clone(),
    };
    let jwt = keys.clone().map(|keys| Jwt {
        keys,
        rules: rules(),
        max_bytes: settings.auth.jwt.max_token_size.in_memory(),
    });
    // Made at the first start, whether links are taken or not.
    let secret = data.secret()?;
    let links = match &settings.auth.links {
        LinkAuth { enabled: false, .. } => None,
        LinkAuth { secret_file: None, .. } => Some(Links::new(link_key(&secret))),
        LinkAuth { secret_file: Some(path), .. } => Some(Links::new(link_key(&named(path)?))),
    };
    let parts = Parts {
        tokens: tokens(settings)?,
        jwt,
        links,
        forward: forward(&settings.auth.forward)?,
        required: settings.auth.required,
    };
    Ok(Guard { authority: Arc::new(Authority::new(parts)), keys })
}

/// An authority, and the files that have to be looked after for it.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Decides.
    pub authority: Arc<Authority>,
    /// Keys that may change.
    pub keys: Option<Arc<KeyFiles>>,
}

impl Guard {
    /// Reads the key files again, because somebody asked for it.
    pub async fn reload(&self) {
        let Some(keys) = self.keys.clone() else { return };
        if tokio::task::spawn_blocking(move || keys.reload()).await.is_err() {
            tracing::error!("reading the keys failed; the old ones stay in use");
        }
    }

    /// Looks after the key files, for ever.
    pub async fn follow(&self, interval: Duration) {
        let Some(keys) = self.keys.clone() else { return std::future::pending().await };
        loop {
            tokio::time::sleep(interval).await;
            let keys = Arc::clone(&keys);
            if tokio::task::spawn_blocking(move || keys.follow()).await.is_err() {
                tracing::error!("looking after the keys failed");
            }
        }
    }
}

/// The key that signs links.
#[must_use]
pub fn link_key(secret: &Secret) -> LinkKey {
    LinkKey::new(&secret.key_for(SIGNED_LINK))
}

/// The secret in a file that the settings name.
pub(super) fn named(path: &Path) -> Result<Secret, ServerError> {
    Secret::read(path).map_err(|source| ServerError::Secret { path: path.to_owned(), source })
}

/// The key files that `[auth.jwt]` names.
fn key_files(jwt: &JwtAuth) -> Vec<KeyFile> {
    let one = |key: &KeySettings| KeyFile {
        path: key.file.clone(),
        holds: Holds::One { algorithm: algorithm(key.algorithm), id: key.kid.clone() },
    };
    let set = jwt.jwks.clone().map(|path| KeyFile { path, holds: Holds::Set });
    jwt.keys.iter().map(one).chain(set).collect()
}

fn keys(jwt: &JwtAuth) -> Result<Option<Arc<KeyFiles>>, ServerError> {
    let files = key_files(jwt);
    if files.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(KeyFiles::load(files)?)))
}

const fn algorithm(algorithm: KeyAlgorithm) -> Algorithm {
    match algorithm {
        KeyAlgorithm::Hs256 => Algorithm::Hs256,
        KeyAlgorithm::Rs256 => Algorithm::Rs256,
        KeyAlgorithm::Es256 => Algorithm::Es256,
        KeyAlgorithm::EdDsa => Algorithm::EdDsa,
    }
}

/// Every file of `[auth]` that cannot be used, in words. Reads them: blocking.
#[must_use]
pub fn unusable_files(settings: &Settings) -> Vec<String> {
    let keys = key_files(&settings.auth.jwt);
    let mut complaints: Vec<String> = keys
        .iter()
        .filter_map(|file| file.check().err())
        .map(|error| format!("auth.jwt: {}", chain(&error)))
        .collect();
    if let Some(path) = &settings.auth.links.secret_file
        && let Err(error) = named(path)
    {
        complaints.push(format!("auth.links.secret_file: {}", chain(&error)));
    }
    complaints
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Asks on the runtime of whoever puts the gateway together: it outlives every request.
fn forward(forward: &ForwardAuth) -> Result<Option<Forward>, ServerError> {
    let Some(url) = forward.url.clone() else { return Ok(None) };
    let settings = ForwardSettings {
        url,
        ca: forward.ca.clone(),
        fields: forward.fields.clone(),
        owner_field: forward.owner_field.clone(),
        limit_field: forward.limit_field.clone(),
        timeout: forward.timeout.get(),
        max_requests: forward.max_requests,
        cache_entries: forward.cache_entries,
        max_age: forward.max_age.get(),
        refused_age: forward.refused_age.get(),
    };
    Ok(Some(Forward::new(settings, tokio::runtime::Handle::current())?))
}

fn tokens(settings: &Settings) -> Result<Tokens, ServerError> {
    let token = |token: &crate::config::token::TokenSettings| {
        let name = token.name.clone();
        let sha256 =
            token.digest().map_err(|source| ServerError::Token { name: name.clone(), source })?;
        Ok(StaticToken {
            name,
            sha256,
            max_length: token.max_size.map(Size::get).and_then(UploadLength::new),
            public_downloads: token.public_downloads,
        })
    };
    let tokens = settings.auth.tokens.iter().map(token);
    Ok(Tokens::new(tokens.collect::<Result<_, ServerError>>()?))
}
