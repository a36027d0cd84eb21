//! Addresses of XMPP accounts: nobody is let in who is not named, whatever an address looks like.

use tidegate::slots::{Access, BareJid};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let access = Access::new(&["example.org".to_owned()], &["bob@other.example".to_owned()]);
    let Some(who) = BareJid::of(text) else { return };
    assert!(text.starts_with(who.as_str()) && !who.as_str().contains(['/', ' ', '\n', '\0']));
    let again = BareJid::of(who.as_str());
    assert_eq!(again.as_ref(), Some(&who), "a bare address is its own bare address");
    if access.allows(&who) {
        let lower = who.as_str().to_lowercase();
        assert!(lower.ends_with("@example.org") || lower == "bob@other.example", "{lower}");
    }
}
