//! The dynamic table of an encoder (RFC 7541 §2.3.2): ids of the store, newest first, each owned.

use super::id::{HeaderId, STATIC_LEN};
use super::store::HeaderStore;
use std::collections::VecDeque;

/// The dynamic table of an encoder. Empty it allocates nothing.
#[derive(Debug)]
pub(super) struct EncoderTable {
    newest_first: VecDeque<HeaderId>,
    size: u32,
    most: u32,
}

impl EncoderTable {
    pub(super) fn new(most: usize) -> Self {
        Self { newest_first: VecDeque::new(), size: 0, most: most as u32 }
    }

    pub(super) fn most(&self) -> usize {
        self.most as usize
    }

    /// The HPACK index of an id in the dynamic part.
    pub(super) fn index_of(&self, id: HeaderId) -> Option<usize> {
        let (front, back) = self.newest_first.as_slices();
        position(front, id)
            .or_else(|| position(back, id).map(|i| i + front.len()))
            .map(|i| i + STATIC_LEN + 1)
    }

    /// Adds an id that the caller owns; the table owns it from here. It must not be larger than the table.
    pub(super) fn add(&mut self, id: HeaderId, store: &mut HeaderStore) {
        let size = store.table_size(id);
        self.evict_to(self.most().saturating_sub(size), store);
        self.newest_first.push_front(id);
        self.size += size as u32;
    }

    pub(super) fn resize(&mut self, most: usize, store: &mut HeaderStore) {
        self.most = most as u32;
        self.evict_to(most, store);
    }

    fn evict_to(&mut self, size: usize, store: &mut HeaderStore) {
        while self.size as usize > size {
            let Some(oldest) = self.newest_first.pop_back() else { break };
            self.size -= store.table_size(oldest) as u32;
            store.release(oldest);
        }
    }

    /// Gives back the memory that is not in use, for a connection at rest.
    pub(super) fn shrink(&mut self) {
        self.newest_first.shrink_to_fit();
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
