//! The power of two choices (Mitzenmacher 2001): of two candidates drawn by weight the better one.
//!
//! Owns the drawing and what decides between two that are equally good; what "better" means is the caller's
//! (`peak_ewma`, `least_request`).
//!
//! Shares follow the weights because both the draw and the comparison know them: the first candidate is drawn by
//! weight, load is compared per weight, and a tie goes to the one whose turn is further back, where a turn is worth
//! one over the weight. So even a service without any load that differs is level, not only level on average.

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
        let strides = candidates.list().iter().map(|c| (TURN * c.burden) as u64);
        self.turns.extend(strides.map(|stride| Turns { at: self.passed, stride }));
    }

    /// The position of the better of two candidates that were not tried. `better` compares two positions: `Less` is
    /// for the first.
    pub(super) fn choose(
        &mut self,
        candidates: &Candidates,
        prng: &mut Prng,
        tried: &[EndpointId],
        better: impl FnOnce(&mut Prng, usize, usize) -> Ordering,
    ) -> Option<usize> {
        let first = candidates.draw(prng, tried)?;
        let chosen = match candidates.draw_other(first, prng, tried) {
            Some(second) => match better(prng, first, second).then_with(|| self.by_turn(first, second)) {
                Ordering::Greater => second,
                Ordering::Less | Ordering::Equal => first,
            },
            None => first,
        };
        self.take_turn(chosen);
        Some(chosen)
    }

    fn by_turn(&self, a: usize, b: usize) -> Ordering {
        self.ahead(a).cmp(&self.ahead(b))
    }

    /// How far beyond its share a candidate is.
    fn ahead(&self, position: usize) -> i64 {
        self.turns[position].at.wrapping_sub(self.passed).cast_signed()
    }

    fn take_turn(&mut self, position: usize) {
        self.passed = self.passed.wrapping_add(self.step);
        let ahead = self.ahead(position);
        let turns = &mut self.turns[position];
        let most = turns.stride.cast_signed().saturating_mul(MOST_TURNS);
        let ahead = ahead.clamp(-most, most).saturating_add_unsigned(turns.stride);
        turns.at = self.passed.wrapping_add_signed(ahead);
    }
}
