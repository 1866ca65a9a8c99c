//! Evenkeel in the simulation: its engine, and what the event loop does for it, on simulated links.

use super::network::{Arrival, End};
use super::schedule::Event;
use super::surroundings::Surroundings;
use evenkeel_core::id::ListenerId;
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, ConnectFailure, Engine, PeerEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// An engine and its connections. After every call the engine is asked whether it holds together.
#[derive(Debug)]
pub struct Proxy {
    /// The engine.
    pub engine: Engine,
    ends: BTreeMap<u64, End>,
    keys: BTreeMap<End, ConnKey>,
    opening: BTreeMap<u32, (ConnKey, SocketAddr)>,
    tick_at: Moment,
    most_buffered: u64,
    /// Ends that the engine does not read for now.
    paused: BTreeSet<End>,
    /// Those of which it has ended its side.
    finished: BTreeSet<End>,
}

/// Rounds of actions and writes that a single step may cause.
const MOST_ROUNDS: usize = 10_000;

/// What one turn may bring on top of a memory budget, before the slow ones are known.
const ONE_TURN: u64 = 1 << 20;

impl Proxy {
    /// An engine without connections, which may hold this many bytes for slow receivers.
    #[must_use]
    pub fn new(engine: Engine, most_buffered: u64) -> Self {
        Self {
            engine,
            ends: BTreeMap::new(),
            keys: BTreeMap::new(),
            opening: BTreeMap::new(),
            tick_at: Moment::NEVER,
            most_buffered,
            paused: BTreeSet::new(),
            finished: BTreeSet::new(),
        }
    }

    /// Whether this end of a link is the engine's.
    #[must_use]
    pub fn has(&self, end: End) -> bool {
        self.keys.contains_key(&end)
    }

