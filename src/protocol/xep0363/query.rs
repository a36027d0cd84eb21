//! The parameters of a URL that can hold a token.

use super::tenant::TokenError;

/// The value of a parameter, as it stands in the URL; `None` if it is not there.
///
/// Nothing is decoded: a token's characters need no escape, so that it has one written form. The
/// name is compared with its case.
///
/// # Errors
///
/// [`TokenError::Repeated`]: two writers put it there, and which to believe is not ours to guess.
pub fn parameter<'a>(query: &'a str, name: &str) -> Result<Option<&'a str>, TokenError> {
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    });
    let value = values.next();
    if values.next().is_some() { Err(TokenError::Repeated) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_exact_name_and_kept_as_it_is() {
        let query = "V=1&v2=2&v=a%3D+b=c&w";
        assert_eq!(parameter(query, "v"), Ok(Some("a%3D+b=c")));
        assert_eq!(parameter(query, "w"), Ok(Some("")));
        assert_eq!(parameter(query, "x"), Ok(None));
        assert_eq!(parameter("", "v"), Ok(None));
        assert_eq!(parameter("%76=1", "v"), Ok(None));
    }

    #[test]
    fn a_doubled_parameter_is_refused_even_if_both_agree() {
        for query in ["v=1&v=2", "v=1&v=1", "v=1&x=2&v", "v&v"] {
            assert_eq!(parameter(query, "v"), Err(TokenError::Repeated), "{query}");
        }
        assert_eq!(parameter("v=1&x=2&x=3", "v"), Ok(Some("1")));
    }
}
