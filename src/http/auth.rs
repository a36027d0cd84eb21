//! Who may do anything.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::protocol::bearer;
use crate::protocol::head::RequestHead;
use crate::protocol::problem::Problem;
use crate::upload::Owner;

use super::settings::AuthSettings;

/// Whom the request speaks for: the name of its token, or nobody in particular while no token is
/// configured.
///
/// Digests are compared, and every known token is looked at: neither the content nor the position
/// of a token shows in the time it takes.
///
/// # Errors
///
/// [`Problem::Unauthorized`] without a token that is known.
pub(super) fn owner(settings: &AuthSettings, head: &RequestHead<'_>) -> Result<Owner, Problem> {
    if settings.tokens.is_empty() {
        return Ok(Owner::anonymous());
    }
    let given = bearer::token(head).ok_or(Problem::Unauthorized)?;
    let given: [u8; 32] = Sha256::digest(given).into();
    let mut found = Choice::from(0);
    let mut position = 0_u64;
    for (index, token) in (0_u64..).zip(&settings.tokens) {
        let equal = token.sha256.ct_eq(&given);
        position.conditional_assign(&index, equal);
        found |= equal;
    }
    let known = (0_u64..).zip(&settings.tokens).find(|(index, _)| *index == position);
    match known {
        Some((_, token)) if bool::from(found) => Ok(Owner::named(token.name.clone())),
        Some(_) | None => Err(Problem::Unauthorized),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::settings::BearerToken;
    use crate::protocol::head::BodyLength;

    fn settings(tokens: &[(&str, &str)]) -> AuthSettings {
        let token = |(name, secret): &(&str, &str)| BearerToken {
            name: (*name).to_owned(),
            sha256: Sha256::digest(secret.as_bytes()).into(),
        };
        AuthSettings { tokens: tokens.iter().map(token).collect(), public_downloads: false }
    }

    fn ask(settings: &AuthSettings, token: Option<&str>) -> Result<Owner, Problem> {
        let line = token.map(|token| format!("Bearer {token}"));
        let fields = line.iter().map(|line| ("authorization", line.as_bytes())).collect();
        owner(settings, &RequestHead { method: "POST", path: "/", fields, body: BodyLength::Empty })
    }

    #[test]
    fn a_known_token_speaks_for_its_name() {
        let settings = settings(&[("ann", "one"), ("bob", "two")]);
        assert_eq!(ask(&settings, Some("one")), Ok(Owner::named("ann".to_owned())));
        assert_eq!(ask(&settings, Some("two")), Ok(Owner::named("bob".to_owned())));
    }

    #[test]
    fn without_a_known_token_nobody_gets_in() {
        let settings = settings(&[("ann", "one")]);
        for token in [None, Some("two"), Some("on"), Some("onee"), Some("")] {
            assert_eq!(ask(&settings, token), Err(Problem::Unauthorized), "{token:?}");
        }
    }

    #[test]
    fn while_no_token_is_configured_everybody_is_nobody_in_particular() {
        assert_eq!(ask(&settings(&[]), None), Ok(Owner::anonymous()));
        assert_eq!(ask(&settings(&[]), Some("any")), Ok(Owner::anonymous()));
    }
}
