//! Who may be picked now, and with what weight.
//!
//! Owns the order of resort: ready endpoints; those and the ejected ones (panic); terminating ones that still serve.
//! Built from a set when the set, an ejection, a policy or a slow start's step changes, so that a pick reads arrays
//! whatever the number of endpoints is. Knows nothing of load and latency.

use super::alias::AliasTable;
use super::prng::Prng;
use super::slow_start::{Ramp, WHOLE};
use crate::ejection::Standing;
use crate::endpoint::{Endpoint, EndpointSet, EndpointState};
use crate::id::EndpointId;
use crate::policy::{Balance, Ejection};
use crate::reason::PickReason;
use crate::time::Moment;

/// How often a draw is repeated that hits an endpoint which is not wanted, before another way is taken.
const DRAWS: usize = 8;

/// An endpoint that may be picked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its place in the set.
    pub(super) index: u32,
    /// Its name, to compare with those that were tried.
    pub(super) id: EndpointId,
    /// Its weight in parts of slow start, never 0.
    pub(super) weight: u64,
    /// The mean weight of all candidates over its own: what one exchange weighs on it.
    pub(super) burden: f64,
}

/// Everybody who may be picked now.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
    table: AliasTable,
    reason: PickReason,
    /// Who serves besides, in the order of resort, for what no candidate is left for.
    others: Vec<(u32, PickReason)>,
    standing: Standing,
    changes_at: Moment,
}

impl Candidates {
    pub(super) fn none() -> Self {
        Self {
            list: Vec::new(),
            table: AliasTable::default(),
            reason: PickReason::Balanced,
            others: Vec::new(),
            standing: Standing::default(),
            changes_at: Moment::NEVER,
        }
    }

    /// Looks at every endpoint of the set again.
    pub(super) fn rebuild(&mut self, set: &EndpointSet, balance: &Balance, ejection: &Ejection, now: Moment) {
        self.list.clear();
        self.others.clear();
        self.changes_at = Moment::NEVER;
        self.count(set, now);
        let picked_from = self.standing.ready - self.standing.ejected;
        let is_panic = picked_from == 0 || share(picked_from, self.standing.ready) < ejection.panic_threshold;
        self.reason = match (self.standing.ready, is_panic) {
            (0, _) => PickReason::LastResort,
            (_, true) => PickReason::Panic,
            (_, false) => PickReason::Balanced,
        };
        for (index, endpoint) in (0_u32..).zip(&set.endpoints).filter(|(_, e)| e.spec.weight > 0) {
            match endpoint.spec.state {
                EndpointState::Ready if is_panic || !endpoint.health.is_ejected(now) => {
                    let ramp = Ramp::of(endpoint, balance.slow_start, now);
                    self.changes_at = self.changes_at.min(ramp.next);
                    self.admit(index, endpoint, ramp.parts);
                }
                EndpointState::Ready => self.others.push((index, PickReason::Panic)),
                EndpointState::Terminating if self.reason == PickReason::LastResort => {
                    self.admit(index, endpoint, WHOLE);
                }
                EndpointState::Terminating => self.others.push((index, PickReason::LastResort)),
                EndpointState::NotReady => {}
            }
        }
        // Stable: within a resort the order of the set stays.
        self.others.sort_by_key(|(_, reason)| *reason == PickReason::LastResort);
        self.weigh();
    }

    fn count(&mut self, set: &EndpointSet, now: Moment) {
        self.standing = Standing::default();
        for e in set.endpoints.iter().filter(|e| e.spec.weight > 0 && e.spec.state == EndpointState::Ready) {
            self.standing.ready += 1;
            if e.health.is_ejected(now) {
                self.standing.ejected += 1;
                self.changes_at = self.changes_at.min(e.health.ejected_until());
            }
        }
    }

