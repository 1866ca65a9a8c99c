//! `least_request`: of two candidates the one with fewer exchanges in flight for its weight.

use super::candidates::Candidate;
use crate::endpoint::EndpointSet;
use std::cmp::Ordering;

/// Exchanges in flight on a candidate, on all workers, over its weight (1 is the mean weight).
pub(super) fn load(set: &EndpointSet, candidate: &Candidate) -> f64 {
    set.endpoints[candidate.index as usize].stats.active_exchanges() as f64 * candidate.burden
}

/// Which of two is to be preferred.
pub(super) fn compare(set: &EndpointSet, a: &Candidate, b: &Candidate) -> Ordering {
    load(set, a).total_cmp(&load(set, b))
}
