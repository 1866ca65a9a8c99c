//! Records that a socket did not take yet.

/// Records that wait for their socket, in order. Empty it holds no memory.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    start: usize,
}

impl Pending {
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Where more is appended.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The socket took the first `n`.
    pub(super) fn advance(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len(), "no more leaves than waits");
        if self.start >= self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Everything that waits was moved to a wire, of which this is left.
    pub(super) fn replace(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            *self = Self::default();
        } else {
            self.start = 0;
            self.bytes.clear();
            self.bytes.extend_from_slice(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_leaves_in_order_and_gives_its_memory_back() {
        let mut pending = Pending::default();
        pending.end().extend_from_slice(b"hello");
        pending.advance(2);
        pending.end().extend_from_slice(b" you");
        assert_eq!(pending.waiting(), b"llo you");
        pending.replace(b"ou");
        pending.advance(2);
        assert!(pending.is_empty() && pending.bytes.capacity() == 0);
    }
}
