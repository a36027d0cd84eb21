//! [`Profiles`]: what is remembered of clients, within bounds.
//!
//! All of it is in memory; what has changed is written behind, some seconds later, and nobody waits for it.
//! Clients with a name and those without are bounded apart, so that whoever comes from a new address with each
//! request crowds out others like him, and nobody else.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::storage::{ProfileKey, ProfileStore, StorageError};
use crate::tuning::profile::{ClientProfile, Connection, Lesson, Rules};
use crate::upload::Timestamp;

/// What has changed is written so often.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// So many are written before others may look.
const AT_ONCE: usize = 32;

/// How much is remembered of clients, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileSettings {
    /// Whether anything is remembered.
    pub enabled: bool,
    /// Most profiles: half for clients with a name, half for the others.
    pub most: usize,
    /// A client that was not seen for this long is forgotten.
    pub lifetime: Duration,
    /// With what profiles are made.
    pub rules: Rules,
}

/// Which client. Says nothing of who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(ProfileKey);

impl ClientKey {
    /// The client with this hash; `named` if it has a name, and is not known by its address alone.
    #[must_use]
    pub fn new(named: bool, hash: [u8; 16]) -> Self {
        let mut key = [u8::from(named); 17];
        key.iter_mut().skip(1).zip(hash).for_each(|(to, from)| *to = from);
        Self(key)
    }

    fn is_named(&self) -> bool {
        self.0.first() == Some(&1)
    }
}

/// What is remembered of clients. Clones share it.
#[derive(Clone)]
pub struct Profiles(Arc<Shared>);

struct Shared {
    settings: ProfileSettings,
    store: Arc<dyn ProfileStore>,
    /// Held for moments, at the beginning and at the end of an upload.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    profiles: HashMap<ClientKey, ClientProfile>,
    /// The oldest first, of clients with and without a name.
    named: BTreeSet<(Timestamp, ClientKey)>,
    others: BTreeSet<(Timestamp, ClientKey)>,
    /// Counted as they come and go, so that nobody walks through all of them to be told.
    census: Census,
    /// What is to be written, or to be forgotten.
    changed: BTreeSet<ClientKey>,
}

/// How many clients are remembered of each connection; `None` has those of whom it is not known.
pub type Census = HashMap<Option<Connection>, u64>;

