//! A new snapshot: services and endpoints that came, went or changed. What did not change is not touched.

use super::{Engine, ServiceState, Wake};
use crate::keys::PoolKey;
use crate::upstream::Pool;
use evenkeel_core::balancer::Balancer;
use evenkeel_core::endpoint::{Endpoint, EndpointState};
use evenkeel_core::id::EndpointId;
use evenkeel_core::policy::Drain;
use evenkeel_core::reason::CloseReason;
use evenkeel_core::retry_budget::RetryBudget;
use evenkeel_core::snapshot::{Service, Snapshot};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::ErrorCode;
use std::collections::HashSet;
use std::sync::Arc;

impl ServiceState {
    /// Whether it is this very value, so that nothing changed.
    fn is(&self, service: &Arc<Service>) -> bool {
        Arc::ptr_eq(&self.service, service) && !self.is_removed
    }
}

impl Engine {
    /// Takes a new snapshot. What is the same value as before is not looked at; of what changed, only connections to
    /// endpoints that went or ceased to be ready are touched.
    pub fn refresh(&mut self, now: Moment, snapshot: Arc<Snapshot>) {
        self.snapshot = snapshot;
        let services = self.snapshot.services.clone();
        let mut new = Vec::new();
        for service in &services {
            match self.service_of.get(&service.id).copied() {
                Some(index) if self.services[index].is(service) => {}
                Some(index) => self.update_service(now, index, service),
                None => new.push(service),
            }
        }
        // After the others: one of them may have come back to the slot that it left.
        let mut vacant = if new.is_empty() { Vec::new() } else { self.vacant_services() };
        for service in new {
            self.add_service(now, vacant.pop(), service);
        }
        for index in 0..self.services.len() {
            let state = &mut self.services[index];
            if !state.is_removed && self.snapshot.service(state.service.id).is_none() {
                state.is_removed = true;
                let endpoints = Arc::clone(&state.service.endpoints);
                self.forget_endpoints(now, endpoints.endpoints.iter().map(|e| e.id));
            }
        }
        self.relieve(now);
    }

    /// Slots of services that are configured no more and that nothing refers to any more.
    fn vacant_services(&self) -> Vec<usize> {
        let mut is_vacant: Vec<bool> = self.services.iter().map(|state| state.is_removed).collect();
        if !is_vacant.contains(&true) {
            return Vec::new();
        }
        let pools = self.pools.iter().map(|(_, pool)| pool.service);
        // An exchange that found no endpoint has no pool, and one without a route has no service.
        for service in pools.chain(self.exchanges.iter().map(|(_, exchange)| exchange.service)) {
            if let Some(is_vacant) = is_vacant.get_mut(service) {
                *is_vacant = false;
            }
        }
        (0..is_vacant.len()).filter(|&index| is_vacant[index]).collect()
    }

