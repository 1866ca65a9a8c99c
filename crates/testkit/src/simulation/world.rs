//! The run of one scenario: every event goes to whom it concerns, and at the end everything must be gone.

use super::client::Client;
use super::endpoint::Endpoint;
use super::ledger::{Ledger, Outcome};
use super::network::{Arrival, End, Network};
use super::prng::Prng;
use super::proxy::Proxy;
use super::scenario::{Act, Scenario};
use super::schedule::{Event, Schedule};
use super::service::SimulatedService;
use super::surroundings::Surroundings;
use super::trace::Trace;
use evenkeel_core::id::WorkerIndex;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_engine::{ConnectFailure, Engine, EngineSetup};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Outputs that a read has just filled are not slow yet, and may go beyond the budget by what it brought.
const ONE_READ: u64 = 64 * 1024;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Hash of all that happened.
    pub hash: u64,
    /// Steps.
    pub steps: u64,
    /// Requests that clients sent.
    pub requests: usize,
    /// Of these, answered whole.
    pub complete: usize,
    /// Of these, ended by an answer or reset that says that they failed.
    pub failed: usize,
    /// Requests that an endpoint left untouched and another one answered whole.
    pub moved: usize,
    /// Requests that more than one endpoint worked on.
    pub repeated: usize,
    /// Times that a peer broke a rule.
    pub lies: usize,
    /// Bytes that went into the ends of links 0 (the first client's), 1 (the second one's) and 2 (an upstream's), first
    /// by the side that opened it.
    pub written: [[usize; 2]; 3],
}

/// Longest virtual time that clients may take.
const MOST_TIME: Duration = Duration::from_secs(2_000);
/// Most steps of a run.
const MOST_STEPS: u64 = 3_000_000;
/// By now every line of the script has happened.
const AFTER_SCRIPT: Duration = Duration::from_millis(500);
/// Everybody has gone: what is left of the streams?
const STREAMS_GONE: u32 = u32::MAX - 1;
/// The service has gone too: what is left at all?
const ALL_GONE: u32 = u32::MAX;

/// Runs a scenario to its end.
///
/// # Errors
/// The first rule that was broken, as a sentence.
pub fn run(scenario: &Scenario, is_traced: bool) -> Result<Report, String> {
    let mut world = World::new(scenario, is_traced);
    let result = world.run();
    result.map_err(|why| {
        let at = world.around.schedule.now().as_nanos() as f64 / 1e6;
        format!("seed {} at {at:.3} ms: {why}", scenario.seed)
    })
}

