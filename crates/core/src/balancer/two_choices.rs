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
