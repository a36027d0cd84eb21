//! What a slot answers when all is well. Downloads are answered by `protocol::download`.

use crate::protocol::head::ResponseHead;

use super::tenant::Scheme;

/// `PUT` done: the file is durable and can be fetched. Clients take 200 and 201 only, and show a
/// body to people, so there is none.
#[must_use]
pub const fn stored() -> ResponseHead {
    ResponseHead::new(201)
}

/// `DELETE` done, or done before.
#[must_use]
pub const fn deleted() -> ResponseHead {
    ResponseHead::new(204)
}

/// `OPTIONS`: any 2xx would do, some peers ask for 200.
#[must_use]
pub fn options(scheme: &Scheme) -> ResponseHead {
    ResponseHead::new(200).with("Allow", allow(scheme))
}

/// The methods that do something at a slot's address, as in `Allow`.
#[must_use]
pub const fn allow(scheme: &Scheme) -> &'static str {
    match scheme {
        Scheme::Metronome { delete_secret: Some(_) } => "OPTIONS, GET, HEAD, PUT, PATCH, DELETE",
        Scheme::Metronome { delete_secret: None }
        | Scheme::Prosody
        | Scheme::Ejabberd
        | Scheme::FileShare { .. }
        | Scheme::HmacFileServer
        | Scheme::Own => "OPTIONS, GET, HEAD, PUT, PATCH",
    }
}

/// The same where uploads cannot be continued.
#[must_use]
pub const fn allow_whole(scheme: &Scheme) -> &'static str {
    match scheme {
        Scheme::Metronome { delete_secret: Some(_) } => "OPTIONS, GET, HEAD, PUT, DELETE",
        Scheme::Metronome { delete_secret: None }
        | Scheme::Prosody
        | Scheme::Ejabberd
        | Scheme::FileShare { .. }
        | Scheme::HmacFileServer
        | Scheme::Own => "OPTIONS, GET, HEAD, PUT",
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    #[test]
    fn a_finished_put_is_201_without_a_body() {
        assert_eq!((stored().status, stored().body), (201, None));
        assert_eq!(deleted().status, 204);
    }

    #[test]
    fn only_an_issuer_that_can_delete_is_told_so() {
        let deletes = Scheme::Metronome { delete_secret: Secret::new("x") };
        assert!(options(&deletes).get("Allow").unwrap().contains("DELETE"));
        for scheme in [Scheme::Prosody, Scheme::Own, Scheme::Metronome { delete_secret: None }] {
            let head = options(&scheme);
            assert_eq!((head.status, head.get("Allow")), (200, Some(allow(&scheme))));
            assert!(!allow(&scheme).contains("DELETE"));
        }
    }
}