struct World<'a> {
    scenario: &'a Scenario,
    around: Surroundings,
    /// One a worker.
    proxies: Vec<Proxy>,
    service: SimulatedService,
    clients: Vec<Client>,
    endpoints: Vec<Endpoint>,
    /// Who opened a link: a client, or the engine.
    opened_by: BTreeMap<u32, u32>,
    /// Whose end it is, on the side that is not the engine's.
    endpoint_of: BTreeMap<End, u32>,
    has_drained: bool,
    is_over: bool,
    has_ended: bool,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, is_traced: bool) -> Self {
        let mut around = Surroundings {
            schedule: Schedule::default(),
            network: Network::new(scenario.weather).with_cut(scenario.cut),
            prng: Prng::new(scenario.seed),
            ledger: Ledger::default(),
            trace: Trace::new(is_traced),
        };
        let service = SimulatedService::new(scenario, &mut around.prng);
        let proxy = |worker| {
            let setup = EngineSetup {
                worker: WorkerIndex(worker),
                seed: scenario.seed + u64::from(worker),
                limits: scenario.limits,
                log_interval: Duration::from_secs(300),
                stats: Arc::new(WorkerStats::default()),
                snapshot: service.snapshot(),
            };
            Proxy::new(Engine::new(setup, Moment::ZERO), scenario.limits.buffered_bytes as u64 + ONE_READ)
        };
        around.ledger.may_repeat = service.may_repeat;
        let endpoints =
            (0..).zip(&scenario.endpoints).map(|(i, habits)| Endpoint::new(i, *habits, !scenario.is_mixed()));
        Self {
            scenario,
            proxies: (0..scenario.workers).map(proxy).collect(),
            service,
            clients: Client::all(scenario),
            endpoints: endpoints.collect(),
            opened_by: BTreeMap::new(),
            endpoint_of: BTreeMap::new(),
            has_drained: false,
            is_over: false,
            has_ended: false,
            around,
        }
    }

    fn run(&mut self) -> Result<Report, String> {
        for id in 0..self.clients.len() as u32 {
            let start = Duration::from_micros(self.around.prng.below(50_000) as u64);
            self.around.schedule.after(start, Event::Client(id));
        }
        for (line, (at, _)) in (0..).zip(&self.scenario.script) {
            self.around.schedule.after(*at, Event::Script(line));
        }
        // However little happens, it is looked at once after the script.
        self.around.schedule.after(AFTER_SCRIPT, Event::Tick);
        let mut steps = 0;
        while !self.has_ended
            && let Some(event) = self.around.schedule.advance()
        {
            steps += 1;
            self.step(event)?;
            let now = self.around.schedule.now();
            if steps > MOST_STEPS || now > Moment::ZERO + MOST_TIME {
                let open: Vec<_> = self.clients.iter().flat_map(Client::open).collect();
                return Err(format!("no rest after {steps} steps; requests {open:?} never ended"));
            }
            if !self.is_over && now >= Moment::ZERO + AFTER_SCRIPT && self.clients.iter().all(Client::is_done)
            {
                self.is_over = true;
                self.around.schedule.after(Duration::from_secs(20), Event::Script(STREAMS_GONE));
            }
        }
        if !self.has_ended {
            return Err("nothing is left to happen, and it is not over".to_owned());
        }
        Ok(self.report(steps))
    }

    fn step(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Opened(link) => self.opened(link),
            Event::Deliver(link, side) => self.deliver(End { link, side }),
            Event::Room(link, side) => self.room(End { link, side }),
            Event::Tick => self.proxies.iter_mut().try_for_each(|p| p.tick(&mut self.around)),
            Event::Client(id) => {
                if self.clients[id as usize].act(&mut self.around)? {
                    let end = self.clients[id as usize].connect(&mut self.around);
                    self.opened_by.insert(end.link, id);
                }
                Ok(())
            }
            Event::Endpoint(index, link) => self.endpoints[index as usize].act(link, &mut self.around),
            Event::Script(STREAMS_GONE) => self.check_streams(),
            Event::Script(ALL_GONE) => self.check_all(),
            Event::Script(line) => self.act(self.scenario.script[line as usize].1),
        }
    }

    fn opened(&mut self, link: u32) -> Result<(), String> {
        self.around.note("opened", &[u64::from(link)]);
        if let Some(&id) = self.opened_by.get(&link) {
            let end = End { link, side: 1 };
            let peer = SocketAddr::from(([10, 9, 0, id as u8], 40_000 + link as u16));
            let is_tunnel = self.clients[id as usize].is_tunnel();
            let (listener, workers) = (self.service.listener(id, is_tunnel), self.proxies.len());
            let is_open = (self.scenario.is_healthy || !self.has_drained)
                && self.proxies[id as usize % workers].accept(listener, end, peer, &mut self.around)?;
            if !is_open {
                self.clients[id as usize].give_up();
                self.around.network.reset(end, &mut self.around.schedule, &mut self.around.prng);
            }
            return Ok(());
        }
        let found = self.proxies.iter_mut().find_map(|p| p.destination(link).map(|address| (p, address)));
        let Some((proxy, address)) = found else { return Ok(()) };
        let index = SimulatedService::index_of(address);
        let endpoint = &mut self.endpoints[index];
        if !endpoint.is_up {
            return proxy.opened(link, Some(ConnectFailure::Refused), &mut self.around);
        }
        let end = End { link, side: 1 };
        self.endpoint_of.insert(end, index as u32);
        endpoint.accept(end, &mut self.around);
        proxy.opened(link, None, &mut self.around)
    }

    fn deliver(&mut self, end: End) -> Result<(), String> {
        let around = &mut self.around;
        if self.proxies.iter_mut().any(|p| !p.takes_input(end)) {
            around.network.set_paused(end, true, &mut around.schedule);
        }
        let Some(arrival) = around.network.deliver(end, &mut around.schedule, &mut around.prng) else {
            return Ok(());
        };
        let length = if let Arrival::Bytes(bytes) = &arrival { bytes.len() as u64 } else { 0 };
        around.note("arrives", &[u64::from(end.link), u64::from(end.side), length]);
        if let Arrival::Bytes(bytes) = &arrival {
            around.trace.bytes(bytes);
        }
        if let Some(proxy) = self.proxies.iter_mut().find(|p| p.has(end)) {
            proxy.arrived(end, arrival, around)
        } else if let Some(&index) = self.endpoint_of.get(&end) {
            self.endpoints[index as usize].arrived(end.link, arrival, around)
        } else if let Some(&id) = self.opened_by.get(&end.link)
            && self.clients[id as usize].end() == Some(end)
        {
            self.clients[id as usize].arrived(arrival, around)
        } else {
            Ok(())
        }
    }

    fn room(&mut self, end: End) -> Result<(), String> {
        let around = &mut self.around;
        if let Some(proxy) = self.proxies.iter_mut().find(|p| p.has(end)) {
            return proxy.has_room(end, around);
        }
        if let Some(&index) = self.endpoint_of.get(&end) {
            self.endpoints[index as usize].flush(end.link, around);
        } else if let Some(&id) = self.opened_by.get(&end.link)
            && self.clients[id as usize].end() == Some(end)
        {
            self.clients[id as usize].flush(around);
        }
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<(), String> {
        let (now, is_healthy) = (self.around.schedule.now(), self.scenario.is_healthy);
        if self.around.trace.is_printed() {
            eprintln!("                  {act:?}");
        }
        self.around.note("script", &[]);
        let prng = &mut self.around.prng;
        match act {
            Act::ScaleUp => self.service.scale_up(prng),
            Act::ScaleDown => drop(self.service.terminate(prng)),
            Act::Sweep => self.service.sweep(),
            Act::Restart => {
                if let Some(index) = self.service.terminate(prng) {
                    self.publish()?;
                    self.endpoints[index].retire(&mut self.around);
                }
            }
            Act::Recover => self.service.recover(),
            Act::Retire => {
                let index = self.around.prng.below(self.endpoints.len());
                self.endpoints[index].retire(&mut self.around);
            }
            Act::Weigh => self.service.weigh(prng),
            Act::Reload => self.service.reload(prng, is_healthy),
            Act::Repeat => {}
            Act::Crash => {
                let index = prng.below(self.endpoints.len());
                self.endpoints[index].crash(&mut self.around);
            }
            Act::Return => self.endpoints.iter_mut().for_each(|e| e.is_up = true),
            Act::Remove => self.service.remove(prng),
            Act::Unready => self.service.unready(prng),
            Act::Drain(deadline) => {
                self.has_drained = true;
                for proxy in &mut self.proxies {
                    proxy.engine.begin_drain(now, now + Duration::from_millis(deadline));
                    proxy.settle(&mut self.around)?;
                }
            }
        }
        self.publish()
    }

    fn publish(&mut self) -> Result<(), String> {
        let now = self.around.schedule.now();
        let snapshot = self.service.publish(now);
        self.around.ledger.may_repeat |= self.service.may_repeat;
        for proxy in &mut self.proxies {
            proxy.engine.refresh(now, Arc::clone(&snapshot));
            proxy.settle(&mut self.around)?;
        }
        Ok(())
    }

    /// All clients have gone: no endpoint may still work for one of them.
    fn check_streams(&mut self) -> Result<(), String> {
        let sessions: usize = self.proxies.iter().map(|p| p.engine.sessions()).sum();
        let exchanges: usize = self.proxies.iter().map(|p| p.engine.open_exchanges()).sum();
        if sessions > 0 || exchanges > 0 {
            return Err(format!("{sessions} sessions and {exchanges} exchanges outlive their clients"));
        }
        for endpoint in &self.endpoints {
            if let Some(number) = endpoint.open().first() {
                return Err(format!("request {number} was forgotten at an endpoint"));
            }
        }
        self.check_outcomes()?;
        self.service.close();
        self.publish()?;
        self.around.schedule.after(Duration::from_secs(60), Event::Script(ALL_GONE));
        Ok(())
    }

    fn check_outcomes(&self) -> Result<(), String> {
        for (number, request) in self.around.ledger.requests().iter().enumerate() {
            let Some(outcome) = request.outcome else { return Err(format!("request {number} never ended")) };
            let client = &self.clients[request.client as usize];
            let is_well = match outcome {
                Outcome::Complete | Outcome::Cancelled => true,
                // What was sent ahead of an answer that was the last of its connection.
                Outcome::Unprocessed => self.has_drained || client.is_http1(),
                // HTTP/1 has no word for that.
                Outcome::ConnectionLost => {
                    self.has_drained && client.is_http1() && request.attempts.is_empty()
                }
                // Not every endpoint changes the protocol.
                Outcome::Failed(_) => request.tunnel.is_some(),
            };
            let is_honest = client.is_honest();
            if self.scenario.is_healthy && is_honest && !is_well {
                return Err(format!("nothing failed, and request {number} ended as {outcome:?}"));
            }
        }
        for (number, tunnel) in self.around.ledger.tunnels().iter().enumerate() {
            if self.scenario.is_healthy && !tunnel.is_whole() && !tunnel.is_broken {
                return Err(format!("nothing failed, and tunnel {number} is not whole"));
            }
        }
        Ok(())
    }

    /// The service has gone as well: nothing may be left.
    fn check_all(&mut self) -> Result<(), String> {
        self.has_ended = true;
        for proxy in &mut self.proxies {
            let [buffered, interned, _] = proxy.engine.memory();
            let connections = proxy.connections();
            if connections > 0 || buffered > 0 || interned > 0 {
                return Err(format!(
                    "left: {connections} connections, {buffered} bytes, {interned} of header fields"
                ));
            }
            proxy.settle(&mut self.around)?;
        }
        if let Some(left) = self.endpoints.iter().map(Endpoint::connections).find(|n| *n > 0) {
            return Err(format!("an endpoint still has {left} connections"));
        }
        self.service.check_counts()
    }

    fn report(&self, steps: u64) -> Report {
        let ledger = &self.around.ledger;
        let was_moved =
            |r: &&super::ledger::Request| r.outcome == Some(Outcome::Complete) && r.attempts.len() > 1;
        Report {
            hash: self.around.trace.hash(),
            steps,
            requests: ledger.requests().len(),
            complete: ledger.count(|o| o == Outcome::Complete),
            failed: ledger.count(|o| matches!(o, Outcome::Failed(_))),
            repeated: ledger.requests().iter().filter(|r| r.is_repeated()).count(),
            lies: ledger.lies,
            written: [0, 1, 2].map(|link| [0, 1].map(|side| self.around.network.written(End { link, side }))),
            moved: ledger.requests().iter().filter(was_moved).count(),
        }
    }
}
