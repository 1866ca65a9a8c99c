//! An engine with peers that say and hear bytes.

use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec, EndpointState};
use evenkeel_core::event::EventKind;
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, ListenerProtocol, RoutePolicy, ServicePolicy};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{EndpointStats, ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, ConnectFailure, Engine, EngineSetup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LISTENER: ListenerId = ListenerId(0);

/// What there is, before it is an engine.
pub(crate) struct Setup {
    pub(crate) listener: ListenerPolicy,
    pub(crate) service: ServicePolicy,
    pub(crate) route: RoutePolicy,
    /// Server names with a service of their own each, from service 1 on; what names none goes to service 0 ...
    pub(crate) names: Vec<&'static str>,
    /// ... unless there is no route for it.
    pub(crate) has_default: bool,
    /// Of each service.
    pub(crate) endpoints: u16,
    pub(crate) limits: Limits,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            listener: ListenerPolicy { protocol: ListenerProtocol::Tcp, ..ListenerPolicy::default() },
            service: ServicePolicy::default(),
            route: RoutePolicy::default(),
            names: Vec::new(),
            has_default: true,
            endpoints: 2,
            limits: Limits::default(),
        }
    }
}

/// How a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    Whole,
    Reset,
}

/// A peer's side of a connection.
#[derive(Default)]
pub(crate) struct Peer {
    pub(crate) heard: Vec<u8>,
    pub(crate) heard_end: bool,
    pub(crate) closed: Option<Farewell>,
    /// Bytes that it takes; `None` is all.
    pub(crate) takes: Option<usize>,
}

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    peers: Vec<(ConnKey, Peer)>,
    /// Connections asked for, which no test has opened yet.
    pub(crate) asked: Vec<(ConnKey, SocketAddr)>,
    pub(crate) events: Vec<EventKind>,
    writers: Vec<EndpointSetWriter>,
    listener: Arc<Listener>,
    policy: ServicePolicy,
    stats: Vec<Arc<ServiceStats>>,
    pub(crate) worker: Arc<WorkerStats>,
}

pub(crate) fn client_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 4_000))
}

impl Bench {
    pub(crate) fn new(setup: Setup) -> Self {
        let now = Moment::from_nanos(1_000_000_000);
        let route = |name: Option<&str>, service| Route {
            matches: RouteMatch { server_name: name.map(Into::into), ..RouteMatch::default() },
            service: ServiceId(service),
            policy: setup.route,
        };
        let mut routes: Vec<_> = (1..).zip(&setup.names).map(|(n, name)| route(Some(name), n)).collect();
        if setup.has_default {
            routes.push(route(None, 0));
        }
        let listener = Arc::new(Listener {
            id: LISTENER,
            name: "db".into(),
            policy: setup.listener,
            routes: RouteTable { routes },
            stats: Arc::new(ListenerStats::new(1)),
        });
        let worker = Arc::new(WorkerStats::default());
        let engine = EngineSetup {
            worker: WorkerIndex(0),
            seed: 7,
            limits: setup.limits,
            log_interval: Duration::from_secs(300),
            stats: Arc::clone(&worker),
            snapshot: Arc::default(),
        };
        let services = 0..=setup.names.len() as u32;
        let ids = EndpointIds::default();
        let writers = services.clone().map(|id| EndpointSetWriter::new(ServiceId(id), 1, ids.clone()));
        let mut bench = Self {
            engine: Engine::new(engine, now),
            now,
            peers: Vec::new(),
            asked: Vec::new(),
            events: Vec::new(),
            writers: writers.collect(),
            listener,
            policy: setup.service,
            stats: services.map(|_| Arc::new(ServiceStats::new(1))).collect(),
            worker,
        };
        bench.publish(EndpointState::Ready, setup.endpoints);
        bench
    }

    /// Gives each service this many endpoints, of which all but the first are ready.
    pub(crate) fn publish(&mut self, first: EndpointState, endpoints: u16) {
        let mut services = Vec::new();
        for (n, writer) in (0..).zip(&mut self.writers) {
            let spec = |port| {
                let state = if port == 0 { first } else { EndpointState::Ready };
                EndpointSpec { state, ..EndpointSpec::at(SocketAddr::from(([10, 0, 0, n], port))) }
            };
            writer.publish((0..endpoints).map(spec).collect(), self.now);
            services.push(Arc::new(Service {
                id: ServiceId(u32::from(n)),
                name: format!("s{n}").into(),
                policy: self.policy,
                endpoints: Arc::clone(writer.current()),
                stats: Arc::clone(&self.stats[usize::from(n)]),
            }));
        }
        let listeners = vec![Arc::clone(&self.listener)];
        self.engine.refresh(self.now, Arc::new(Snapshot { services, listeners }));
        self.carry();
    }

    pub(crate) fn connect(&mut self) -> ConnKey {
        let key = self.engine.accept(self.now, LISTENER, client_address()).unwrap();
        self.peers.push((key, Peer::default()));
        self.carry();
        key
    }

