//! One worker's data plane: what the event loop and the simulation drive.
//!
//! The files follow an exchange: `receive` (bytes to frames), `client` (a request begins), `dispatch` (pick, pool,
//! queue), `endpoint` (the answer), `data` (bodies, windows), `finish` and `answer` (its end, and what we say of a
//! failure), `close` (the end of a connection); then what acts on sessions from outside: `drain`, `refresh`
//! (snapshots), `clock` (deadlines).

mod answer;
mod client;
mod clock;
mod close;
mod data;
mod dispatch;
mod drain;
mod endpoint;
mod finish;
mod invariants;
mod receive;
mod refresh;

use crate::action::{Action, ConnectFailure, PeerEnd};
use crate::conn::{ClientSide, Conn, NumberMap, Phase, Role};
use crate::exchange::Exchange;
use crate::keys::{ConnKey, ConnMark, ExchangeKey, ExchangeMark, PoolKey, PoolMark};
use crate::output::BufferPool;
use crate::slots::Slots;
use crate::timers::Wheel;
use crate::upstream::Pool;
use evenkeel_core::balancer::Balancer;
use evenkeel_core::event::EventKind;
use evenkeel_core::id::{EndpointId, ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::Timeouts;
use evenkeel_core::reason::{CloseReason, Limit};
use evenkeel_core::snapshot::{Service, Snapshot};
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{HeaderList, HeaderStore};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use drain::DrainProgress;

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
    /// It is configured no more: it drains.
    is_removed: bool,
}

/// Who is to be woken by the wheel.
#[derive(Clone, Copy, Debug)]
enum Wake {
    Conn(ConnKey),
    Waiting(ExchangeKey),
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
    spare_lists: Vec<HeaderList>,
    spare_bytes: Vec<Vec<u8>>,
    buffers: BufferPool,
    dirty: Vec<ConnKey>,
    /// Connections of which a stream has ended, to be looked at when the exchange is gone.
    due_clients: Vec<ConnKey>,
    due_upstreams: Vec<ConnKey>,
    is_settling: bool,
    actions: Vec<Action>,
    wheel: Wheel<Wake>,
    due: Vec<Wake>,
    /// Bytes in all backlogs.
    backlog_bytes: usize,
    /// Bytes of all bodies that are kept to send them again.
    replay_bytes: usize,
    clients: usize,
    next_session: u64,
    drain: Option<drain::Drain>,
    drain_progress: DrainProgress,
}

/// Lists and buffers that are kept for the next exchange.
const MOST_SPARE: usize = 4096;
/// A spare that grew beyond this is not kept.
const MOST_SPARE_BYTES: usize = 16 * 1024;

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
            spare_lists: Vec::new(),
            spare_bytes: Vec::new(),
            buffers: BufferPool::default(),
            dirty: Vec::new(),
            due_clients: Vec::new(),
            due_upstreams: Vec::new(),
            is_settling: false,
            actions: Vec::new(),
            wheel: Wheel::new(now),
            due: Vec::new(),
            backlog_bytes: 0,
            replay_bytes: 0,
            clients: 0,
            next_session: u64::from(setup.worker.0) << 48,
            drain: None,
            drain_progress: DrainProgress::default(),
        };
        engine.refresh(now, setup.snapshot);
        engine
    }

    /// A client's connection was accepted on a listener. `None` if the listener is not configured any more, or holds
    /// its most sessions: the socket is to be closed.
    pub fn accept(&mut self, now: Moment, listener: ListenerId, peer: SocketAddr) -> Option<ConnKey> {
        let listener = Arc::clone(self.snapshot.listener(listener)?);
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
        let header = listener.policy.timeouts.header;
        let client = ClientSide {
            listener,
            peer,
            session,
            recorded: now,
            first_bytes: Vec::new(),
            reset_lately: VecDeque::new(),
        };
        let key = self.conns.insert(Conn::new(Role::Client(client), Phase::Detecting, now, &self.limits));
        self.clients += 1;
        self.stats.sessions.set(self.clients as u64);
        self.arm_conn(key, now + header);
        Some(key)
    }

    /// A connection that was asked for stands.
    pub fn connected(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.phase == Phase::Connecting {
            conn.phase = Phase::Greeting;
            conn.idle_since = now;
            conn.greet(&self.limits, &mut self.buffers);
            self.mark_dirty(key);
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
        };
        self.lose_conn(now, key, reason);
    }

    /// The peer ended its side. The key is gone; no `Close` follows.
    pub fn peer_ended(&mut self, now: Moment, key: ConnKey, end: PeerEnd) {
        let Some(conn) = self.conns.get(key) else { return };
        let reason = match (&conn.role, end) {
            (Role::Client(_), PeerEnd::Closed) => CloseReason::ClientClosed,
            (Role::Client(_), PeerEnd::Reset) => CloseReason::ClientReset,
            (Role::Upstream(u), PeerEnd::Closed) if u.goaway.is_some() => CloseReason::UpstreamGoAway,
            (Role::Upstream(_), PeerEnd::Closed) => CloseReason::UpstreamClosed,
            (Role::Upstream(_), PeerEnd::Reset) => CloseReason::UpstreamReset,
        };
        self.lose_conn(now, key, reason);
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
        if conn.output.is_empty() {
            conn.stalled_since = None;
            if let Phase::Closing(reason) = conn.phase {
                self.remove_conn(now, key, reason, Some(true));
                return;
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

    /// Memory by part: backlogs and outputs, header fields, slabs and tables.
    #[must_use]
    pub fn memory(&self) -> [u64; 3] {
        let conns: usize = self.conns.iter().map(|(_, c)| c.held_bytes()).sum();
        [
            (self.backlog_bytes + self.replay_bytes) as u64,
            self.store.owned_bytes() as u64,
            (self.conns.held_bytes() + self.exchanges.held_bytes() + conns) as u64,
        ]
    }

    fn mark_dirty(&mut self, key: ConnKey) {
        let conn = &mut self.conns[key];
        if !conn.is_dirty {
            conn.is_dirty = true;
            self.dirty.push(key);
        }
    }

    fn tell(&mut self, kind: EventKind) {
        self.actions.push(Action::Event(kind));
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
        self.spare_lists.pop().unwrap_or_default()
    }

    fn give_list(&mut self, mut list: HeaderList) {
        list.clear(&mut self.store);
        // A list without memory, such as one that was taken from an exchange, would be of no use to the next.
        let is_useful = (1..=MOST_SPARE_BYTES).contains(&list.held_bytes());
        if is_useful && self.spare_lists.len() < MOST_SPARE {
            self.spare_lists.push(list);
        }
    }

    /// Forgets a body that was kept to send it again.
    fn drop_replay(&mut self, mut bytes: Vec<u8>) {
        self.replay_bytes -= bytes.len();
        if bytes.capacity() > 0 && bytes.capacity() <= MOST_SPARE_BYTES && self.spare_bytes.len() < MOST_SPARE
        {
            bytes.clear();
            self.spare_bytes.push(bytes);
        }
    }
}