    /// Connections that stand or are being opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.ends.len()
    }

    /// A client's link came to a listener; false if it was refused.
    ///
    /// # Errors
    /// What does not hold in the engine.
    pub fn accept(
        &mut self,
        listener: ListenerId,
        end: End,
        peer: SocketAddr,
        around: &mut Surroundings,
    ) -> Result<bool, String> {
        let Some(key) = self.engine.accept(around.schedule.now(), listener, peer) else { return Ok(false) };
        self.ends.insert(key.to_bits(), end);
        self.keys.insert(end, key);
        self.settle(around)?;
        Ok(true)
    }

    /// Where a link leads that the engine has opened; none if it has lost interest.
    #[must_use]
    pub fn destination(&self, link: u32) -> Option<SocketAddr> {
        self.opening.get(&link).map(|(_, address)| *address)
    }

    /// A link that the engine has opened stands, or was refused.
    ///
    /// # Errors
    /// What does not hold in the engine.
    pub fn opened(
        &mut self,
        link: u32,
        failure: Option<ConnectFailure>,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let Some((key, _)) = self.opening.remove(&link) else { return Ok(()) };
        let now = around.schedule.now();
        match failure {
            None => self.engine.connected(now, key),
            Some(failure) => {
                self.forget(key);
                self.engine.connect_failed(now, key, failure);
            }
        }
        self.settle(around)
    }

    /// Whether an end is read now; if not, what comes waits in the network until the engine wants it.
    pub fn takes_input(&mut self, end: End) -> bool {
        let Some(&key) = self.keys.get(&end) else { return true };
        let takes_input = self.engine.takes_input(key);
        if !takes_input {
            self.paused.insert(end);
        }
        takes_input
    }

    /// Something came on one of the engine's links.
    ///
    /// # Errors
    /// What does not hold in the engine.
    pub fn arrived(&mut self, end: End, arrival: Arrival, around: &mut Surroundings) -> Result<(), String> {
        let Some(&key) = self.keys.get(&end) else { return Ok(()) };
        let now = around.schedule.now();
        match arrival {
            Arrival::Bytes(bytes) => self.engine.received(now, key, &bytes),
            // A peer that ends its side may still read what was just said to it.
            Arrival::Fin if self.lives_on(key, around)? => self.engine.input_ended(now, key),
            Arrival::Fin | Arrival::Reset => {
                let how = if arrival == Arrival::Fin { PeerEnd::Closed } else { PeerEnd::Reset };
                self.forget(key);
                around.network.close(end, &mut around.schedule);
                self.engine.peer_ended(now, key, how);
            }
        }
        self.engine.check_invariants()?;
        self.settle(around)
    }

    /// A link of the engine takes bytes again.
    ///
    /// # Errors
    /// What does not hold in the engine.
    pub fn has_room(&mut self, end: End, around: &mut Surroundings) -> Result<(), String> {
        if let Some(&key) = self.keys.get(&end) {
            self.flush(key, around)?;
        }
        self.settle(around)
    }

    /// The engine's deadline may have come.
    ///
    /// # Errors
    /// What does not hold in the engine.
    pub fn tick(&mut self, around: &mut Surroundings) -> Result<(), String> {
        let now = around.schedule.now();
        if now >= self.tick_at {
            self.tick_at = Moment::NEVER;
            self.engine.tick(now);
        }
        self.settle(around)
    }

    /// Does what the engine wants done until it wants nothing more, and checks it.
    ///
    /// # Errors
    /// What does not hold in the engine, or that it does not come to rest.
    pub fn settle(&mut self, around: &mut Surroundings) -> Result<(), String> {
        let mut dirty = Vec::new();
        let mut rounds = 0;
        while self.engine.has_work() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err("one step makes the engine work without end".to_owned());
            }
            self.engine.take_dirty(&mut dirty);
            for key in dirty.drain(..) {
                self.flush(key, around)?;
            }
            self.apply_all(around)?;
        }
        self.engine.check_invariants()?;
        if self.engine.memory()[0] > self.most_buffered + ONE_TURN {
            return Err(format!("{} bytes are buffered", self.engine.memory()[0]));
        }
        if let Some(next) = self.engine.next_deadline()
            && next < self.tick_at
        {
            self.tick_at = next;
            around.schedule.at(next, Event::Tick);
        }
        Ok(())
    }

    fn apply_all(&mut self, around: &mut Surroundings) -> Result<(), String> {
        let mut actions = Vec::new();
        self.engine.take_actions(&mut actions);
        actions.iter().try_for_each(|action| self.apply(action, around))
    }

    fn apply(&mut self, action: &Action, around: &mut Surroundings) -> Result<(), String> {
        match *action {
            Action::Connect { conn, address, .. } => {
                let end = around.network.open(&mut around.schedule, &mut around.prng);
                around.note("evenkeel connects", &[u64::from(end.link), u64::from(address.port())]);
                self.ends.insert(conn.to_bits(), end);
                self.keys.insert(end, conn);
                self.opening.insert(end.link, (conn, address));
            }
            Action::Close { conn, is_abort, .. } => {
                let end = self.forget(conn).ok_or("a connection is closed twice")?;
                around.note("evenkeel closes", &[u64::from(end.link), u64::from(is_abort)]);
                if is_abort {
                    around.network.reset(end, &mut around.schedule, &mut around.prng);
                } else {
                    around.network.close(end, &mut around.schedule);
                }
            }
            Action::Resume { conn } => {
                let end = *self.ends.get(&conn.to_bits()).ok_or("a connection is resumed that is gone")?;
                if self.paused.remove(&end) {
                    around.network.set_paused(end, false, &mut around.schedule);
                }
            }
            Action::EndOutput { conn } => {
                let end = *self.ends.get(&conn.to_bits()).ok_or("a connection is ended that is gone")?;
                if !self.finished.insert(end) {
                    return Err("a connection's side ends twice".to_owned());
                }
                around.note("evenkeel ends its side", &[u64::from(end.link)]);
                around.network.finish_writing(end, &mut around.schedule);
            }
            Action::Event(ref kind) => around.trace.event(around.schedule.now(), kind),
        }
        Ok(())
    }

    /// Whether a connection whose peer has ended its side goes on; writes first what waits for it.
    fn lives_on(&mut self, key: ConnKey, around: &mut Surroundings) -> Result<bool, String> {
        self.flush(key, around)?;
        self.apply_all(around)?;
        Ok(self.engine.outlives_input(key))
    }

    fn forget(&mut self, key: ConnKey) -> Option<End> {
        let end = self.ends.remove(&key.to_bits())?;
        self.keys.remove(&end);
        self.opening.remove(&end.link);
        self.paused.remove(&end);
        self.finished.remove(&end);
        Some(end)
    }

    fn flush(&mut self, key: ConnKey, around: &mut Surroundings) -> Result<(), String> {
        let Some(&end) = self.ends.get(&key.to_bits()) else { return Ok(()) };
        loop {
            let waiting = self.engine.output(key);
            if waiting.is_empty() {
                return Ok(());
            }
            if self.finished.contains(&end) {
                return Err("more is to be written behind the end".to_owned());
            }
            let length = waiting.len();
            let n = around.network.write(end, waiting, &mut around.schedule, &mut around.prng);
            self.engine.wrote(around.schedule.now(), key, n);
            if n < length {
                return Ok(());
            }
        }
    }
}
