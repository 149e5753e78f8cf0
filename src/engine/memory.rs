//! The memory tier: which entries an isolate keeps, bounded in bytes.
//!
//! It knows names, metadata and sizes. The bytes themselves stay with the host, under the slot number given here.

use crate::base::lru::Lru;
use crate::base::position::Position;
use crate::entry::Entry;

/// Counted for each entry beside its bytes: names, map nodes, parsed metadata.
const OVERHEAD_BYTES: u64 = 1024;

/// Where the host keeps the bytes of a remembered entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What is remembered of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its metadata.
    pub entry: Entry,
    /// Where its bytes are.
    pub slot: Slot,
    /// Up to where in the ledger none of its tags was invalidated since its render began, as far as was asked.
    pub known_until: Position,
    /// Whether this isolate alone has it: its coordinator could not be told of it.
    pub unshared: bool,
    header_bytes: u64,
}

impl Remembered {
    fn cost(&self) -> u64 {
        // The header lives twice: in the host's bytes, and parsed here.
        self.entry.body_bytes().saturating_add(self.header_bytes.saturating_mul(2)).saturating_add(OVERHEAD_BYTES)
    }
}

/// Entries in order of use, bounded in bytes.
#[derive(Debug, Clone)]
pub struct MemoryTier {
    limit: u64,
    bytes: u64,
    next_slot: u32,
    entries: Lru<Remembered>,
}

/// What became of an entry that was to be remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// Where the host keeps its bytes; `None` when it is larger than the whole tier, or older than what is there.
    pub slot: Option<Slot>,
    /// Slots whose bytes the host forgets now.
    pub evicted: Vec<Slot>,
}

impl MemoryTier {
    /// An empty tier of at most `limit` bytes; 0 remembers nothing.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, bytes: 0, next_slot: 0, entries: Lru::default() }
    }

    /// How many bytes are held, by this tier's own count.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The entry under a key; counts as a use.
    pub fn get(&mut self, key: &str) -> Option<&Remembered> {
        self.entries.get(key).map(|remembered| &*remembered)
    }

    /// Remembers an entry in place of an older one of the same key, and forgets the least recently used beyond the limit.
    pub fn put(&mut self, key: &str, entry: Entry, header_bytes: u64) -> Placement {
        self.place(key, entry, header_bytes, false)
    }

    /// Remembers an entry that nobody else has. What was shared meanwhile stays.
    pub fn put_unshared(&mut self, key: &str, entry: Entry, header_bytes: u64) -> Placement {
        let shared_meanwhile = |held: &Remembered| {
            !held.unshared && held.entry.position.covers(entry.position) && held.entry.created_at >= entry.created_at
        };
        if self.entries.peek(key).is_some_and(shared_meanwhile) {
            return Placement::default();
        }
        self.place(key, entry, header_bytes, true)
    }

    fn place(&mut self, key: &str, entry: Entry, header_bytes: u64, unshared: bool) -> Placement {
        if self.entries.peek(key).is_some_and(|held| held.entry.generation > entry.generation) {
            return Placement::default();
        }
        let mut evicted: Vec<_> = self.forget(key).into_iter().collect();
        let slot = Slot(self.next_slot);
        let known_until = entry.position;
        let remembered = Remembered { entry, slot, known_until, unshared, header_bytes };
        let cost = remembered.cost();
        if cost > self.limit {
            return Placement { slot: None, evicted };
        }
        while self.bytes.saturating_add(cost) > self.limit {
            let Some(oldest) = self.entries.remove_oldest() else { break };
            evicted.push(self.dropped(&oldest));
        }
        self.next_slot = self.next_slot.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(cost);
        self.entries.put(key, remembered);
        Placement { slot: Some(slot), evicted }
    }

    /// The ledger found that no tag of this entry was invalidated up to `position`.
    pub fn known_until(&mut self, key: &str, generation: u64, position: Position) {
        if let Some(held) = self.entries.peek_mut(key).filter(|held| held.entry.generation == generation)
            && (position.epoch != held.known_until.epoch || position.number > held.known_until.number)
        {
            held.known_until = position;
        }
    }

    /// Forgets a key.
    pub fn forget(&mut self, key: &str) -> Option<Slot> {
        let gone = self.entries.remove(key)?;
        Some(self.dropped(&gone))
    }

    fn dropped(&mut self, gone: &Remembered) -> Slot {
        self.bytes = self.bytes.saturating_sub(gone.cost());
        gone.slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Millis;
    use crate::entry::{Part, example};

    fn entry(generation: u64, bytes: u32) -> Entry {
        Entry { generation, parts: vec![Part { name: "body".to_owned(), bytes }], ..example() }
    }

    #[test]
    fn the_least_recently_used_entry_makes_room() {
        let mut memory = MemoryTier::new(3 * (OVERHEAD_BYTES + 1000));
        let a = memory.put("a", entry(1, 1000), 0).slot.unwrap();
        let b = memory.put("b", entry(1, 1000), 0).slot.unwrap();
        memory.put("c", entry(1, 1000), 0);
        assert_eq!(memory.get("a").unwrap().slot, a);
        let placement = memory.put("d", entry(1, 1000), 0);
        assert_eq!(placement.evicted, [b]);
        assert!(memory.get("b").is_none());
        assert!(memory.get("a").is_some());
    }

    #[test]
    fn an_entry_larger_than_the_tier_is_not_held_and_evicts_nobody_else() {
        let mut memory = MemoryTier::new(10_000);
        memory.put("a", entry(1, 100), 0);
        assert_eq!(memory.put("b", entry(1, 20_000), 0), Placement::default());
        assert!(memory.get("a").is_some());
    }

    #[test]
    fn a_newer_generation_takes_the_place_of_an_older_one_and_never_the_reverse() {
        let mut memory = MemoryTier::new(100_000);
        let old = memory.put("a", entry(1, 100), 0).slot.unwrap();
        assert_eq!(memory.put("a", entry(2, 100), 0).evicted, [old]);
        assert_eq!(memory.put("a", entry(1, 100), 0), Placement::default());
        assert_eq!(memory.get("a").unwrap().entry.generation, 2);
    }

    #[test]
    fn what_nobody_else_has_does_not_take_the_place_of_what_was_shared_meanwhile() {
        let mut memory = MemoryTier::new(100_000);
        let made = |at: u64| Entry { created_at: Millis(at), ..entry(1, 100) };
        memory.put("a", made(50), 0);
        assert_eq!(memory.put_unshared("a", made(49), 0), Placement::default());
        assert!(memory.put_unshared("a", made(51), 0).slot.is_some() && memory.get("a").unwrap().unshared);
        memory.put("a", made(40), 0);
        assert!(!memory.get("a").unwrap().unshared, "what is shared takes the place of what is not");
    }

    #[test]
    fn a_tier_of_no_bytes_remembers_nothing() {
        let mut memory = MemoryTier::new(0);
        assert_eq!(memory.put("a", entry(1, 0), 0).slot, None);
        assert_eq!(memory.bytes(), 0);
    }
}
