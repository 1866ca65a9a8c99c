//! An endpoint's side of HTTP/1: takes what comes on each connection, answers it by chance, keeps the connection or not.

mod conn;
mod lies;

use self::conn::Conn;
use crate::simulation::http2::EndpointHabits;
use crate::simulation::network::{Arrival, End};
use crate::simulation::schedule::Event;
use crate::simulation::surroundings::Surroundings;
use std::collections::BTreeMap;
use std::time::Duration;

/// The connections of one endpoint that speak HTTP/1, and those that did before they became tunnels.
#[derive(Debug)]
pub(in crate::simulation) struct Endpoint {
    index: u32,
    habits: EndpointHabits,
    conns: BTreeMap<u32, Conn>,
}

impl Endpoint {
    pub(in crate::simulation) fn new(index: u32, habits: EndpointHabits) -> Self {
        Self { index, habits, conns: BTreeMap::new() }
    }

    pub(in crate::simulation) fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Requests that are being worked on.
    pub(in crate::simulation) fn open(&self) -> Vec<usize> {
        self.conns.values().filter_map(Conn::number).collect()
    }

    pub(in crate::simulation) fn has(&self, link: u32) -> bool {
        self.conns.contains_key(&link)
    }

    pub(in crate::simulation) fn accept(&mut self, end: End) {
        self.conns.insert(end.link, Conn::new(end));
    }

    fn wake(&mut self, link: u32, around: &mut Surroundings) {
        if let Some(conn) = self.conns.get_mut(&link)
            && !std::mem::replace(&mut conn.is_acting, true)
        {
            let pause = Duration::from_micros(around.prng.between(50, self.habits.pace.max(50)) as u64);
            around.schedule.after(pause, Event::Endpoint(self.index, link));
        }
    }

    pub(in crate::simulation) fn flush(&mut self, link: u32, around: &mut Surroundings) {
        if let Some(conn) = self.conns.get_mut(&link) {
            conn.flush(around);
        }
    }

    /// Dies: every connection breaks.
    pub(in crate::simulation) fn crash(&mut self, around: &mut Surroundings) {
        for conn in std::mem::take(&mut self.conns).into_values() {
            conn.broke(around);
            around.network.reset(conn.end, &mut around.schedule, &mut around.prng);
        }
    }

    /// Keeps no connection behind its next answer. One that waits for a request stays: ending it could lose one.
    pub(in crate::simulation) fn retire(&mut self) {
        self.conns.values_mut().for_each(|conn| conn.is_retiring = true);
    }

    pub(in crate::simulation) fn act(&mut self, link: u32, around: &mut Surroundings) -> Result<(), String> {
        let Some(conn) = self.conns.get_mut(&link) else { return Ok(()) };
        if around.schedule.now() < conn.stalls_until {
            around.schedule.at(conn.stalls_until, Event::Endpoint(self.index, link));
            return Ok(());
        }
        conn.is_acting = false;
        if !conn.is_tunnel() && around.prng.chance(self.habits.breaks) {
            around.note("endpoint breaks", &[u64::from(self.index), u64::from(link)]);
            around.network.reset(conn.end, &mut around.schedule, &mut around.prng);
            self.conns.remove(&link);
            return Ok(());
        }
        let is_over = conn.act(self.index, &self.habits, around)?;
        if is_over {
            self.conns.remove(&link);
            return Ok(());
        }
        let is_busy = conn.is_busy();
        self.flush(link, around);
        if is_busy {
            self.wake(link, around);
        }
        Ok(())
    }

    pub(in crate::simulation) fn arrived(
        &mut self,
        link: u32,
        arrival: &Arrival,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let Some(conn) = self.conns.get_mut(&link) else { return Ok(()) };
        let is_over = conn.arrived(arrival, self.index, &self.habits, around)?;
        if is_over {
            self.conns.remove(&link);
        } else {
            self.wake(link, around);
        }
        Ok(())
    }
}
