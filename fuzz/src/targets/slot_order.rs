//! Slots that we make: whatever ejabberd or a client asks for, the slot's URLs can be used as they are,
//! and what was promised is taken, and nothing else.

use std::time::Duration;

use tidegate::protocol::xep0363::service_url::order;
use tidegate::protocol::xep0363::slot::{Carrier, Issuer, Purpose, SlotLimits, SlotOrder};
use tidegate::protocol::xep0363::{BasePath, Intent, Scheme, Secret, SlotRequest, Tenant};
use tidegate::upload::Timestamp;

use super::structured;

const ORIGIN: &str = "https://up.example";

pub(crate) fn run(data: &[u8]) {
    type Input<'a> = (&'a str, (String, String, u64, Option<String>), [u8; 18], u32, bool);
    let Some((query, asked, random, seconds, in_path)) = structured::<Input<'_>>(data) else {
        return;
    };
    let (uploader, file_name, size, media_type) = asked;
    let purpose = Purpose::Message;
    let asked = SlotOrder { uploader, file_name, size, media_type, purpose };
    let now = Timestamp::from_unix_milliseconds(u64::from(seconds) * 1000);
    let carrier = if in_path { Carrier::Path } else { Carrier::Header };
    for order in [Ok(asked), order(query)].into_iter().flatten() {
        made(order, random, carrier, now);
    }
}

fn made(order: SlotOrder, random: [u8; 18], carrier: Carrier, now: Timestamp) {
    let base = BasePath::new("/slots").expect("a path");
    let secret = Secret::new("nobody else signs with this").expect("a secret");
    let issuer = Issuer::new(ORIGIN, base.clone(), secret.clone(), Duration::from_secs(60));
    let issuer = issuer.expect("an issuer");
    let Ok(allowed) = SlotLimits::default().judge(order, now) else { return };
    let Ok(slot) = issuer.issue(&allowed, random, carrier, now) else { return };
    let fits = |url: &str| url.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(fits(&slot.put) && fits(&slot.get), "{slot:?}");
    let path = slot.put.strip_prefix(ORIGIN).expect("our own origin");
    let tenant = Tenant { base, scheme: Scheme::Own, secret };
    let length = allowed.length.get();
    let request = |length| SlotRequest {
        path,
        query: "",
        intent: Intent::Put,
        length: Some(length),
        media_type: &allowed.media_type,
        authorization: slot.authorization.as_deref().map(str::as_bytes),
    };
    let verified = match tenant.verify(&request(length), now) {
        Ok(verified) => verified,
        Err(why) => panic!("a slot that was made is refused: {why}: {slot:?}"),
    };
    assert_eq!(verified.path, slot.path);
    assert_eq!(verified.length, Some(allowed.length));
    assert!(tenant.verify(&request(length.wrapping_add(1)), now).is_err());
    assert!(tenant.verify(&request(length), now.after(Duration::from_secs(60))).is_err());
}
