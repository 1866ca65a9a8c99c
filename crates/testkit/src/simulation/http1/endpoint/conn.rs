//! One HTTP/1 connection of an endpoint: a request, its answer, and the next one.

use crate::simulation::http1::meaning;
use crate::simulation::http1::reader::{Ends, Happening, Head, Kind, Reader};
use crate::simulation::http1::writer::{Framing, put_body, put_end, put_head};
use crate::simulation::http2::{EndpointHabits, message};
use crate::simulation::ledger::{Answer, Attempt, Fields, Span};
use crate::simulation::network::{Arrival, End};
use crate::simulation::surroundings::Surroundings;
use crate::simulation::tunnel;
use evenkeel_core::time::Moment;
use std::time::Duration;

/// A request that came, and its answer.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) number: usize,
    ends: Ends,
    got: usize,
    has_request_ended: bool,
    pub(super) answer: Answer,
    begins: Moment,
    may_begin_early: bool,
    /// The connection breaks at this byte of the answer.
    breaks_at: Option<usize>,
    pub(super) framing: Framing,
    keeps_alive: bool,
    is_head: bool,
    wants_echo: bool,
    tunnel: Option<usize>,
    pub(super) has_head: bool,
    sent: usize,
    pub(super) has_answered: bool,
    is_broken: bool,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) end: End,
    pub(super) out: Vec<u8>,
    reader: Reader,
    pub(super) serving: Option<Serving>,
    tunnel: Option<tunnel::Side>,
    served: u32,
    pub(super) is_acting: bool,
    pub(super) is_retiring: bool,
    is_paused: bool,
    pub(super) has_lied: bool,
    /// It ends when what waits has left.
    pub(super) is_ending: bool,
    pub(super) stalls_until: Moment,
}

impl Conn {
    pub(super) fn new(end: End) -> Self {
        Self {
            end,
            out: Vec::new(),
            reader: Reader::default(),
            serving: None,
            tunnel: None,
            served: 0,
            is_acting: false,
            is_retiring: false,
            is_paused: false,
            has_lied: false,
            is_ending: false,
            stalls_until: Moment::ZERO,
        }
    }

    pub(super) fn number(&self) -> Option<usize> {
        self.serving.as_ref().map(|serving| serving.number)
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.tunnel.is_some()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.serving.is_some() || self.is_paused || self.is_tunnel() || self.is_ending || !self.out.is_empty()
    }

    pub(super) fn broke(&self, around: &mut Surroundings) {
        if let Some(side) = &self.tunnel {
            around.ledger.tunnel_broke(side.number);
        }
    }

    pub(super) fn flush(&mut self, around: &mut Surroundings) {
        around.flush(self.end, &mut self.out);
    }

    /// Does what it does next; true if the connection is over.
    pub(super) fn act(
        &mut self,
        index: u32,
        habits: &EndpointHabits,
        around: &mut Surroundings,
    ) -> Result<bool, String> {
        if let Some(side) = &mut self.tunnel {
            if self.out.is_empty() {
                side.act(&tunnel_habits(habits), around);
            }
            return Ok(side.is_over());
        }
        if around.prng.chance(if self.is_paused { 200 } else { habits.pauses }) {
            self.is_paused = !self.is_paused;
            around.network.set_paused(self.end, self.is_paused, &mut around.schedule);
        }
        if self.advance(around)? {
            around.network.reset(self.end, &mut around.schedule, &mut around.prng);
            return Ok(true);
        }
        if around.prng.chance(habits.lies) && !self.is_tunnel() && !self.is_ending {
            self.lie(index, around);
        }
        self.flush(around);
        if self.is_ending && self.out.is_empty() {
            around.network.close(self.end, &mut around.schedule);
            return Ok(true);
        }
        // Between two requests it may end at any time, if that is nobody's loss.
        let is_idle = !self.is_busy() && self.reader.is_between();
        if is_idle && !habits.is_well && around.prng.chance(20) {
            around.note("endpoint ends an idle connection", &[u64::from(index)]);
            around.network.close(self.end, &mut around.schedule);
            return Ok(true);
        }
        Ok(false)
    }

    /// Something came; true if the connection is over.
    pub(super) fn arrived(
        &mut self,
        arrival: &Arrival,
        index: u32,
        habits: &EndpointHabits,
        around: &mut Surroundings,
    ) -> Result<bool, String> {
        if let Some(side) = &mut self.tunnel {
            side.arrived(arrival, around)?;
            return Ok(side.is_over());
        }
        let Arrival::Bytes(bytes) = arrival else {
            around.network.close(self.end, &mut around.schedule);
            return Ok(true);
        };
        self.reader.feed(bytes);
        self.read(index, habits, around)?;
        Ok(false)
    }

