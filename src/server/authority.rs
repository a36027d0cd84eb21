//! Who may do what, put together from the settings.

use std::sync::Arc;

use crate::auth::{Authority, Parts, StaticToken, Tokens};
use crate::config::{Settings, Size};
use crate::upload::UploadLength;

use super::error::ServerError;

/// The authority that `settings` describe.
///
/// # Errors
///
/// [`ServerError::Token`] if a token cannot be used, for instance because its file went away.
pub fn build(settings: &Settings) -> Result<Arc<Authority>, ServerError> {
    let parts =
        Parts { tokens: tokens(settings)?, required: settings.auth.required, ..Parts::default() };
    Ok(Arc::new(Authority::new(parts)))
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
