//! The promises of [`ProfileStore`], as one test that every adapter runs.

use crate::storage::{ProfileKey, ProfileStore};

fn key(number: u8) -> ProfileKey {
    [number; 17]
}

/// Keeps every promise but that of outliving the process.
pub fn keeps_its_promises(store: &dyn ProfileStore) {
    assert!(store.profiles(10).unwrap().is_empty());
    for number in [2, 1, 3] {
        store.keep_profile(&key(number), &[number]).unwrap();
    }
    store.keep_profile(&key(2), b"in its place").unwrap();
    let all = [(key(1), vec![1]), (key(2), b"in its place".to_vec()), (key(3), vec![3])];
    assert_eq!(store.profiles(10).unwrap(), all);
    assert_eq!(store.profiles(2).unwrap(), all[..2]);
    store.forget_profile(&key(1)).unwrap();
    store.forget_profile(&key(9)).unwrap();
    assert_eq!(store.profiles(10).unwrap(), all[1..]);
    store.forget_all_profiles().unwrap();
    assert!(store.profiles(10).unwrap().is_empty());
}
