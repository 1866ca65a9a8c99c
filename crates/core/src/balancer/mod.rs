//! Picks: which endpoint an exchange goes to.
//!
//! A [`Balancer`] belongs to one worker and one service. It owns what that worker learnt (latencies, whose turn it is)
//! and reads what all workers share (exchanges in flight, ejections). It knows nothing of connections, and neither
//! waits nor allocates: a pick reads a few arrays whatever the number of endpoints, which are built again when the set,
//! the policies, an ejection or a slow start's step changes. Only a session's pick, and `least_connection`, look at every
//! endpoint: what stays for long must go to exactly the least. The engine calls it once or twice an exchange.

mod alias;
mod candidates;
mod least_connection;
mod least_request;
mod peak_ewma;
mod prng;
mod round_robin;
mod slow_start;
mod two_choices;

use crate::ejection::{self, Verdict};
use crate::endpoint::{Endpoint, EndpointSet};
use crate::event::EventKind;
use crate::id::{EndpointId, ServiceId, WorkerIndex};
use crate::policy::{Balance, BalancePolicy, Ejection};
use crate::reason::{NoPickReason, PickReason};
use crate::time::Moment;
use candidates::Candidates;
use hashbrown::HashTable;
use peak_ewma::Latencies;
use prng::Prng;
use round_robin::RoundRobin;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use two_choices::TwoChoices;

/// A choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Who.
    pub endpoint: EndpointId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Why.
    pub reason: PickReason,
}

/// What became of an exchange, for latency and ejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Response headers came after this long.
    Answered(Duration),
    /// The endpoint failed the exchange: connection refused or lost, reset, 5xx, gRPC UNAVAILABLE.
    Failed,
}

/// One worker's balancer of one service.
#[derive(Debug)]
pub struct Balancer {
    service: ServiceId,
    worker: WorkerIndex,
    balance: Balance,
    ejection: Ejection,
    prng: Prng,
    set: Arc<EndpointSet>,
    /// Where each endpoint of the set stands in it.
    places: HashTable<(EndpointId, u32)>,
    latencies: Latencies,
    candidates: Candidates,
    two_choices: TwoChoices,
    round_robin: RoundRobin,
    /// The version of the ledger that the candidates were built from; `None` asks for building them again.
    built_from: Option<u64>,
}

impl Balancer {
    /// A balancer over no endpoints yet. `seed` makes its random choices repeatable; services and workers with the same
    /// seed choose differently.
    #[must_use]
    pub fn new(
        service: ServiceId,
        worker: WorkerIndex,
        seed: u64,
        balance: Balance,
        ejection: Ejection,
    ) -> Self {
        let whose = (u64::from(service.0) << 16) | u64::from(worker.0);
        Self {
            service,
            worker,
            balance,
            ejection,
            prng: Prng::new(Prng::new(seed).bits() ^ Prng::new(whose).bits()),
            set: Arc::default(),
            places: HashTable::new(),
            latencies: Latencies::default(),
            candidates: Candidates::none(),
            two_choices: TwoChoices::default(),
            round_robin: RoundRobin::default(),
            built_from: None,
        }
    }

    /// Takes the policies of now. Nothing is built again if they are those of before.
    pub fn set_policy(&mut self, balance: Balance, ejection: Ejection) {
        if (self.balance, self.ejection) != (balance, ejection) {
            (self.balance, self.ejection) = (balance, ejection);
            self.built_from = None;
        }
    }

    /// Takes a new set; what it knows of endpoints that stay is kept.
    pub fn set_endpoints(&mut self, set: Arc<EndpointSet>, now: Moment) {
        if Arc::ptr_eq(&self.set, &set) {
            return;
        }
        let places: Vec<Option<usize>> = set.endpoints.iter().map(|e| self.place_of(e.id)).collect();
        self.latencies.rearrange(places.into_iter());
        self.places.clear();
        for (place, endpoint) in (0_u32..).zip(&set.endpoints) {
            self.places.insert_unique(hash(endpoint.id), (endpoint.id, place), |(id, _)| hash(*id));
        }
        self.set = set;
        self.built_from = None;
        self.refresh(now);
    }

