//! Random octets for WebSockets: handshake keys, masks, and what our pings are known by. Without entropy.
//!
//! A keyed hash of a count, as `request_id` makes its ids and for the same reason: what leaves the worker must not give
//! its seed away.

use evenkeel_core::id::WorkerIndex;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Makes one worker's nonces.
#[derive(Debug)]
pub(crate) struct Nonces {
    keyed: SipHasher13,
    made: u64,
}

impl Nonces {
    /// The nonces of this seed and worker; the same ones each time.
    pub(crate) fn new(seed: u64, worker: WorkerIndex) -> Self {
        let key = (seed ^ 0x7c15_9e37_4a7c_79b9, seed.rotate_left(41) ^ 0xa076_1d64_78bd_642f);
        let mut keyed = SipHasher13::new_with_keys(key.0, key.1);
        keyed.write_u16(worker.0);
        Self { keyed, made: 0 }
    }

    /// The next 16 octets.
    pub(crate) fn make(&mut self) -> [u8; 16] {
        self.made += 1;
        let mut hasher = self.keyed;
        hasher.write_u64(self.made);
        let hash = hasher.finish128();
        ((u128::from(hash.h1) << 64) | u128::from(hash.h2)).to_be_bytes()
    }

    /// A mask for one frame to an endpoint (RFC 6455 §5.3).
    pub(crate) fn mask(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.make();
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nonces_repeat_with_the_seed_and_differ_otherwise() {
        let made = |seed, worker| {
            let mut nonces = Nonces::new(seed, WorkerIndex(worker));
            (0..100).map(|_| nonces.make()).collect::<Vec<_>>()
        };
        assert_eq!(made(1, 0), made(1, 0));
        let all: HashSet<_> = [made(1, 0), made(1, 1), made(2, 0)].into_iter().flatten().collect();
        assert_eq!(all.len(), 300);
    }
}
