//! An endpoint behind Evenkeel: takes connections, answers each request by chance, and fails in every way it is told to.

mod conn;
mod lies;

use self::conn::Conn;
use super::session::{OwnSettings, Role, Session};
use crate::simulation::network::{Arrival, End};
use crate::simulation::schedule::Event;
use crate::simulation::surroundings::Surroundings;
use std::collections::BTreeMap;
use std::time::Duration;

/// How an endpoint fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It resets all that is open on a connection, with this code. What it has taken it does not refuse.
    Reset(u32),
    /// It ends a connection with GOAWAY.
    GoAway,
    /// It breaks a connection.
    Break,
}

/// How an endpoint behaves. Shares are of a thousand.
#[derive(Clone, Copy, Debug)]
pub struct EndpointHabits {
    /// Longest time between two of its acts, in microseconds.
    pub pace: usize,
    /// Longest time that it thinks about a request, in microseconds.
    pub delay: usize,
    /// Longest body.
    pub most_body: usize,
    /// What it announces first.
    pub settings: OwnSettings,
    /// What it lets Evenkeel send ahead on a stream.
    pub window: u32,
    /// Acts that are padding, settings and the like.
    pub oddity: u32,
    /// Acts that stop or take up reading again.
    pub pauses: u32,
    /// Requests that it refuses untouched.
    pub refusals: u32,
    /// Answers that it resets on the way.
    pub resets: u32,
    /// Acts that end the connection with GOAWAY at once.
    pub goaways: u32,
    /// Acts that break the connection.
    pub breaks: u32,
    /// It fails so at its so manieth event: an act, or a frame that came.
    pub fails_at: Option<(u32, Failure)>,
    /// Acts that break the protocol, and answers that announce a wrong length.
    pub lies: u32,
    /// It acknowledges no SETTINGS.
    pub never_acks: bool,
    /// Which service it belongs to, of how many.
    pub service: u8,
    /// How many there are.
    pub services: u8,
    /// It never fails of itself.
    pub is_well: bool,
    /// It says no HTTP/2, but this.
    pub rude: Option<&'static [u8]>,
}

impl EndpointHabits {
    fn failure_at(&self, event: u32) -> Option<Failure> {
        self.fails_at.filter(|(at, _)| *at == event).map(|(_, failure)| failure)
    }
}

/// An endpoint and its connections.
#[derive(Debug)]
pub struct Endpoint {
    index: u32,
    /// How it behaves from now on.
    pub habits: EndpointHabits,
    /// Takes connections.
    pub is_up: bool,
    conns: BTreeMap<u32, Conn>,
    /// Acts, and frames that came.
    events: u32,
}

impl Endpoint {
    /// An endpoint that takes connections.
    #[must_use]
    pub fn new(index: u32, habits: EndpointHabits) -> Self {
        Self { index, habits, is_up: true, conns: BTreeMap::new(), events: 0 }
    }

    /// Connections that stand.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Requests whose streams are open, and nobody else's fault: Evenkeel has forgotten them.
    #[must_use]
    pub fn open(&self) -> Vec<usize> {
        self.conns.values().flat_map(|c| c.streams.values().map(|s| s.number)).collect()
    }

    /// Evenkeel's connection is taken.
    pub fn accept(&mut self, end: End, around: &mut Surroundings) {
        let mut session = Session::new(Role::Server, self.habits.settings, self.habits.oddity);
        session.never_acks = self.habits.never_acks;
        if let Some(bytes) = self.habits.rude {
            session.out = bytes.to_vec();
        }
        let conn = Conn::new(end, session, self.habits.rude.is_some() || self.habits.never_acks);
        self.conns.insert(end.link, conn);
        self.flush(end.link, around);
        self.wake(end.link, around);
    }

    /// Lets a connection act soon, if it does not already.
    fn wake(&mut self, link: u32, around: &mut Surroundings) {
        if let Some(conn) = self.conns.get_mut(&link)
            && !std::mem::replace(&mut conn.is_acting, true)
        {
            let pause = Duration::from_micros(around.prng.between(50, self.habits.pace.max(50)) as u64);
            around.schedule.after(pause, Event::Endpoint(self.index, link));
        }
    }

