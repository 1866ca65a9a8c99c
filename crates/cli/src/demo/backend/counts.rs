//! What a backend counts, for each way.

use crate::demo::way::Way;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One backend's counts.
#[derive(Default)]
pub(super) struct Counts {
    calls: [AtomicU64; 2],
    sessions: [AtomicU64; 2],
}

impl Counts {
    /// Counts a call and gives its number, from zero.
    pub(super) fn count(&self, way: Way) -> u64 {
        self.calls[way as usize].fetch_add(1, Relaxed)
    }

    /// Counts a session for as long as the value lives.
    pub(super) fn session(self: &Arc<Self>, way: Way) -> Session {
        self.sessions[way as usize].fetch_add(1, Relaxed);
        Session { counts: self.clone(), way }
    }

    /// Calls of this way so far.
    pub(super) fn calls(&self, way: Way) -> u64 {
        self.calls[way as usize].load(Relaxed)
    }

    /// Sessions of this way now.
    pub(super) fn sessions(&self, way: Way) -> u64 {
        self.sessions[way as usize].load(Relaxed)
    }
}

/// A session that is open.
pub(super) struct Session {
    counts: Arc<Counts>,
    way: Way,
}

impl Session {
    /// Counts a message of it.
    pub(super) fn count(&self) {
        self.counts.count(self.way);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.counts.sessions[self.way as usize].fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_counted_while_it_lives_and_its_messages_for_ever() {
        let counts = Arc::<Counts>::default();
        let (one, two) = (counts.session(Way::Evenkeel), counts.session(Way::Evenkeel));
        two.count();
        drop(two);
        one.count();
        assert_eq!((counts.sessions(Way::Evenkeel), counts.calls(Way::Evenkeel)), (1, 2));
        assert_eq!((counts.sessions(Way::Pinned), counts.calls(Way::Pinned)), (0, 0));
    }
}