    fn admit(&mut self, index: u32, endpoint: &Endpoint, parts: u64) {
        let weight = u64::from(endpoint.spec.weight) * parts;
        self.list.push(Candidate { index, id: endpoint.id, weight, burden: 1.0 });
    }

    fn weigh(&mut self) {
        let total: f64 = self.list.iter().map(|c| c.weight as f64).sum();
        let mean = total / self.list.len().max(1) as f64;
        for candidate in &mut self.list {
            candidate.burden = mean / candidate.weight as f64;
        }
        self.table.rebuild(self.list.iter().map(|c| c.weight));
    }

    /// The candidates; a position is an index into this.
    pub(super) fn list(&self) -> &[Candidate] {
        &self.list
    }

    /// Why any of them is picked, where nothing more special holds.
    pub(super) fn reason(&self) -> PickReason {
        self.reason
    }

    /// How many endpoints are ready and how many of them ejected.
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// When somebody's ejection ends or slow start takes a step.
    pub(super) fn changes_at(&self) -> Moment {
        self.changes_at
    }

    /// The position of a candidate, by weight, that was not tried.
    pub(super) fn draw(&self, prng: &mut Prng, tried: &[EndpointId]) -> Option<usize> {
        if tried.is_empty() {
            return (!self.list.is_empty()).then(|| self.table.draw(prng));
        }
        let lucky = (0..DRAWS).map(|_| self.table.draw(prng)).find(|&p| self.is_untried(p, tried));
        // Only for an exchange that is sent again, and only if those tried have nearly all of the weight.
        lucky.or_else(|| {
            let untried = (0..self.list.len()).filter(|&p| self.is_untried(p, tried));
            drawn_from(untried.map(|p| (p, self.list[p].weight)), prng)
        })
    }

    /// Another position than `first` that was not tried, by weight as far as a few draws find one.
    pub(super) fn draw_other(&self, first: usize, prng: &mut Prng, tried: &[EndpointId]) -> Option<usize> {
        let n = self.list.len();
        let is_wanted = |p: &usize| *p != first && self.is_untried(*p, tried);
        if n == 2 {
            return Some(1 - first).filter(is_wanted);
        }
        // Where one has nearly all of the weight, any other will do to compare it with.
        let any = |prng: &mut Prng| {
            let step = prng.below(n.saturating_sub(1) as u64);
            (first + 1 + usize::try_from(step).unwrap_or(0)) % n.max(1)
        };
        (0..DRAWS)
            .map(|_| self.table.draw(prng))
            .find(|p| is_wanted(p))
            .or_else(|| Some(any(prng)).filter(is_wanted))
    }

    fn is_untried(&self, position: usize, tried: &[EndpointId]) -> bool {
        self.list.get(position).is_some_and(|c| !tried.contains(&c.id))
    }

    /// An endpoint (its place in the set) of the next resort with one that is wanted. Walks through all others: only
    /// for what no candidate was left for.
    pub(super) fn next_resort(
        &self,
        set: &EndpointSet,
        prng: &mut Prng,
        is_wanted: impl Fn(&Endpoint) -> bool,
    ) -> Option<(usize, PickReason)> {
        let wanted = || {
            let others = self.others.iter().map(|&(index, reason)| (index as usize, reason));
            others.filter(|(index, _)| is_wanted(&set.endpoints[*index]))
        };
        let (_, reason) = wanted().next()?;
        let same = wanted().filter(|(_, r)| *r == reason);
        let weighted = same.map(|(index, _)| (index, u64::from(set.endpoints[index].spec.weight)));
        drawn_from(weighted, prng).map(|index| (index, reason))
    }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// One of these by weight, in one pass (Chao's reservoir of one).
fn drawn_from(weighted: impl Iterator<Item = (usize, u64)>, prng: &mut Prng) -> Option<usize> {
    let mut total = 0;
    let mut chosen = None;
    for (item, weight) in weighted {
        total += weight;
        if prng.below(total) < weight {
            chosen = Some(item);
        }
    }
    chosen
}
