//! A client of Evenkeel: opens streams, uploads, reads slowly or fast, cancels, pings, goes away, and compares every byte
//! of every answer with what the endpoint says it sent.

use super::message;
use super::session::{Happening, OwnSettings, Role, Session};
use crate::simulation::ledger::{Fields, Outcome, Span};
use crate::simulation::network::{Arrival, End};
use crate::simulation::schedule::Event;
use crate::simulation::surroundings::Surroundings;
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
    /// Longest body.
    pub most_body: usize,
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
    /// It says no HTTP/2, but this.
    pub rude: Option<&'static [u8]>,
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
            granted: 65_535,
            habits,
        }
    }

    /// Whether it has nothing more to do and is disconnected.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done
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
        (self.next_stream, self.is_going, self.is_paused) = (1, false, false);
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

    fn begin(&mut self, around: &mut Surroundings) {
        let number = around.ledger.next_number();
        let request = message::request(&mut around.prng, number, self.habits.most_body);
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
        for id in ids {
            if around.prng.chance(self.habits.cancels)
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

    fn happened(&mut self, happening: Happening, around: &mut Surroundings) -> Result<(), String> {
        match happening {
            Happening::Headers { stream, fields, is_end } => self.headers(stream, &fields, is_end, around),
            Happening::Data { stream, bytes, is_end } => self.data(stream, &bytes, is_end, around),
            Happening::Reset { stream, code } => self.reset(stream, code, around),
            Happening::StreamWindow { stream, increment } => {
                if let Some(open) = self.streams.get_mut(&stream) {
                    open.send_window += i64::from(increment);
                    if open.send_window > self.granted {
                        return Err(format!("stream {stream} has credit of {}", open.send_window));
                    }
                    return Ok(());
                }
                match self.past.get(&stream) {
                    Some(Past::Cancelled) => Ok(()),
                    past => Err(format!("credit for stream {stream}, which is {past:?}")),
                }
            }
            Happening::TheirWindow { delta } => {
                self.granted += delta;
                self.streams.values_mut().for_each(|s| s.send_window += delta);
                Ok(())
            }
            Happening::OwnInForce { delta, .. } => {
                self.streams.values_mut().for_each(|s| s.receive_window += delta);
                Ok(())
            }
            Happening::GoAway { last, code } => self.goaway(last, code, around),
            Happening::Pong => Ok(()),
        }
    }

    fn goaway(&mut self, last: u32, code: u32, around: &mut Surroundings) -> Result<(), String> {
        if code != 0 {
            return Err(format!("a client that breaks no rule is sent away with code {code}"));
        }
        self.is_going = true;
        for (id, stream) in self.streams.split_off(&(last.saturating_add(1))) {
            around.ledger.end(stream.number, Outcome::Unprocessed)?;
            self.past.insert(id, Past::Ended);
        }
        Ok(())
    }

    fn reset(&mut self, id: u32, code: u32, around: &mut Surroundings) -> Result<(), String> {
        let before = self.past.insert(id, Past::Closed);
        let Some(stream) = self.streams.remove(&id) else {
            return match before {
                Some(Past::Cancelled | Past::Ended) => Ok(()),
                past => Err(format!("a reset of stream {id}, which is {past:?}")),
            };
        };
        around.note("client is reset", &[u64::from(self.id), u64::from(id), u64::from(code)]);
        let outcome = if code == 7 { Outcome::Unprocessed } else { Outcome::Failed("reset") };
        around.ledger.end(stream.number, outcome)
    }

    /// The open stream of a frame; none if the frame may be passed over.
    fn stream_of(&mut self, id: u32, what: &str) -> Result<Option<&mut Stream>, String> {
        match (self.streams.contains_key(&id), self.past.get(&id)) {
            (true, _) => Ok(self.streams.get_mut(&id)),
            (false, Some(Past::Cancelled)) => Ok(None),
            (false, past) => Err(format!("{what} on stream {id}, which is {past:?}")),
        }
    }

    fn headers(
        &mut self,
        id: u32,
        fields: &Fields,
        is_end: bool,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let Some(stream) = self.stream_of(id, "headers")? else { return Ok(()) };
        let number = stream.number;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        if request.is_distrusted {
            return if is_end { self.finish(id, LIE, around) } else { Ok(()) };
        }
        let outcome = match stream.reading {
            Reading::Awaiting => {
                let is_interim = message::find(fields, ":status").is_some_and(|s| s.starts_with(b"1"));
                if is_interim {
                    return if is_end { Err("an interim answer ends a stream".to_owned()) } else { Ok(()) };
                }
                let Some(index) = message::number(fields, "x-attempt") else {
                    stream.reading = Reading::Own;
                    around.trace.note(around.schedule.now(), "evenkeel answers", &[number as u64]);
                    if is_end {
                        self.finish(id, Outcome::Failed("own answer"), around)?;
                    }
                    return Ok(());
                };
                let answer = &request.attempts.get(index).ok_or("an attempt that was never made")?.answer;
                if *fields != answer.headers {
                    return Err(format!(
                        "request {number} got the headers {}",
                        differ(fields, &answer.headers)
                    ));
                }
                stream.reading = Reading::Of(index, 0);
                if is_end && (answer.body.length > 0 || answer.trailers.is_some()) {
                    return Err(format!("the answer to request {number} ends at its headers"));
                }
                is_end.then_some(Outcome::Complete)
            }
            Reading::Of(index, got) => {
                if !is_end {
                    return Err(format!("request {number} gets headers twice"));
                }
                let answer = &request.attempts[index].answer;
                if message::find(fields, "x-end").is_none() {
                    Some(Outcome::Failed("own trailers"))
                } else if Some(fields) != answer.trailers.as_ref() || got != answer.body.length {
                    return Err(format!("request {number} got other trailers, or too early: {got} bytes"));
                } else {
                    Some(Outcome::Complete)
                }
            }
            Reading::Own => return Err(format!("headers behind Evenkeel's own answer to {number}")),
        };
        outcome.map_or(Ok(()), |outcome| self.finish(id, outcome, around))
    }

    fn data(&mut self, id: u32, bytes: &[u8], is_end: bool, around: &mut Surroundings) -> Result<(), String> {
        let Some(stream) = self.stream_of(id, "data")? else { return Ok(()) };
        stream.receive_window -= bytes.len() as i64;
        if stream.receive_window < 0 && !bytes.is_empty() {
            return Err(format!("the window of stream {id} is overrun by {}", -stream.receive_window));
        }
        let number = stream.number;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        if request.is_distrusted {
            return if is_end { self.finish(id, LIE, around) } else { Ok(()) };
        }
        let outcome = match &mut stream.reading {
            Reading::Awaiting => return Err(format!("request {number} gets data before headers")),
            Reading::Own => Outcome::Failed("own answer"),
            Reading::Of(index, got) => {
                let answer = &request.attempts[*index].answer;
                if !answer.body.matches(*got, bytes) {
                    return Err(format!("request {number} got other bytes from {got} on"));
                }
                *got += bytes.len();
                if is_end && (*got != answer.body.length || answer.trailers.is_some()) {
                    let whole = answer.body.length;
                    return Err(format!("the answer to {number} looks whole at {got} of {whole} bytes"));
                }
                Outcome::Complete
            }
        };
        if is_end {
            self.finish(id, outcome, around)?;
        }
        Ok(())
    }

    fn finish(&mut self, id: u32, outcome: Outcome, around: &mut Surroundings) -> Result<(), String> {
        let Some(stream) = self.streams.remove(&id) else { return Ok(()) };
        let ended_both = if stream.has_ended { 1 } else { 0 };
        around.note(
            "client has its end",
            &[u64::from(self.id), u64::from(id), stream.number as u64, ended_both],
        );
        self.past.insert(id, Past::Ended);
        around.ledger.end(stream.number, outcome)
    }
}

fn differ(got: &Fields, sent: &Fields) -> String {
    let text = |f: &Fields| {
        let show = |(n, v): &(Vec<u8>, Vec<u8>)| {
            format!("{}: {}", String::from_utf8_lossy(n), String::from_utf8_lossy(&v[..v.len().min(40)]))
        };
        f.iter().map(show).collect::<Vec<_>>().join(", ")
    };
    format!("[{}] instead of [{}]", text(got), text(sent))
}
