//! Slot URLs and tokens: nothing that was not signed is taken, and a slot has one written form.

use tidegate::protocol::xep0363::tenant::MediaTypeRule;
use tidegate::protocol::xep0363::{BasePath, Intent, Scheme, Secret, SlotRequest, Tenant};
use tidegate::upload::Timestamp;

use super::structured;

pub(crate) fn run(data: &[u8]) {
    let Some((path, query, authorization, length, now, delete)) =
        structured::<(&str, &str, &[u8], Option<u64>, u64, bool)>(data)
    else {
        return;
    };
    let base = BasePath::new("/upload").unwrap();
    if let Ok(slot) = base.slot(path) {
        let written = format!("{}/{}", base.encoded(), slot.encoded());
        assert_eq!(base.slot(&written).as_ref(), Ok(&slot));
        assert!(slot.segments().all(|part| !matches!(part, "" | "." | "..")));
    }
    let secret = Secret::new("nobody signed anything with this").unwrap();
    let intent = if delete { Intent::Delete } else { Intent::Put };
    let authorization = Some(authorization);
    let media_type = "a/b";
    let request = SlotRequest { path, query, intent, length, media_type, authorization };
    for scheme in [
        Scheme::Prosody,
        Scheme::Ejabberd,
        Scheme::Metronome { delete_secret: Some(secret.clone()) },
        Scheme::FileShare { media_type: MediaTypeRule::Lenient },
        Scheme::HmacFileServer,
        Scheme::Own,
    ] {
        let tenant = Tenant { base: base.clone(), scheme, secret: secret.clone() };
        let now = Timestamp::from_unix_milliseconds(now);
        assert!(tenant.verify(&request, now).is_err());
    }
}
