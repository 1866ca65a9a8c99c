//! The engine and everybody around it: clients, endpoints, sockets that are slow, time.
//!
//! Does one step of a choice, carries out what the engine asks for, and checks after each call.

use super::link::{Fields, Link, Saying, body_byte};
use super::peer::Manners;
use super::watch::{Heard, Role, Watch};
use crate::tape::Tape;
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec, EndpointState};
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::policy::{
    ListenerPolicy, Retry, RetryOn, RoutePolicy, ServicePolicy, Upstream, UpstreamProtocol,
};
use evenkeel_core::route::{PathMatch, Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, ConnectFailure, Engine, EngineSetup, PeerEnd};
use evenkeel_wire::detect::PREFACE;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LISTENER: ListenerId = ListenerId(1);
/// Names of the services; `/s` and `/t` lead to them.
const SERVICES: [&str; 2] = ["s", "t"];
const MOST_CLIENTS: usize = 3;

/// What a client said, by the number of its exchange, or an endpoint by that of its attempt.
#[derive(Debug, Default)]
struct Said {
    fields: Fields,
    delivered: usize,
    has_ended: bool,
    /// Of a request: where and on which stream it was sent last, and how often it was.
    sent_to: Option<(ConnKey, u32)>,
    tries: u32,
    /// The last one who got it said that it was not processed, or nobody got it.
    may_be_sent: bool,
    /// Of a request: its client has final headers.
    is_answered: bool,
}

/// A service and how its endpoint sets are made.
struct Backing {
    writer: EndpointSetWriter,
    service: Service,
}

/// The whole.
pub(super) struct Scene {
    engine: Engine,
    now: Moment,
    limits: Limits,
    links: Vec<Link>,
    connecting: Vec<(ConnKey, SocketAddr)>,
    manners: Manners,
    backings: Vec<Backing>,
    retry: Retry,
    listener: Arc<Listener>,
    requests: BTreeMap<u64, Said>,
    answers: BTreeMap<u64, Said>,
    attempts: u64,
    accepted: u16,
    is_draining: bool,
}

fn limits(tape: &mut Tape<'_>) -> Limits {
    if tape.is_one_in(2) {
        return Limits::default();
    }
    let rate = Rate { burst: tape.pick(&[2_000, 5]), per_second: 500 };
    Limits {
        header_list_bytes: tape.pick(&[64 * 1024, 500, 5_000]),
        concurrent_streams: tape.pick(&[1_000, 1, 4]),
        exchanges: tape.pick(&[100_000, 6]),
        connection_window: tape.pick(&[1 << 20, 65_535]),
        replay_bytes: tape.pick(&[64 * 1024, 0, 1_000]),
        output_high: tape.pick(&[128 * 1024, 500, 2_000, 20_000]),
        output_low: tape.pick(&[64 * 1024, 0, 1_000]),
        control_output: tape.pick(&[1 << 20, 4_000]),
        buffered_bytes: tape.pick(&[256 << 20, 10_000, 100_000]),
        interned_bytes: tape.pick(&[64 << 20, 3_000]),
        resets: rate,
        control_frames: rate,
        ..Limits::default()
    }
}

fn retry(tape: &mut Tape<'_>) -> Retry {
    let mut is = || tape.is_one_in(2);
    let on = RetryOn {
        reset: is(),
        timeout: is(),
        gateway_error: is(),
        unavailable: is(),
        resource_exhausted: is(),
    };
    Retry {
        on,
        attempts: tape.pick(&[2, 0, 1, 5]),
        per_try_timeout: tape.pick(&[None, Some(Duration::from_millis(200))]),
        budget: tape.pick(&[0.2, 0.0, 1.0]),
    }
}

