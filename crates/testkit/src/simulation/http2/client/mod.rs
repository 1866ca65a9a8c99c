//! A client of Evenkeel: opens streams, uploads, reads slowly or fast, cancels, pings, goes away, and compares every byte
//! of every answer with what the endpoint says it sent.

mod answers;
mod lies;

use super::message::{self, Shape};
use super::session::{OwnSettings, Role, Session};
use crate::simulation::ledger::{Fields, Outcome, Span};
use crate::simulation::network::{Arrival, End};
use crate::simulation::schedule::Event;
use crate::simulation::surroundings::Surroundings;
use evenkeel_core::time::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientHabits {
    /// Requests that it sends in all.
    pub requests: u32,
    /// Most streams at once.
    pub at_once: usize,
    /// Longest time between two of its acts, in microseconds.
    pub pace: usize,
    /// What its requests are like.
    pub shape: Shape,
    /// What it announces first.
    pub settings: OwnSettings,
    /// What it lets Evenkeel send ahead on a stream.
    pub window: u32,
    /// Of a thousand acts on a stream, how many cancel it.
    pub cancels: u32,
    /// Of a thousand acts, how many are pings, noise, changed settings, each.
    pub oddity: u32,
    /// Of a thousand acts, how many stop or take up reading again.
    pub pauses: u32,
    /// Of a thousand acts, how many break the connection.
    pub breaks: u32,
    /// It cancels all that is open at its so manieth event: an act, or a frame that came.
    pub cancels_at: Option<u32>,
    /// Of a thousand acts, how many break the protocol.
    pub lies: u32,
    /// It acknowledges no SETTINGS.
    pub never_acks: bool,
    /// It says no HTTP/2, but this.
    pub rude: Option<&'static [u8]>,
}

impl ClientHabits {
    /// Whether it keeps to the rules, so that nothing may happen to its requests that is not others' fault.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.lies == 0 && !self.never_acks && self.rude.is_none()
    }
}

/// How a request ends whose endpoint broke the protocol meanwhile.
const LIE: Outcome = Outcome::Failed("distrusted answer");

#[derive(Debug)]
enum Reading {
    /// No final headers yet.
    Awaiting,
    /// The answer of this attempt, so many bytes of its body.
    Of(usize, usize),
    /// An answer of Evenkeel's own: a failure.
    Own,
}

#[derive(Debug)]
struct Stream {
    number: usize,
    body: Span,
    sent: usize,
    trailers: Option<Fields>,
    has_ended: bool,
    send_window: i64,
    receive_window: i64,
    reading: Reading,
}

/// What may still come on a stream that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    /// We cancelled it: whatever was under way.
    Cancelled,
    /// The answer was whole: a reset, if the request was not.
    Ended,
    /// Nothing.
    Closed,
}

/// A client and its connection of now.
#[derive(Debug)]
pub struct Client {
    id: u32,
    habits: ClientHabits,
    end: Option<End>,
    session: Session,
    streams: BTreeMap<u32, Stream>,
    past: BTreeMap<u32, Past>,
    next_stream: u32,
    left: u32,
    connections_left: u32,
    is_paused: bool,
    is_going: bool,
    is_done: bool,
    /// Acts, and frames that came.
    events: u32,
    /// It broke a rule on this connection.
    has_lied: bool,
    /// It neither reads nor acts before.
    stalls_until: Moment,
    /// Credit that Evenkeel began each stream with.
    granted: i64,
}

impl Client {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(id: u32, habits: ClientHabits) -> Self {
        let session = Session::new(Role::Client, habits.settings, habits.oddity);
        Self {
            id,
            end: None,
            session,
            streams: BTreeMap::new(),
            past: BTreeMap::new(),
            next_stream: 1,
            left: habits.requests,
            connections_left: 6,
            is_paused: false,
            is_going: false,
            is_done: false,
            events: 0,
            has_lied: false,
            stalls_until: Moment::ZERO,
            granted: 65_535,
            habits,
        }
    }

