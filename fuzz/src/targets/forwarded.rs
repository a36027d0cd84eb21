//! `Forwarded` and `X-Forwarded-*`: what is believed fits into a URL, and what a client wrote in front of
//! what the proxy says changes nothing.

use std::net::IpAddr;

use tidegate::protocol::location::Place;
use tidegate::protocol::{BodyLength, RequestHead, forwarded};
use tidegate::upload::UploadId;

use super::structured;

const NAMES: [&str; 5] =
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"];

pub(crate) fn run(data: &[u8]) {
    type Input<'a> = (Vec<(u8, &'a [u8])>, &'a [u8]);
    let Some((lines, forged)) = structured::<Input<'_>>(data) else { return };
    let name = |index: u8| NAMES[usize::from(index) % NAMES.len()];
    let fields: Vec<_> = lines.into_iter().map(|(index, value)| (name(index), value)).collect();
    let head = |fields| RequestHead { method: "GET", path: "/", fields, body: BodyLength::Empty };
    let said = forwarded::read(&head(fields.clone()), |address: IpAddr| address.is_loopback());
    let place = Place { base_path: "/files".to_owned(), outside: said.outside, link: None };
    let url = place.of(UploadId::from_bytes([7; 16]));
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
    assert!(place.upload_at(&url).is_some(), "{url:?}");

    if fields.iter().any(|(name, _)| *name == "X-Forwarded-For") {
        let nobody = |_: IpAddr| false;
        let honest = forwarded::read(&head(fields.clone()), nobody);
        let mut fields = fields;
        fields.insert(0, ("X-Forwarded-For", forged));
        fields.insert(0, ("Forwarded", forged));
        assert_eq!(forwarded::read(&head(fields), nobody), honest);
    }
}
