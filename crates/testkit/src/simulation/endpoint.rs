//! An endpoint as a whole: finds out what each connection carries by its first bytes, and hands it on.

use super::http1;
use super::http2::{self, EndpointHabits};
use super::network::{Arrival, End};
use super::schedule::Event;
use super::surroundings::Surroundings;
use super::tunnel;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many bytes tell what a connection carries.
const TELLING: usize = 4;

/// An endpoint, whatever is spoken with it.
#[derive(Debug)]
pub(super) struct Endpoint {
    index: u32,
    habits: EndpointHabits,
    /// Takes connections.
    pub(super) is_up: bool,
    /// Only HTTP/2 comes, and it may speak first.
    is_http2_only: bool,
    http2: http2::Endpoint,
    http1: http1::Endpoint,
    tunnels: BTreeMap<u32, tunnel::Side>,
    /// First bytes of those that have said too little.
    undecided: BTreeMap<u32, (End, Vec<u8>)>,
}

impl Endpoint {
    pub(super) fn new(index: u32, habits: EndpointHabits, is_http2_only: bool) -> Self {
        Self {
            index,
            habits,
            is_up: true,
            is_http2_only: is_http2_only || habits.rude.is_some(),
            http2: http2::Endpoint::new(index, habits),
            http1: http1::Endpoint::new(index, habits),
            tunnels: BTreeMap::new(),
            undecided: BTreeMap::new(),
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.http2.connections() + self.http1.connections() + self.tunnels.len() + self.undecided.len()
    }

    pub(super) fn open(&self) -> Vec<usize> {
        [self.http2.open(), self.http1.open()].concat()
    }

    pub(super) fn accept(&mut self, end: End, around: &mut Surroundings) {
        if self.is_http2_only {
            self.http2.accept(end, around);
        } else {
            self.undecided.insert(end.link, (end, Vec::new()));
        }
    }

    pub(super) fn flush(&mut self, link: u32, around: &mut Surroundings) {
        self.http2.flush(link, around);
        self.http1.flush(link, around);
    }

    pub(super) fn crash(&mut self, around: &mut Surroundings) {
        self.is_up = false;
        self.http2.crash(around);
        self.http1.crash(around);
        let tunnels = std::mem::take(&mut self.tunnels).into_values().map(|side| {
            around.ledger.tunnel_broke(side.number);
            side.end()
        });
        let undecided = std::mem::take(&mut self.undecided).into_values().map(|(end, _)| end);
        for end in tunnels.chain(undecided).collect::<Vec<_>>() {
            around.network.reset(end, &mut around.schedule, &mut around.prng);
        }
    }

    pub(super) fn retire(&mut self, around: &mut Surroundings) {
        self.http2.retire(around);
        self.http1.retire();
    }

    pub(super) fn act(&mut self, link: u32, around: &mut Surroundings) -> Result<(), String> {
        if self.http1.has(link) {
            return self.http1.act(link, around);
        }
        let Some(side) = self.tunnels.get_mut(&link) else { return self.http2.act(link, around) };
        let EndpointHabits { pace, most_body, pauses, breaks, .. } = self.habits;
        side.act(&tunnel::Habits { tunnels: 0, pace, most_bytes: most_body, pauses, breaks }, around);
        if side.is_over() {
            self.tunnels.remove(&link);
        } else {
            self.wake_tunnel(link, around);
        }
        Ok(())
    }

    fn wake_tunnel(&self, link: u32, around: &mut Surroundings) {
        let pause = Duration::from_micros(around.prng.between(50, self.habits.pace.max(50)) as u64);
        around.schedule.after(pause, Event::Endpoint(self.index, link));
    }

    pub(super) fn arrived(
        &mut self,
        link: u32,
        arrival: Arrival,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let Some((end, mut first)) = self.undecided.remove(&link) else {
            return self.hand_on(link, arrival, around);
        };
        let Arrival::Bytes(bytes) = arrival else {
            around.network.close(end, &mut around.schedule);
            let is_cut = arrival == Arrival::Fin && first.starts_with(tunnel::MARK);
            return if is_cut { Err("a tunnel ends in its first bytes".to_owned()) } else { Ok(()) };
        };
        first.extend_from_slice(&bytes);
        let is_tunnel = first.starts_with(tunnel::MARK);
        let enough = if is_tunnel { tunnel::FIRST_BYTES } else { TELLING };
        if first.len() < enough {
            self.undecided.insert(link, (end, first));
            return Ok(());
        }
        if is_tunnel {
            let number = tunnel::number_of(&first).ok_or("a tunnel without its number")?;
            around.ledger.meet_tunnel(number)?;
            self.tunnels.insert(link, tunnel::Side::new(number, 1, end));
            self.wake_tunnel(link, around);
        } else if first.starts_with(b"PRI ") {
            self.http2.accept(end, around);
        } else {
            self.http1.accept(end);
        }
        self.hand_on(link, Arrival::Bytes(first), around)
    }

    fn hand_on(&mut self, link: u32, arrival: Arrival, around: &mut Surroundings) -> Result<(), String> {
        if self.http1.has(link) {
            return self.http1.arrived(link, &arrival, around);
        }
        let Some(side) = self.tunnels.get_mut(&link) else {
            return self.http2.arrived(link, arrival, around);
        };
        side.arrived(&arrival, around)?;
        if side.is_over() {
            self.tunnels.remove(&link);
        }
        Ok(())
    }
}