    /// Whether it has nothing more to do and is disconnected.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether it keeps to the rules.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.habits.is_honest()
    }

    /// Its end of its link.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Requests that are open: their numbers.
    #[must_use]
    pub fn open(&self) -> Vec<usize> {
        self.streams.values().map(|s| s.number).collect()
    }

    /// Opens a connection; gives its end.
    pub fn connect(&mut self, around: &mut Surroundings) -> End {
        let end = around.network.open(&mut around.schedule, &mut around.prng);
        self.session = Session::new(Role::Client, self.habits.settings, self.habits.oddity);
        if let Some(bytes) = self.habits.rude {
            self.session.out = bytes.to_vec();
        }
        self.session.never_acks = self.habits.never_acks;
        (self.next_stream, self.is_going, self.is_paused) = (1, false, false);
        (self.has_lied, self.granted, self.stalls_until) = (self.habits.never_acks, 65_535, Moment::ZERO);
        self.past.clear();
        self.connections_left -= 1;
        self.end = Some(end);
        end
    }

    /// Does what it does next; true if it wants to connect.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub fn act(&mut self, around: &mut Surroundings) -> Result<bool, String> {
        if self.is_done {
            return Ok(false);
        }
        if around.schedule.now() < self.stalls_until {
            around.schedule.at(self.stalls_until, Event::Client(self.id));
            return Ok(false);
        }
        let pause = Duration::from_micros(around.prng.between(200, self.habits.pace.max(200)) as u64);
        around.schedule.after(pause, Event::Client(self.id));
        let Some(end) = self.end else {
            self.is_done = self.left == 0 || self.connections_left == 0;
            return Ok(!self.is_done);
        };
        if self.habits.rude.is_some() {
            self.flush(around);
            // Nobody owes it anything, so it leaves some time.
            if around.prng.chance(5) {
                around.network.reset(end, &mut around.schedule, &mut around.prng);
                self.lost(around)?;
            }
            return Ok(false);
        }
        if around.prng.chance(self.habits.breaks) {
            around.note("client breaks", &[u64::from(self.id)]);
            around.network.reset(end, &mut around.schedule, &mut around.prng);
            self.lost(around)?;
            return Ok(false);
        }
        if around.prng.chance(if self.is_paused { 200 } else { self.habits.pauses }) {
            self.is_paused = !self.is_paused;
            around.network.set_paused(end, self.is_paused, &mut around.schedule);
        }
        self.oddities(around);
        while self.left > 0 && !self.is_going && self.streams.len() < self.habits.at_once {
            self.begin(around);
            if around.prng.chance(300) {
                break;
            }
        }
        self.upload(around);
        self.grant();
        self.cancel_some(around)?;
        if around.prng.chance(self.habits.lies) {
            self.lie(end, around)?;
        }
        if self.streams.is_empty() && (self.left == 0 || self.is_going) {
            self.leave(end, around)?;
        }
        self.flush(around);
        Ok(false)
    }

    fn leave(&mut self, end: End, around: &mut Surroundings) -> Result<(), String> {
        around.note("client leaves", &[u64::from(self.id)]);
        match around.prng.below(3) {
            0 => {
                self.session.put_goaway(0, 0);
                self.flush(around);
                around.network.close(end, &mut around.schedule);
            }
            1 => around.network.reset(end, &mut around.schedule, &mut around.prng),
            _ => around.network.close(end, &mut around.schedule),
        }
        self.lost(around)
    }

    fn oddities(&mut self, around: &mut Surroundings) {
        let prng = &mut around.prng;
        if self.session.noise_left < 4 {
            return;
        }
        if prng.chance(self.habits.oddity) {
            self.session.put_ping(prng);
        }
        if prng.chance(self.habits.oddity) {
            self.session.put_noise(self.next_stream, prng);
        }
        if prng.chance(self.habits.oddity) {
            let window = prng.pick(&[0, 1, 1000, 65_535, 200_000]);
            let table = prng.pick(&[0, 100, 4096]);
            self.session.put_settings(OwnSettings { window, table, ..self.session.announced() });
        }
        if prng.chance(self.habits.oddity) {
            self.session.resize_table(prng.pick(&[0, 100, 1000, 4096]));
        }
    }

    /// Sends a request; gives its stream.
    fn begin(&mut self, around: &mut Surroundings) -> u32 {
        let number = around.ledger.next_number();
        let mut request = message::request(&mut around.prng, number, self.habits.shape);
        request.client = self.id;
        if request.body.length > 0 && around.prng.chance(self.habits.lies) {
            message::break_length(&mut around.prng, &mut request.headers, request.body.length);
            (request.is_broken, self.has_lied) = (true, true);
        }
        // Ids may be left out (RFC 9113 §5.1.1).
        self.next_stream += if around.prng.chance(50) { 2 * around.prng.below(3) as u32 } else { 0 };
        let id = self.next_stream;
        self.next_stream += 2;
        self.left -= 1;
        let has_ended = request.body.length == 0 && request.trailers.is_none();
        self.session.put_headers(id, &request.headers, has_ended, &mut around.prng);
        let stream = Stream {
            number,
            body: request.body,
            sent: 0,
            trailers: request.trailers.clone(),
            has_ended,
            send_window: i64::from(self.session.their_window),
            receive_window: i64::from(self.session.own.window),
            reading: Reading::Awaiting,
        };
        around.note("client asks", &[u64::from(self.id), u64::from(id), number as u64]);
        around.ledger.begin(request);
        self.streams.insert(id, stream);
        id
    }

    fn upload(&mut self, around: &mut Surroundings) {
        let prng = &mut around.prng;
        for (&id, stream) in &mut self.streams {
            // What waits for the link is bounded, as in a real client.
            while !stream.has_ended && self.session.out.len() < 64 * 1024 {
                let left = stream.body.length - stream.sent;
                let room = stream.send_window.min(self.session.send_window).max(0) as usize;
                let most = prng.pick(&[1, 100, 5_000, 16_384, 16_384]);
                let n = left.min(room).min(most);
                if n == 0 && left > 0 {
                    break;
                }
                let is_end = n == left && stream.trailers.is_none() && prng.chance(800);
                let bytes = stream.body.bytes(stream.sent, n);
                if n > 0 || is_end {
                    let flow = self.session.put_data(id, bytes, is_end, room, prng);
                    stream.send_window -= flow as i64;
                    stream.sent += n;
                }
                stream.has_ended = is_end;
                if stream.sent == stream.body.length
                    && let Some(trailers) = &stream.trailers
                {
                    self.session.put_headers(id, trailers, true, prng);
                    stream.has_ended = true;
                }
                if prng.chance(400) {
                    break;
                }
            }
        }
    }

    /// Lets Evenkeel send on.
    fn grant(&mut self) {
        for (&id, stream) in &mut self.streams {
            let more = i64::from(self.habits.window) - stream.receive_window;
            if more > i64::from(self.habits.window) / 2 {
                stream.receive_window += more;
                self.session.put_window(id, more as u32);
            }
        }
        let more = 65_535 - self.session.receive_window;
        if more > 20_000 {
            self.session.put_window(0, more as u32);
        }
    }

    fn cancel_some(&mut self, around: &mut Surroundings) -> Result<(), String> {
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        self.events += 1;
        let is_moment = self.habits.cancels_at == Some(self.events);
        for id in ids {
            if (is_moment || around.prng.chance(self.habits.cancels))
                && let Some(stream) = self.streams.remove(&id)
            {
                around.note("client cancels", &[u64::from(self.id), u64::from(id), stream.number as u64]);
                self.session.put_reset(id, 8);
                self.past.insert(id, Past::Cancelled);
                around.ledger.end(stream.number, Outcome::Cancelled)?;
            }
        }
        Ok(())
    }

    /// Writes what waits.
    pub fn flush(&mut self, around: &mut Surroundings) {
        if let Some(end) = self.end {
            around.flush(end, &mut self.session.out);
        }
    }

    /// The connection is gone.
    fn lost(&mut self, around: &mut Surroundings) -> Result<(), String> {
        if self.end.take().is_some() {
            for stream in std::mem::take(&mut self.streams).into_values() {
                around.ledger.end(stream.number, Outcome::ConnectionLost)?;
            }
            self.is_done |= self.habits.rude.is_some();
        }
        Ok(())
    }

    /// Nobody takes connections any more.
    pub fn give_up(&mut self) {
        self.left = 0;
    }

    /// Something came.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub fn arrived(&mut self, arrival: Arrival, around: &mut Surroundings) -> Result<(), String> {
        let Some(end) = self.end else { return Ok(()) };
        match arrival {
            Arrival::Bytes(bytes) if self.habits.rude.is_none() => {
                for happening in self.session.take(&bytes)? {
                    self.happened(happening, around)?;
                    if self.habits.cancels_at.is_some() {
                        self.cancel_some(around)?;
                    }
                }
                if around.prng.chance(700) {
                    self.grant();
                }
                self.flush(around);
            }
            Arrival::Bytes(_) => {}
            Arrival::Fin => {
                around.network.close(end, &mut around.schedule);
                self.lost(around)?;
            }
            Arrival::Reset => self.lost(around)?,
        }
        Ok(())
    }
}
