//! URLs: what is told as `Location` fits into a field and leads back to its upload, whatever the public
//! URL is; and no URL means an upload whose id it does not hold.

use tidegate::protocol::location::{Outside, Place, prefix, without_link};
use tidegate::upload::UploadId;

use super::structured;

const ID: [u8; 16] = *b"an id of sixteen";

pub(crate) fn run(data: &[u8]) {
    let Some((public_url, base, url)) = structured::<(&str, &str, &str)>(data) else { return };
    let outside = Outside::from_public_url(public_url).unwrap_or_default();
    let base_path = prefix(base).unwrap_or_default();
    let place = Place { base_path, outside, link: None };
    let id = UploadId::from_bytes(ID);
    let told = place.of(id);
    assert!(told.bytes().all(|byte| byte.is_ascii_graphic()), "{told:?}");
    assert_eq!(place.upload_at(&told), Some(id), "{told:?}");
    let by_link = Place { link: Some("ann.1".to_owned()), ..place.clone() }.of(id);
    assert_eq!(without_link(&by_link), told);
    if let Some(meant) = place.upload_at(url) {
        assert!(url.contains(&meant.to_string()));
    }
}
