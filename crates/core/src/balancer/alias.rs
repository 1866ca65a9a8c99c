//! Drawing a position by weight in constant time.
//!
//! Walker's alias method, built as by Vose ("A linear algorithm for generating random numbers with a given
//! distribution", 1991): every position owns a column of equal width, which it shares with at most one other.

use super::prng::Prng;

/// A position's column: below `limit` of 2^32 it is the position itself, above it the other.
#[derive(Clone, Copy, Debug)]
struct Column {
    limit: u32,
    other: u32,
}

/// The columns of all positions, and what building them needs, kept so that building again does not allocate.
#[derive(Clone, Debug, Default)]
pub(super) struct AliasTable {
    columns: Vec<Column>,
    rest: Vec<f64>,
    small: Vec<u32>,
    large: Vec<u32>,
}

impl AliasTable {
    /// Builds the columns anew for these weights, none of them 0, in time linear in their number.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "fractions of a column, below 1"
    )]
    pub(super) fn rebuild(&mut self, weights: impl ExactSizeIterator<Item = u64> + Clone) {
        let total: f64 = weights.clone().map(|w| w as f64).sum();
        let scale = weights.len() as f64 / total;
        self.columns.clear();
        self.rest.clear();
        self.small.clear();
        self.large.clear();
        for (position, weight) in (0_u32..).zip(weights) {
            let filled = weight as f64 * scale;
            self.columns.push(Column { limit: u32::MAX, other: position });
            self.rest.push(filled);
            if filled < 1.0 { self.small.push(position) } else { self.large.push(position) }
        }
        // A large one fills up the column of a small one; what is over stays with it and may make it small.
        while let (Some(small), Some(&large)) = (self.small.pop(), self.large.last()) {
            let filled = self.rest[small as usize];
            self.columns[small as usize] = Column { limit: (filled * 2_f64.powi(32)) as u32, other: large };
            let left = self.rest[large as usize] - (1.0 - filled);
            self.rest[large as usize] = left;
            if left < 1.0 {
                self.large.pop();
                self.small.push(large);
            }
        }
    }

    /// A position, by weight; 0 if there is none.
    #[allow(clippy::cast_possible_truncation, reason = "taken apart into halves of 32 bits")]
    pub(super) fn draw(&self, prng: &mut Prng) -> usize {
        let bits = prng.bits();
        let position = ((bits >> 32) * self.columns.len() as u64) >> 32;
        match self.columns.get(position as usize) {
            Some(column) if bits as u32 >= column.limit => column.other as usize,
            _ => position as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl AliasTable {
        /// The probability of each position, exactly as the columns have it.
        fn probabilities(&self) -> Vec<f64> {
            let mut shares = vec![0.0; self.columns.len()];
            for (position, column) in self.columns.iter().enumerate() {
                let own = f64::from(column.limit) / 2_f64.powi(32);
                shares[position] += own / self.columns.len() as f64;
                shares[column.other as usize] += (1.0 - own) / self.columns.len() as f64;
            }
            shares
        }
    }

    proptest! {
        #[test]
        fn every_position_has_the_probability_of_its_weight(weights in prop::collection::vec(1_u64..1_000_000, 1..200)) {
            let mut table = AliasTable::default();
            table.rebuild(weights.iter().copied());
            let total: u64 = weights.iter().sum();
            for (share, weight) in table.probabilities().iter().zip(&weights) {
                prop_assert!((share - *weight as f64 / total as f64).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let mut table = AliasTable::default();
        table.rebuild([1_u64, 2, 3, 94].into_iter());
        let mut prng = Prng::new(9);
        let mut seen = [0_f64; 4];
        for _ in 0..100_000 {
            seen[table.draw(&mut prng)] += 1.0;
        }
        for (seen, percent) in seen.iter().zip([1.0, 2.0, 3.0, 94.0]) {
            assert!((seen / 1_000.0 - percent).abs() < 0.3, "{seen} for {percent} %");
        }
    }
}