impl fmt::Debug for Profiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Profiles")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl Profiles {
    /// What `store` has, as far as it is not too old or too much. Where nothing is to be remembered, what is
    /// there is forgotten. Blocking.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store cannot be read; then nothing should be remembered.
    pub fn open(
        settings: ProfileSettings,
        store: Arc<dyn ProfileStore>,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let profiles = Self(Arc::new(Shared { settings, store, table: Mutex::default() }));
        if settings.enabled {
            profiles.read(now)?;
        } else {
            profiles.0.store.forget_all_profiles()?;
        }
        Ok(profiles)
    }

    fn read(&self, now: Timestamp) -> Result<(), StorageError> {
        // A smaller bound than before leaves more than it allows; the oldest of them go.
        let stored = self.0.store.profiles(usize::MAX)?;
        let mut table = self.table();
        for (key, record) in stored {
            let key = ClientKey(key);
            match serde_json::from_slice::<ClientProfile>(&record) {
                Ok(profile) if self.is_alive(&profile, now) => {
                    let known = profile.under(&self.0.settings.rules);
                    if known != profile {
                        table.changed.insert(key);
                    }
                    table.put(key, known);
                }
                // Too old, or of another version: to be forgotten.
                Ok(_) | Err(_) => drop(table.changed.insert(key)),
            }
        }
        table.shrink(self.0.settings.most);
        Ok(())
    }

    /// What is known of a client.
    #[must_use]
    pub fn of(&self, key: ClientKey, now: Timestamp) -> Option<ClientProfile> {
        if !self.0.settings.enabled {
            return None;
        }
        let profile = self.table().profiles.get(&key).copied()?;
        self.is_alive(&profile, now).then_some(profile)
    }

    /// A client's transfer has ended.
    pub fn learn(&self, key: ClientKey, lesson: &Lesson, now: Timestamp) {
        let settings = &self.0.settings;
        if !settings.enabled {
            return;
        }
        let mut table = self.table();
        let before = table.profiles.get(&key).copied().filter(|known| self.is_alive(known, now));
        let profile = before.unwrap_or_default().after(lesson, now, &settings.rules);
        table.put(key, profile);
        table.changed.insert(key);
        table.shrink(settings.most);
    }

    /// Forgets these clients; returns once that is written. Blocking.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store does not forget.
    pub fn forget(&self, keys: &[ClientKey]) -> Result<(), StorageError> {
        let mut table = self.table();
        for key in keys {
            table.remove(*key);
            table.changed.remove(key);
            self.0.store.forget_profile(&key.0)?;
        }
        Ok(())
    }

    /// How many clients are remembered, by their connections. Whoever was not seen for too long counts until what
    /// has changed is written.
    #[must_use]
    pub fn census(&self) -> Census {
        self.table().census.clone()
    }

    /// Writes what has changed, for ever.
    pub async fn follow(&self, now: impl Fn() -> Timestamp) {
        loop {
            tokio::time::sleep(WRITE_INTERVAL).await;
            let (profiles, now) = (self.clone(), now());
            let written = tokio::task::spawn_blocking(move || profiles.write(now)).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(%error, "what is known of clients could not be written");
            }
        }
    }

    /// Writes what has changed, and forgets who was not seen for long. Blocking.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; what was not written is tried again with the next change of that client.
    pub fn write(&self, now: Timestamp) -> Result<(), StorageError> {
        self.table().age(|seen_at| now.since(seen_at) < self.0.settings.lifetime);
        while self.write_some()? {}
        Ok(())
    }

    /// Writes some of what has changed; says whether there was any. Under the lock, so that nobody is written
    /// who was just forgotten, and not for long.
    fn write_some(&self) -> Result<bool, StorageError> {
        let mut table = self.table();
        for _ in 0..AT_ONCE {
            let Some(key) = table.changed.pop_first() else { return Ok(false) };
            match table.profiles.get(&key) {
                None => self.0.store.forget_profile(&key.0)?,
                Some(profile) => {
                    let record = serde_json::to_vec(profile).unwrap_or_default();
                    self.0.store.keep_profile(&key.0, &record)?;
                }
            }
        }
        Ok(true)
    }

    fn is_alive(&self, profile: &ClientProfile, now: Timestamp) -> bool {
        now.since(profile.seen_at()) < self.0.settings.lifetime
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic between two changes would leave at most a place in the order too many.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn order(&mut self, key: ClientKey) -> &mut BTreeSet<(Timestamp, ClientKey)> {
        if key.is_named() { &mut self.named } else { &mut self.others }
    }

    fn put(&mut self, key: ClientKey, profile: ClientProfile) {
        self.remove(key);
        self.order(key).insert((profile.seen_at(), key));
        self.profiles.insert(key, profile);
        let count = self.census.entry(profile.connection()).or_default();
        *count = count.saturating_add(1);
    }

    fn remove(&mut self, key: ClientKey) {
        if let Some(old) = self.profiles.remove(&key) {
            self.order(key).remove(&(old.seen_at(), key));
            let count = self.census.entry(old.connection()).or_default();
            *count = count.saturating_sub(1);
        }
    }

    /// Leaves half of `most` of each kind.
    fn shrink(&mut self, most: usize) {
        for named in [true, false] {
            let order = |table: &Self| if named { table.named.len() } else { table.others.len() };
            while order(self) > most / 2 {
                let oldest = if named { self.named.first() } else { self.others.first() };
                let Some((_, key)) = oldest.copied() else { break };
                self.remove(key);
                self.changed.insert(key);
            }
        }
    }

    /// Removes whoever is not alive.
    fn age(&mut self, is_alive: impl Fn(Timestamp) -> bool) {
        let old = |order: &BTreeSet<(Timestamp, ClientKey)>| -> Vec<ClientKey> {
            order.iter().take_while(|(seen, _)| !is_alive(*seen)).map(|(_, key)| *key).collect()
        };
        for key in [old(&self.named), old(&self.others)].concat() {
            self.remove(key);
            self.changed.insert(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::session::memory_profiles::MemoryProfileStore;
    use crate::tuning::profile::Hints;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn settings(most: usize) -> ProfileSettings {
        let rules = Rules { detects_connections: true, most_chunk_bytes: 16 * 1024 * 1024 };
        ProfileSettings { enabled: true, most, lifetime: 30 * DAY, rules }
    }

    fn lesson() -> Lesson {
        Lesson {
            bytes: 10_000_000,
            took: Duration::from_secs(10),
            went_well: true,
            buffer_bytes: Some(65_536),
            path: None,
            hints: Hints::default(),
        }
    }

    fn key(named: bool, number: u32) -> ClientKey {
        let mut hash = [0; 16];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        ClientKey::new(named, hash)
    }

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(milliseconds)
    }

    fn open(
        store: &Arc<MemoryProfileStore>,
        settings: ProfileSettings,
        now: Timestamp,
    ) -> Profiles {
        Profiles::open(settings, Arc::<MemoryProfileStore>::clone(store), now).unwrap()
    }

    fn count(profiles: &Profiles) -> u64 {
        profiles.census().values().sum()
    }

    fn kept(store: &MemoryProfileStore) -> usize {
        store.profiles(usize::MAX).unwrap().len()
    }

    #[test]
    fn what_was_learned_outlives_a_restart_until_nobody_was_seen_for_long() {
        let store = Arc::new(MemoryProfileStore::default());
        let profiles = open(&store, settings(100), at(0));
        profiles.learn(key(true, 1), &lesson(), at(1000));
        profiles.write(at(1000)).unwrap();
        let again = open(&store, settings(100), at(2000));
        let known = again.of(key(true, 1), at(2000)).unwrap();
        assert_eq!(known.buffer_bytes(), Some(65_536));
        let later = at(1000).after(30 * DAY);
        assert_eq!(again.of(key(true, 1), later), None);
        again.write(later).unwrap();
        assert_eq!((count(&again), kept(&store)), (0, 0));
    }

    #[test]
    fn a_hundred_thousand_strangers_take_bounded_memory_and_crowd_out_nobody_with_a_name() {
        let store = Arc::new(MemoryProfileStore::default());
        let profiles = open(&store, settings(100), at(0));
        for number in 0..50 {
            profiles.learn(key(true, number), &lesson(), at(0));
        }
        for number in 0..100_000 {
            profiles.learn(key(false, number), &lesson(), at(u64::from(number)));
            if number % 1000 == 0 {
                profiles.write(at(u64::from(number))).unwrap();
            }
        }
        assert_eq!(count(&profiles), 100);
        assert!((0..50).all(|number| profiles.of(key(true, number), at(0)).is_some()));
        assert!(profiles.of(key(false, 99_999), at(0)).is_some(), "the newest stay");
        profiles.write(at(0)).unwrap();
        assert_eq!(kept(&store), 100);
    }

    #[test]
    fn switched_off_nothing_is_learned_and_what_was_is_forgotten() {
        let store = Arc::new(MemoryProfileStore::default());
        let profiles = open(&store, settings(100), at(0));
        profiles.learn(key(true, 1), &lesson(), at(0));
        profiles.write(at(0)).unwrap();
        assert_eq!(kept(&store), 1);
        let off = open(&store, ProfileSettings { enabled: false, ..settings(100) }, at(0));
        assert_eq!(kept(&store), 0);
        off.learn(key(true, 1), &lesson(), at(0));
        off.write(at(0)).unwrap();
        assert_eq!((off.of(key(true, 1), at(0)), kept(&store)), (None, 0));
    }

    #[test]
    fn a_client_that_is_to_be_forgotten_is_gone_at_once() {
        let store = Arc::new(MemoryProfileStore::default());
        let profiles = open(&store, settings(100), at(0));
        for number in 0..2 {
            profiles.learn(key(true, number), &lesson(), at(0));
        }
        profiles.write(at(0)).unwrap();
        profiles.learn(key(true, 0), &lesson(), at(0));
        profiles.forget(&[key(true, 0)]).unwrap();
        profiles.write(at(0)).unwrap();
        assert_eq!(profiles.of(key(true, 0), at(0)), None);
        assert_eq!(kept(&store), 1);
    }

    #[test]
    fn clients_are_counted_by_connection_and_not_told_apart_once_that_is_switched_off() {
        let store = Arc::new(MemoryProfileStore::default());
        let profiles = open(&store, settings(100), at(0));
        let slow = Lesson { bytes: 100_000, ..lesson() };
        for (number, lesson) in [lesson(), lesson(), slow].into_iter().enumerate() {
            let key = key(true, u32::try_from(number).unwrap());
            profiles.learn(key, &lesson, at(0));
            profiles.learn(key, &lesson, at(1));
        }
        let counts = |profiles: &Profiles| {
            let of = |kind| profiles.census().get(&kind).copied().unwrap_or(0);
            (of(Some(Connection::Mobile)), of(Some(Connection::Slow)), of(None))
        };
        assert_eq!(counts(&profiles), (2, 1, 0));
        profiles.write(at(1)).unwrap();
        let rules = Rules { detects_connections: false, ..settings(100).rules };
        let off = open(&store, ProfileSettings { rules, ..settings(100) }, at(1));
        assert_eq!(counts(&off), (0, 0, 3));
        off.write(at(1)).unwrap();
        assert_eq!(counts(&open(&store, settings(100), at(1))), (0, 0, 3), "it was kept");
    }

    #[test]
    fn what_cannot_be_read_is_forgotten() {
        let store = Arc::new(MemoryProfileStore::default());
        store.keep_profile(&[1; 17], b"of another version").unwrap();
        let profiles = open(&store, settings(100), at(0));
        assert_eq!(count(&profiles), 0);
        profiles.write(at(0)).unwrap();
        assert_eq!(kept(&store), 0);
    }
}
