//! An engine with clients and endpoints of a WebSocket, by HTTP/1 and by HTTP/2: bytes are carried until nobody has any.

use crate::peer::{Peer, Seen};
use crate::talk::{self, CONNECT, KEY};
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec, EndpointState};
use evenkeel_core::event::{ConnectionFigures, EventKind};
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{
    ListenerPolicy, ListenerProtocol, RoutePolicy, ServicePolicy, Upstream, UpstreamProtocol,
};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup, PeerEnd};
use evenkeel_wire::http2::{self, Settings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LISTENER: ListenerId = ListenerId(0);

/// What is spoken on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

pub(crate) const EACH: [Speaks; 2] = [Speaks::Http1, Speaks::Http2];

/// One end of a connection to the engine.
pub(crate) struct Line {
    pub(crate) key: ConnKey,
    out: Vec<u8>,
    /// All bytes that came, of HTTP/1.
    got: Vec<u8>,
    pub(crate) http2: Option<Peer>,
    /// The engine ended its side.
    pub(crate) is_ended: bool,
    pub(crate) is_closed: bool,
    /// It takes nothing for now.
    pub(crate) is_stuck: bool,
}

impl Line {
    fn new(key: ConnKey, http2: Option<Peer>) -> Self {
        let (out, got) = (Vec::new(), Vec::new());
        Self { key, out, got, http2, is_ended: false, is_closed: false, is_stuck: false }
    }

    /// Sends bytes of the WebSocket, or of HTTP/1.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        match &mut self.http2 {
            Some(peer) => peer.data(1, bytes, false),
            None => self.out.extend_from_slice(bytes),
        }
    }

    /// What came of the WebSocket (HTTP/1: of anything) since it was last asked.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        match &mut self.http2 {
            Some(peer) => std::mem::take(&mut peer.body),
            None => std::mem::take(&mut self.got),
        }
    }

    /// Whether the engine ended the WebSocket's bytes, or all of the connection.
    pub(crate) fn is_over(&self) -> bool {
        let has_end = |s: &Seen| {
            matches!(
                s,
                Seen::Data { is_end: true, .. } | Seen::Reset { .. } | Seen::Headers { is_end: true, .. }
            )
        };
        self.is_ended || self.is_closed || self.http2.as_ref().is_some_and(|p| p.seen.iter().any(has_end))
    }
}

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    pub(crate) lines: Vec<Line>,
    pub(crate) asked: Vec<(ConnKey, SocketAddr)>,
    pub(crate) events: Vec<EventKind>,
    writer: EndpointSetWriter,
    listener: Arc<Listener>,
    policy: ServicePolicy,
    pub(crate) stats: Arc<ServiceStats>,
    pub(crate) worker: Arc<WorkerStats>,
    /// Settings of endpoints.
    pub(crate) settings: Settings,
}

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// A service whose endpoints speak this.
pub(crate) fn speaking(speaks: Speaks) -> ServicePolicy {
    let protocol = match speaks {
        Speaks::Http1 => UpstreamProtocol::H1,
        Speaks::Http2 => UpstreamProtocol::H2,
    };
    ServicePolicy { upstream: Upstream { protocol, ..Upstream::default() }, ..ServicePolicy::default() }
}

impl Bench {
    pub(crate) fn new(policy: ServicePolicy, route: RoutePolicy, endpoints: u16) -> Self {
        Self::with_listener(policy, route, ListenerProtocol::Http, endpoints)
    }

