//! How much an attack sent, counted by all its connections at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// What all of an attack's connections sent.
#[derive(Debug, Default)]
pub struct Sent {
    frames: AtomicU64,
    bytes: AtomicU64,
    connections: AtomicU64,
}

impl Sent {
    /// So much more was sent.
    pub fn add(&self, frames: u64, bytes: u64) {
        self.frames.fetch_add(frames, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many more connections were made.
    pub fn connected(&self, connections: u64) {
        self.connections.fetch_add(connections, Ordering::Relaxed);
    }

    /// Frames so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}
