//! A client that speaks HTTP/1: pipelines, uploads in lengths or chunks, ends its side behind its last request, goes away
//! in the middle, asks for a change of protocol, and compares every byte of every answer with what the endpoint sent.

mod answers;
mod lies;

use super::reader::{Ends, Reader};
use super::upgrade;
use super::writer::{Framing, put_body, put_end, put_head};
use crate::simulation::http2::{Shape, message};
use crate::simulation::ledger::{Fields, Outcome, Span};
use crate::simulation::network::End;
use crate::simulation::schedule::Event;
use crate::simulation::surroundings::Surroundings;
use crate::simulation::tunnel;
use evenkeel_core::time::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// How a client behaves. Shares are of a thousand.
#[derive(Clone, Copy, Debug)]
pub struct ClientHabits {
    /// Requests that it sends in all.
    pub requests: u32,
    /// Most requests that it sends ahead of their answers, and one.
    pub pipeline: usize,
    /// Longest time between two of its acts, in microseconds.
    pub pace: usize,
    /// Longest body.
    pub most_body: usize,
    /// Requests that are the last of their connection.
    pub closes: u32,
    /// Of those, how many end its side at once.
    pub half_closes: u32,
    /// Requests in HTTP/1.0.
    pub old: u32,
    /// Requests that ask for a change of protocol.
    pub upgrades: u32,
    /// Acts that stop or take up reading again.
    pub pauses: u32,
    /// Acts that break the connection.
    pub breaks: u32,
    /// Acts that break the protocol, and requests that announce a wrong length.
    pub lies: u32,
}

/// How long it waits for anything.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(super) enum Reading {
    /// No final head yet.
    Awaiting,
    /// The answer of this attempt, so many bytes of its body.
    Of(usize, usize),
    /// An answer of Evenkeel's own, or one of a liar.
    Own,
}

/// A request that was begun and not answered whole.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) number: usize,
    pub(super) is_head: bool,
    pub(super) reading: Reading,
    pub(super) ends: Ends,
    /// It asks for this tunnel.
    pub(super) tunnel: Option<usize>,
}

/// A request's body on its way.
#[derive(Debug)]
struct Upload {
    framing: Framing,
    body: Span,
    sent: usize,
    trailers: Option<Fields>,
    /// The connection's last request, and its side ends behind it.
    half_closes: bool,
    /// It stops before its end, and its side ends there.
    is_cut: bool,
}

/// A client and its connection of now.
#[derive(Debug)]
pub struct Client {
    id: u32,
    habits: ClientHabits,
    end: Option<End>,
    out: Vec<u8>,
    reader: Reader,
    asked: VecDeque<Asked>,
    upload: Option<Upload>,
    tunnel: Option<tunnel::Side>,
    left: u32,
    connections_left: u32,
    /// No request follows on this connection.
    is_last: bool,
    /// Evenkeel said so too.
    is_sent_away: bool,
    ends_side: bool,
    has_ended_side: bool,
    is_paused: bool,
    has_lied: bool,
    is_done: bool,
    heard_at: Moment,
    stalls_until: Moment,
}

impl Client {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(id: u32, habits: ClientHabits) -> Self {
        Self {
            id,
            habits,
            end: None,
            out: Vec::new(),
            reader: Reader::default(),
            asked: VecDeque::new(),
            upload: None,
            tunnel: None,
            left: habits.requests,
            connections_left: habits.requests + 6,
            is_last: false,
            is_sent_away: false,
            ends_side: false,
            has_ended_side: false,
            is_paused: false,
            has_lied: false,
            is_done: false,
            heard_at: Moment::ZERO,
            stalls_until: Moment::ZERO,
        }
    }

    pub(in crate::simulation) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(in crate::simulation) fn is_honest(&self) -> bool {
        self.habits.lies == 0
    }

    pub(in crate::simulation) fn end(&self) -> Option<End> {
        self.end
    }

    pub(in crate::simulation) fn open(&self) -> Vec<usize> {
        self.asked.iter().map(|asked| asked.number).collect()
    }

    pub(in crate::simulation) fn give_up(&mut self) {
        self.left = 0;
    }

    /// Opens a connection; gives its end.
    pub(in crate::simulation) fn connect(&mut self, around: &mut Surroundings) -> End {
        let end = around.network.open(&mut around.schedule, &mut around.prng);
        let (id, habits, left) = (self.id, self.habits, self.left);
        let connections_left = self.connections_left - 1;
        *self = Self { left, connections_left, end: Some(end), ..Self::new(id, habits) };
        self.heard_at = around.schedule.now();
        end
    }

