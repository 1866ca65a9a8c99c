//! The simulated services: which endpoints are in their sets, in which state, and the snapshots made of that.

use super::prng::Prng;
use super::scenario::{Scenario, policy, route_policy};
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec, EndpointState};
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::policy::{ListenerPolicy, ListenerProtocol, RetryOn, RoutePolicy, ServicePolicy};
use evenkeel_core::route::{PathMatch, Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{EndpointStats, ListenerStats, ServiceStats};
use evenkeel_core::time::Moment;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const FIRST_PORT: u16 = 7_000;

#[derive(Debug)]
struct Member {
    spec: EndpointSpec,
    /// Index of its service.
    group: usize,
    is_in: bool,
}

/// A listener that sends everything to one service of so many endpoints, with default policies.
#[must_use]
pub fn one_service(endpoints: u16) -> (ListenerId, Arc<Snapshot>) {
    let member = |i| Member { spec: EndpointSpec::at(address(i)), group: 0, is_in: true };
    let members = (0..endpoints).map(member).collect();
    let mut service =
        SimulatedService::with(members, &[ServicePolicy::default()], &[RoutePolicy::default()], 1);
    (ListenerId(1), service.publish(Moment::ZERO))
}

/// Paths of the second service are that one's, and everything else the first one's.
fn routes(policies: &[RoutePolicy]) -> RouteTable {
    let route = |(i, policy): (u32, &RoutePolicy)| Route {
        matches: RouteMatch {
            path: PathMatch::Prefix(if i > 0 { "/b.X" } else { "/" }.into()),
            ..RouteMatch::default()
        },
        service: ServiceId(i + 1),
        policy: *policy,
    };
    let mut routes: Vec<_> = (0..).zip(policies).map(route).collect();
    routes.reverse();
    if let Some(last) = routes.last_mut() {
        last.matches = RouteMatch::default();
    }
    RouteTable { routes }
}

fn address(index: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], FIRST_PORT + index))
}

/// One service.
#[derive(Debug)]
struct Group {
    id: ServiceId,
    writer: EndpointSetWriter,
    policy: ServicePolicy,
    stats: Arc<ServiceStats>,
    current: Option<Arc<Service>>,
}

/// One or two services, with two listeners that lead to both, and a third one for tunnels.
#[derive(Debug)]
pub(super) struct SimulatedService {
    members: Vec<Member>,
    groups: Vec<Group>,
    listeners: Vec<Arc<Listener>>,
    current: Arc<Snapshot>,
    /// Counts of every endpoint that there ever was.
    counts: Vec<Arc<EndpointStats>>,
    /// Some route ever let requests be repeated that an endpoint may have worked on.
    pub(super) may_repeat: bool,
    is_closed: bool,
}

impl SimulatedService {
    pub(super) fn new(scenario: &Scenario, prng: &mut Prng) -> Self {
        let services = usize::from(scenario.services);
        let member = |i| Member {
            spec: EndpointSpec::at(address(i as u16)),
            group: i % services,
            is_in: i < scenario.first.max(services),
        };
        let members = (0..scenario.endpoints.len()).map(member).collect();
        let is_healthy = scenario.is_healthy;
        let (exchanges, policies) = match scenario.policies {
            Some((service, route)) => (vec![route; services], vec![service; services]),
            None => (
                (0..services).map(|_| route_policy(prng, is_healthy)).collect::<Vec<_>>(),
                (0..services)
                    .map(|i| {
                        let mut policy = policy(prng, is_healthy);
                        policy.upstream.protocol = scenario.upstreams[i];
                        policy
                    })
                    .collect::<Vec<_>>(),
            ),
        };
        let mut service = Self::with(members, &policies, &exchanges, scenario.workers);
        for listener in &mut service.listeners {
            Arc::make_mut(listener).policy.timeouts.send = Duration::from_secs(600);
        }
        service.publish(Moment::ZERO);
        service
    }

    fn with(
        members: Vec<Member>,
        policies: &[ServicePolicy],
        exchanges: &[RoutePolicy],
        workers: u16,
    ) -> Self {
        let ids = EndpointIds::default();
        let group = |(i, policy): (u32, &ServicePolicy)| Group {
            id: ServiceId(i),
            writer: EndpointSetWriter::new(ServiceId(i), workers, ids.clone()),
            policy: *policy,
            stats: Arc::new(ServiceStats::new(workers)),
            current: None,
        };
        let listener = |i, protocol| {
            Arc::new(Listener {
                id: ListenerId(i),
                name: "simulated".into(),
                policy: ListenerPolicy { protocol, ..ListenerPolicy::default() },
                routes: routes(exchanges),
                stats: Arc::new(ListenerStats::new(workers)),
            })
        };
        Self {
            members,
            groups: (1..).zip(policies).map(group).collect(),
            listeners: (1..=2)
                .map(|i| listener(i, ListenerProtocol::Http))
                .chain([listener(3, ListenerProtocol::Tcp)])
                .collect(),
            current: Arc::default(),
            counts: Vec::new(),
            may_repeat: exchanges.iter().any(|policy| policy.retry.on != RetryOn::default()),
            is_closed: false,
        }
    }

    /// The listener that a client comes to.
    pub(super) fn listener(&self, client: u32, is_tunnel: bool) -> ListenerId {
        self.listeners[if is_tunnel { 2 } else { client as usize % 2 }].id
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
        let mut services = Vec::new();
        for (i, group) in self.groups.iter_mut().enumerate() {
            let specs = self.members.iter().filter(|m| m.is_in && m.group == i).map(|m| m.spec.clone());
            let is_changed = group.writer.publish(specs.collect(), now).is_some();
            let endpoints = Arc::clone(group.writer.current());
            for endpoint in &endpoints.endpoints {
                if !self.counts.iter().any(|c| Arc::ptr_eq(c, &endpoint.stats)) {
                    self.counts.push(Arc::clone(&endpoint.stats));
                }
            }
            let before = group.current.take().filter(|s| !is_changed && s.policy == group.policy);
            let service = before.unwrap_or_else(|| {
                let (name, stats) = ("simulated".into(), Arc::clone(&group.stats));
                Arc::new(Service { id: group.id, name, policy: group.policy, endpoints, stats })
            });
            group.current = Some(Arc::clone(&service));
            services.push(service);
        }
        if self.is_closed {
            services.clear();
        }
        self.current = Arc::new(Snapshot { services, listeners: self.listeners.clone() });
        self.snapshot()
    }

    /// The service is configured no more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// A ready member, if another is left beside it.
    fn spare(&mut self, prng: &mut Prng) -> Option<usize> {
        let group = prng.below(self.groups.len());
        let is_ready = |m: &Member| {
            m.group == group && m.is_in && m.spec.state == EndpointState::Ready && m.spec.weight > 0
        };
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
        let mut exchanges = Vec::new();
        for group in &mut self.groups {
            let protocol = group.policy.upstream.protocol;
            group.policy = policy(prng, is_healthy);
            group.policy.upstream.protocol = protocol;
            exchanges.push(route_policy(prng, is_healthy));
        }
        self.may_repeat |= exchanges.iter().any(|policy| policy.retry.on != RetryOn::default());
        for listener in &mut self.listeners {
            Arc::make_mut(listener).routes = routes(&exchanges);
        }
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
        let sessions: u64 = self.listeners.iter().map(|l| l.stats.sessions()).sum();
        if sessions != 0 {
            return Err(format!("{sessions} sessions are counted"));
        }
        Ok(())
    }
}
