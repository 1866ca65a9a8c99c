//! A slab whose keys carry generations: a key of something that is gone never finds what came after it.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut, Range};

/// Names one item of a slab; `T` marks what it names.
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
pub(crate) struct Slots<M, T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    of: PhantomData<fn() -> M>,
}

/// Places that are added at once, at the least.
const LEAST_GROWTH: usize = 16;

impl<M, T> Default for Slots<M, T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), of: PhantomData }
    }
}

impl<M, T> Slots<M, T> {
    /// Adds an item.
    pub(crate) fn insert(&mut self, item: T) -> Key<M> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.item = Some(item);
            return Key { index, generation: slot.generation, of: PhantomData };
        }
        if self.slots.len() == self.slots.capacity() {
            // Doubling would leave half of the memory empty, and these items are large.
            self.slots.reserve_exact((self.slots.len() / 8).max(LEAST_GROWTH));
        }
        self.slots.push(Slot { generation: 0, item: Some(item) });
        Key { index: (self.slots.len() - 1) as u32, generation: 0, of: PhantomData }
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, key: Key<M>) -> Option<T> {
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
    pub(crate) fn get(&self, key: Key<M>) -> Option<&T> {
        self.slots.get(key.index as usize).filter(|s| s.generation == key.generation)?.item.as_ref()
    }

    /// The item, if it is still there.
    pub(crate) fn get_mut(&mut self, key: Key<M>) -> Option<&mut T> {
        self.slots.get_mut(key.index as usize).filter(|s| s.generation == key.generation)?.item.as_mut()
    }

    /// Whether the item is still there.
    #[must_use]
    pub(crate) fn has(&self, key: Key<M>) -> bool {
        self.get(key).is_some()
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many places there are, taken or free.
    #[must_use]
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Keys and items of these places, in their order.
    pub(crate) fn iter_places(&self, places: Range<usize>) -> impl Iterator<Item = (Key<M>, &T)> {
        let slots = self.slots.iter().enumerate().skip(places.start).take(places.len());
        slots.filter_map(|(i, slot)| {
            let key = Key { index: i as u32, generation: slot.generation, of: PhantomData };
            Some((key, slot.item.as_ref()?))
        })
    }

    /// All keys and items.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<M>, &T)> {
        self.iter_places(0..self.places())
    }

    /// All keys, to walk while items change.
    #[must_use]
    pub(crate) fn keys(&self) -> Vec<Key<M>> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// Memory of the places, used or not.
    #[must_use]
    pub(crate) fn held_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<T>>() + self.free.capacity() * 4
    }
}

impl<M, T> Index<Key<M>> for Slots<M, T> {
    type Output = T;

    fn index(&self, key: Key<M>) -> &T {
        self.get(key).expect("whoever holds this key has checked that the item is there")
    }
}

impl<M, T> IndexMut<Key<M>> for Slots<M, T> {
    fn index_mut(&mut self, key: Key<M>) -> &mut T {
        self.get_mut(key).expect("whoever holds this key has checked that the item is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_removed_item_finds_nothing_even_when_the_place_is_used_again() {
        let mut slots = Slots::<(), char>::default();
        let a = slots.insert('a');
        assert_eq!(slots.remove(a), Some('a'));
        let b = slots.insert('b');
        assert_eq!(a.index(), b.index());
        assert_eq!(slots.remove(a), None);
        assert_eq!((slots.get(a), slots.get(b)), (None, Some(&'b')));
        assert_eq!(Key::from_bits(b.to_bits()), b);
        assert_eq!(slots.len(), 1);
    }
}
