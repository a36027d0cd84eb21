//! What every adapter has to prove.
