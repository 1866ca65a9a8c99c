//! A dynamic table (RFC 7541 §2.3.2): ids, newest first, each owned.

use super::id::HeaderId;
use super::id::STATIC_LEN;
use super::store::HeaderStore;
use std::collections::VecDeque;

/// The dynamic table of a decoder or an encoder. Empty it allocates nothing.
#[derive(Debug)]
pub(super) struct Table {
    newest_first: VecDeque<HeaderId>,
    size: usize,
    most: usize,
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        Self { newest_first: VecDeque::new(), size: 0, most }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// The id at an HPACK index, static ones included.
    pub(super) fn get(&self, index: usize) -> Option<HeaderId> {
        match index {
            0 => None,
            1..=STATIC_LEN => Some(HeaderId::of_static(index)),
            _ => self.newest_first.get(index - STATIC_LEN - 1).copied(),
        }
    }

    /// The HPACK index of an id in the dynamic part.
    pub(super) fn index_of(&self, id: HeaderId) -> Option<usize> {
        let (front, back) = self.newest_first.as_slices();
        position(front, id)
            .or_else(|| position(back, id).map(|i| i + front.len()))
            .map(|i| i + STATIC_LEN + 1)
    }

    /// Adds an id that the caller owns; the table owns it from here, unless it is too large for any table of this
    /// size, in which case the table ends empty (RFC 7541 §4.4).
    pub(super) fn add(&mut self, id: HeaderId, store: &mut HeaderStore) {
        let size = store.table_size(id);
        self.evict_to(self.most.saturating_sub(size), store);
        if size <= self.most {
            self.newest_first.push_front(id);
            self.size += size;
        } else {
            store.release(id);
        }
    }

    pub(super) fn resize(&mut self, most: usize, store: &mut HeaderStore) {
        self.most = most;
        self.evict_to(most, store);
    }

    fn evict_to(&mut self, size: usize, store: &mut HeaderStore) {
        while self.size > size {
            let Some(oldest) = self.newest_first.pop_back() else { break };
            self.size -= store.table_size(oldest);
            store.release(oldest);
        }
    }

    /// Gives back every id and the memory.
    pub(super) fn clear(&mut self, store: &mut HeaderStore) {
        for id in std::mem::take(&mut self.newest_first) {
            store.release(id);
        }
        self.size = 0;
    }

    /// Memory of the fields that it owns, with others or alone.
    pub(super) fn owned_bytes(&self, store: &HeaderStore) -> usize {
        self.newest_first.iter().map(|&id| store.cost(id)).sum()
    }

    /// Gives back memory that is not in use, for a connection at rest.
    pub(super) fn shrink(&mut self) {
        self.newest_first.shrink_to_fit();
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.newest_first.capacity() * size_of::<HeaderId>()
    }
}

/// A search of whole blocks first: the compiler makes wide comparisons of it.
fn position(ids: &[HeaderId], id: HeaderId) -> Option<usize> {
    const BLOCK: usize = 16;
    let mut from = 0;
    for block in ids.chunks(BLOCK) {
        if block.iter().fold(false, |hit, &x| hit | (x == id)) {
            return block.iter().position(|&x| x == id).map(|i| i + from);
        }
        from += BLOCK;
    }
    None
}
