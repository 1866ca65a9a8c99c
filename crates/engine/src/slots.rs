//! A slab whose keys carry generations: a key of something that is gone never finds what came after it.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// Names one item of a [`Slots`].
#[derive(Debug)]
pub struct Key<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl<T> Eq for Key<T> {}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.to_bits());
    }
}

impl<T> Key<T> {
    /// Both numbers in one, for tokens of the event loop.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The key of a token.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32, of: PhantomData }
    }

    /// Place in the slab: small and dense, but not unique in time.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    item: Option<T>,
}

/// Items by key. Places are used again, keys are not (until a place was used 2^32 times).
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Adds an item.
    pub fn insert(&mut self, item: T) -> Key<T> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.item = Some(item);
            return Key { index, generation: slot.generation, of: PhantomData };
        }
        self.slots.push(Slot { generation: 0, item: Some(item) });
        Key { index: (self.slots.len() - 1) as u32, generation: 0, of: PhantomData }
    }

    /// Takes an item out.
    pub fn remove(&mut self, key: Key<T>) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let item = slot.item.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(item)
    }

    /// The item, if it is still there.
    #[must_use]
    pub fn get(&self, key: Key<T>) -> Option<&T> {
        self.slots.get(key.index as usize).filter(|s| s.generation == key.generation)?.item.as_ref()
    }

    /// The item, if it is still there.
    pub fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        self.slots.get_mut(key.index as usize).filter(|s| s.generation == key.generation)?.item.as_mut()
    }

    /// Whether the item is still there.
    #[must_use]
    pub fn has(&self, key: Key<T>) -> bool {
        self.get(key).is_some()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys and items.
    pub fn iter(&self) -> impl Iterator<Item = (Key<T>, &T)> {
        self.slots.iter().enumerate().filter_map(|(i, slot)| {
            let key = Key { index: i as u32, generation: slot.generation, of: PhantomData };
            slot.item.as_ref().map(|item| (key, item))
        })
    }

    /// All keys, to walk while items change.
    #[must_use]
    pub fn keys(&self) -> Vec<Key<T>> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// Memory of the places, used or not.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<T>>() + self.free.capacity() * 4
    }
}

impl<T> Index<Key<T>> for Slots<T> {
    type Output = T;

    fn index(&self, key: Key<T>) -> &T {
        self.get(key).expect("whoever holds this key has checked that the item is there")
    }
}

impl<T> IndexMut<Key<T>> for Slots<T> {
    fn index_mut(&mut self, key: Key<T>) -> &mut T {
        self.get_mut(key).expect("whoever holds this key has checked that the item is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_removed_item_finds_nothing_even_when_the_place_is_used_again() {
        let mut slots = Slots::default();
        let a = slots.insert('a');
        assert_eq!(slots.remove(a), Some('a'));
        let b = slots.insert('b');
        assert_eq!(a.index(), b.index());
        assert_eq!((slots.get(a), slots.remove(a), slots.get(b)), (None, None, Some(&'b')));
        assert_eq!(Key::<char>::from_bits(b.to_bits()), b);
        assert_eq!(slots.len(), 1);
    }
}
