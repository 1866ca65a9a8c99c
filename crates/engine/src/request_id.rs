//! `x-request-id`: random UUIDs (RFC 9562 §5.4, version 4) without entropy.
//!
//! A keyed hash of a count, which nobody can tell from chance without the key. A plain generator would not do: these
//! ids leave the worker, and whoever reads one would know the seed, and with it the key of the header store.

use evenkeel_core::id::WorkerIndex;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Makes one worker's ids.
#[derive(Debug)]
pub(crate) struct RequestIds {
    keyed: SipHasher13,
    made: u64,
}

/// What an id is written in: 32 digits and 4 dashes.
pub(crate) type RequestId = [u8; 36];

impl RequestIds {
    /// The ids of this seed and worker; the same ones each time.
    pub(crate) fn new(seed: u64, worker: WorkerIndex) -> Self {
        let key = (seed ^ 0x9e6c_63d0_676a_9a99, seed.rotate_left(17) ^ 0xc2b2_ae3d_27d4_eb4f);
        let mut keyed = SipHasher13::new_with_keys(key.0, key.1);
        keyed.write_u16(worker.0);
        Self { keyed, made: 0 }
    }

    /// The next one.
    pub(crate) fn make(&mut self) -> RequestId {
        self.made += 1;
        let mut hasher = self.keyed;
        hasher.write_u64(self.made);
        let hash = hasher.finish128();
        let mut bits = (u128::from(hash.h1) << 64) | u128::from(hash.h2);
        // Version 4, variant 0b10.
        bits = bits & !(0xf << 76) | 0x4 << 76;
        bits = bits & !(0x3 << 62) | 0x2 << 62;
        let mut text = [b'-'; 36];
        let mut digits = (0..32).rev().map(|n| b"0123456789abcdef"[(bits >> (4 * n)) as usize & 0xf]);
        for (place, byte) in text.iter_mut().enumerate() {
            if !matches!(place, 8 | 13 | 18 | 23) {
                *byte = digits.next().unwrap_or(b'0');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn made(seed: u64, worker: u16) -> Vec<String> {
        let mut ids = RequestIds::new(seed, WorkerIndex(worker));
        (0..1_000).map(|_| String::from_utf8(ids.make().to_vec()).unwrap()).collect()
    }

    #[test]
    fn ids_are_uuids_of_version_4() {
        for id in made(1, 0) {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
            assert!(id.bytes().all(|b| matches!(b, b'-' | b'0'..=b'9' | b'a'..=b'f')), "{id}");
        }
    }

    #[test]
    fn ids_repeat_by_seed_and_never_within_workers_and_seeds() {
        assert_eq!(made(1, 0), made(1, 0));
        let all: HashSet<String> = [(1, 0), (1, 1), (2, 0)].iter().flat_map(|&(s, w)| made(s, w)).collect();
        assert_eq!(all.len(), 3_000);
    }

    #[test]
    fn every_free_bit_is_one_in_about_half_of_the_ids() {
        let mut ones = [0_u32; 128];
        for id in made(7, 0) {
            let bits = u128::from_str_radix(&id.replace('-', ""), 16).unwrap();
            for (n, count) in ones.iter_mut().enumerate() {
                *count += u32::from(bits >> n & 1 == 1);
            }
        }
        let fixed = [62, 63, 76, 77, 78, 79];
        for (n, count) in ones.iter().enumerate().filter(|(n, _)| !fixed.contains(n)) {
            assert!((400..600).contains(count), "bit {n} is one in {count} of 1000");
        }
    }
}
