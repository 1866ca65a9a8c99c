//! Bytes that wait to leave, and the buffers that connections borrow for them.

/// What waits to be written to one socket. Empty it holds no buffer.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    start: usize,
    /// Memory as the worker's budget knows it.
    counted: usize,
}

impl Output {
    /// The buffer to append to, taken from the pool if there is none yet.
    pub(crate) fn buffer(&mut self, pool: &mut BufferPool) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = pool.take();
        }
        &mut self.bytes
    }

    /// What waits.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `n` bytes have left.
    pub(crate) fn advance(&mut self, n: usize, pool: &mut BufferPool) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len(), "no more leaves than waits");
        if self.start >= self.bytes.len() {
            self.start = 0;
            pool.put(std::mem::take(&mut self.bytes));
        } else if self.start > self.bytes.len() / 2 {
            // A slow receiver never lets it run empty: move the rest to the front now and then.
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// The whole memory that it pins, however little waits in it.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Brings a budget up to date with what this output pins now.
    pub(crate) fn count(&mut self, budget: &mut usize) {
        let held = self.bytes.capacity();
        *budget = *budget + held - self.counted;
        self.counted = held;
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self, pool: &mut BufferPool) {
        self.advance(self.len(), pool);
    }
}

/// Buffers for outputs that are in use this turn.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    free: Vec<Vec<u8>>,
}

/// Buffers that the pool keeps.
const MOST_FREE: usize = 64;
/// A buffer that grew beyond this is not kept.
const MOST_CAPACITY: usize = 256 * 1024;
/// What a new buffer begins with.
const FIRST_CAPACITY: usize = 4 * 1024;

impl BufferPool {
    fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_else(|| Vec::with_capacity(FIRST_CAPACITY))
    }

    fn put(&mut self, mut buffer: Vec<u8>) {
        if self.free.len() < MOST_FREE && buffer.capacity() <= MOST_CAPACITY {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}

/// Memory that a backlog may pin without use.
const MOST_SLACK: usize = 16 * 1024;

/// Bytes of one stream that wait for a window or for room in the output.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    start: usize,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends; how much more memory it pins.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let before = self.bytes.capacity();
        self.bytes.extend_from_slice(bytes);
        self.bytes.capacity() - before
    }

    /// The whole memory that it pins.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn front(&self, n: usize) -> &[u8] {
        &self.bytes[self.start..self.start + n]
    }

    /// Drops what has left; how much less memory it pins.
    pub(crate) fn drop_front(&mut self, n: usize) -> usize {
        let before = self.bytes.capacity();
        self.start += n;
        if self.start == self.bytes.len() {
            *self = Self::default();
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
            if self.bytes.capacity() > 4 * self.bytes.len().max(MOST_SLACK) {
                self.bytes.shrink_to(2 * self.bytes.len());
            }
        }
        before - self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_keeps_the_order_and_gives_its_buffer_back_when_empty() {
        let (mut pool, mut output) = (BufferPool::default(), Output::default());
        output.buffer(&mut pool).extend_from_slice(b"hello world");
        output.advance(8, &mut pool);
        output.buffer(&mut pool).extend_from_slice(b"!");
        assert_eq!(output.waiting(), b"rld!");
        output.advance(4, &mut pool);
        assert_eq!((output.held_bytes(), pool.free.len()), (0, 1));
    }

    #[test]
    fn a_backlog_gives_out_what_came_in() {
        let mut backlog = Backlog::default();
        backlog.push(b"abc");
        backlog.push(b"de");
        assert_eq!(backlog.front(4), b"abcd");
        backlog.drop_front(4);
        assert_eq!((backlog.len(), backlog.front(1)), (1, &b"e"[..]));
        backlog.drop_front(1);
        assert!(backlog.is_empty());
    }
}
