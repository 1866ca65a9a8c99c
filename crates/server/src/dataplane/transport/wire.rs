//! The worker's buffer in which records are made before they are written.

use super::tls::SEAL_BYTES;

/// Room for records that go before those of a seal: what waited of small ones, key updates, alerts.
const SLACK: usize = 16 * 1024;

/// Where records are put together for one write. One a worker.
pub(in crate::dataplane) struct Wire {
    bytes: Box<[u8]>,
    len: usize,
}

impl Wire {
    /// Records that wait at a socket and are fewer than this are moved here, so that one write takes them and new ones.
    pub(super) const MOST_MOVED: usize = SLACK / 2;

    pub(in crate::dataplane) fn new() -> Self {
        Self { bytes: vec![0; SEAL_BYTES + SLACK].into_boxed_slice(), len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(in crate::dataplane) fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.len..]
    }

    /// The first `n` bytes of the room were filled.
    pub(super) fn add(&mut self, n: usize) {
        self.len += n;
    }

    /// Appends; false if there is no room.
    pub(super) fn put(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.room().get_mut(..bytes.len()) else { return false };
        room.copy_from_slice(bytes);
        self.add(bytes.len());
        true
    }
}
