//! Sizes, lengths of time and addresses of settings: what is read is written so that it reads back.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use tidegate::config::{Address, Size, Span};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    reads_back::<Size>(text);
    reads_back::<Span>(text);
    reads_back::<Address>(text);
}

fn reads_back<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written.parse::<T>().ok(), Some(value), "{text:?} is written {written:?}");
    }
}
