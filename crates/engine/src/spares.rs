//! Memory that exchanges have used before and the next ones use again: header lists and bodies, within bounds.

use evenkeel_wire::hpack::{HeaderList, HeaderStore};

/// Lists, and buffers of bodies, that are kept.
const MOST: usize = 4096;
/// One that grew beyond this is not kept.
const MOST_BYTES: usize = 16 * 1024;
/// Memory of all that are kept.
const MOST_HELD: usize = 8 << 20;

/// Lists and buffers without use at the moment.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    lists: Vec<HeaderList>,
    bodies: Vec<Vec<u8>>,
    held: usize,
}

impl Spares {
    pub(crate) fn take_list(&mut self) -> HeaderList {
        let list = self.lists.pop().unwrap_or_default();
        self.held -= list.held_bytes();
        list
    }

    pub(crate) fn give_list(&mut self, mut list: HeaderList, store: &mut HeaderStore) {
        list.clear(store);
        // A list without memory, such as one that was taken from an exchange, would be of no use to the next.
        if self.lists.len() < MOST && self.has_room(list.held_bytes()) {
            self.held += list.held_bytes();
            self.lists.push(list);
        }
    }

    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        let body = self.bodies.pop().unwrap_or_default();
        self.held -= body.capacity();
        body
    }

    pub(crate) fn give_body(&mut self, mut body: Vec<u8>) {
        if self.bodies.len() < MOST && self.has_room(body.capacity()) {
            body.clear();
            self.held += body.capacity();
            self.bodies.push(body);
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        (1..=MOST_BYTES).contains(&bytes) && self.held + bytes <= MOST_HELD
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_used_again_and_bounded() {
        let mut spares = Spares::default();
        spares.give_body(Vec::with_capacity(MOST_BYTES + 1));
        assert_eq!(spares.take_body().capacity(), 0);
        for _ in 0..=MOST_HELD / MOST_BYTES {
            spares.give_body(Vec::with_capacity(MOST_BYTES));
        }
        assert_eq!(spares.held_bytes(), MOST_HELD);
        assert_eq!(spares.take_body().capacity(), MOST_BYTES);
        assert_eq!(spares.held_bytes(), MOST_HELD - MOST_BYTES);
    }
}
