//! Tokens of XMPP servers with a genuine signature: what they say is taken as it was said, and a forged
//! one is not.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tidegate::protocol::xep0363::tenant::MediaTypeRule;
use tidegate::protocol::xep0363::{
    BasePath, Intent, Scheme, Secret, SlotPath, SlotRequest, Tenant,
};
use tidegate::upload::Timestamp;

use super::structured;

pub(crate) fn run(data: &[u8]) {
    let Some((path, media_type, length, payload)) = structured::<(&str, &str, u64, &[u8])>(data)
    else {
        return;
    };
    let base = BasePath::new("/upload").expect("a path");
    let secret = Secret::new("what the server signs with").expect("a secret");
    let tenant = |scheme| Tenant { base: base.clone(), scheme, secret: secret.clone() };
    let target = match SlotPath::new(path) {
        Ok(slot) => format!("{}/{}", base.encoded(), slot.encoded()),
        Err(_) => path.to_owned(),
    };
    let request = |query, authorization| SlotRequest {
        path: &target,
        query,
        intent: Intent::Put,
        length: Some(length),
        media_type,
        authorization,
    };
    let now = Timestamp::from_unix_milliseconds(1_000_000);
    let code = secret.sign(&[format!("{path}\0{length}\0{media_type}").as_bytes()]);
    let hex: String = code.into_iter().flatten().map(|byte| format!("{byte:02x}")).collect();
    let query = format!("v2={hex}");
    if let Ok(verified) = tenant(Scheme::Prosody).verify(&request(&query, None), now) {
        assert_eq!(verified.path.as_str(), path);
        assert_eq!(verified.length.map(|length| length.get()), Some(length));
        assert_eq!(verified.media_type, media_type);
    }
    let other = format!("{query}&v2={hex}");
    assert!(tenant(Scheme::Prosody).verify(&request(&other, None), now).is_err());

    // A token of whatever content, signed by the right key.
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(br#"{"alg":"HS256","typ":"JWT"}"#), part(payload));
    let code = secret.sign(&[signed.as_bytes()]).expect("a signature");
    let bearer = format!("Bearer {signed}.{}", part(&code));
    for media_type in [MediaTypeRule::Exact, MediaTypeRule::Lenient] {
        let tenant = tenant(Scheme::FileShare { media_type });
        if let Ok(verified) = tenant.verify(&request("", Some(bearer.as_bytes())), now) {
            assert_eq!(verified.length.map(|said| said.get()), Some(length));
            let text = String::from_utf8_lossy(payload);
            assert!(text.contains(&length.to_string()) || text.contains('\\'), "{text}");
        }
    }
}
