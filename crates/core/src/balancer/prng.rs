//! Random numbers that repeat by seed. Not for secrets: whoever sees enough of them can tell the next.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): one addition and
/// one mixing of 64 bits a number, and every seed is a good one.
#[derive(Clone, Debug)]
pub(super) struct Prng(u64);

impl Prng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, or 0 if `n` is 0. Scaled by multiplication; the bias is below n ÷ 2^64.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        scaled(self.bits(), n)
    }
}

/// `bits`, seen as a fraction of 2^64, times `n`.
#[allow(clippy::cast_possible_truncation, reason = "the high half of the product is below n")]
fn scaled(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_seed_0_are_those_of_the_reference() {
        let mut prng = Prng::new(0);
        assert_eq!(prng.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(prng.bits(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(prng.bits(), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn numbers_below_n_reach_every_value_and_never_n() {
        let mut prng = Prng::new(1);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[usize::try_from(prng.below(7)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert_eq!(prng.below(0), 0);
    }
}
