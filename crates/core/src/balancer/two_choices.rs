//! The power of two choices (Mitzenmacher 2001): of two candidates drawn by weight the better one.
//!
//! Owns the drawing and whose turn it would be; what "better" means is the caller's (`peak_ewma`, `least_request`).
//!
//! Shares follow the weights because the draw and the comparison both know them, and because of the turns: each pick
//! takes a candidate one over its weight ahead, and how far it is ahead of its share counts as up to half an exchange
//! in flight, more or less. Between candidates of one weight that decides only ties, so that a service with nothing in
//! flight is level too, not only level on average; between different weights it rounds the small whole numbers that are
//! in flight to the share (with one in flight at most, dividing by the weight alone would give the light ones too much).

use super::candidates::Candidates;
use super::prng::Prng;
use crate::id::EndpointId;
use std::cmp::Ordering;

/// One turn of a candidate of mean weight.
const TURN: f64 = (1_u64 << 20) as f64;

/// By how many of its own turns a candidate may be behind or ahead: who was passed over for a while, because it was
/// slow or ejected, is owed no more than this.
const MOST_TURNS: i64 = 4;

/// One candidate's turns.
#[derive(Clone, Copy, Debug)]
struct Turns {
    /// Where its turns have brought it, on the scale of [`TwoChoices::passed`]. Wraps.
    at: u64,
    /// What a turn of it adds.
    stride: u64,
}

/// A candidate that was drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contender {
    pub(super) position: usize,
    /// How far it is ahead of its share, as a part of an exchange in flight, from -0.5 to 0.5.
    pub(super) ahead: f64,
}

/// Draws and compares, and remembers whose turn it is.
#[derive(Clone, Debug, Default)]
pub(super) struct TwoChoices {
    turns: Vec<Turns>,
    /// Where a candidate is that had exactly its share. Wraps.
    passed: u64,
    step: u64,
}

impl TwoChoices {
    /// Begins anew with everybody at the same turn.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and below 2^64"
    )]
    pub(super) fn rebuild(&mut self, candidates: &Candidates) {
        self.step = (TURN / candidates.list().len().max(1) as f64) as u64;
        self.turns.clear();
        let strides = candidates.list().iter().map(|c| (TURN * c.burden).max(1.0) as u64);
        self.turns.extend(strides.map(|stride| Turns { at: self.passed, stride }));
    }

    /// The position of the better of two candidates that were not tried. `better` compares them: `Less` and `Equal` are
    /// for the first.
    pub(super) fn choose(
        &mut self,
        candidates: &Candidates,
        prng: &mut Prng,
        tried: &[EndpointId],
        better: impl FnOnce(&mut Prng, Contender, Contender) -> Ordering,
    ) -> Option<usize> {
        let first = candidates.draw(prng, tried)?;
        let chosen = match candidates.draw_other(first, prng, tried) {
            Some(second) => match better(prng, self.contender(first), self.contender(second)) {
                Ordering::Greater => second,
                Ordering::Less | Ordering::Equal => first,
            },
            None => first,
        };
        self.take_turn(chosen);
        Some(chosen)
    }

    fn contender(&self, position: usize) -> Contender {
        let (ahead, stride) = (self.ahead(position), self.turns[position].stride);
        Contender { position, ahead: ahead as f64 / (stride as f64 * 2.0 * MOST_TURNS as f64) }
    }

    /// How far beyond its share a candidate is, within the bounds.
    fn ahead(&self, position: usize) -> i64 {
        let Turns { at, stride } = self.turns[position];
        let most = stride.cast_signed().saturating_mul(MOST_TURNS);
        at.wrapping_sub(self.passed).cast_signed().clamp(-most, most)
    }

    fn take_turn(&mut self, position: usize) {
        self.passed = self.passed.wrapping_add(self.step);
        let ahead = self.ahead(position);
        let turns = &mut self.turns[position];
        turns.at = self.passed.wrapping_add_signed(ahead).wrapping_add(turns.stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
    use crate::id::ServiceId;
    use crate::policy::{Balance, Ejection};
    use crate::time::Moment;
    use std::net::SocketAddr;

    fn candidates(weights: &[u32]) -> Candidates {
        let mut writer = EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default());
        let spec = |(port, &weight): (u16, &u32)| {
            let at = EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], port)));
            EndpointSpec { weight, ..at }
        };
        let (set, _) = writer.publish((1..).zip(weights).map(spec).collect(), Moment::ZERO).unwrap();
        let mut candidates = Candidates::none();
        candidates.rebuild(&set, &Balance::default(), &Ejection::default(), Moment::ZERO);
        candidates
    }

    fn of(candidates: &Candidates) -> TwoChoices {
        let mut two_choices = TwoChoices::default();
        two_choices.rebuild(candidates);
        two_choices
    }

    #[test]
    fn a_choice_among_a_thousand_looks_at_two_different_ones_and_no_more() {
        let candidates = candidates(&[1; 1_000]);
        let (mut two_choices, mut prng) = (of(&candidates), Prng::new(1));
        for _ in 0..1_000 {
            let mut seen = Vec::new();
            two_choices.choose(&candidates, &mut prng, &[], |_, a, b| {
                seen.extend([a.position, b.position]);
                Ordering::Less
            });
            assert!(matches!(seen[..], [a, b] if a != b), "{seen:?}");
        }
    }

    #[test]
    fn who_was_passed_over_for_long_is_owed_a_few_turns_and_not_all() {
        let candidates = candidates(&[1, 1]);
        let (mut two_choices, mut prng) = (of(&candidates), Prng::new(1));
        let mut choose = |better: fn(Contender, Contender) -> Ordering| {
            two_choices.choose(&candidates, &mut prng, &[], |_, a, b| better(a, b)).unwrap()
        };
        for _ in 0..1_000 {
            assert_eq!(choose(|a, b| b.position.cmp(&a.position)), 1);
        }
        let level: Vec<usize> = (0..100).map(|_| choose(|a, b| a.ahead.total_cmp(&b.ahead))).collect();
        let firsts = level.iter().filter(|p| **p == 0).count();
        assert!((51..=55).contains(&firsts), "{firsts}");
    }

    #[test]
    fn how_far_ahead_one_is_never_counts_for_more_than_half_an_exchange() {
        let candidates = candidates(&[1, 50, 3]);
        let (mut two_choices, mut prng) = (of(&candidates), Prng::new(1));
        for _ in 0..10_000 {
            two_choices.choose(&candidates, &mut prng, &[], |prng, a, b| {
                assert!(a.ahead.abs() <= 0.5 && b.ahead.abs() <= 0.5);
                prng.bits().cmp(&(1 << 63))
            });
        }
    }
}
