//! A bounded set of opened keys; the key that was not asked for longest leaves first.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use mimamori_domain::KeyId;

use crate::SecretKey;

#[derive(Debug)]
pub(crate) struct Cache {
    capacity: usize,
    /// Rises with each use; at a billion uses a second it would last five hundred years.
    clock: u64,
    keys: HashMap<KeyId, (SecretKey, u64)>,
    by_use: BTreeMap<u64, KeyId>,
}

impl Cache {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { capacity: capacity.get(), clock: 0, keys: HashMap::new(), by_use: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, id: KeyId) -> Option<SecretKey> {
        self.clock += 1;
        let (key, used) = self.keys.get_mut(&id)?;
        self.by_use.remove(used);
        self.by_use.insert(self.clock, id);
        *used = self.clock;
        Some(key.clone())
    }

    pub(crate) fn put(&mut self, key: SecretKey) {
        let id = key.id();
        self.evict(id);
        self.clock += 1;
        self.by_use.insert(self.clock, id);
        self.keys.insert(id, (key, self.clock));
        if self.keys.len() > self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.keys.remove(&oldest);
        }
    }

    pub(crate) fn evict(&mut self, id: KeyId) {
        if let Some((_, used)) = self.keys.remove(&id) {
            self.by_use.remove(&used);
        }
    }

    pub(crate) fn evict_owner(&mut self, owner: &[u8; 16]) {
        let by_use = &mut self.by_use;
        self.keys.retain(|_, (key, used)| {
            let keep = key.owner().as_ref() != Some(owner);
            if !keep {
                by_use.remove(used);
            }
            keep
        });
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.by_use.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyUse;
    use crate::aead::KeyBytes;

    fn key(number: u8, owner: u8) -> SecretKey {
        SecretKey::from_parts(
            KeyId::from_bytes([number; 16]),
            KeyUse::Subject,
            Some([owner; 16]),
            KeyBytes::default(),
        )
    }

    fn id(number: u8) -> KeyId {
        KeyId::from_bytes([number; 16])
    }

    #[test]
    fn the_least_used_leaves_first() {
        let mut cache = Cache::new(NonZeroUsize::new(2).unwrap());
        cache.put(key(1, 1));
        cache.put(key(2, 1));
        assert!(cache.get(id(1)).is_some());
        cache.put(key(3, 1));
        assert!(cache.get(id(2)).is_none());
        assert!(cache.get(id(1)).is_some() && cache.get(id(3)).is_some());
        cache.put(key(3, 1));
        assert_eq!((cache.len(), cache.by_use.len()), (2, 2));
    }

    #[test]
    fn keys_of_one_owner_leave_together() {
        let mut cache = Cache::new(NonZeroUsize::new(9).unwrap());
        for number in 1..=6 {
            cache.put(key(number, number % 2));
        }
        cache.evict_owner(&[1; 16]);
        assert_eq!((cache.len(), cache.by_use.len()), (3, 3));
        cache.evict(id(2));
        assert!(cache.get(id(2)).is_none());
        cache.clear();
        assert_eq!((cache.len(), cache.by_use.len()), (0, 0));
    }
}
