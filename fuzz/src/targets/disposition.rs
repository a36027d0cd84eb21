//! `Content-Disposition`: any name makes a value that cannot leave its field or its directory.

use tidegate::protocol::download::disposition::{FileName, MAX_NAME_BYTES, value};
use tidegate::protocol::download::media_type::MediaType;

use super::structured;

pub(crate) fn run(data: &[u8]) {
    let Some((name, kind)) = structured::<(&[u8], &[u8])>(data) else { return };
    let name = FileName::sanitised(name);
    let kind = MediaType::first_of([kind]);
    let value = value(name.as_ref(), &kind);
    assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    if let Some(name) = name {
        assert!(!name.as_str().is_empty() && name.as_str().len() <= MAX_NAME_BYTES);
        assert!(!name.as_str().contains(['/', '\\', '\0', '\r', '\n', '\u{202e}']));
    }
}
