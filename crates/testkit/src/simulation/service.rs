//! The simulated service: which endpoints are in its set, in which state, and the snapshots made of that.

use super::prng::Prng;
use super::scenario::{Scenario, policy, route_policy};
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec, EndpointState};
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{EndpointStats, ListenerStats, ServiceStats};
use evenkeel_core::time::Moment;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const SERVICE: ServiceId = ServiceId(1);
const LISTENER: ListenerId = ListenerId(1);
const FIRST_PORT: u16 = 7_000;

#[derive(Debug)]
struct Member {
    spec: EndpointSpec,
    is_in: bool,
}

/// A listener that sends everything to one service of so many endpoints, with default policies.
#[must_use]
pub fn one_service(endpoints: u16) -> (ListenerId, Arc<Snapshot>) {
    let members = (0..endpoints).map(|i| Member { spec: EndpointSpec::at(address(i)), is_in: true });
    let mut service =
        SimulatedService::with(members.collect(), ServicePolicy::default(), route(RoutePolicy::default()));
    (LISTENER, service.publish(Moment::ZERO))
}

/// Everything goes to the one service.
fn route(policy: RoutePolicy) -> RouteTable {
    RouteTable { routes: vec![Route { matches: RouteMatch::default(), service: SERVICE, policy }] }
}

fn address(index: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], FIRST_PORT + index))
}

/// A service with its listener.
#[derive(Debug)]
pub(super) struct SimulatedService {
    members: Vec<Member>,
    writer: EndpointSetWriter,
    policy: ServicePolicy,
    stats: Arc<ServiceStats>,
    listener: Arc<Listener>,
    current: Arc<Snapshot>,
    /// Counts of every endpoint that there ever was.
    counts: Vec<Arc<EndpointStats>>,
    is_closed: bool,
    /// Routes allow that a request is sent again though it may have been processed.
    repeats: bool,
}

impl SimulatedService {
    pub(super) fn new(scenario: &Scenario, prng: &mut Prng) -> Self {
        let members = (0..scenario.endpoints.len())
            .map(|i| Member { spec: EndpointSpec::at(address(i as u16)), is_in: i < scenario.first })
            .collect();
        let exchanges = route_policy(prng, scenario.is_healthy, scenario.repeats);
        let mut service = Self::with(members, policy(prng, scenario.is_healthy), route(exchanges));
        Arc::make_mut(&mut service.listener).policy.timeouts.send = Duration::from_secs(600);
        service.publish(Moment::ZERO);
        service.repeats = scenario.repeats;
        service
    }

    fn with(members: Vec<Member>, policy: ServicePolicy, routes: RouteTable) -> Self {
        Self {
            members,
            writer: EndpointSetWriter::new(SERVICE, 1, EndpointIds::default()),
            policy,
            stats: Arc::new(ServiceStats::new(1)),
            listener: Arc::new(Listener {
                id: LISTENER,
                name: "simulated".into(),
                policy: ListenerPolicy::default(),
                routes,
                stats: Arc::new(ListenerStats::new(1)),
            }),
            current: Arc::default(),
            counts: Vec::new(),
            is_closed: false,
            repeats: false,
        }
    }

    pub(super) fn listener(&self) -> ListenerId {
        LISTENER
    }

    /// Which endpoint listens at an address.
    pub(super) fn index_of(address: SocketAddr) -> usize {
        usize::from(address.port() - FIRST_PORT)
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current)
    }

    /// The snapshot of now; parts that did not change are the same as before.
    pub(super) fn publish(&mut self, now: Moment) -> Arc<Snapshot> {
        let specs = self.members.iter().filter(|m| m.is_in).map(|m| m.spec.clone()).collect();
        let is_changed = self.writer.publish(specs, now).is_some();
        let endpoints = Arc::clone(self.writer.current());
        for endpoint in &endpoints.endpoints {
            if !self.counts.iter().any(|c| Arc::ptr_eq(c, &endpoint.stats)) {
                self.counts.push(Arc::clone(&endpoint.stats));
            }
        }
        let before =
            self.current.services.first().filter(|s| !is_changed && s.policy == self.policy).cloned();
        let service = before.unwrap_or_else(|| {
            let (name, stats) = ("simulated".into(), Arc::clone(&self.stats));
            Arc::new(Service { id: SERVICE, name, policy: self.policy, endpoints, stats })
        });
        let services = if self.is_closed { Vec::new() } else { vec![service] };
        self.current = Arc::new(Snapshot { services, listeners: vec![Arc::clone(&self.listener)] });
        self.snapshot()
    }

    /// The service is configured no more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// A ready member, if two more are left beside it.
    fn spare(&mut self, prng: &mut Prng) -> Option<usize> {
        let is_ready = |m: &Member| m.is_in && m.spec.state == EndpointState::Ready && m.spec.weight > 0;
        let ready: Vec<_> = (0..self.members.len()).filter(|&i| is_ready(&self.members[i])).collect();
        (ready.len() > 1).then(|| prng.pick(&ready))
    }

    pub(super) fn scale_up(&mut self, prng: &mut Prng) {
        let out: Vec<_> = (0..self.members.len()).filter(|&i| !self.members[i].is_in).collect();
        if !out.is_empty() {
            let member = &mut self.members[prng.pick(&out)];
            member.is_in = true;
            member.spec.state = EndpointState::Ready;
        }
    }

    pub(super) fn terminate(&mut self, prng: &mut Prng) -> Option<usize> {
        let index = self.spare(prng)?;
        self.members[index].spec.state = EndpointState::Terminating;
        Some(index)
    }

    pub(super) fn sweep(&mut self) {
        for member in &mut self.members {
            member.is_in &= member.spec.state == EndpointState::Ready;
        }
    }

    pub(super) fn recover(&mut self) {
        self.members.iter_mut().for_each(|m| m.spec.state = EndpointState::Ready);
    }

    pub(super) fn weigh(&mut self, prng: &mut Prng) {
        self.members.iter_mut().for_each(|m| m.spec.weight = prng.between(1, 5) as u32);
    }

    pub(super) fn reload(&mut self, prng: &mut Prng, is_healthy: bool) {
        self.policy = policy(prng, is_healthy);
        Arc::make_mut(&mut self.listener).routes = route(route_policy(prng, is_healthy, self.repeats));
    }

    pub(super) fn remove(&mut self, prng: &mut Prng) {
        let index = prng.below(self.members.len());
        self.members[index].is_in = false;
    }

    pub(super) fn unready(&mut self, prng: &mut Prng) {
        let index = prng.below(self.members.len());
        self.members[index].spec.state = EndpointState::NotReady;
    }

    /// With nothing open, nothing may be counted as open.
    pub(super) fn check_counts(&self) -> Result<(), String> {
        for (i, counts) in self.counts.iter().enumerate() {
            let (exchanges, upstreams) = (counts.active_exchanges(), counts.upstreams());
            if exchanges != 0 || upstreams != 0 {
                return Err(format!("endpoint {i} counts {exchanges} exchanges and {upstreams} upstreams"));
            }
        }
        if self.listener.stats.sessions() != 0 {
            return Err(format!("{} sessions are counted", self.listener.stats.sessions()));
        }
        Ok(())
    }
}
