//! Addresses, and who may upload.

/// Longest address, by RFC 7622: three parts of 1,023 bytes and what separates them.
const MAX_JID_BYTES: usize = 3071;

/// The address of an account or a server, as an XMPP server writes it: without a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BareJid {
    text: String,
    /// Where the domain begins.
    domain_at: usize,
}

impl BareJid {
    /// Takes the address of a stanza apart; `None` if it is none. Servers have normalised it.
    #[must_use]
    pub fn of(address: &str) -> Option<Self> {
        let bare = address.split_once('/').map_or(address, |(bare, _)| bare);
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        let odd = |letter: char| letter.is_control() || letter.is_whitespace();
        let sound = address.len() <= MAX_JID_BYTES
            && local != Some("")
            && !domain.is_empty()
            && !domain.contains('@')
            && !bare.contains(odd);
        let domain_at = local.map_or(0, |local| local.len() + 1);
        sound.then(|| Self { text: bare.to_owned(), domain_at })
    }

    /// `local@domain`, or `domain`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain alone.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.domain_at..).unwrap_or_default()
    }
}

/// Who may upload: nobody who is not named. Servers route requests of strangers from other
/// servers here too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    domains: Vec<String>,
    jids: Vec<String>,
}

impl Access {
    /// Every account of `domains`, and each of `jids`. Their case does not matter.
    #[must_use]
    pub fn new(domains: &[String], jids: &[String]) -> Self {
        let lower = |list: &[String]| list.iter().map(|text| text.to_lowercase()).collect();
        Self { domains: lower(domains), jids: lower(jids) }
    }

    /// Whether this account may upload. A domain does not stand for those below it, and a server
    /// is not one of its accounts.
    #[must_use]
    pub fn allows(&self, who: &BareJid) -> bool {
        let (whole, domain) = (who.as_str().to_lowercase(), who.domain().to_lowercase());
        let account = whole != domain;
        self.jids.contains(&whole) || (account && self.domains.contains(&domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jid(text: &str) -> BareJid {
        BareJid::of(text).unwrap()
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, bare, domain) in [
            ("alice@localhost/phone", "alice@localhost", "localhost"),
            ("alice@localhost", "alice@localhost", "localhost"),
            ("localhost", "localhost", "localhost"),
            ("localhost/a@b/c", "localhost", "localhost"),
            ("жук@пример.example/ü", "жук@пример.example", "пример.example"),
        ] {
            let jid = jid(text);
            assert_eq!((jid.as_str(), jid.domain()), (bare, domain), "{text}");
        }
        let long = format!("{}@localhost", "a".repeat(3071));
        for text in ["", "@localhost", "alice@", "/x", "a@b@c", "a b@c", "a@b\n", "a\0@b", &long] {
            assert_eq!(BareJid::of(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_who_is_named_may_upload() {
        let access = Access::new(&["Example.org".to_owned()], &["Guest@other.example".to_owned()]);
        for text in ["alice@example.org/x", "ALICE@EXAMPLE.ORG", "guest@other.example/phone"] {
            assert!(access.allows(&jid(text)), "{text}");
        }
        for text in [
            "example.org",
            "alice@sub.example.org",
            "alice@notexample.org",
            "alice@example.org.evil",
            "other@other.example",
            "example.org@evil.example",
            "evil.example/alice@example.org",
        ] {
            assert!(!access.allows(&jid(text)), "{text}");
        }
        assert!(!Access::default().allows(&jid("alice@example.org")));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,30}") {
            if let Some(jid) = BareJid::of(&text) {
                prop_assert!(!jid.domain().is_empty());
            }
        }
    }
}