    fn read(&mut self, index: u32, habits: &EndpointHabits, around: &mut Surroundings) -> Result<(), String> {
        loop {
            let is_busy = self.serving.as_ref().is_some_and(|s| s.has_request_ended);
            if is_busy && self.reader.is_empty() {
                return Ok(());
            }
            if is_busy && self.serving.as_ref().is_some_and(|s| s.tunnel.is_some()) {
                return Err("bytes of the new protocol before it was agreed on".to_owned());
            }
            if is_busy && !self.has_lied {
                let rest = String::from_utf8_lossy(&self.reader.take_rest()).into_owned();
                return Err(format!("a request before the answer to the one before: {rest:?}"));
            }
            if is_busy {
                return Ok(());
            }
            let Some(happening) = self.reader.next(Kind::Request)? else { return Ok(()) };
            match happening {
                Happening::Head(head) => self.request(&head, index, habits, around)?,
                Happening::Body(bytes) => self.body(&bytes, around)?,
                Happening::End(trailers) => self.request_ended(&trailers, around)?,
            }
        }
    }

    fn request(
        &mut self,
        head: &Head,
        index: u32,
        habits: &EndpointHabits,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let fields = &head.fields;
        let number = message::number(fields, "x-request")
            .ok_or_else(|| format!("a request without its number: {fields:?}"))?;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        if message::service_of(fields, habits.services) != habits.service {
            return Err(format!("request {number} came to an endpoint of another service"));
        }
        if meaning(fields) != meaning(&request.headers) {
            let sent = &request.headers;
            return Err(format!("request {number} came with other headers: {fields:?} for {sent:?}"));
        }
        if head.is_upgrade != request.tunnel.is_some() {
            return Err(format!("request {number} came with another wish for a protocol"));
        }
        if self.is_ending {
            return Ok(());
        }
        let (attempt, is_head, wants_echo) = (request.attempts.len(), request.is_head, request.wants_echo);
        let tunnel = request.tunnel;
        let prng = &mut around.prng;
        let mut answer = message::answer(prng, request, attempt, habits.most_body, habits.is_well);
        answer.is_http1 = true;
        let length = answer.body.length;
        let accepts = tunnel.is_some() && (habits.is_well || prng.chance(800));
        let framing = if accepts { change(&mut answer) } else { framing_of(&mut answer, is_head, prng) };
        let is_broken = length > 0 && !accepts && framing != Framing::UntilClose && prng.chance(habits.lies);
        let keeps_alive = framing != Framing::UntilClose && !self.is_retiring && !prng.chance(100);
        let delay = Duration::from_micros(prng.below(habits.delay.max(1)) as u64);
        let may_begin_early = tunnel.is_none() && prng.chance(300);
        let most = if prng.chance(500) { 0 } else { length };
        // Where nothing but the end says that an answer is whole, it must not end before.
        let breaks_at = prng.chance(habits.resets).then(|| prng.below(most + 1));
        let plan = Attempt {
            endpoint: index,
            is_processed: true,
            answer: answer.clone(),
            is_broken,
            may_be_stale: self.served > 0,
        };
        around.note("endpoint takes", &[u64::from(index), number as u64]);
        around.ledger.meet(number, plan)?;
        if self.has_lied {
            // What it said before may be taken for the answer to this.
            around.ledger.distrust(number);
        }
        self.served += 1;
        self.serving = Some(Serving {
            number,
            ends: head.ends,
            got: 0,
            has_request_ended: false,
            answer,
            begins: around.schedule.now() + delay,
            may_begin_early,
            breaks_at,
            framing,
            keeps_alive,
            is_head,
            wants_echo,
            tunnel: tunnel.filter(|_| accepts),
            has_head: false,
            sent: 0,
            has_answered: false,
            is_broken,
        });
        Ok(())
    }

    fn body(&mut self, bytes: &[u8], around: &mut Surroundings) -> Result<(), String> {
        let Some(serving) = &mut self.serving else { return Ok(()) };
        let request = around.ledger.request(serving.number).ok_or("a request that was never sent")?;
        if !request.body.matches(serving.got, bytes) {
            return Err(format!("request {} came with other bytes from {} on", serving.number, serving.got));
        }
        serving.got += bytes.len();
        Ok(())
    }

    fn request_ended(&mut self, trailers: &Fields, around: &mut Surroundings) -> Result<(), String> {
        let Some(serving) = &mut self.serving else { return Ok(()) };
        let number = serving.number;
        serving.has_request_ended = true;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        let (got, whole) = (serving.got, request.body.length);
        if request.is_broken || got != whole {
            return Err(format!("request {number} looks whole at {got} of {whole} bytes"));
        }
        let has_those = request.trailers.clone().unwrap_or_default() == *trailers;
        if !has_those && (serving.ends == Ends::Chunked || !trailers.is_empty()) {
            return Err(format!("request {number} came with other trailers: {trailers:?}"));
        }
        self.end_if_both_have();
        Ok(())
    }

