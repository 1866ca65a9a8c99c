//! Pseudo-random numbers from a seed: the same seed gives the same inputs on every machine.
//!
//! Knows nothing of inputs. Used by `input` and `mutation`; SplitMix64 after Steele, Lea and Flood, "Fast Splittable
//! Pseudorandom Number Generators" (2014).

/// A generator of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Prng(u64);

impl Prng {
    /// A generator whose numbers follow from all of `parts`.
    pub(crate) fn new(parts: &[u64]) -> Self {
        let mut prng = Self(0x243f_6a88_85a3_08d3);
        for part in parts {
            prng.0 ^= *part;
            prng.0 = prng.next();
        }
        prng
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `most`; 0 if there is none.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        if most == 0 { 0 } else { (self.next() % most as u64) as usize }
    }

    /// True once in `n` times.
    pub(crate) fn is_one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(length);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_give_the_same_numbers_and_other_parts_give_others() {
        let of = |parts: &[u64]| Prng::new(parts).bytes(100);
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[1, 2]), of(&[1, 3]));
    }
}