    /// Does what it does next; true if it wants to connect.
    pub(in crate::simulation) fn act(&mut self, around: &mut Surroundings) -> Result<bool, String> {
        if self.is_done {
            return Ok(false);
        }
        let now = around.schedule.now();
        if now < self.stalls_until {
            around.schedule.at(self.stalls_until, Event::Client(self.id));
            return Ok(false);
        }
        let pause = Duration::from_micros(around.prng.between(200, self.habits.pace.max(200)) as u64);
        around.schedule.after(pause, Event::Client(self.id));
        let Some(end) = self.end else {
            self.is_done = self.left == 0 || self.connections_left == 0;
            return Ok(!self.is_done);
        };
        let tunnel_habits = self.tunnel_habits();
        if let Some(side) = &mut self.tunnel {
            side.act(&tunnel_habits, around);
            self.leave_tunnel();
            return Ok(false);
        }
        let is_patient = now.since(self.heard_at) < PATIENCE || self.asked.is_empty();
        if around.prng.chance(self.habits.breaks) || !is_patient {
            around.note("client breaks", &[u64::from(self.id)]);
            around.network.reset(end, &mut around.schedule, &mut around.prng);
            self.lost(false, around)?;
            return Ok(false);
        }
        if around.prng.chance(if self.is_paused { 200 } else { self.habits.pauses }) {
            self.is_paused = !self.is_paused;
            around.network.set_paused(end, self.is_paused, &mut around.schedule);
        }
        self.go_on_sending(around);
        if around.prng.chance(self.habits.lies) {
            self.lie(around);
        }
        self.flush(around);
        let is_through = self.asked.is_empty() && self.out.is_empty() && self.upload.is_none();
        if is_through && (self.left == 0 || self.is_last) && around.prng.chance(300) {
            around.note("client leaves", &[u64::from(self.id)]);
            around.network.close(end, &mut around.schedule);
            self.lost(false, around)?;
        }
        Ok(false)
    }

    fn tunnel_habits(&self) -> tunnel::Habits {
        let ClientHabits { pace, most_body, pauses, breaks, .. } = self.habits;
        tunnel::Habits { tunnels: 0, pace, most_bytes: most_body, pauses, breaks }
    }

    fn leave_tunnel(&mut self) {
        if self.tunnel.take_if(|side| side.is_over()).is_some() {
            self.end = None;
        }
    }

    fn go_on_sending(&mut self, around: &mut Surroundings) {
        while self.out.len() < 64 * 1024 {
            if self.upload.is_some() {
                self.upload(around);
            } else if self.left > 0 && !self.is_last && self.asked.len() < self.habits.pipeline {
                self.begin(around);
            } else {
                return;
            }
            if around.prng.chance(300) {
                return;
            }
        }
    }

    /// Writes a request's head.
    fn begin(&mut self, around: &mut Surroundings) {
        let number = around.ledger.next_number();
        let prng = &mut around.prng;
        let habits = self.habits;
        let mut request = message::request(prng, number, Shape::Any(habits.most_body));
        (request.client, request.is_http1) = (self.id, true);
        request.headers.retain(|(name, _)| name != b"content-length");
        let minor = u8::from(!prng.chance(habits.old));
        let is_last = prng.chance(habits.closes) || (self.left == 1 && prng.chance(500));
        let mut more = Vec::new();
        let wants_upgrade = self.asked.is_empty() && minor == 1 && !is_last && prng.chance(habits.upgrades);
        if wants_upgrade {
            request = self.upgrade(request, &mut more, around);
        }
        let prng = &mut around.prng;
        let length = request.body.length;
        let mut framing = match length {
            0 if request.trailers.is_none() => prng.pick(&[Framing::None, Framing::None, Framing::Length(0)]),
            _ if minor == 1 && prng.chance(500) => Framing::Chunked,
            _ => Framing::Length(length),
        };
        if wants_upgrade {
            framing = Framing::None;
        }
        if framing != Framing::Chunked {
            request.trailers = None;
        }
        let is_cut = length > 0 && prng.chance(habits.lies);
        if is_cut {
            (request.is_broken, self.has_lied) = (true, true);
            if let Framing::Length(length) = &mut framing {
                *length += 5;
            }
        }
        match (minor, is_last) {
            (1, true) => more.push(("connection", "close")),
            (0, false) => more.push(("connection", "keep-alive")),
            _ => {}
        }
        let half_closes = (is_last && prng.chance(habits.half_closes)) || is_cut;
        put_head(&mut self.out, minor, &request.headers, framing, &more, prng);
        around.note("client asks", &[u64::from(self.id), number as u64]);
        self.left -= 1;
        self.is_last |= is_last || is_cut || wants_upgrade;
        let (body, trailers) = (request.body, request.trailers.clone());
        self.upload = Some(Upload { framing, body, sent: 0, trailers, half_closes, is_cut });
        self.asked.push_back(Asked {
            number,
            is_head: request.is_head,
            reading: Reading::Awaiting,
            ends: Ends::Length,
            tunnel: request.tunnel,
        });
        if self.asked.len() == 1 {
            self.heard_at = around.schedule.now();
        }
        around.ledger.begin(request);
    }