    fn end_if_both_have(&mut self) {
        if let Some(serving) = self.serving.take_if(|s| s.has_request_ended && s.has_answered) {
            self.is_ending |= !serving.keeps_alive;
        }
    }

    /// Says what it may of the answer; true if it breaks the connection instead.
    fn advance(&mut self, around: &mut Surroundings) -> Result<bool, String> {
        let Some(serving) = &mut self.serving else { return Ok(false) };
        let may_begin = serving.has_request_ended || serving.may_begin_early;
        if self.is_ending || serving.has_answered || !may_begin || around.schedule.now() < serving.begins {
            return Ok(false);
        }
        let prng = &mut around.prng;
        let length = serving.answer.body.length;
        let framing = serving.framing;
        if !serving.has_head {
            if prng.chance(50) {
                let interim = vec![(b":status".to_vec(), prng.pick(&[&b"100"[..], b"103"]).to_vec())];
                put_head(&mut self.out, 1, &interim, Framing::None, &[], prng);
            }
            if serving.breaks_at == Some(0) && prng.chance(500) {
                return Ok(true);
            }
            let said = match framing {
                Framing::Length(length) if serving.is_broken => Framing::Length(length + 5),
                other => other,
            };
            let more: &[(&str, &str)] = match (serving.tunnel, serving.keeps_alive) {
                (Some(_), _) => &[("connection", "upgrade"), ("upgrade", "websocket")],
                (None, true) => &[],
                (None, false) => &[("connection", "close")],
            };
            put_head(&mut self.out, 1, &serving.answer.headers, said, more, prng);
            serving.has_head = true;
            if let Some(number) = serving.tunnel {
                self.serving = None;
                around.ledger.meet_tunnel(number)?;
                self.tunnel = Some(tunnel::Side::new(number, 1, self.end));
                return Ok(false);
            }
        }
        while !serving.has_answered && self.out.len() < 64 * 1024 {
            if serving.breaks_at.is_some_and(|at| serving.sent >= at) {
                return Ok(true);
            }
            let prng = &mut around.prng;
            let known = if serving.wants_echo { serving.got.min(length) } else { length };
            let n = (known - serving.sent).min(prng.pick(&[1, 200, 4_000, 16_384, 65_536]));
            if n == 0 && serving.sent < length {
                break;
            }
            put_body(&mut self.out, framing, serving.answer.body.bytes(serving.sent, n), prng);
            serving.sent += n;
            if serving.sent == length {
                if serving.is_broken {
                    // It ends before the end that was announced.
                    (self.is_ending, serving.has_answered) = (true, true);
                    break;
                }
                if !serving.is_head {
                    put_end(&mut self.out, framing, serving.answer.trailers.as_ref(), prng);
                }
                serving.has_answered = true;
            }
            if prng.chance(300) {
                break;
            }
        }
        // The whole answer is there: an end is said at once, and the rest of the request is not waited for.
        self.is_ending |= serving.has_answered && !serving.keeps_alive && serving.has_request_ended;
        self.end_if_both_have();
        Ok(false)
    }
}

fn tunnel_habits(habits: &EndpointHabits) -> tunnel::Habits {
    let EndpointHabits { pace, most_body, pauses, breaks, .. } = *habits;
    tunnel::Habits { tunnels: 0, pace, most_bytes: most_body, pauses, breaks }
}

/// The answer becomes one that changes the protocol.
fn change(answer: &mut Answer) -> Framing {
    (answer.body, answer.trailers) = (Span::default(), None);
    for (name, value) in &mut answer.headers {
        if name == b":status" {
            *value = b"101".to_vec();
        }
    }
    answer.headers.retain(|(name, _)| name != b"content-length" && name != b"content-type");
    answer.headers.push((b"sec-websocket-accept".to_vec(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_vec()));
    Framing::None
}

/// How the answer is delimited; takes out of it what has no place then.
fn framing_of(answer: &mut Answer, is_head: bool, prng: &mut crate::simulation::prng::Prng) -> Framing {
    let status = message::find(&answer.headers, ":status").unwrap_or_default();
    if is_head || status == b"204" || status == b"304" {
        if status == b"204" {
            answer.headers.retain(|(name, _)| name != b"content-length");
        }
        answer.trailers = None;
        return Framing::None;
    }
    answer.headers.retain(|(name, _)| name != b"content-length");
    let length = answer.body.length;
    let framing = match prng.below(10) {
        0 => Framing::UntilClose,
        1..=4 => Framing::Length(length),
        _ => Framing::Chunked,
    };
    if framing != Framing::Chunked {
        answer.trailers = None;
    }
    framing
}
