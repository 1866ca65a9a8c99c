//! An engine with its peers: bytes are carried until nobody has any.

use crate::peer::Peer;
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec, EndpointState};
use evenkeel_core::event::EventKind;
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LISTENER: ListenerId = ListenerId(0);

/// An engine with one service behind one listener, and whoever is connected to it.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    pub(crate) clients: Vec<Peer>,
    pub(crate) endpoints: Vec<Peer>,
    /// Connections asked for, which no test has opened yet.
    pub(crate) asked: Vec<(ConnKey, SocketAddr)>,
    pub(crate) events: Vec<EventKind>,
    writer: EndpointSetWriter,
    listener: Arc<Listener>,
    policy: ServicePolicy,
    pub(crate) stats: Arc<ServiceStats>,
    pub(crate) worker: Arc<WorkerStats>,
}

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

impl Bench {
    pub(crate) fn new(policy: ServicePolicy, endpoints: u16) -> Self {
        Self::with_route(policy, RoutePolicy::default(), endpoints)
    }

    pub(crate) fn with_route(policy: ServicePolicy, route: RoutePolicy, endpoints: u16) -> Self {
        Self::with_all(policy, route, Limits::default(), endpoints)
    }

    pub(crate) fn with_limits(limits: Limits, endpoints: u16) -> Self {
        Self::with_all(ServicePolicy::default(), RoutePolicy::default(), limits, endpoints)
    }

    pub(crate) fn with_all(
        policy: ServicePolicy,
        route: RoutePolicy,
        limits: Limits,
        endpoints: u16,
    ) -> Self {
        let now = Moment::from_nanos(1_000_000_000);
        let routes = vec![Route { matches: RouteMatch::default(), service: ServiceId(0), policy: route }];
        let listener = Arc::new(Listener {
            id: LISTENER,
            name: "web".into(),
            policy: ListenerPolicy::default(),
            routes: RouteTable { routes },
            stats: Arc::new(ListenerStats::new(1)),
        });
        let worker = Arc::new(WorkerStats::default());
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 7,
            limits,
            log_interval: Duration::from_secs(300),
            stats: Arc::clone(&worker),
            snapshot: Arc::default(),
        };
        let mut bench = Self {
            engine: Engine::new(setup, now),
            now,
            clients: Vec::new(),
            endpoints: Vec::new(),
            asked: Vec::new(),
            events: Vec::new(),
            writer: EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default()),
            listener,
            policy,
            stats: Arc::new(ServiceStats::new(1)),
            worker,
        };
        bench.publish((0..endpoints).map(|port| (port, EndpointState::Ready)));
        bench
    }

    /// A client that has sent its preface.
    pub(crate) fn client(&mut self) -> usize {
        let key = self.engine.accept(self.now, LISTENER, address(9)).unwrap();
        self.clients.push(Peer::client(key));
        self.clients.len() - 1
    }

    /// Publishes these endpoints.
    pub(crate) fn publish(&mut self, endpoints: impl Iterator<Item = (u16, EndpointState)>) {
        let specs = endpoints.map(|(port, state)| EndpointSpec { state, ..EndpointSpec::at(address(port)) });
        self.writer.publish(specs.collect(), self.now);
        let service = Service {
            id: ServiceId(0),
            name: "main".into(),
            policy: self.policy,
            endpoints: Arc::clone(self.writer.current()),
            stats: Arc::clone(&self.stats),
        };
        let (services, listeners) = (vec![Arc::new(service)], vec![Arc::clone(&self.listener)]);
        self.engine.refresh(self.now, Arc::new(Snapshot { services, listeners }));
    }

    /// Opens the connection that was asked for first.
    pub(crate) fn open(&mut self) -> usize {
        let (key, _) = self.asked.remove(0);
        self.endpoints.push(Peer::endpoint(key));
        self.engine.connected(self.now, key);
        self.carry();
        self.endpoints.len() - 1
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.engine.tick(self.now);
        self.carry();
    }

    /// Carries bytes until nobody has any.
    pub(crate) fn carry(&mut self) {
        loop {
            for peer in self.clients.iter_mut().chain(&mut self.endpoints).filter(|p| !p.is_closed) {
                let bytes = std::mem::take(&mut peer.out);
                if !bytes.is_empty() {
                    self.engine.received(self.now, peer.key, &bytes);
                }
            }
            self.engine.check_invariants().unwrap();
            if !self.engine.has_work() {
                return;
            }
            let (mut actions, mut dirty) = (Vec::new(), Vec::new());
            self.engine.take_actions(&mut actions);
            for action in actions {
                match action {
                    Action::Connect { conn, address, .. } => self.asked.push((conn, address)),
                    Action::Close { conn, .. } => {
                        self.asked.retain(|(key, _)| *key != conn);
                        let mut all = self.clients.iter_mut().chain(&mut self.endpoints);
                        if let Some(peer) = all.find(|p| p.key == conn) {
                            peer.is_closed = true;
                        }
                    }
                    Action::Event(event) => self.events.push(event),
                    Action::Resume { .. } | Action::EndOutput { .. } => {
                        panic!("HTTP/2 has windows, and ends as a whole")
                    }
                }
            }
            self.engine.take_dirty(&mut dirty);
            for key in dirty {
                let bytes = self.engine.output(key).to_vec();
                let mut all = self.clients.iter_mut().chain(&mut self.endpoints);
                if let Some(peer) = all.find(|p| p.key == key) {
                    peer.read(&bytes);
                }
                self.engine.wrote(self.now, key, bytes.len());
            }
        }
    }

    /// How often a limit refused something.
    pub(crate) fn refused(&self, limit: Limit) -> u64 {
        self.worker.refused_total(limit)
    }

    /// How many exchanges of the first endpoint ended so.
    pub(crate) fn ended(&self, outcome: ExchangeOutcome) -> u64 {
        self.writer.current().endpoints[0].stats.outcome_total(outcome)
    }

    /// Why sessions ended, in order.
    pub(crate) fn session_ends(&self) -> Vec<CloseReason> {
        let end = |e: &EventKind| match e {
            EventKind::SessionEnded { reason, .. } => Some(*reason),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// Exchanges that the endpoints are said to have, and connections to them.
    pub(crate) fn gauges(&self) -> (u64, u64) {
        let all = &self.writer.current().endpoints;
        (all.iter().map(|e| e.stats.active_exchanges()).sum(), all.iter().map(|e| e.stats.upstreams()).sum())
    }

    /// Exchanges that ended so, on an endpoint or without one.
    pub(crate) fn outcomes(&self, outcome: ExchangeOutcome) -> u64 {
        let all = &self.writer.current().endpoints;
        all.iter().map(|e| e.stats.outcome_total(outcome)).sum::<u64>() + self.stats.unpicked_total(outcome)
    }

    pub(crate) fn is_ejected(&self, endpoint: usize) -> bool {
        self.writer.current().endpoints[endpoint].health.is_ejected(self.now)
    }
}
