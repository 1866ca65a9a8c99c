//! One request at an endpoint: what came of it, and its answer on the way.

use super::session::Session;
use crate::simulation::ledger::{Answer, Attempt, Fields, Ledger, Request, Span};
use crate::simulation::surroundings::Surroundings;
use evenkeel_core::time::Moment;

/// A stream of an endpoint's connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) number: usize,
    pub(super) send_window: i64,
    pub(super) receive_window: i64,
    body: Span,
    trailers: Option<Fields>,
    is_broken: bool,
    got: usize,
    has_request_ended: bool,
    is_taken: bool,
    wants_echo: bool,
    answer: Answer,
    begins: Moment,
    may_begin_early: bool,
    /// It resets the stream at this byte of its answer.
    reset_at: Option<usize>,
    has_headers: bool,
    sent: usize,
    has_answered: bool,
}

impl Stream {
    /// A request that just came; `windows` are what each side may send on it.
    pub(super) fn new(number: usize, request: &Request, windows: (u32, u32)) -> Self {
        Self {
            number,
            send_window: i64::from(windows.0),
            receive_window: i64::from(windows.1),
            body: request.body,
            trailers: request.trailers.clone(),
            is_broken: request.is_broken,
            got: 0,
            has_request_ended: false,
            is_taken: false,
            wants_echo: request.wants_echo,
            answer: Answer::default(),
            begins: Moment::NEVER,
            may_begin_early: false,
            reset_at: None,
            has_headers: false,
            sent: 0,
            has_answered: false,
        }
    }

    pub(super) fn with_end(mut self, is_end: bool) -> Self {
        self.has_request_ended = is_end;
        self
    }

    pub(super) fn is_bodiless(&self) -> bool {
        self.body.length == 0 && self.trailers.is_none()
    }

    pub(super) fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// Final headers were written.
    pub(super) fn has_begun(&self) -> bool {
        self.has_headers
    }

    pub(super) fn has_request_ended(&self) -> bool {
        self.has_request_ended
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_request_ended && self.has_answered
    }

    /// Writes into the ledger that it was taken, or left untouched.
    pub(super) fn meet(
        &self,
        ledger: &mut Ledger,
        endpoint: u32,
        plan: Option<Attempt>,
    ) -> Result<usize, String> {
        let untouched = Attempt {
            endpoint,
            is_processed: false,
            answer: Answer::default(),
            is_broken: false,
            may_be_stale: false,
        };
        ledger.meet(self.number, plan.unwrap_or(untouched))
    }

    /// It was taken, and this is its answer.
    pub(super) fn plan(
        &mut self,
        answer: Answer,
        begins: Moment,
        may_begin_early: bool,
        reset_at: Option<usize>,
    ) {
        (self.is_taken, self.answer, self.begins) = (true, answer, begins);
        (self.may_begin_early, self.reset_at) = (may_begin_early, reset_at);
    }

    /// A part of the request's body.
    pub(super) fn data(&mut self, id: u32, bytes: &[u8], is_end: bool) -> Result<(), String> {
        let number = self.number;
        if self.has_request_ended {
            return Err(format!("data behind the end of request {number}"));
        }
        self.receive_window -= bytes.len() as i64;
        if self.receive_window < 0 && !bytes.is_empty() {
            return Err(format!("the window of stream {id} is overrun by {}", -self.receive_window));
        }
        if !self.body.matches(self.got, bytes) {
            return Err(format!("request {number} came with other bytes from {} on", self.got));
        }
        self.got += bytes.len();
        if is_end && self.is_broken {
            return Err(format!("request {number} of a wrong length looks whole"));
        }
        if is_end && (self.got != self.body.length || self.trailers.is_some()) {
            return Err(format!("request {number} ends at {} of {} bytes", self.got, self.body.length));
        }
        self.has_request_ended |= is_end;
        Ok(())
    }

    /// The request's trailers.
    pub(super) fn trailers(&mut self, id: u32, fields: &Fields, is_end: bool) -> Result<(), String> {
        let number = self.number;
        if self.is_broken {
            return Err(format!("request {number} of a wrong length looks whole by its trailers"));
        }
        if self.has_request_ended || !is_end || self.trailers.as_ref() != Some(fields) {
            return Err(format!("stream {id}: other trailers for request {number}, or at a wrong place"));
        }
        if self.got != self.body.length {
            return Err(format!("the trailers of request {number} came behind {} bytes", self.got));
        }
        self.has_request_ended = true;
        Ok(())
    }

    /// Sends what it may of the answer; true if it was reset instead.
    pub(super) fn advance(&mut self, id: u32, session: &mut Session, around: &mut Surroundings) -> bool {
        let may_begin = self.has_request_ended || self.may_begin_early;
        if !self.is_taken || self.has_answered || !may_begin || around.schedule.now() < self.begins {
            return false;
        }
        let prng = &mut around.prng;
        let length = self.answer.body.length;
        if !self.has_headers {
            if prng.chance(50) {
                let interim = vec![(b":status".to_vec(), prng.pick(&[&b"100"[..], b"103"]).to_vec())];
                session.put_headers(id, &interim, false, prng);
            }
            if self.reset_at == Some(0) && prng.chance(500) {
                return self.reset(id, session, around);
            }
            let is_end = length == 0 && self.answer.trailers.is_none();
            session.put_headers(id, &self.answer.headers, is_end, prng);
            (self.has_headers, self.has_answered) = (true, is_end);
        }
        while !self.has_answered && session.out.len() < 64 * 1024 {
            if self.reset_at.is_some_and(|at| self.sent >= at) {
                return self.reset(id, session, around);
            }
            let prng = &mut around.prng;
            let known = if self.wants_echo { self.got.min(length) } else { length };
            let room = self.send_window.min(session.send_window).max(0) as usize;
            let n = (known - self.sent).min(room).min(prng.pick(&[1, 200, 4_000, 16_384, 16_384]));
            if n == 0 && self.sent < length {
                break;
            }
            let is_last = self.sent + n == length;
            let is_end = is_last && self.answer.trailers.is_none() && (n == 0 || prng.chance(800));
            if n > 0 || is_end {
                let flow = session.put_data(id, self.answer.body.bytes(self.sent, n), is_end, room, prng);
                self.send_window -= flow as i64;
                self.sent += n;
            }
            self.has_answered = is_end;
            if is_last && let Some(trailers) = &self.answer.trailers {
                session.put_headers(id, trailers, true, prng);
                self.has_answered = true;
            }
            if prng.chance(300) {
                break;
            }
        }
        // The whole answer is there and the rest of the request is not wanted (RFC 9113 §8.1).
        let is_enough = self.has_answered && !self.has_request_ended && around.prng.chance(200);
        if is_enough {
            session.put_reset(id, 0);
        }
        is_enough
    }

    /// Any code but the one that would say that nothing was done.
    fn reset(&self, id: u32, session: &mut Session, around: &mut Surroundings) -> bool {
        let code = around.prng.pick(&[0, 1, 2, 3, 5, 8, 9, 11, 13, 99]);
        around.note("endpoint resets", &[u64::from(id), u64::from(code), self.number as u64]);
        session.put_reset(id, code);
        true
    }
}