    /// The set it picks from.
    #[must_use]
    pub fn endpoints(&self) -> &Arc<EndpointSet> {
        &self.set
    }

    /// Chooses. `tried` are endpoints that this exchange was already sent to; none of them is chosen again.
    ///
    /// Ready endpoints that are not ejected come first, then ejected ones, then terminating ones, which still serve:
    /// there is a pick as long as any endpoint of a weight above 0 serves and was not tried.
    pub fn pick(&mut self, now: Moment, tried: &[EndpointId]) -> Result<Pick, NoPickReason> {
        self.refresh(now);
        let (index, reason) = match self.choose(now, tried) {
            Some(position) => (self.candidates.list()[position].index as usize, self.reason(tried)),
            None => self
                .candidates
                .next_resort(&self.set, &mut self.prng, |endpoint| !tried.contains(&endpoint.id))
                .ok_or_else(|| self.why_nobody())?,
        };
        Ok(self.picked(index, reason))
    }

    /// Chooses for a session that does not pick again (WebSocket, tunnel), whatever the policy is: exactly the endpoint
    /// with the fewest such sessions ÷ weight over all workers, by lot among equals. Who holds `most` already is left out;
    /// what other workers have not counted yet may bring an endpoint beyond it by as many. Otherwise as
    /// [`Balancer::pick`]. Looks at every endpoint.
    pub fn pick_session(
        &mut self,
        now: Moment,
        tried: &[EndpointId],
        most: Option<u32>,
    ) -> Result<Pick, NoPickReason> {
        self.refresh(now);
        let Self { set, candidates, prng, .. } = self;
        let has_room = |e: &Endpoint| most.is_none_or(|most| e.stats.sessions() < u64::from(most));
        let is_wanted = |e: &Endpoint| !tried.contains(&e.id) && has_room(e);
        let least = least_connection::choose(candidates, set, prng, |e| e.stats.sessions(), is_wanted);
        let (index, reason) = match least {
            Some(position) => {
                let reason = match self.reason(tried) {
                    PickReason::Balanced => PickReason::LeastSessions,
                    other => other,
                };
                (self.candidates.list()[position].index as usize, reason)
            }
            None => candidates.next_resort(set, prng, is_wanted).ok_or_else(|| self.why_no_session(tried))?,
        };
        Ok(self.picked(index, reason))
    }

    fn picked(&self, index: usize, reason: PickReason) -> Pick {
        let endpoint = &self.set.endpoints[index];
        Pick { endpoint: endpoint.id, address: endpoint.spec.address, reason }
    }

    /// The position among the candidates of the one that the policy prefers.
    fn choose(&mut self, now: Moment, tried: &[EndpointId]) -> Option<usize> {
        let Self { set, candidates, latencies, prng, two_choices, round_robin, .. } = self;
        let list = candidates.list();
        if let [only] = list {
            return (!tried.contains(&only.id)).then_some(0);
        }
        match self.balance.policy {
            BalancePolicy::PeakEwma => two_choices.choose(candidates, prng, tried, |prng, a, b| {
                let both = (&list[a.position], &list[b.position]);
                let by_latency = latencies.compare(set, prng, both, now);
                by_latency
                    .unwrap_or_else(|| least_request::compare(set, (both.0, a.ahead), (both.1, b.ahead)))
            }),
            BalancePolicy::LeastRequest => two_choices.choose(candidates, prng, tried, |_, a, b| {
                least_request::compare(set, (&list[a.position], a.ahead), (&list[b.position], b.ahead))
            }),
            BalancePolicy::LeastConnection => {
                let is_wanted = |e: &Endpoint| !tried.contains(&e.id);
                least_connection::choose(candidates, set, prng, |e| e.stats.active_exchanges(), is_wanted)
            }
            BalancePolicy::RoundRobin => round_robin.choose(candidates, tried),
            BalancePolicy::Random => candidates.draw(prng, tried),
        }
    }

    fn reason(&self, tried: &[EndpointId]) -> PickReason {
        match self.candidates.reason() {
            PickReason::Balanced if !tried.is_empty() => PickReason::Retried,
            PickReason::Balanced if self.candidates.list().len() == 1 => PickReason::Only,
            reason => reason,
        }
    }

