//! `round_robin`: in turn, by weight.
//!
//! The candidate whose deadline is the earliest is next, and its next deadline is one over its weight later (earliest
//! deadline first, as in weighted fair queueing): equal candidates take strict turns and a heavy one's turns are spread
//! between the others'. A heap, so a pick is logarithmic in the number of candidates.

use super::candidates::Candidates;
use super::prng::Prng;
use crate::id::EndpointId;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// One turn of a candidate of mean weight.
const TURN: f64 = (1_u64 << 20) as f64;

/// When a candidate is next. Deadlines wrap, and are all within half of their range of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Deadline {
    at: u64,
    stride: u64,
    position: usize,
}

impl Ord for Deadline {
    /// The earliest deadline is the greatest, because the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        let later = other.at.wrapping_sub(self.at).cast_signed();
        later.cmp(&0).then_with(|| other.position.cmp(&self.position))
    }
}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whose turn it is.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundRobin {
    deadlines: BinaryHeap<Deadline>,
    passed_over: Vec<Deadline>,
    now: u64,
}

impl RoundRobin {
    /// Begins anew. Each candidate's first deadline is a random part of its stride away: several workers then do not
    /// begin with the same one, and a set that changes often gives nobody an advantage.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and below 2^64"
    )]
    pub(super) fn rebuild(&mut self, candidates: &Candidates, prng: &mut Prng) {
        self.deadlines.clear();
        for (position, candidate) in candidates.list().iter().enumerate() {
            let stride = (TURN * candidate.burden).max(1.0) as u64;
            let at = self.now.wrapping_add(prng.below(stride));
            self.deadlines.push(Deadline { at, stride, position });
        }
    }

    /// The position of the next candidate that was not tried. Those that were tried keep their turn.
    pub(super) fn choose(&mut self, candidates: &Candidates, tried: &[EndpointId]) -> Option<usize> {
        let mut chosen = None;
        while let Some(next) = self.deadlines.pop() {
            if tried.contains(&candidates.list()[next.position].id) {
                self.passed_over.push(next);
                continue;
            }
            self.now = next.at;
            self.deadlines.push(Deadline { at: next.at.wrapping_add(next.stride), ..next });
            chosen = Some(next.position);
            break;
        }
        self.deadlines.extend(self.passed_over.drain(..));
        chosen
    }
}
