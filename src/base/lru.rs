//! Named things in the order of their last use.

use std::fmt;

use lru::LruCache;
use rustc_hash::FxBuildHasher;

/// Things by name; which of them was not used for longest is known.
///
/// The hash has no seed: whoever made names collide would have to have thousands of routes rendered before a look-up took a
/// millisecond.
#[derive(Clone)]
pub(crate) struct Lru<T>(LruCache<String, T, FxBuildHasher>);

impl<T> Default for Lru<T> {
    fn default() -> Self {
        Self(LruCache::unbounded_with_hasher(FxBuildHasher))
    }
}

/// What is there, the last used first.
impl<T: fmt::Debug> fmt::Debug for Lru<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

impl<T> Lru<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Counts as a use.
    pub(crate) fn get(&mut self, name: &str) -> Option<&mut T> {
        self.0.get_mut(name)
    }

    /// Likewise, made if it is not there.
    pub(crate) fn get_or_default(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        self.0.get_or_insert_mut_ref(name, T::default)
    }

    /// Counts as no use.
    pub(crate) fn peek(&self, name: &str) -> Option<&T> {
        self.0.peek(name)
    }

    /// Likewise.
    pub(crate) fn peek_mut(&mut self, name: &str) -> Option<&mut T> {
        self.0.peek_mut(name)
    }

    /// In the place of what has this name, if there is one.
    pub(crate) fn put(&mut self, name: &str, thing: T) {
        self.0.put(name.to_owned(), thing);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<T> {
        self.0.pop(name)
    }

    /// Takes away what was not used for longest.
    pub(crate) fn remove_oldest(&mut self) -> Option<T> {
        self.0.pop_lru().map(|(_, thing)| thing)
    }
}
