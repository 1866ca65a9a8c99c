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

impl Engine {
    /// Takes a new snapshot.
    pub fn refresh(&mut self, now: Moment, snapshot: Arc<Snapshot>) {
        self.snapshot = snapshot;
        let services = self.snapshot.services.clone();
        for service in &services {
            match self.service_of.get(&service.id).copied() {
                Some(index) if Arc::ptr_eq(&self.services[index].service, service) => {
                    self.services[index].is_removed = false;
                }
                Some(index) => self.update_service(now, index, service),
                None => {
                    let seed = self.seed ^ u64::from(service.id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let policy = &service.policy;
                    let balancer =
                        Balancer::new(service.id, self.worker, seed, policy.balance, policy.ejection);
                    let index = self.services.len();
                    self.services.push(ServiceState {
                        service: Arc::clone(service),
                        balancer,
                        exchanges: 0,
                        retries: RetryBudget::default(),
                        is_removed: false,
                    });
                    self.service_of.insert(service.id, index);
                    self.update_service(now, index, service);
                }
            }
        }
        for index in 0..self.services.len() {
            let state = &mut self.services[index];
            if !state.is_removed && self.snapshot.service(state.service.id).is_none() {
                state.is_removed = true;
                self.forget_endpoints(now, index, &HashSet::new());
            }
        }
        self.relieve(now);
    }

    fn update_service(&mut self, now: Moment, index: usize, service: &Arc<Service>) {
        let state = &mut self.services[index];
        state.service = Arc::clone(service);
        state.is_removed = false;
        state.balancer.set_policy(service.policy.balance, service.policy.ejection);
        state.balancer.set_endpoints(Arc::clone(&service.endpoints), now);
        let endpoints = &service.endpoints.endpoints;
        let present = endpoints.iter().map(|e| e.id).collect();
        // All are known before the first is let go: whoever waited for it may be sent to any of the others.
        let leaving: Vec<_> = endpoints.iter().filter_map(|e| self.update_endpoint(index, e)).collect();
        for pool in leaving {
            self.let_go(now, pool, CloseReason::EndpointTerminating);
        }
        self.forget_endpoints(now, index, &present);
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
        pool.is_removed = false;
        (was_ready && endpoint.spec.state != EndpointState::Ready).then_some(key)
    }

    /// Endpoints of a service that are not in its set any more.
    fn forget_endpoints(&mut self, now: Moment, service: usize, present: &HashSet<EndpointId>) {
        for key in self.pools.keys() {
            let Some(pool) = self.pools.get_mut(key) else { continue };
            if pool.service == service && !pool.is_removed && !present.contains(&pool.endpoint.id) {
                pool.is_removed = true;
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
        for conn in pool.conns.clone() {
            if self.conns.get(conn).is_some_and(|c| c.is_idle() && !c.is_closing()) {
                self.end_conn(now, conn, reason, Some(ErrorCode::NoError));
            }
        }
    }
}
