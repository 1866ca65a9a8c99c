//! `least_connection`, and sessions that do not pick again: of all candidates exactly the one with the least load for its
//! weight.
//!
//! Looks at everybody, in time linear in the endpoints: a connection that lives for hours may well cost a microsecond to
//! place, and two random ones of a thousand would leave some endpoints with a third of the others' share.

use super::candidates::Candidates;
use super::prng::Prng;
use crate::endpoint::{Endpoint, EndpointSet};
use std::cmp::Ordering;

/// The position of the candidate with the least load ÷ weight of those that are wanted; among equals one by weight, so that
/// workers which see the same counts do not all choose the same.
pub(super) fn choose(
    candidates: &Candidates,
    set: &EndpointSet,
    prng: &mut Prng,
    load: impl Fn(&Endpoint) -> u64,
    is_wanted: impl Fn(&Endpoint) -> bool,
) -> Option<usize> {
    let mut least: Option<Least> = None;
    for (position, candidate) in candidates.list().iter().enumerate() {
        let endpoint = &set.endpoints[candidate.index as usize];
        if !is_wanted(endpoint) {
            continue;
        }
        let this = Least { position, load: load(endpoint), weight: candidate.weight, lots: candidate.weight };
        least = Some(match least {
            Some(so_far) => so_far.or(this, prng),
            None => this,
        });
    }
    least.map(|least| least.position)
}

/// The least of those that were looked at.
#[derive(Clone, Copy, Debug)]
struct Least {
    position: usize,
    load: u64,
    weight: u64,
    /// Weights of all its equals, itself included.
    lots: u64,
}

impl Least {
    fn or(self, other: Self, prng: &mut Prng) -> Self {
        match self.compare(&other) {
            Ordering::Less => self,
            Ordering::Greater => other,
            Ordering::Equal => {
                let lots = self.lots + other.weight;
                let chosen = if prng.below(lots) < other.weight { other } else { self };
                Self { lots, ..chosen }
            }
        }
    }

    /// By load ÷ weight, multiplied out so that equals are equal.
    fn compare(&self, other: &Self) -> Ordering {
        let own = u128::from(self.load) * u128::from(other.weight);
        own.cmp(&(u128::from(other.load) * u128::from(self.weight)))
    }
}
