//! The inputs of a hunt: each follows from target, seed, number and corpus alone, so that a number is enough to have it
//! again.

use crate::mutation::mutate;
use crate::prng::Prng;
use crate::tape::Tape;
use crate::targets::Target;

/// A list of inputs without end.
#[derive(Debug)]
pub(crate) struct Inputs {
    target: &'static Target,
    seed: u64,
    corpus: Vec<Vec<u8>>,
}

impl Inputs {
    /// The inputs of a target for a seed.
    pub(crate) fn new(target: &'static Target, seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { target, seed, corpus }
    }

    /// The input of this number; the corpus comes first, as it is.
    pub(crate) fn get(&self, number: u64) -> Vec<u8> {
        if let Some(seed) = usize::try_from(number).ok().and_then(|n| self.corpus.get(n)) {
            return seed.clone();
        }
        let name = self.target.name.bytes().fold(0, |sum: u64, b| sum.wrapping_mul(31) + u64::from(b));
        let mut prng = Prng::new(&[name, self.seed, number]);
        match prng.below(10) {
            0 if self.corpus.is_empty() => self.fresh(&mut prng),
            0 => {
                let mut input = self.of_corpus(&mut prng);
                let other = self.of_corpus(&mut prng);
                mutate(&mut input, &other, &mut prng);
                input
            }
            1..=6 => self.fresh(&mut prng),
            _ => {
                let mut input = self.fresh(&mut prng);
                let other = self.of_corpus(&mut prng);
                mutate(&mut input, &other, &mut prng);
                input
            }
        }
    }

    /// An input of the target's grammar.
    fn fresh(&self, prng: &mut Prng) -> Vec<u8> {
        let most = [20, 100, 400, 2_000][prng.below(4)];
        let length = 1 + prng.below(most);
        let choices = prng.bytes(length);
        (self.target.make)(&mut Tape::new(&choices))
    }

    fn of_corpus(&self, prng: &mut Prng) -> Vec<u8> {
        if self.corpus.is_empty() { Vec::new() } else { self.corpus[prng.below(self.corpus.len())].clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::TARGETS;

    #[test]
    fn a_number_gives_its_input_again_and_every_target_holds_on_the_first_ones() {
        for target in TARGETS {
            let (a, b) =
                (Inputs::new(target, 3, vec![vec![1, 2, 3]]), Inputs::new(target, 3, vec![vec![1, 2, 3]]));
            for number in 0..100 {
                let input = a.get(number);
                assert_eq!(input, b.get(number));
                assert_eq!((target.run)(&input), Ok(()), "{} {number}", target.name);
            }
        }
    }
}
