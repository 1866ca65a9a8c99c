//! One of an endpoint's connections: its streams, what it decides about each, and what Evenkeel may do on it.

use super::super::message;
use super::super::session::{Happening, MOST_STREAM_WINDOW, OwnSettings, Session};
use super::super::stream::Stream;
use super::{EndpointHabits, Failure};
use crate::simulation::http1::meaning;
use crate::simulation::ledger::{Attempt, Fields};
use crate::simulation::network::End;
use crate::simulation::surroundings::Surroundings;
use evenkeel_core::time::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// ENHANCE_YOUR_CALM: what an endpoint hears that was too slow for a timeout.
const CALM: u32 = 11;

/// REFUSED_STREAM: nothing was done.
pub(super) const REFUSED_STREAM: u32 = 7;

/// What may still come on a stream that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// Both sides ended: credit, or a reset that crossed.
    Ended,
    /// We reset or never took it: whatever was under way.
    Dropped,
    /// Nothing.
    Closed,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) end: End,
    pub(super) session: Session,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) past: BTreeMap<u32, Past>,
    pub(super) highest: u32,
    /// The last stream that was taken, and what GOAWAY said of it.
    pub(super) decided: u32,
    pub(super) goaway: Option<u32>,
    /// GOAWAY with the highest id went out, and a PING behind it.
    pub(super) is_retiring: bool,
    pub(super) is_acting: bool,
    pub(super) is_paused: bool,
    pub(super) has_lied: bool,
    /// It neither reads nor acts before.
    pub(super) stalls_until: Moment,
    /// Our settings that were in force when the frame at hand was written.
    pub(super) own: OwnSettings,
    pub(super) granted: i64,
}

impl Conn {
    pub(super) fn new(end: End, session: Session, has_lied: bool) -> Self {
        Self {
            end,
            session,
            streams: BTreeMap::new(),
            past: BTreeMap::new(),
            highest: 0,
            decided: 0,
            goaway: None,
            is_retiring: false,
            is_acting: false,
            is_paused: false,
            has_lied,
            stalls_until: Moment::ZERO,
            own: OwnSettings::default(),
            granted: 65_535,
        }
    }

    pub(super) fn oddities(&mut self, habits: &EndpointHabits, around: &mut Surroundings) {
        let prng = &mut around.prng;
        if self.session.noise_left < 4 {
            return;
        }
        if prng.chance(habits.oddity) {
            self.session.put_ping(prng);
        }
        if prng.chance(habits.oddity) {
            self.session.put_noise(1, prng);
        }
        if prng.chance(habits.oddity) {
            let (window, table) = (prng.pick(&[0, 1, 1000, 65_535, 200_000]), prng.pick(&[0, 100, 4096]));
            let streams = prng.pick(&[1, 3, 100, habits.settings.streams]);
            self.session.put_settings(OwnSettings { window, table, streams, ..self.session.announced() });
        }
        if prng.chance(habits.oddity) {
            self.session.resize_table(prng.pick(&[0, 100, 1000, 4096]));
        }
    }

    /// Says that nothing above `last` is or will be processed.
    pub(super) fn go_away(&mut self, last: u32, around: &mut Surroundings) -> Result<(), String> {
        self.session.put_goaway(last, 0);
        self.goaway = Some(last);
        for (id, stream) in self.streams.split_off(&(last + 1)) {
            stream.meet(&mut around.ledger, 0, None)?;
            self.past.insert(id, Past::Dropped);
        }
        Ok(())
    }

    /// Fails; true if the connection is broken.
    pub(super) fn fail(&mut self, failure: Failure, around: &mut Surroundings) -> Result<bool, String> {
        match failure {
            Failure::Reset(code) => {
                for (id, stream) in std::mem::take(&mut self.streams) {
                    if code == REFUSED_STREAM && stream.is_taken() {
                        self.streams.insert(id, stream);
                        continue;
                    }
                    if code == REFUSED_STREAM {
                        stream.meet(&mut around.ledger, 0, None)?;
                    }
                    self.session.put_reset(id, code);
                    self.past.insert(id, Past::Dropped);
                }
            }
            Failure::GoAway if self.goaway.is_none() => self.go_away(self.decided, around)?,
            Failure::GoAway => {}
            Failure::Break => around.network.reset(self.end, &mut around.schedule, &mut around.prng),
        }
        Ok(failure == Failure::Break)
    }