    fn why_nobody(&self) -> NoPickReason {
        if self.set.endpoints.is_empty() {
            NoPickReason::NoEndpoints
        } else if self.candidates.list().is_empty() {
            NoPickReason::NoneServing
        } else {
            NoPickReason::AllTried
        }
    }

    /// Somebody who serves and was not tried was left out because it is full; else as for an exchange.
    fn why_no_session(&self, tried: &[EndpointId]) -> NoPickReason {
        let serves = |e: &Endpoint| e.spec.weight > 0 && e.spec.state.is_serving();
        let is_full = self.set.endpoints.iter().any(|e| serves(e) && !tried.contains(&e.id));
        if is_full { NoPickReason::AllFull } else { self.why_nobody() }
    }

    /// Learns what became of an exchange; an event when the endpoint's standing changes. Reports of endpoints that are
    /// no longer in the set are ignored.
    pub fn report(&mut self, now: Moment, endpoint: EndpointId, report: Report) -> Option<EventKind> {
        let index = self.place_of(endpoint)?;
        let event = match report {
            Report::Answered(took) => self.answered(index, took, now),
            Report::Failed => self.failed(index, now),
        };
        let cell = self.set.endpoints[index].stats.cell(self.worker);
        cell.set_latency_ewma_ns(self.latencies.average_ns(index));
        event
    }

    fn answered(&mut self, index: usize, took: Duration, now: Moment) -> Option<EventKind> {
        let recovery = ejection::answered(&self.set, index, now);
        if recovery.failures > 0 {
            self.latencies.failed(index, now);
        } else {
            self.latencies.answered(index, took, now);
        }
        let Endpoint { id, spec, .. } = &self.set.endpoints[index];
        recovery.readmitted.then_some(EventKind::Readmitted {
            service: self.service,
            endpoint: *id,
            address: spec.address,
        })
    }

    /// While an ejection is to be expected a failure is nothing but a count towards it. It counts as latency when the
    /// endpoint answers again, so it fails only now and then, or when it may not be ejected. Otherwise a dead endpoint
    /// would be asked too seldom to be found dead.
    fn failed(&mut self, index: usize, now: Moment) -> Option<EventKind> {
        self.refresh(now);
        match ejection::failed(&self.set, index, &self.ejection, self.candidates.standing(), now) {
            Verdict::Counted => None,
            Verdict::Unchanged => {
                self.latencies.failed(index, now);
                None
            }
            Verdict::Ejected(reason, duration) => {
                let Endpoint { id, spec, .. } = &self.set.endpoints[index];
                Some(EventKind::Ejected {
                    service: self.service,
                    endpoint: *id,
                    address: spec.address,
                    reason,
                    duration,
                })
            }
        }
    }

    /// Builds the candidates again if anything that they come from has changed.
    fn refresh(&mut self, now: Moment) {
        let version = self.set.ejections.version();
        if self.built_from == Some(version) && now < self.candidates.changes_at() {
            return;
        }
        self.candidates.rebuild(&self.set, &self.balance, &self.ejection, now);
        match self.balance.policy {
            BalancePolicy::PeakEwma | BalancePolicy::LeastRequest => {
                self.two_choices.rebuild(&self.candidates);
            }
            BalancePolicy::RoundRobin => self.round_robin.rebuild(&self.candidates, &mut self.prng),
            BalancePolicy::LeastConnection | BalancePolicy::Random => {}
        }
        // Whoever comes back from an ejection begins like a new endpoint.
        for (index, endpoint) in self.set.endpoints.iter().enumerate() {
            if endpoint.health.is_ejected(now) {
                self.latencies.forget(index);
                endpoint.stats.cell(self.worker).set_latency_ewma_ns(0);
            }
        }
        self.built_from = Some(version);
    }

    fn place_of(&self, endpoint: EndpointId) -> Option<usize> {
        self.places.find(hash(endpoint), |(id, _)| *id == endpoint).map(|(_, place)| *place as usize)
    }
}

/// Ids are ours and run upwards, so spreading their bits (Fibonacci hashing) is enough.
fn hash(endpoint: EndpointId) -> u64 {
    u64::from(endpoint.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
