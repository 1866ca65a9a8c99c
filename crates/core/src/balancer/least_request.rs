//! `least_request`: of two candidates the one with fewer exchanges in flight for its weight.

use super::candidates::Candidate;
use crate::endpoint::EndpointSet;
use std::cmp::Ordering;

/// Exchanges in flight on a candidate, on all workers, over its weight (1 is the mean weight).
pub(super) fn load(set: &EndpointSet, candidate: &Candidate) -> f64 {
    set.endpoints[candidate.index as usize].stats.active_exchanges() as f64 * candidate.burden
}

/// Which of two is to be preferred; the numbers say how far ahead of its share each is, in exchanges.
pub(super) fn compare(
    set: &EndpointSet,
    (a, ahead_a): (&Candidate, f64),
    (b, ahead_b): (&Candidate, f64),
) -> Ordering {
    let (load_a, load_b) = (load(set, a) + ahead_a * a.burden, load(set, b) + ahead_b * b.burden);
    load_a.total_cmp(&load_b)
}
