//! One worker's data plane: what the event loop and the simulation drive.
//!
//! The files follow an exchange: `receive` (bytes to frames), `client` (a request begins), `dispatch` (pick, pool,
//! queue), `endpoint` (the answer), `retry` (another endpoint instead), `data`, `windows` and `stall` (bodies),
//! `tunnel` and `websocket` (bytes both ways), `finish` and `answer` (its end, and what we say of a failure), `close` (the
//! end of a connection); then what guards the worker: `cancel` (streams that nobody wants any more), `relief` (memory
//! budgets); what acts on sessions from outside: `drain`, `refresh` (snapshots), `clock` (deadlines); and what tells of
//! them: `session`, `listing`. Beside the way stand `secured` and `learn` (what is spoken, by TLS or by trying),
//! `introduction` (by a PROXY protocol header), `spliced` (tunnels in bulk), `h2c` (from HTTP/1 to HTTP/2), `events`
//! (server-sent) and `grpc_web` (its translation).

mod answer;
mod cancel;
mod client;
mod clock;
mod close;
mod data;
mod dispatch;
mod drain;
mod endpoint;
mod events;
mod finish;
mod grpc_web;
mod h2c;
mod http1;
mod introduction;
mod invariants;
mod learn;
mod listing;
mod receive;
mod refresh;
mod relief;
mod retry;
mod secured;
mod session;
mod spliced;
mod stall;
mod tunnel;
mod websocket;
mod windows;

