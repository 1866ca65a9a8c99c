//! The streams that are open on a connection, by id. Most connections have one at most: that one needs no table.

use crate::keys::ExchangeKey;
use hashbrown::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Spreads small numbers that are handed out in order. Stream ids only rise and are bounded, so nobody gains by choosing.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u32(u32::from(b));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map by stream id or endpoint id.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Streams by id.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// One of them, while the table is empty; the table stays when it was needed once, until [`Streams::rest`].
    only: Option<(u32, ExchangeKey)>,
    many: Option<Box<NumberMap<u32, ExchangeKey>>>,
}

impl Streams {
    pub(crate) fn get(&self, id: u32) -> Option<ExchangeKey> {
        match &self.many {
            Some(many) => many.get(&id).copied(),
            None => self.only.filter(|(only, _)| *only == id).map(|(_, exchange)| exchange),
        }
    }

    /// Adds one that is not there yet.
    pub(crate) fn insert(&mut self, id: u32, exchange: ExchangeKey) {
        if let Some(many) = &mut self.many {
            many.insert(id, exchange);
        } else if let Some(first) = self.only.replace((id, exchange)) {
            let mut many = NumberMap::default();
            many.extend([first, (id, exchange)]);
            (self.only, self.many) = (None, Some(Box::new(many)));
        }
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<ExchangeKey> {
        match &mut self.many {
            Some(many) => many.remove(&id),
            None => self.only.take_if(|(only, _)| *only == id).map(|(_, exchange)| exchange),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.many.as_ref().map_or(usize::from(self.only.is_some()), |many| many.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, ExchangeKey)> {
        let many = self.many.iter().flat_map(|many| many.iter());
        self.only.into_iter().chain(many.map(|(&id, &exchange)| (id, exchange)))
    }

    /// All of them, the oldest first.
    pub(crate) fn in_order(&self) -> Vec<(u32, ExchangeKey)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// Gives the memory of streams that have ended back.
    pub(crate) fn rest(&mut self) {
        if let Some(many) = &self.many
            && many.len() < 2
        {
            (self.only, self.many) = (self.iter().next(), None);
        }
    }

    /// Memory beside the struct itself.
    pub(crate) fn held_bytes(&self) -> usize {
        self.many.as_ref().map_or(0, |many| many.capacity() * size_of::<(u32, ExchangeKey)>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stream_needs_no_memory_and_more_are_found_all_the_same() {
        let mut streams = Streams::default();
        let key = |n: u32| ExchangeKey::from_bits(u64::from(n));
        streams.insert(1, key(1));
        assert_eq!((streams.get(1), streams.get(3), streams.held_bytes()), (Some(key(1)), None, 0));
        streams.insert(5, key(5));
        streams.insert(3, key(3));
        assert_eq!(streams.in_order(), [(1, key(1)), (3, key(3)), (5, key(5))]);
        assert_eq!(
            (streams.remove(1), streams.remove(1), streams.remove(5)),
            (Some(key(1)), None, Some(key(5)))
        );
        streams.rest();
        assert_eq!((streams.len(), streams.get(3), streams.held_bytes()), (1, Some(key(3)), 0));
        assert_eq!((streams.remove(3), streams.is_empty()), (Some(key(3)), true));
    }
}