    /// Opens the connection that was asked for first.
    pub(crate) fn open(&mut self) -> ConnKey {
        let (key, _) = self.asked.remove(0);
        self.peers.push((key, Peer::default()));
        self.engine.connected(self.now, key);
        self.carry();
        key
    }

    /// A client whose tunnel stands, and its endpoint.
    pub(crate) fn tunnel(&mut self) -> (ConnKey, ConnKey) {
        let client = self.connect();
        (client, self.open())
    }

    /// Refuses the connection that was asked for first; where it was to go.
    pub(crate) fn refuse(&mut self) -> SocketAddr {
        let (key, address) = self.asked.remove(0);
        self.engine.connect_failed(self.now, key, ConnectFailure::Refused);
        self.carry();
        address
    }

    pub(crate) fn say(&mut self, key: ConnKey, bytes: &[u8]) {
        self.engine.received(self.now, key, bytes);
        self.carry();
    }

    /// The peer ends its side, as the event loop tells it.
    pub(crate) fn end(&mut self, key: ConnKey) {
        if self.engine.outlives_input(key) {
            self.engine.input_ended(self.now, key);
        } else {
            self.engine.peer_ended(self.now, key, evenkeel_engine::PeerEnd::Closed);
        }
        self.carry();
    }

    pub(crate) fn reset(&mut self, key: ConnKey) {
        self.engine.peer_ended(self.now, key, evenkeel_engine::PeerEnd::Reset);
        self.carry();
    }

    pub(crate) fn peer(&mut self, key: ConnKey) -> &mut Peer {
        &mut self.peers.iter_mut().rev().find(|(own, _)| *own == key).unwrap().1
    }

    pub(crate) fn heard(&mut self, key: ConnKey) -> Vec<u8> {
        std::mem::take(&mut self.peer(key).heard)
    }

    /// Lets a peer take this much more.
    pub(crate) fn take(&mut self, key: ConnKey, bytes: usize) {
        self.peer(key).takes = Some(bytes);
        self.write(key);
        self.carry();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.engine.tick(self.now);
        self.carry();
    }

    fn write(&mut self, key: ConnKey) {
        let bytes = self.engine.output(key).to_vec();
        if bytes.is_empty() {
            return;
        }
        let Some((_, peer)) = self.peers.iter_mut().rev().find(|(own, _)| *own == key) else {
            panic!("bytes for a connection that does not stand")
        };
        let n = peer.takes.map_or(bytes.len(), |most| most.min(bytes.len()));
        peer.takes = peer.takes.map(|most| most - n);
        peer.heard.extend_from_slice(&bytes[..n]);
        assert!(peer.closed.is_none() && !peer.heard_end, "nothing is said after the end");
        self.engine.wrote(self.now, key, n);
    }

    pub(crate) fn carry(&mut self) {
        while self.engine.has_work() {
            self.engine.check_invariants().unwrap();
            let (mut actions, mut dirty) = (Vec::new(), Vec::new());
            self.engine.take_actions(&mut actions);
            for action in actions {
                match action {
                    Action::Connect { conn, address, .. } => self.asked.push((conn, address)),
                    Action::EndOutput { conn } => self.peer(conn).heard_end = true,
                    Action::Close { conn, is_abort, .. } => {
                        match self.asked.iter().position(|(key, _)| *key == conn) {
                            Some(place) => drop(self.asked.remove(place)),
                            None => {
                                let how = if is_abort { Farewell::Reset } else { Farewell::Whole };
                                self.peer(conn).closed = Some(how);
                            }
                        }
                    }
                    Action::Event(event) => self.events.push(event),
                    Action::Resume { .. } => {}
                }
            }
            self.engine.take_dirty(&mut dirty);
            for key in dirty {
                self.write(key);
            }
        }
        self.engine.check_invariants().unwrap();
    }

    /// Why the sessions ended, in order.
    pub(crate) fn session_ends(&self) -> Vec<CloseReason> {
        let end = |e: &EventKind| match e {
            EventKind::SessionEnded { reason, .. } => Some(*reason),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    pub(crate) fn refused(&self, limit: Limit) -> u64 {
        self.worker.refused_total(limit)
    }

    /// Exchanges that ended so, on an endpoint, without one, or without a service.
    pub(crate) fn outcomes(&self, outcome: ExchangeOutcome) -> u64 {
        let endpoints = self.writers.iter().flat_map(|w| &w.current().endpoints);
        let picked: u64 = endpoints.map(|e| e.stats.outcome_total(outcome)).sum();
        let unpicked: u64 = self.stats.iter().map(|s| s.unpicked_total(outcome)).sum();
        picked + unpicked + self.listener.stats.unrouted_total(outcome)
    }

    /// The counts of an endpoint of service 0.
    pub(crate) fn endpoint(&self, index: usize) -> Arc<EndpointStats> {
        Arc::clone(&self.writers[0].current().endpoints[index].stats)
    }
}
