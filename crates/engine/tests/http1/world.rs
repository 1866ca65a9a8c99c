//! An engine whose peers are raw bytes in HTTP/1, or frames in HTTP/2, driven by hand in virtual time.

use crate::peer::Peer;
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::event::EventKind;
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy, UpstreamProtocol};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup, PeerEnd};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LISTENER: ListenerId = ListenerId(0);

/// What a test begins with.
pub(crate) struct Setup {
    pub(crate) service: ServicePolicy,
    pub(crate) route: RoutePolicy,
    pub(crate) listener: ListenerPolicy,
    pub(crate) limits: Limits,
    pub(crate) endpoints: u16,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            service: ServicePolicy::default(),
            route: RoutePolicy::default(),
            listener: ListenerPolicy::default(),
            limits: Limits::default(),
            endpoints: 1,
        }
    }
}

/// The other end of one connection.
#[derive(Default)]
pub(crate) struct Wire {
    /// What the engine sent and no test has looked at yet.
    seen: Vec<u8>,
    /// What waits while the engine does not read.
    unread: Vec<u8>,
    pub(crate) is_closed: bool,
    pub(crate) is_cut: bool,
    /// It ended with RST.
    pub(crate) is_aborted: bool,
    pub(crate) has_fin: bool,
    /// It takes nothing.
    pub(crate) is_stuck: bool,
    /// It speaks HTTP/2.
    pub(crate) http2: Option<Peer>,
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    pub(crate) asked: Vec<(ConnKey, SocketAddr)>,
    pub(crate) events: Vec<EventKind>,
    wires: Vec<(ConnKey, Wire)>,
    writer: EndpointSetWriter,
    pub(crate) stats: Arc<ServiceStats>,
    listener: Arc<Listener>,
    worker: Arc<WorkerStats>,
}

