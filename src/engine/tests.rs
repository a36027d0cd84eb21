//! Use cases against memory stores.