    /// Takes or refuses what came since the last act.
    pub(super) fn decide(
        &mut self,
        index: u32,
        habits: &EndpointHabits,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let fresh: Vec<u32> = self.streams.iter().filter(|(_, s)| !s.is_taken()).map(|(&id, _)| id).collect();
        for id in fresh {
            // What it has not looked at yet it may still give back with GOAWAY.
            if around.prng.chance(200) {
                break;
            }
            self.decided = self.decided.max(id);
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            if around.prng.chance(habits.refusals) {
                stream.meet(&mut around.ledger, index, None)?;
                around.note("endpoint refuses", &[u64::from(index), u64::from(id), stream.number as u64]);
                self.session.put_reset(id, 7);
                self.streams.remove(&id);
                self.past.insert(id, Past::Dropped);
                continue;
            }
            let request = around.ledger.request(stream.number).ok_or("a request that was never sent")?;
            let attempt = request.attempts.len();
            let prng = &mut around.prng;
            let mut answer = message::answer(prng, request, attempt, habits.most_body, habits.is_well);
            let is_broken = answer.body.length > 0 && prng.chance(habits.lies);
            if is_broken {
                message::break_length(prng, &mut answer.headers, answer.body.length);
                self.has_lied = true;
            }
            let delay = Duration::from_micros(prng.below(habits.delay.max(1)) as u64);
            let may_begin_early = prng.chance(300);
            // Often before it has said anything.
            let most = if prng.chance(500) { 0 } else { answer.body.length };
            let reset_at = prng.chance(habits.resets).then(|| prng.below(most + 1));
            let plan = Attempt {
                endpoint: index,
                is_processed: true,
                answer: answer.clone(),
                is_broken,
                may_be_stale: false,
            };
            around.note("endpoint takes", &[u64::from(index), u64::from(id), stream.number as u64]);
            let met = stream.meet(&mut around.ledger, index, Some(plan))?;
            debug_assert_eq!(met, attempt, "nobody else met it in between");
            stream.plan(answer, around.schedule.now() + delay, may_begin_early, reset_at);
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, around: &mut Surroundings) {
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        for id in ids {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let is_reset = stream.advance(id, &mut self.session, around);
            if is_reset {
                self.streams.remove(&id);
                self.past.insert(id, Past::Dropped);
            } else {
                self.drop_if_ended(id);
            }
        }
    }

    fn drop_if_ended(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(Stream::has_ended) {
            self.streams.remove(&id);
            self.past.insert(id, Past::Ended);
        }
    }

    pub(super) fn grant(&mut self, window: u32) {
        for (&id, stream) in &mut self.streams {
            let more = i64::from(window) - stream.receive_window;
            if more > i64::from(window) / 2 && !stream.has_request_ended() {
                stream.receive_window += more;
                self.session.put_window(id, more as u32);
            }
        }
        let more = 65_535 - self.session.receive_window;
        if more > 20_000 {
            self.session.put_window(0, more as u32);
        }
    }

    pub(super) fn happened(
        &mut self,
        happening: Happening,
        habits: &EndpointHabits,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        match happening {
            Happening::Headers { stream, fields, is_end } => {
                if self.streams.contains_key(&stream) || stream <= self.highest {
                    self.trailers(stream, &fields, is_end)
                } else {
                    self.request(stream, &fields, is_end, habits, around)
                }
            }
            Happening::Data { stream: id, bytes, is_end } => {
                match self.streams.get_mut(&id) {
                    Some(stream) => stream.data(id, &bytes, is_end)?,
                    None => self.check_past(id, "data", &[Past::Dropped])?,
                }
                self.drop_if_ended(id);
                Ok(())
            }
            Happening::Reset { stream: id, code } => {
                if let Some(stream) = self.streams.remove(&id) {
                    around.note("endpoint is reset", &[u64::from(id), u64::from(code), stream.number as u64]);
                    if !stream.is_taken() {
                        stream.meet(&mut around.ledger, 0, None)?;
                    }
                } else {
                    self.check_past(id, "a reset", &[Past::Ended, Past::Dropped])?;
                }
                self.past.insert(id, Past::Closed);
                Ok(())
            }
            Happening::StreamWindow { stream: id, increment } => {
                let granted = self.granted;
                let Some(stream) = self.streams.get_mut(&id) else {
                    return self.check_past(id, "credit", &[Past::Ended, Past::Dropped]);
                };
                stream.send_window += i64::from(increment);
                if stream.send_window > granted.max(MOST_STREAM_WINDOW) {
                    return Err(format!("stream {id} has credit of {}", stream.send_window));
                }
                Ok(())
            }
            Happening::TheirWindow { delta } => {
                self.granted += delta;
                self.streams.values_mut().for_each(|s| s.send_window += delta);
                Ok(())
            }
            Happening::OwnInForce { settings, delta } => {
                self.own = settings;
                self.streams.values_mut().for_each(|s| s.receive_window += delta);
                Ok(())
            }
            Happening::GoAway { code, .. } if !matches!(code, 0 | CALM) && !self.has_lied => {
                Err(format!("an endpoint that breaks no rule is sent away with code {code}"))
            }
            Happening::GoAway { .. } => Ok(()),
            Happening::Pong if self.is_retiring && self.goaway.is_none() => {
                let last = self.highest;
                self.go_away(last, around)
            }
            Happening::Pong => Ok(()),
        }
    }

    fn check_past(&self, id: u32, what: &str, allowed: &[Past]) -> Result<(), String> {
        match self.past.get(&id) {
            Some(past) if allowed.contains(past) => Ok(()),
            // After a lie the two sides may see a stream differently.
            _ if self.has_lied => Ok(()),
            past => Err(format!("{what} on stream {id}, which is {past:?}")),
        }
    }

    fn request(
        &mut self,
        id: u32,
        fields: &Fields,
        is_end: bool,
        habits: &EndpointHabits,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        if id.is_multiple_of(2) {
            return Err(format!("a request on the even stream {id}"));
        }
        self.highest = id;
        if self.streams.len() >= self.own.streams as usize && !self.has_lied {
            return Err(format!("stream {id} is one more than the {} allowed", self.own.streams));
        }
        let number = message::number(fields, "x-request")
            .ok_or(format!("a request without its number: {fields:?}"))?;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        if message::service_of(fields, habits.services) != habits.service {
            return Err(format!("request {number} came to an endpoint of another service"));
        }
        // What came over HTTP/1 cannot be the same list.
        let is_same = if request.is_http1 {
            meaning(fields) == meaning(&request.headers)
        } else {
            *fields == request.headers
        };
        if !is_same {
            return Err(format!("request {number} came with other headers: {fields:?}"));
        }
        let windows = (self.session.their_window, self.own.window);
        let stream = Stream::new(number, request, windows);
        if is_end && !stream.is_bodiless() {
            return Err(format!("request {number} ends at its headers"));
        }
        if self.goaway.is_some_and(|last| id > last) {
            stream.meet(&mut around.ledger, 0, None)?;
            self.past.insert(id, Past::Dropped);
            return Ok(());
        }
        self.streams.insert(id, stream.with_end(is_end));
        Ok(())
    }

    fn trailers(&mut self, id: u32, fields: &Fields, is_end: bool) -> Result<(), String> {
        match self.streams.get_mut(&id) {
            Some(stream) => stream.trailers(id, fields, is_end)?,
            None => self.check_past(id, "trailers", &[Past::Dropped])?,
        }
        self.drop_if_ended(id);
        Ok(())
    }
}