use crate::action::{Action, ConnectFailure, PeerEnd};
use crate::cancelled::Cancel;
use crate::conn::{ClientSide, Conn, Input, NumberMap, Phase, Role, Speech, TableOffer};
use crate::deadlines::Deadlines;
use crate::exchange::Exchange;
use crate::failures::Failures;
use crate::keys::{ConnKey, ConnMark, ExchangeKey, ExchangeMark, PoolKey, PoolMark};
use crate::nonces::Nonces;
use crate::output::BufferPool;
use crate::request_id::RequestIds;
use crate::slots::Slots;
use crate::spares::Spares;
use crate::timers::Wheel;
use crate::upstream::Pool;
use evenkeel_core::balancer::{Balancer, Pick};
use evenkeel_core::event::EventKind;
use evenkeel_core::id::{EndpointId, ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{AcceptProxyProtocol, ListenerProtocol, Timeouts, Transport};
use evenkeel_core::reason::{CloseReason, Limit, NoPickReason};
use evenkeel_core::retry_budget::RetryBudget;
use evenkeel_core::session::SessionProtocol;
use evenkeel_core::snapshot::{Service, Snapshot};
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{HeaderList, HeaderStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use drain::DrainProgress;
pub use introduction::LONGEST_PROXY_HEADER;

/// What an engine is made with.
#[derive(Debug)]
pub struct EngineSetup {
    /// Which worker it belongs to.
    pub worker: WorkerIndex,
    /// Makes its random choices, and the key of its header store: secret in production, repeatable in simulation.
    pub seed: u64,
    /// Its bounds.
    pub limits: Limits,
    /// Time between two records of a session that goes on.
    pub log_interval: Duration,
    /// Counts that it writes.
    pub stats: Arc<WorkerStats>,
    /// What it acts on first.
    pub snapshot: Arc<Snapshot>,
}

/// A service as this worker sees it.
#[derive(Debug)]
struct ServiceState {
    service: Arc<Service>,
    balancer: Balancer,
    /// Exchanges that are open.
    exchanges: usize,
    /// Those of them that are under way again.
    retries: RetryBudget,
    /// It is configured no more: it drains.
    is_removed: bool,
}

impl ServiceState {
    /// Picks an endpoint that the exchange was not given to yet, by what it is.
    fn pick(&mut self, now: Moment, ex: &Exchange) -> Result<Pick, NoPickReason> {
        if ex.kind.is_session() {
            self.balancer.pick_session(now, &ex.tried, self.service.policy.max_sessions)
        } else {
            self.balancer.pick(now, &ex.tried)
        }
    }
}

/// Who is to be woken by the wheel.
#[derive(Clone, Copy, Debug)]
enum Wake {
    Conn(ConnKey),
    Pending(PoolKey),
    Pool(PoolKey),
    DrainDeadline,
}

/// One worker's sessions, exchanges and upstreams.
#[derive(Debug)]
pub struct Engine {
    worker: WorkerIndex,
    seed: u64,
    limits: Limits,
    log_interval: Duration,
    stats: Arc<WorkerStats>,
    snapshot: Arc<Snapshot>,
    services: Vec<ServiceState>,
    service_of: NumberMap<ServiceId, usize>,
    conns: Slots<ConnMark, Conn>,
    exchanges: Slots<ExchangeMark, Exchange>,
    pools: Slots<PoolMark, Pool>,
    pool_of: NumberMap<EndpointId, PoolKey>,
    store: HeaderStore,
    request_ids: RequestIds,
    nonces: Nonces,
    /// Where a header of ours is put together.
    scratch: Vec<u8>,
    spares: Spares,
    buffers: BufferPool,
    dirty: Vec<ConnKey>,
    /// Connections of which a stream has ended, to be looked at when the exchange is gone.
    due_clients: Vec<ConnKey>,
    due_upstreams: Vec<ConnKey>,
    /// Streams to be cancelled at upstreams, when the exchange is gone.
    cancels: Vec<(ConnKey, Cancel)>,
    /// Requests of clients that cancel often, until all that came with them is read.
    deferred: Vec<ExchangeKey>,
    is_settling: bool,
    actions: Vec<Action>,
    failures: Failures,
    wheel: Wheel<Wake>,
    due: Vec<Wake>,
    /// Memory of all backlogs.
    backlog_bytes: usize,
    /// Memory of all bodies that are kept to send them again.
    replay_bytes: usize,
    /// Memory of all outputs.
    output_bytes: usize,
    /// Memory of all frames and header blocks that are not whole.
    reader_bytes: usize,
    /// When the largest holders were last looked for in vain: not again in the same turn.
    shed_in_vain: Option<Moment>,
    /// The same for the owners of header fields.
    owners_in_vain: Option<Moment>,
    /// What the streams' windows have grown beyond their first.
    granted_credit: usize,
    clients: usize,
    next_session: u64,
    drain: Option<drain::Drain>,
    drain_progress: DrainProgress,
}

impl Engine {
    /// An engine without connections.
    #[must_use]
    pub fn new(setup: EngineSetup, now: Moment) -> Self {
        let key = (setup.seed, setup.seed.rotate_left(32) ^ 0x5851_f42d_4c95_7f2d);
        let mut engine = Self {
            worker: setup.worker,
            seed: setup.seed,
            limits: setup.limits,
            log_interval: setup.log_interval,
            stats: setup.stats,
            snapshot: Arc::default(),
            services: Vec::new(),
            service_of: NumberMap::default(),
            conns: Slots::default(),
            exchanges: Slots::default(),
            pools: Slots::default(),
            pool_of: NumberMap::default(),
            store: HeaderStore::new(key, setup.limits.interned_bytes),
            request_ids: RequestIds::new(setup.seed, setup.worker),
            nonces: Nonces::new(setup.seed, setup.worker),
            scratch: Vec::new(),
            spares: Spares::default(),
            buffers: BufferPool::default(),
            dirty: Vec::new(),
            due_clients: Vec::new(),
            due_upstreams: Vec::new(),
            cancels: Vec::new(),
            deferred: Vec::new(),
            is_settling: false,
            actions: Vec::new(),
            failures: Failures::default(),
            wheel: Wheel::new(now),
            due: Vec::new(),
            backlog_bytes: 0,
            replay_bytes: 0,
            output_bytes: 0,
            reader_bytes: 0,
            shed_in_vain: None,
            owners_in_vain: None,
            granted_credit: 0,
            clients: 0,
            next_session: u64::from(setup.worker.0) << 48,
            drain: None,
            drain_progress: DrainProgress::default(),
        };
        engine.refresh(now, setup.snapshot);
        engine
    }

    /// A client's connection was accepted on a listener. `None` if the listener is not configured any more, holds its
    /// most sessions, or a drain's deadline has come: the socket is to be closed.
    pub fn accept(&mut self, now: Moment, listener: ListenerId, peer: SocketAddr) -> Option<ConnKey> {
        let listener = Arc::clone(self.snapshot.listener(listener).filter(|_| !self.is_drain_cut())?);
        let cell = listener.stats.cell(self.worker);
        if listener.stats.sessions() >= u64::from(listener.policy.max_sessions) {
            let (listener, reason) = (listener.id, CloseReason::MaxSessions);
            cell.session_refused(reason);
            self.stats.refused(Limit::MaxSessions);
            self.tell(EventKind::SessionRefused { listener, peer, reason });
            return None;
        }
        cell.session_began();
        self.next_session += 1;
        let session = self.next_session;
        let Timeouts { header, tls_handshake, .. } = listener.policy.timeouts;
        let (protocol, transport) = (listener.policy.protocol, listener.policy.transport);
        let awaits_proxy_header = listener.policy.proxy_protocol == AcceptProxyProtocol::Required;
        let client = ClientSide {
            listener,
            peer,
            destination: None,
            awaits_proxy_header,
            session,
            recorded: now,
            first_bytes: Vec::new(),
            places_held: 0,
            deadlines: Deadlines::default(),
            secured: None,
            protocol: SessionProtocol::Unknown,
            is_leaving: false,
        };
        // Where cleartext is taken too, the first bytes say whether there is a handshake.
        let is_secured = transport == Transport::Tls && protocol != ListenerProtocol::Auto;
        let phase = if is_secured { Phase::Securing } else { Phase::Detecting };
        let key = self.conns.insert(Conn::new(Role::Client(client), phase, Speech::Unknown, now));
        self.clients += 1;
        self.stats.sessions.set(self.clients as u64);
        self.arm_conn(key, now + if is_secured { tls_handshake } else { header });
        if !awaits_proxy_header && !is_secured {
            self.await_first_bytes(now, key);
        }
        Some(key)
    }

    /// Nothing stands before what a client speaks any more: waits for that, where it decides anything.
    fn await_first_bytes(&mut self, now: Moment, key: ConnKey) {
        let Some(client) = self.conns[key].client() else { return };
        let policy = &client.listener.policy;
        match policy.protocol {
            ListenerProtocol::Tcp
                if !client.listener.routes.asks_for_server_name()
                    && policy.transport == Transport::Cleartext =>
            {
                self.begin_tunnel(now, key, None, &[]);
            }
            ListenerProtocol::Auto => self.arm_conn(key, now + policy.detect_timeout),
            ListenerProtocol::Tcp | ListenerProtocol::Http => {}
        }
    }

    /// A connection that was asked for stands.
    pub fn connected(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if !conn.phase.is_connecting() {
            return;
        }
        if matches!(conn.speech, Speech::Unknown) {
            self.assume_speech(key);
        }
        let Some(conn) = self.conns.get_mut(key) else { return };
        match conn.speech {
            Speech::Http2(_) => {
                conn.phase = Phase::Greeting;
                conn.idle_since = now;
                self.greet(now, key);
            }
            _ if conn.upstream().is_some_and(|u| u.is_own) => self.own_upstream_stands(now, key),
            _ => self.upstream_ready(now, key),
        }
    }

    /// A connection that was asked for could not be opened. The key is gone; no `Close` follows.
    pub fn connect_failed(&mut self, now: Moment, key: ConnKey, failure: ConnectFailure) {
        let reason = match failure {
            ConnectFailure::Refused => CloseReason::ConnectRefused,
            ConnectFailure::Unreachable => CloseReason::ConnectUnreachable,
            ConnectFailure::NoDescriptors => {
                self.stats.refused(Limit::Descriptors);
                CloseReason::ConnectNoDescriptors
            }
            ConnectFailure::Handshake(why) => {
                if let Some(conn) = self.conns.get_mut(key) {
                    conn.detail = Some(why);
                }
                CloseReason::TlsHandshakeFailed
            }
        };
        self.lose_conn(now, key, reason);
        self.relieve(now);
    }

    /// The peer ended its side. The key is gone; no `Close` follows.
    pub fn peer_ended(&mut self, now: Moment, key: ConnKey, end: PeerEnd) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.input = Input::Gone;
        }
        if end == PeerEnd::Closed {
            self.end_open_body(now, key);
        }
        let Some(conn) = self.conns.get_mut(key) else { return self.relieve(now) };
        if let PeerEnd::TlsFailed(why) = end {
            conn.detail = Some(why);
        }
        let reason = match (&conn.role, end) {
            (_, PeerEnd::Truncated) => CloseReason::TlsClosedUncleanly,
            // One side's handshake ends before the other has judged its certificate.
            (_, PeerEnd::TlsFailed(_)) if conn.figures.bytes_in == 0 => CloseReason::TlsHandshakeFailed,
            (_, PeerEnd::TlsFailed(_)) => CloseReason::TlsClosedUncleanly,
            (Role::Client(_), PeerEnd::Closed) => CloseReason::ClientClosed,
            (Role::Client(_), PeerEnd::Reset) => CloseReason::ClientReset,
            (Role::Upstream(u), PeerEnd::Closed) if u.goaway.is_some() => CloseReason::UpstreamGoAway,
            (Role::Upstream(_), PeerEnd::Closed) => CloseReason::UpstreamClosed,
            (Role::Upstream(_), PeerEnd::Reset) => CloseReason::UpstreamReset,
        };
        self.lose_conn(now, key, reason);
        self.relieve(now);
    }

    /// What waits to be written to a connection; empty also for a key that is gone.
    #[must_use]
    pub fn output(&self, key: ConnKey) -> &[u8] {
        self.conns.get(key).map_or(&[], |c| c.output.waiting())
    }

    /// The first `n` bytes of the output were written; call it with 0 when the socket takes nothing.
    pub fn wrote(&mut self, now: Moment, key: ConnKey, n: usize) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let mark = self.limits.control_output + self.limits.output_high;
        let was_full = conn.output.len() > mark;
        conn.figures.bytes_out += n as u64;
        conn.output.advance(n, &mut self.buffers);
        conn.output.count(&mut self.output_bytes);
        if conn.output.is_empty() {
            conn.stalled_since = None;
            let ends_output = conn.ends_output;
            if let Phase::Closing(reason) = conn.phase {
                self.remove_conn(now, key, reason, Some(true));
                return;
            }
            if ends_output {
                self.end_output_if_due(key);
            }
        } else if n > 0 || conn.stalled_since.is_none() {
            conn.stalled_since = Some(now);
            let timeout = self.timeouts_of(key).send;
            self.arm_conn(key, now + timeout);
        }
        if self.conns[key].output.len() <= self.limits.output_low {
            self.pump(now, key);
        }
        // An upstream takes no requests while it does not take those that it has.
        if was_full && self.conns.get(key).is_some_and(|c| c.output.len() <= mark) {
            self.serve_pending(now, key);
        }
        self.relieve(now);
    }

    /// Moves the connections with new output to `into`, which must be empty.
    pub fn take_dirty(&mut self, into: &mut Vec<ConnKey>) {
        std::mem::swap(&mut self.dirty, into);
        for &key in into.iter() {
            if let Some(conn) = self.conns.get_mut(key) {
                conn.is_dirty = false;
            }
        }
    }

    /// Leaves what waits for a connection to a later [`Engine::take_dirty`].
    pub fn put_off(&mut self, key: ConnKey) {
        if self.conns.has(key) {
            self.mark_dirty(key);
        }
    }

    /// Puts connections that were taken, and not written to, before those that have come to be dirty since; `keys` is
    /// left empty.
    pub fn put_back_dirty(&mut self, keys: &mut Vec<ConnKey>) {
        for &key in &self.dirty {
            if let Some(conn) = self.conns.get_mut(key) {
                conn.is_dirty = false;
            }
        }
        keys.append(&mut self.dirty);
        keys.retain(|&key| {
            self.conns.get_mut(key).is_some_and(|conn| !std::mem::replace(&mut conn.is_dirty, true))
        });
        std::mem::swap(keys, &mut self.dirty);
    }

    /// Moves what is to be done to `into`, which must be empty.
    pub fn take_actions(&mut self, into: &mut Vec<Action>) {
        std::mem::swap(&mut self.actions, into);
    }

    /// Whether anything waits in `take_dirty` or `take_actions`.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.actions.is_empty()
    }

    /// When [`Engine::tick`] wants to be called; `None` if nothing is armed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.wheel.next()
    }

    /// Its bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Client connections.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.clients
    }

    /// Exchanges that are open.
    #[must_use]
    pub fn open_exchanges(&self) -> usize {
        self.exchanges.len()
    }

    /// Memory by part: outputs, waiting bodies and unfinished frames, header fields and lists, slabs and tables.
    #[must_use]
    pub fn memory(&self) -> [u64; 3] {
        let conns: usize = self.conns.iter().map(|(_, c)| c.held_bytes()).sum();
        let slabs = self.conns.held_bytes() + self.exchanges.held_bytes();
        [
            self.buffered_bytes() as u64,
            self.store.charged_bytes() as u64,
            (slabs + conns + self.spares.held_bytes() + self.store.spare_bytes()) as u64,
        ]
    }

    /// Says what both sides say first.
    fn greet(&mut self, now: Moment, key: ConnKey) {
        let table = if self.is_short_of_tables() { TableOffer::None } else { TableOffer::Default };
        let conn = &mut self.conns[key];
        let is_upstream = !conn.is_client();
        if let (Some(http2), output) = conn.http2_and_output() {
            http2.greet(now, is_upstream, &self.limits, table, output.buffer(&mut self.buffers));
        }
        self.mark_dirty(key);
        self.arm_conn(key, now + self.limits.settings_ack);
    }

    fn mark_dirty(&mut self, key: ConnKey) {
        let conn = &mut self.conns[key];
        conn.output.count(&mut self.output_bytes);
        if conn.ends_output && conn.output.is_empty() {
            self.end_output_if_due(key);
            return;
        }
        if !conn.is_dirty {
            conn.is_dirty = true;
            self.dirty.push(key);
        }
    }

    fn tell(&mut self, kind: EventKind) {
        self.actions.push(Action::Event(kind));
    }

    /// The timeouts that hold for a connection; `None` for a key that is gone.
    #[must_use]
    pub fn timeouts(&self, key: ConnKey) -> Option<Timeouts> {
        self.conns.has(key).then(|| self.timeouts_of(key))
    }

    /// The timeouts that hold for a connection.
    fn timeouts_of(&self, key: ConnKey) -> Timeouts {
        match &self.conns[key].role {
            Role::Client(c) => self.snapshot.listener(c.listener.id).unwrap_or(&c.listener).policy.timeouts,
            Role::Upstream(u) => self
                .pools
                .get(u.pool)
                .map_or_else(Timeouts::default, |p| self.services[p.service].service.policy.timeouts),
        }
    }

    fn take_list(&mut self) -> HeaderList {
        self.spares.take_list()
    }

    fn give_list(&mut self, list: HeaderList) {
        self.spares.give_list(list, &mut self.store);
    }

    /// Forgets a body that was kept to send it again.
    fn drop_replay(&mut self, body: Vec<u8>) {
        self.replay_bytes -= body.capacity();
        self.spares.give_body(body);
    }
}