    /// A service that is new, in a slot that is vacant or else in one more.
    fn add_service(&mut self, now: Moment, slot: Option<usize>, service: &Arc<Service>) {
        let seed = self.seed ^ u64::from(service.id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let policy = &service.policy;
        let balancer = Balancer::new(service.id, self.worker, seed, policy.balance, policy.ejection);
        // Nothing of its endpoints is known yet, as if it had been removed.
        let state = ServiceState {
            service: Arc::clone(service),
            balancer,
            exchanges: 0,
            retries: RetryBudget::default(),
            is_removed: true,
        };
        let index = match slot {
            Some(index) => {
                self.service_of.remove(&self.services[index].service.id);
                self.services[index] = state;
                index
            }
            None => {
                self.services.push(state);
                self.services.len() - 1
            }
        };
        self.service_of.insert(service.id, index);
        self.update_service(now, index, service);
    }

    fn update_service(&mut self, now: Moment, index: usize, service: &Arc<Service>) {
        let state = &mut self.services[index];
        let was_removed = std::mem::replace(&mut state.is_removed, false);
        let before = std::mem::replace(&mut state.service, Arc::clone(service));
        state.balancer.set_policy(service.policy.balance, service.policy.ejection);
        if Arc::ptr_eq(&before.endpoints, &service.endpoints) && !was_removed {
            return;
        }
        state.balancer.set_endpoints(Arc::clone(&service.endpoints), now);
        let endpoints = &service.endpoints.endpoints;
        let present: HashSet<EndpointId> = endpoints.iter().map(|e| e.id).collect();
        // All are known before the first is let go: whoever waited for it may be sent to any of the others.
        let leaving: Vec<_> = endpoints.iter().filter_map(|e| self.update_endpoint(index, e)).collect();
        for pool in leaving {
            self.let_go(now, pool, CloseReason::EndpointTerminating);
        }
        let gone = before.endpoints.endpoints.iter().map(|e| e.id).filter(|id| !present.contains(id));
        self.forget_endpoints(now, gone);
    }

    /// Takes what is new of an endpoint; its pool if it has just ceased to be ready.
    fn update_endpoint(&mut self, service: usize, endpoint: &Endpoint) -> Option<PoolKey> {
        let Some(&key) = self.pool_of.get(&endpoint.id) else {
            let key = self.pools.insert(Pool::new(service, endpoint.clone()));
            self.pool_of.insert(endpoint.id, key);
            return None;
        };
        let pool = &mut self.pools[key];
        let was_ready = pool.endpoint.spec.state == EndpointState::Ready;
        pool.endpoint = endpoint.clone();
        if std::mem::replace(&mut pool.is_removed, false) {
            pool.leaves_at = Moment::NEVER;
        }
        (was_ready && endpoint.spec.state != EndpointState::Ready).then_some(key)
    }

    /// Endpoints that are not in their service's set any more.
    fn forget_endpoints(&mut self, now: Moment, gone: impl Iterator<Item = EndpointId>) {
        for id in gone {
            let Some(&key) = self.pool_of.get(&id) else { continue };
            if !std::mem::replace(&mut self.pools[key].is_removed, true) {
                self.let_go(now, key, CloseReason::EndpointRemoved);
                self.redistribute(now, key);
                self.drop_pool_if_done(key);
            }
        }
    }

    /// Closes the idle connections of an endpoint that is going; the others have until the drain's deadline.
    fn let_go(&mut self, now: Moment, key: PoolKey, reason: CloseReason) {
        let pool = &self.pools[key];
        let service = &self.services[pool.service].service;
        let deadline = service.policy.drain_deadline.unwrap_or(Drain::default().deadline);
        self.wheel.arm(now + deadline, Wake::Pool(key));
        let pool = &mut self.pools[key];
        pool.leaves_at = now + deadline;
        for conn in pool.all().collect::<Vec<_>>() {
            if self.conns.get(conn).is_some_and(|c| c.is_idle() && !c.is_closing()) {
                self.end_conn(now, conn, reason, Some(ErrorCode::NoError));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EngineSetup;
    use super::*;
    use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
    use evenkeel_core::id::{ServiceId, WorkerIndex};
    use evenkeel_core::limits::Limits;
    use evenkeel_core::policy::ServicePolicy;
    use evenkeel_core::stats::{ServiceStats, WorkerStats};
    use std::net::SocketAddr;
    use std::time::Duration;

    const NOW: Moment = Moment::ZERO;

    fn engine() -> Engine {
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 7,
            limits: Limits::default(),
            log_interval: Duration::from_secs(300),
            stats: Arc::new(WorkerStats::default()),
            snapshot: Arc::default(),
        };
        Engine::new(setup, NOW)
    }

    /// Services of these ids, each with one endpoint.
    fn snapshot(ids: &EndpointIds, services: &[u32]) -> Arc<Snapshot> {
        let service = |&id: &u32| {
            let mut writer = EndpointSetWriter::new(ServiceId(id), 1, ids.clone());
            writer.publish(vec![EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], 80)))], NOW);
            Arc::new(Service {
                id: ServiceId(id),
                name: format!("s{id}").into(),
                policy: ServicePolicy::default(),
                endpoints: Arc::clone(writer.current()),
                stats: Arc::new(ServiceStats::new(1)),
            })
        };
        Arc::new(Snapshot { services: services.iter().map(service).collect(), listeners: Vec::new() })
    }

    #[test]
    fn services_that_come_take_the_places_of_those_that_went() {
        let (mut engine, ids) = (engine(), EndpointIds::default());
        for id in 0..1_000 {
            engine.refresh(NOW, snapshot(&ids, &[id, 10_000 + id]));
        }
        // Those that went are let go after those that come were placed, so two generations have places.
        assert_eq!((engine.services.len(), engine.pools.len(), engine.pool_of.len()), (4, 2, 2));
        assert!(engine.service_of.len() <= 4);
        let index = engine.service_of[&ServiceId(999)];
        assert_eq!(engine.services[index].service.id, ServiceId(999));
    }

    #[test]
    fn the_place_of_a_service_that_still_has_exchanges_is_not_given_away() {
        let (mut engine, ids) = (engine(), EndpointIds::default());
        engine.refresh(NOW, snapshot(&ids, &[0]));
        let (key, _) = engine.pools.iter().next().unwrap();
        engine.pools[key].exchanges = 1;
        engine.refresh(NOW, snapshot(&ids, &[1]));
        engine.refresh(NOW, snapshot(&ids, &[1, 2]));
        assert_eq!(engine.services[0].service.id, ServiceId(0));
        engine.pools[key].exchanges = 0;
        engine.drop_pool_if_done(key);
        engine.refresh(NOW, snapshot(&ids, &[1, 2, 3]));
        assert_eq!(engine.services[0].service.id, ServiceId(3));
        assert!(!engine.service_of.contains_key(&ServiceId(0)));
    }

    #[test]
    fn a_service_that_comes_back_as_it_was_has_its_endpoints_again() {
        let (mut engine, ids) = (engine(), EndpointIds::default());
        let with = snapshot(&ids, &[0]);
        engine.refresh(NOW, Arc::clone(&with));
        let (key, _) = engine.pools.iter().next().unwrap();
        engine.pools[key].exchanges = 1;
        engine.refresh(NOW, Arc::default());
        assert!(engine.pools[key].is_removed && engine.services[0].is_removed);
        engine.refresh(NOW, with);
        assert!(!engine.pools[key].is_removed && !engine.services[0].is_removed);
        assert_eq!(engine.pools[key].leaves_at, Moment::NEVER);
    }

    #[test]
    fn a_service_that_comes_back_beside_a_new_one_keeps_its_place() {
        let (mut engine, ids) = (engine(), EndpointIds::default());
        let with = snapshot(&ids, &[7]);
        engine.refresh(NOW, Arc::clone(&with));
        engine.refresh(NOW, Arc::default());
        let mut both = Snapshot::clone(&snapshot(&ids, &[1]));
        both.services.extend(with.services.iter().cloned());
        engine.refresh(NOW, Arc::new(both));
        let ids: Vec<u32> = engine.services.iter().map(|state| state.service.id.0).collect();
        assert_eq!(ids, [7, 1]);
        assert!(engine.services.iter().all(|state| !state.is_removed));
        assert_eq!(engine.pools.len(), 2);
    }
}