/// A world whose endpoints speak this.
pub(crate) fn world(protocol: UpstreamProtocol) -> World {
    let mut service = ServicePolicy::default();
    service.upstream.protocol = protocol;
    World::new(Setup { service, ..Setup::default() })
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let now = Moment::from_nanos(1_000_000_000);
        let worker = Arc::new(WorkerStats::default());
        let stats = Arc::new(ServiceStats::new(1));
        let mut writer = EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default());
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        writer.publish((0..setup.endpoints).map(|port| EndpointSpec::at(address(port))).collect(), now);
        let routes =
            vec![Route { matches: RouteMatch::default(), service: ServiceId(0), policy: setup.route }];
        let listener = Listener {
            id: LISTENER,
            name: "web".into(),
            policy: setup.listener,
            routes: RouteTable { routes },
            stats: Arc::new(ListenerStats::new(1)),
        };
        let service = Service {
            id: ServiceId(0),
            name: "main".into(),
            policy: setup.service,
            endpoints: Arc::clone(writer.current()),
            stats: Arc::clone(&stats),
        };
        let listener = Arc::new(listener);
        let snapshot = Snapshot { services: vec![Arc::new(service)], listeners: vec![Arc::clone(&listener)] };
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 7,
            limits: setup.limits,
            log_interval: Duration::from_secs(300),
            stats: Arc::clone(&worker),
            snapshot: Arc::new(snapshot),
        };
        let engine = Engine::new(setup, now);
        Self {
            engine,
            now,
            asked: Vec::new(),
            events: Vec::new(),
            wires: Vec::new(),
            writer,
            stats,
            listener,
            worker,
        }
    }

    /// A client that has said nothing yet.
    pub(crate) fn client(&mut self) -> ConnKey {
        let key = self.engine.accept(self.now, LISTENER, ([10, 0, 0, 9], 9).into()).unwrap();
        self.wires.push((key, Wire::default()));
        key
    }

    /// A client of HTTP/2.
    pub(crate) fn client_h2(&mut self) -> ConnKey {
        let key = self.client();
        self.wire(key).http2 = Some(Peer::client(key));
        self.carry();
        key
    }

    /// Opens the connection that was asked for first, to an endpoint that says nothing of itself.
    pub(crate) fn open(&mut self) -> ConnKey {
        let (key, _) = self.asked.remove(0);
        self.wires.push((key, Wire::default()));
        self.engine.connected(self.now, key);
        self.carry();
        key
    }

    /// The same, to one of HTTP/2.
    pub(crate) fn open_h2(&mut self) -> ConnKey {
        let (key, _) = self.asked.remove(0);
        self.wires.push((key, Wire { http2: Some(Peer::endpoint(key)), ..Wire::default() }));
        self.engine.connected(self.now, key);
        self.carry();
        key
    }

    pub(crate) fn wire(&mut self, key: ConnKey) -> &mut Wire {
        &mut self.wires.iter_mut().find(|(k, _)| *k == key).unwrap().1
    }

    pub(crate) fn h2(&mut self, key: ConnKey) -> &mut Peer {
        self.wire(key).http2.as_mut().unwrap()
    }

    /// A peer sends these bytes.
    pub(crate) fn say(&mut self, key: ConnKey, bytes: impl AsRef<[u8]>) {
        self.wire(key).unread.extend_from_slice(bytes.as_ref());
        self.carry();
    }

    /// What a peer was sent since the last look.
    pub(crate) fn heard(&mut self, key: ConnKey) -> String {
        String::from_utf8(std::mem::take(&mut self.wire(key).seen)).unwrap()
    }

    /// The same as bytes.
    pub(crate) fn heard_bytes(&mut self, key: ConnKey) -> &mut Vec<u8> {
        &mut self.wire(key).seen
    }

    /// A peer ends its side, as the event loop tells it.
    pub(crate) fn fin(&mut self, key: ConnKey) {
        if self.engine.outlives_input(key) {
            self.engine.input_ended(self.now, key);
        } else {
            self.wire(key).is_closed = true;
            self.engine.peer_ended(self.now, key, PeerEnd::Closed);
        }
        self.carry();
    }

    pub(crate) fn reset(&mut self, key: ConnKey) {
        self.wire(key).is_closed = true;
        self.engine.peer_ended(self.now, key, PeerEnd::Reset);
        self.carry();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.engine.tick(self.now);
        self.carry();
    }

    pub(crate) fn is_closed(&mut self, key: ConnKey) -> bool {
        self.wire(key).is_closed
    }

    /// Carries bytes until nobody has any.
    pub(crate) fn carry(&mut self) {
        loop {
            let mut has_moved = false;
            for (key, wire) in &mut self.wires {
                if let Some(peer) = &mut wire.http2 {
                    wire.unread.append(&mut peer.out);
                }
                if !wire.is_closed && !wire.unread.is_empty() && self.engine.takes_input(*key) {
                    has_moved = true;
                    let bytes = std::mem::take(&mut wire.unread);
                    self.engine.received(self.now, *key, &bytes);
                }
            }
            self.engine.check_invariants().unwrap();
            if !has_moved && !self.engine.has_work() {
                return;
            }
            self.act();
        }
    }

    fn act(&mut self) {
        let (mut actions, mut dirty) = (Vec::new(), Vec::new());
        self.engine.take_actions(&mut actions);
        for action in actions {
            match action {
                Action::Connect { conn, address, .. } => self.asked.push((conn, address)),
                Action::Close { conn, is_polite, is_abort } => {
                    self.asked.retain(|(key, _)| *key != conn);
                    if let Some((_, wire)) = self.wires.iter_mut().find(|(key, _)| *key == conn) {
                        (wire.is_closed, wire.is_cut, wire.is_aborted) = (true, !is_polite, is_abort);
                    }
                }
                Action::EndOutput { conn } => self.wire(conn).has_fin = true,
                Action::Event(event) => self.events.push(event),
                Action::Resume { .. } => {}
            }
        }
        self.engine.take_dirty(&mut dirty);
        for key in dirty {
            let bytes = self.engine.output(key).to_vec();
            let Some((_, wire)) = self.wires.iter_mut().find(|(k, _)| *k == key) else { continue };
            if wire.is_stuck {
                self.engine.wrote(self.now, key, 0);
                continue;
            }
            match &mut wire.http2 {
                Some(peer) => peer.read(&bytes),
                None => wire.seen.extend_from_slice(&bytes),
            }
            self.engine.wrote(self.now, key, bytes.len());
        }
    }

    pub(crate) fn listener_stats(&self) -> Arc<ListenerStats> {
        Arc::clone(&self.listener.stats)
    }

    pub(crate) fn refused(&self, limit: Limit) -> u64 {
        self.worker.refused_total(limit)
    }

    /// Exchanges that ended so, on an endpoint or without one.
    pub(crate) fn outcomes(&self, outcome: ExchangeOutcome) -> u64 {
        let all = &self.writer.current().endpoints;
        all.iter().map(|e| e.stats.outcome_total(outcome)).sum::<u64>() + self.stats.unpicked_total(outcome)
    }

    /// Why sessions ended, in order.
    pub(crate) fn session_ends(&self) -> Vec<CloseReason> {
        let end = |e: &EventKind| match e {
            EventKind::SessionEnded { reason, .. } => Some(*reason),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// An answer of this length.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// How often a text is in another one.
pub(crate) fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}