    /// Writes what waits on a connection.
    pub fn flush(&mut self, link: u32, around: &mut Surroundings) {
        if let Some(conn) = self.conns.get_mut(&link) {
            around.flush(conn.end, &mut conn.session.out);
        }
    }

    /// Dies: every connection breaks, nothing is taken.
    pub fn crash(&mut self, around: &mut Surroundings) {
        self.is_up = false;
        for conn in std::mem::take(&mut self.conns).into_values() {
            around.network.reset(conn.end, &mut around.schedule, &mut around.prng);
        }
    }

    /// Ends every connection in peace: GOAWAY, PING, GOAWAY with the last stream, the end of the streams.
    pub fn retire(&mut self, around: &mut Surroundings) {
        let links: Vec<u32> = self.conns.keys().copied().collect();
        for link in links {
            if let Some(conn) = self.conns.get_mut(&link)
                && !std::mem::replace(&mut conn.is_retiring, true)
                && conn.goaway.is_none()
            {
                conn.session.put_goaway(0x7fff_ffff, 0);
                conn.session.put_ping(&mut around.prng);
            }
            self.flush(link, around);
            self.wake(link, around);
        }
    }

    /// A connection does what it does next.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub fn act(&mut self, link: u32, around: &mut Surroundings) -> Result<(), String> {
        let habits = self.habits;
        let Some(conn) = self.conns.get_mut(&link) else { return Ok(()) };
        if around.schedule.now() < conn.stalls_until {
            return Ok(());
        }
        conn.is_acting = false;
        if habits.rude.is_some() {
            return Ok(());
        }
        if around.prng.chance(habits.breaks) {
            around.note("endpoint breaks", &[u64::from(self.index), u64::from(link)]);
            around.network.reset(conn.end, &mut around.schedule, &mut around.prng);
            self.conns.remove(&link);
            return Ok(());
        }
        if around.prng.chance(if conn.is_paused { 200 } else { habits.pauses }) {
            conn.is_paused = !conn.is_paused;
            around.network.set_paused(conn.end, conn.is_paused, &mut around.schedule);
        }
        conn.oddities(&habits, around);
        if conn.goaway.is_none() && around.prng.chance(habits.goaways) {
            let last = conn.decided;
            around.note("endpoint goes away", &[u64::from(self.index), u64::from(link), u64::from(last)]);
            conn.go_away(last, around)?;
        }
        conn.decide(self.index, &habits, around)?;
        conn.answer(around);
        self.events += 1;
        if let Some(failure) = habits.failure_at(self.events)
            && conn.fail(failure, around)?
        {
            self.conns.remove(&link);
            return Ok(());
        }
        conn.grant(habits.window);
        if around.prng.chance(habits.lies) {
            conn.lie(self.index, around)?;
        }
        let is_through = conn.streams.is_empty() && conn.session.out.is_empty();
        if conn.goaway.is_some() && is_through && around.prng.chance(300) {
            if let Some(conn) = self.conns.remove(&link) {
                around.network.close(conn.end, &mut around.schedule);
            }
            return Ok(());
        }
        let is_busy = conn.is_paused || !conn.streams.is_empty() || conn.goaway.is_some();
        self.flush(link, around);
        if is_busy {
            self.wake(link, around);
        }
        Ok(())
    }

    /// Something came on a connection.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub fn arrived(&mut self, link: u32, arrival: Arrival, around: &mut Surroundings) -> Result<(), String> {
        let Some(conn) = self.conns.get_mut(&link) else { return Ok(()) };
        match arrival {
            Arrival::Bytes(_) if self.habits.rude.is_some() => {}
            Arrival::Bytes(bytes) => {
                for happening in conn.session.take(&bytes)? {
                    conn.happened(happening, &self.habits, around)?;
                    self.events += 1;
                    if let Some(failure) = self.habits.failure_at(self.events)
                        && conn.fail(failure, around)?
                    {
                        self.conns.remove(&link);
                        return Ok(());
                    }
                }
                if around.prng.chance(700) {
                    conn.grant(self.habits.window);
                }
                self.flush(link, around);
                self.wake(link, around);
            }
            Arrival::Fin | Arrival::Reset => {
                around.network.close(conn.end, &mut around.schedule);
                self.conns.remove(&link);
            }
        }
        Ok(())
    }
}