    /// Makes a request one for a WebSocket.
    fn upgrade(
        &self,
        mut request: crate::simulation::ledger::Request,
        more: &mut Vec<(&str, &str)>,
        around: &mut Surroundings,
    ) -> crate::simulation::ledger::Request {
        let prng = &mut around.prng;
        let tunnel = around.ledger.next_tunnel();
        let mut bytes = |is_client| {
            let most = prng.pick(&[10, 2_000, self.habits.most_body]);
            let length = prng.below(most + 1);
            upgrade::messages(Span::of(length, prng), is_client, prng)
        };
        let both = [bytes(true), bytes(false)];
        around.ledger.open_tunnel(both);
        request.tunnel = Some(tunnel);
        (request.body, request.trailers, request.is_head, request.wants_echo) =
            (Span::default(), None, false, false);
        for (name, value) in &mut request.headers {
            if name == b":method" {
                *value = b"GET".to_vec();
            }
        }
        request.headers.retain(|(name, _)| name != b"content-type" && name != b"te");
        for (name, value) in
            [("sec-websocket-version", "13"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]
        {
            request.headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        more.extend([("connection", "Upgrade"), ("upgrade", "websocket")]);
        request
    }

    fn upload(&mut self, around: &mut Surroundings) {
        let Some(upload) = &mut self.upload else { return };
        let prng = &mut around.prng;
        let left = upload.body.length - upload.sent;
        if upload.is_cut && (left == 0 || prng.chance(200)) {
            (self.upload, self.ends_side) = (None, true);
            return;
        }
        let part = upload.body.bytes(upload.sent, prng.pick(&[1, 100, 5_000, 16_384, 65_536]));
        put_body(&mut self.out, upload.framing, part, prng);
        upload.sent += part.len();
        if upload.sent == upload.body.length && !upload.is_cut {
            put_end(&mut self.out, upload.framing, upload.trailers.as_ref(), prng);
            self.ends_side = upload.half_closes;
            self.upload = None;
        }
    }

    /// Writes what waits, and ends its side behind that if it means to.
    pub(in crate::simulation) fn flush(&mut self, around: &mut Surroundings) {
        let Some(end) = self.end.filter(|_| self.tunnel.is_none()) else { return };
        around.flush(end, &mut self.out);
        if self.ends_side && self.out.is_empty() && !std::mem::replace(&mut self.has_ended_side, true) {
            around.network.finish_writing(end, &mut around.schedule);
        }
    }

    /// The connection is gone. If all that Evenkeel said was read, requests behind the one whose answer was due cannot
    /// have been looked at.
    fn lost(&mut self, has_read_all: bool, around: &mut Surroundings) -> Result<(), String> {
        self.end = None;
        for (place, asked) in std::mem::take(&mut self.asked).into_iter().enumerate() {
            let is_behind = place > 0 || matches!(asked.reading, Reading::Awaiting);
            let is_untouched =
                ((place > 0 && has_read_all) || (is_behind && self.is_sent_away)) && !self.has_lied;
            let outcome = if is_untouched { Outcome::Unprocessed } else { Outcome::ConnectionLost };
            around.ledger.end(asked.number, outcome)?;
            if let Some(tunnel) = asked.tunnel {
                around.ledger.tunnel_broke(tunnel);
            }
        }
        (self.upload, self.out) = (None, Vec::new());
        Ok(())
    }
}
