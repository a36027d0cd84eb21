//! HTML forms: however one arrives, it comes to the same, and what it holds is bounded.

use bytes::Bytes;
use tidegate::protocol::form::{Boundary, Event, Reader};
use tidegate::upload::Metadata;

use super::structured;

const MAX_METADATA: usize = 256;

/// The file and its metadata; a refusal's details may depend on how the form arrived.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(Vec<u8>, Metadata)> {
    let boundary = Boundary::new("b").expect("a boundary");
    let (mut reader, mut file) = (Reader::new(&boundary, MAX_METADATA), Vec::new());
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(event) = reader.next(&mut input).ok()? {
            if let Event::Bytes(bytes) = event {
                file.extend_from_slice(&bytes);
            }
        }
    }
    reader.finish().ok().map(|metadata| (file, metadata))
}

pub(crate) fn run(data: &[u8]) {
    let Some((size, form)) = structured::<(u8, &[u8])>(data) else { return };
    let whole = read(std::iter::once(form));
    let pieces = read(form.chunks(usize::from(size).max(1)));
    assert_eq!(whole, pieces);
    if let Some((file, metadata)) = whole {
        assert!(file.len() < form.len());
        assert!(metadata.as_str().len() <= MAX_METADATA);
        assert_eq!(Metadata::parse(metadata.as_str()), Ok(metadata));
    }
}