    pub(crate) fn with_listener(
        policy: ServicePolicy,
        route: RoutePolicy,
        protocol: ListenerProtocol,
        endpoints: u16,
    ) -> Self {
        let now = Moment::from_nanos(1_000_000_000);
        let routes = vec![Route { matches: RouteMatch::default(), service: ServiceId(0), policy: route }];
        let listener = Arc::new(Listener {
            id: LISTENER,
            name: "web".into(),
            policy: ListenerPolicy { protocol, ..ListenerPolicy::default() },
            routes: RouteTable { routes },
            stats: Arc::new(ListenerStats::new(1)),
        });
        let worker = Arc::new(WorkerStats::default());
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 7,
            limits: Limits::default(),
            log_interval: Duration::from_secs(300),
            stats: Arc::clone(&worker),
            snapshot: Arc::default(),
        };
        let mut bench = Self {
            engine: Engine::new(setup, now),
            now,
            lines: Vec::new(),
            asked: Vec::new(),
            events: Vec::new(),
            writer: EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default()),
            listener,
            policy,
            stats: Arc::new(ServiceStats::new(1)),
            worker,
            settings: Settings { enable_connect_protocol: true, ..Settings::default() },
        };
        bench.publish((0..endpoints).map(|port| (port, EndpointState::Ready)));
        bench
    }

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

    /// A client's connection.
    pub(crate) fn client(&mut self, speaks: Speaks) -> usize {
        let key = self.engine.accept(self.now, LISTENER, address(9)).unwrap();
        let peer = (speaks == Speaks::Http2).then(|| Peer::client(key));
        self.lines.push(Line::new(key, peer));
        self.carry();
        self.lines.len() - 1
    }

    /// A client that asks for a WebSocket.
    pub(crate) fn asking(&mut self, speaks: Speaks) -> usize {
        let client = self.client(speaks);
        match &mut self.lines[client].http2 {
            Some(peer) => peer.headers(1, CONNECT, false),
            None => self.lines[client].say(&talk::request("GET", "13", KEY)),
        }
        self.carry();
        client
    }

    /// Opens the connection that was asked for first.
    pub(crate) fn open(&mut self, speaks: Speaks) -> usize {
        let (key, _) = self.asked.remove(0);
        let peer = (speaks == Speaks::Http2).then(|| {
            let mut peer = Peer::endpoint(key);
            peer.out.clear();
            http2::put_settings(&mut peer.out, &self.settings, false);
            peer
        });
        self.lines.push(Line::new(key, peer));
        self.engine.connected(self.now, key);
        self.carry();
        self.lines.len() - 1
    }

    /// The endpoint agrees to the request that it got; what it got.
    pub(crate) fn agree(&mut self, endpoint: usize) -> Vec<u8> {
        let line = &mut self.lines[endpoint];
        let request = if let Some(peer) = &mut line.http2 {
            peer.headers(1, &[(":status", "200"), ("sec-websocket-protocol", "chat")], false);
            Vec::new()
        } else {
            let request = line.hear();
            let consent = talk::consent(&request);
            line.say(&consent);
            request
        };
        self.carry();
        request
    }

    /// A WebSocket that stands: its client and its endpoint.
    pub(crate) fn standing(&mut self, client: Speaks, endpoint: Speaks) -> (usize, usize) {
        let client = self.asking(client);
        let endpoint = self.open(endpoint);
        self.agree(endpoint);
        let answer = self.lines[client].hear();
        match &self.lines[client].http2 {
            Some(peer) => assert_eq!(peer.last(":status"), Some("200")),
            None => assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer)),
        }
        (client, endpoint)
    }

    /// Says something and carries it.
    pub(crate) fn say(&mut self, line: usize, bytes: &[u8]) {
        self.lines[line].say(bytes);
        self.carry();
    }

    /// A peer ends its side, in its protocol's way.
    pub(crate) fn end(&mut self, line: usize) {
        let key = self.lines[line].key;
        if let Some(peer) = &mut self.lines[line].http2 {
            peer.data(1, &[], true);
        } else if self.engine.outlives_input(key) {
            self.engine.input_ended(self.now, key);
        } else {
            self.engine.peer_ended(self.now, key, PeerEnd::Closed);
        }
        self.carry();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.engine.tick(self.now);
        self.carry();
    }

    pub(crate) fn carry(&mut self) {
        loop {
            let mut is_quiet = true;
            for line in self.lines.iter_mut().filter(|l| !l.is_closed) {
                if !self.engine.takes_input(line.key) {
                    continue;
                }
                let out = line.http2.as_mut().map_or(&mut line.out, |peer| &mut peer.out);
                let bytes = std::mem::take(out);
                if !bytes.is_empty() {
                    is_quiet = false;
                    self.engine.received(self.now, line.key, &bytes);
                }
            }
            self.engine.check_invariants().unwrap();
            if !self.engine.has_work() && is_quiet {
                return;
            }
            let (mut actions, mut dirty) = (Vec::new(), Vec::new());
            self.engine.take_actions(&mut actions);
            for action in actions {
                self.act(action);
            }
            self.engine.take_dirty(&mut dirty);
            for key in dirty {
                let Some(line) = self.lines.iter_mut().find(|l| l.key == key) else { continue };
                if line.is_stuck {
                    self.engine.wrote(self.now, key, 0);
                    continue;
                }
                let bytes = self.engine.output(key).to_vec();
                match &mut line.http2 {
                    Some(peer) => peer.read(&bytes),
                    None => line.got.extend_from_slice(&bytes),
                }
                self.engine.wrote(self.now, key, bytes.len());
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect { conn, address, .. } => self.asked.push((conn, address)),
            Action::Close { conn, .. } => {
                self.asked.retain(|(key, _)| *key != conn);
                if let Some(line) = self.lines.iter_mut().find(|l| l.key == conn) {
                    line.is_closed = true;
                }
            }
            Action::EndOutput { conn } => {
                if let Some(line) = self.lines.iter_mut().find(|l| l.key == conn) {
                    line.is_ended = true;
                }
            }
            Action::Event(event) => self.events.push(event),
            Action::Resume { .. } => {}
        }
    }

    /// Why sessions ended, and their figures.
    pub(crate) fn session_ends(&self) -> Vec<(CloseReason, ConnectionFigures)> {
        let end = |e: &EventKind| match e {
            EventKind::SessionEnded { reason, figures, .. } => Some((*reason, *figures)),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// Sessions that each endpoint holds.
    pub(crate) fn sessions(&self) -> Vec<u64> {
        self.writer.current().endpoints.iter().map(|e| e.stats.sessions()).collect()
    }

    /// Exchanges that ended so, on an endpoint or without one.
    pub(crate) fn outcomes(&self, outcome: ExchangeOutcome) -> u64 {
        let all = &self.writer.current().endpoints;
        all.iter().map(|e| e.stats.outcome_total(outcome)).sum::<u64>() + self.stats.unpicked_total(outcome)
    }
}
