//! `DELETE` of a session: cancels it (C-90 to C-92).

use crate::protocol::head::ResponseHead;
use crate::protocol::problem::Problem;

use super::terms::Terms;

/// The methods of a session's URL.
#[must_use]
pub const fn methods_of_a_session(terms: &Terms) -> &'static str {
    if terms.cancel {
        "OPTIONS, GET, HEAD, PUT, POST, DELETE"
    } else {
        "OPTIONS, GET, HEAD, PUT, POST"
    }
}

/// Whether sessions may be cancelled at all.
///
/// # Errors
///
/// [`Problem::MethodNotAllowed`] if not (C-92).
pub const fn allowed(terms: &Terms) -> Result<(), Problem> {
    if terms.cancel {
        Ok(())
    } else {
        Err(Problem::MethodNotAllowed { allow: methods_of_a_session(terms) })
    }
}

/// `204`: the session is gone.
#[must_use]
pub const fn terminated() -> ResponseHead {
    ResponseHead::new(204)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::chunked::terms::tests::terms;

    #[test]
    fn nothing_is_cancelled_where_nothing_is_deleted() {
        assert_eq!(allowed(&terms()), Ok(()));
        let kept = Terms { cancel: false, ..terms() };
        let allow = "OPTIONS, GET, HEAD, PUT, POST";
        assert_eq!(allowed(&kept), Err(Problem::MethodNotAllowed { allow }));
        assert!(methods_of_a_session(&terms()).ends_with("DELETE"));
    }
}