/// Endpoints of one of the services: two ports each.
fn specs(of: usize, tape: &mut Tape<'_>) -> Vec<EndpointSpec> {
    let mut specs = Vec::new();
    for port in 1..=2u16 {
        let port = port + 10 * of as u16;
        let mut spec = EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], port)));
        spec.state = match tape.below(16) {
            13 => EndpointState::Terminating,
            14 => EndpointState::NotReady,
            15 => continue,
            _ => EndpointState::Ready,
        };
        specs.push(spec);
    }
    specs
}

impl Scene {
    pub(super) fn new(tape: &mut Tape<'_>) -> Self {
        let (now, is_wild) = (Moment::ZERO, tape.is_one_in(4));
        let limits = limits(tape);
        let (mut policy, mut exchanges) = (ServicePolicy::default(), RoutePolicy::default());
        // The watch knows HTTP/2, so that is what endpoints are asked in.
        policy.upstream.protocol = UpstreamProtocol::H2;
        if tape.is_one_in(2) {
            policy.upstream = Upstream {
                max_connections: tape.pick(&[None, Some(1), Some(2)]),
                max_streams: tape.pick(&[100, 1, 3]),
                max_requests_per_connection: tape.pick(&[None, Some(1), Some(5)]),
                pending: tape.pick(&[1024, 2]),
                pending_timeout: Duration::from_secs(tape.pick(&[5, 1])),
                ..policy.upstream
            };
            exchanges.request_timeout = tape.pick(&[None, Some(Duration::from_secs(2))]);
            policy.timeouts.idle = Duration::from_secs(tape.pick(&[3600, 3]));
            exchanges.retry.attempts = tape.pick(&[3, 1]);
            if tape.is_one_in(2) {
                exchanges.retry = retry(tape);
            }
        }
        let ids = EndpointIds::default();
        let (mut backings, mut routes) = (Vec::new(), Vec::new());
        for (of, name) in SERVICES.iter().enumerate() {
            let id = ServiceId(of as u32 + 1);
            let mut writer = EndpointSetWriter::new(id, 1, ids.clone());
            writer.publish(specs(of, tape), now);
            let service = Service {
                id,
                name: (*name).into(),
                policy,
                endpoints: Arc::clone(writer.current()),
                stats: Arc::new(ServiceStats::new(1)),
            };
            backings.push(Backing { writer, service });
            let path = PathMatch::Prefix(format!("/{name}").into());
            let matches = RouteMatch { path, ..RouteMatch::default() };
            routes.push(Route { matches, service: id, policy: exchanges });
        }
        let listener = Arc::new(Listener {
            id: LISTENER,
            name: "l".into(),
            policy: ListenerPolicy::default(),
            routes: RouteTable { routes },
            stats: Arc::new(ListenerStats::new(1)),
        });
        let snapshot = Snapshot {
            services: backings.iter().map(|b| Arc::new(b.service.clone())).collect(),
            listeners: vec![Arc::clone(&listener)],
        };
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: u64::from(tape.byte()),
            limits,
            log_interval: Duration::from_secs(60),
            stats: Arc::new(WorkerStats::default()),
            snapshot: Arc::new(snapshot),
        };
        Self {
            engine: Engine::new(setup, now),
            now,
            limits,
            links: Vec::new(),
            connecting: Vec::new(),
            manners: Manners { stream_window: i64::from(limits.stream_window), is_wild, exchanges: 0 },
            backings,
            retry: exchanges.retry,
            listener,
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            attempts: 0,
            accepted: 0,
            is_draining: false,
        }
    }

    /// One step.
    pub(super) fn step(&mut self, tape: &mut Tape<'_>) -> Result<(), String> {
        if self.links.iter().all(|l| l.role == Role::Client) {
            self.accept(tape);
        }
        let at = tape.below(self.links.len());
        match tape.below(32) {
            0..=7 => self.speak(Role::Server, tape),
            8..=15 => self.speak(Role::Client, tape),
            16..=22 => self.deliver(at, tape)?,
            23 | 24 => self.deliver_all()?,
            25 => self.take_output(at, tape),
            26..=28 => self.connect(tape),
            29 => self.pass_time(tape),
            30 => {
                if let Some(link) = self.links.get_mut(at) {
                    link.is_slow = tape.is_one_in(2);
                }
            }
            _ => self.upset(at, tape),
        }
        self.settle()
    }

    /// Everybody leaves: nothing may be left.
    pub(super) fn end(mut self) -> Result<(), String> {
        for _ in 0..100 {
            if let Some(link) = self.links.pop() {
                self.engine.peer_ended(self.now, link.key, PeerEnd::Closed);
            } else if let Some((key, _)) = self.connecting.pop() {
                self.engine.connect_failed(self.now, key, ConnectFailure::Refused);
            } else {
                break;
            }
            self.settle()?;
        }
        match (self.engine.open_exchanges(), self.engine.sessions(), self.links.len()) {
            (0, 0, 0) => {}
            left => return Err(format!("exchanges, sessions and links that are left: {left:?}")),
        }
        match self.engine.memory() {
            [0, 0, _] => Ok(()),
            [buffered, interned, _] => Err(format!("{buffered} bytes buffered, {interned} interned")),
        }
    }

    fn watch(&self, role: Role) -> Watch {
        Watch::new(role, self.limits.connection_window)
    }

    fn accept(&mut self, tape: &mut Tape<'_>) {
        self.accepted += 1;
        let peer = SocketAddr::from(([127, 0, 0, 1], 1_000 + self.accepted));
        let Some(key) = self.engine.accept(self.now, LISTENER, peer) else { return };
        let mut link = Link::new(key, Role::Server, self.watch(Role::Server));
        if self.manners.is_wild && tape.is_one_in(16) {
            link.watch.mute();
            let first: &[u8] =
                tape.pick(&[&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\0\0", b"PRI * garbage"]);
            link.queue.extend_from_slice(first);
            link.unframed = usize::MAX;
        } else {
            link.queue.extend_from_slice(PREFACE);
            link.unframed = PREFACE.len();
            link.queue.extend_from_slice(&self.manners.greeting(tape));
        }
        self.links.push(link);
    }

    fn speak(&mut self, role: Role, tape: &mut Tape<'_>) {
        let of_role: Vec<usize> = (0..self.links.len())
            .filter(|&i| self.links[i].role == role && self.links[i].unframed != usize::MAX)
            .collect();
        let Some(&at) = of_role.get(tape.below(of_role.len())) else { return };
        let link = &mut self.links[at];
        if link.queue.len() > 300_000 {
            return;
        }
        match role {
            Role::Server => self.manners.client_speaks(link, tape),
            Role::Client => self.manners.endpoint_speaks(link, tape),
        }
    }

    /// Gives the engine some of what a peer has said.
    fn deliver(&mut self, at: usize, tape: &mut Tape<'_>) -> Result<(), String> {
        let Some(link) = self.links.get(at) else { return Ok(()) };
        let most = link.queue.len();
        let n = match tape.below(4) {
            0 => most,
            1 => 1 + tape.below(10),
            2 => 1 + tape.below(256),
            _ => tape.below(20_000),
        };
        self.feed(at, n.min(most))
    }

    fn deliver_all(&mut self) -> Result<(), String> {
        let keys: Vec<ConnKey> = self.links.iter().map(|l| l.key).collect();
        for key in keys {
            if let Some(at) = self.links.iter().position(|l| l.key == key) {
                self.feed(at, self.links[at].queue.len())?;
                self.settle()?;
            }
        }
        Ok(())
    }

    fn feed(&mut self, at: usize, n: usize) -> Result<(), String> {
        let link = &mut self.links[at];
        if n == 0 {
            return Ok(());
        }
        let bytes: Vec<u8> = link.queue.drain(..n).collect();
        let unframed = link.unframed.min(n);
        if link.unframed != usize::MAX {
            link.unframed -= unframed;
        }
        for (stream, length, is_end) in link.watch.deliver(&bytes[unframed..]) {
            let Some(saying) = link.sayings.get_mut(&stream) else { continue };
            saying.delivered += length;
            saying.has_delivered_end |= is_end;
            let said = match link.role {
                Role::Server => self.requests.entry(saying.number).or_default(),
                Role::Client => self.answers.entry(saying.number).or_default(),
            };
            said.delivered = saying.delivered;
            said.has_ended = saying.has_delivered_end;
        }
        // What was queued may be heard from now on.
        for saying in link.sayings.values().filter(|s| s.has_begun) {
            let said = match link.role {
                Role::Server => self.requests.entry(saying.number).or_default(),
                Role::Client => self.answers.entry(saying.number).or_default(),
            };
            if said.fields.is_empty() {
                said.fields.clone_from(&saying.fields);
            }
        }
        self.engine.received(self.now, link.key, &bytes);
        Ok(())
    }

    /// A slow socket takes some.
    fn take_output(&mut self, at: usize, tape: &mut Tape<'_>) {
        let Some(link) = self.links.get_mut(at) else { return };
        let most = self.engine.output(link.key).len().min(link.looked_at);
        let n = if tape.is_one_in(2) { most } else { tape.below(5_000).min(most) };
        link.looked_at -= n;
        self.engine.wrote(self.now, link.key, n);
    }

    fn connect(&mut self, tape: &mut Tape<'_>) {
        if self.connecting.is_empty() {
            return;
        }
        let (key, address) = self.connecting.remove(tape.below(self.connecting.len()));
        if tape.is_one_in(8) {
            let failure = tape.pick(&[
                ConnectFailure::Refused,
                ConnectFailure::Unreachable,
                ConnectFailure::NoDescriptors,
            ]);
            self.engine.connect_failed(self.now, key, failure);
            return;
        }
        let mut link = Link::new(key, Role::Client, self.watch(Role::Client));
        link.queue = self.manners.greeting(tape);
        link.address = Some(address);
        self.links.push(link);
        self.engine.connected(self.now, key);
    }

    fn pass_time(&mut self, tape: &mut Tape<'_>) {
        self.now = match tape.below(8) {
            0 => self.now + Duration::from_secs(tape.pick(&[1, 10, 100])),
            1 | 2 => self.engine.next_deadline().map_or(self.now, |next| next.max(self.now)),
            _ => self.now + Duration::from_millis(u64::from(tape.byte())),
        };
        self.engine.tick(self.now);
    }

    /// What happens seldom: a peer ends, endpoints change, another client comes, the process drains.
    fn upset(&mut self, at: usize, tape: &mut Tape<'_>) {
        match tape.below(8) {
            0 | 1 => {
                if at < self.links.len() {
                    self.remember_refused(at);
                    let link = self.links.swap_remove(at);
                    let end = tape.pick(&[PeerEnd::Closed, PeerEnd::Reset]);
                    self.engine.peer_ended(self.now, link.key, end);
                }
            }
            2 | 3 => {
                let mut services = Vec::new();
                for (of, backing) in self.backings.iter_mut().enumerate() {
                    if backing.writer.publish(specs(of, tape), self.now).is_some() {
                        backing.service.endpoints = Arc::clone(backing.writer.current());
                    }
                    if !tape.is_one_in(8) {
                        services.push(Arc::new(backing.service.clone()));
                    }
                }
                let listeners = vec![Arc::clone(&self.listener)];
                self.engine.refresh(self.now, Arc::new(Snapshot { services, listeners }));
            }
            7 if tape.is_one_in(8) && !self.is_draining => {
                self.is_draining = true;
                self.engine.begin_drain(self.now, self.now + Duration::from_secs(5));
            }
            _ => {
                if self.links.iter().filter(|l| l.role == Role::Server).count() < MOST_CLIENTS {
                    self.accept(tape);
                }
            }
        }
    }

    /// Looks at what the engine did, and does what it asks for, until it asks for nothing more.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            self.look()?;
            let (mut actions, mut dirty) = (Vec::new(), Vec::new());
            self.engine.take_actions(&mut actions);
            self.engine.take_dirty(&mut dirty);
            if actions.is_empty() && dirty.is_empty() {
                return self.engine.check_invariants();
            }
            for action in actions {
                match action {
                    Action::Connect { conn, address, .. } => self.connecting.push((conn, address)),
                    Action::Close { conn, .. } => {
                        if let Some(at) = self.links.iter().position(|l| l.key == conn) {
                            self.remember_refused(at);
                            self.links.remove(at);
                        }
                        self.connecting.retain(|&(c, _)| c != conn);
                    }
                    Action::Resume { .. } | Action::EndOutput { .. } | Action::Event(_) => {}
                }
            }
            for key in dirty {
                self.look()?;
                let Some(link) = self.links.iter_mut().find(|l| l.key == key) else { continue };
                let n = if link.is_slow { 0 } else { link.looked_at };
                link.looked_at -= n;
                self.engine.wrote(self.now, key, n);
            }
        }
        Err("the engine does not come to rest".to_owned())
    }

    /// Checks the new bytes of every output.
    fn look(&mut self) -> Result<(), String> {
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            let output = self.engine.output(link.key);
            let Some(new) = output.get(link.looked_at..) else { continue };
            link.looked_at = output.len();
            let role = link.role;
            let heard = link.watch.check(new).map_err(|what| format!("{:?} {at}: {what}", link.role))?;
            for heard in heard {
                self.hear(at, heard).map_err(|what| format!("{role:?} {at}: {what}"))?;
            }
        }
        Ok(())
    }

    /// A peer hears something: is it what the other peer said?
    fn hear(&mut self, at: usize, heard: Heard) -> Result<(), String> {
        let link = &mut self.links[at];
        match (link.role, heard) {
            (Role::Client, Heard::Headers { stream, fields, is_end })
                if !link.sayings.contains_key(&stream) =>
            {
                self.attempts += 1;
                let id = number(&fields, b"x-id").unwrap_or_default();
                let is_head = fields.first().is_some_and(|f| f.1 == b"HEAD");
                let saying =
                    Saying { number: self.attempts, heard_attempt: Some(id), is_head, ..Saying::default() };
                link.sayings.insert(stream, saying);
                if !self.manners.is_wild {
                    self.heard_request(at, stream, id, &fields)?;
                }
                self.heard_end(at, stream, is_end)
            }
            (Role::Server, Heard::Headers { stream, fields, is_end }) => {
                let is_final = !fields.first().is_some_and(|f| f.0 == b":status" && f.1.starts_with(b"1"));
                let attempt = number(&fields, b"x-attempt");
                if let (Some(attempt), Some(saying)) = (attempt, link.sayings.get_mut(&stream)) {
                    saying.heard_attempt = Some(attempt);
                    if let Some(said) = self.requests.get_mut(&saying.number) {
                        said.is_answered = true;
                    }
                    let said = self.answers.get(&attempt).filter(|said| said.fields == fields);
                    if said.is_none() && !self.manners.is_wild {
                        return Err(format!("an answer that nobody gave: {fields:?}"));
                    }
                }
                // Where the endpoint cannot end a gRPC answer, the relay does so with a status of its own.
                let is_ours = fields.iter().any(|f| f.0 == b"grpc-message");
                self.heard_end(at, stream, is_end && is_final && !is_ours)
            }
            (_, Heard::Headers { stream, is_end, .. }) => self.heard_end(at, stream, is_end),
            (_, Heard::Data { stream, payload, is_end }) => {
                let Some(saying) = link.sayings.get_mut(&stream) else { return Ok(()) };
                if let Some(number) = saying.heard_attempt {
                    let from = saying.heard;
                    let wrong = payload.iter().enumerate().find(|&(i, &b)| b != body_byte(number, from + i));
                    if let Some((i, _)) = wrong.filter(|_| !self.manners.is_wild) {
                        return Err(format!("stream {stream}: another body at {}", from + i));
                    }
                    saying.heard += payload.len();
                }
                self.heard_end(at, stream, is_end)
            }
            (_, Heard::Reset { stream }) => {
                if let Some(saying) = link.sayings.get_mut(&stream) {
                    saying.is_over = true;
                }
                Ok(())
            }
        }
    }

    /// A request comes to an endpoint: to one of its service, as it was sent, and again only if it may.
    fn heard_request(&mut self, at: usize, stream: u32, id: u64, fields: &Fields) -> Result<(), String> {
        let (key, address) = (self.links[at].key, self.links[at].address);
        let is_refused = |(key, stream): (ConnKey, u32)| {
            self.links.iter().find(|l| l.key == key).is_some_and(|l| l.is_refused(stream))
        };
        let here = (key, stream);
        let is_refused_here = is_refused(here);
        let Some(said) = self.requests.get_mut(&id).filter(|said| said.fields == *fields) else {
            return Err(format!("a request that nobody sent: {fields:?}"));
        };
        let is_second = fields.iter().any(|f| f.0 == b":path" && f.1.starts_with(b"/t"));
        if address.is_some_and(|a| (a.port() > 10) != is_second) {
            return Err(format!("request {id} came to {address:?}"));
        }
        if let Some(before) = said.sent_to {
            // Where one call of the engine sent it twice, the later place may be looked at first.
            let may_repeat = self.retry.on != RetryOn::default();
            if !(is_refused(before) || is_refused_here || said.may_be_sent || may_repeat) {
                return Err(format!("request {id} is sent again, and may have been processed"));
            }
            if said.is_answered {
                return Err(format!("request {id} is sent again, and its client has an answer"));
            }
        }
        if said.sent_to.is_none() || !is_refused_here {
            said.sent_to = Some(here);
        }
        (said.may_be_sent, said.tries) = (false, said.tries + 1);
        if said.tries > 1 + self.retry.attempts {
            return Err(format!("request {id} is sent {} times", said.tries));
        }
        Ok(())
    }

    /// A link is about to go: what its peer refused may be sent again.
    fn remember_refused(&mut self, at: usize) {
        let link = &self.links[at];
        for (&stream, saying) in &link.sayings {
            let is_refused = saying.is_refused || link.goaway.is_some_and(|last| stream > last);
            if let Some(said) = saying
                .heard_attempt
                .filter(|_| link.role == Role::Client && is_refused)
                .and_then(|id| self.requests.get_mut(&id))
            {
                said.may_be_sent |= said.sent_to == Some((link.key, stream));
            }
        }
    }

    /// A message has ended: is it whole?
    fn heard_end(&mut self, at: usize, stream: u32, is_end: bool) -> Result<(), String> {
        let link = &self.links[at];
        let Some(saying) = link.sayings.get(&stream).filter(|_| is_end && !self.manners.is_wild) else {
            return Ok(());
        };
        let Some(number) = saying.heard_attempt else { return Ok(()) };
        let said = match link.role {
            Role::Server => self.answers.get(&number),
            Role::Client => self.requests.get(&number),
        };
        match said {
            Some(said) if said.has_ended && said.delivered == saying.heard => Ok(()),
            said => Err(format!("stream {stream} ends after {} bytes of {said:?}", saying.heard)),
        }
    }
}

/// The number in a field.
fn number(fields: &Fields, name: &[u8]) -> Option<u64> {
    let (_, value) = fields.iter().find(|f| f.0 == name)?;
    std::str::from_utf8(value).ok()?.parse().ok()
}
