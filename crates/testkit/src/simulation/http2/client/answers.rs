//! What comes to a client: every frame against the state of its stream, every byte against the ledger.

use super::super::message;
use super::super::session::{Happening, MOST_STREAM_WINDOW};
use super::{Client, LIE, Past, Reading, Stream};
use crate::simulation::http1::meaning;
use crate::simulation::ledger::{Fields, Outcome};
use crate::simulation::surroundings::Surroundings;

impl Client {
    pub(super) fn happened(&mut self, happening: Happening, around: &mut Surroundings) -> Result<(), String> {
        match happening {
            Happening::Headers { stream, fields, is_end } => self.headers(stream, &fields, is_end, around),
            Happening::Data { stream, bytes, is_end } => self.data(stream, &bytes, is_end, around),
            Happening::Reset { stream, code } => self.reset(stream, code, around),
            Happening::StreamWindow { stream, increment } => {
                if let Some(open) = self.streams.get_mut(&stream) {
                    open.send_window += i64::from(increment);
                    if open.send_window > self.granted.max(MOST_STREAM_WINDOW) {
                        return Err(format!("stream {stream} has credit of {}", open.send_window));
                    }
                    return Ok(());
                }
                match self.past.get(&stream) {
                    Some(Past::Cancelled) => Ok(()),
                    _ if self.has_lied => Ok(()),
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
        if code != 0 && !self.has_lied {
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
                _ if self.has_lied => Ok(()),
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
            (false, _) if self.has_lied => Ok(None),
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
        let is_interim = message::find(fields, ":status").is_some_and(|s| s.starts_with(b"1"));
        if matches!(stream.reading, Reading::Awaiting) && is_interim {
            return if is_end { Err("an interim answer ends a stream".to_owned()) } else { Ok(()) };
        }
        if request.is_distrusted {
            // Whatever it says, the order holds.
            if !matches!(stream.reading, Reading::Awaiting) && !is_end {
                return Err(format!("request {number} gets headers twice"));
            }
            stream.reading = Reading::Own;
            around.ledger.answered(number);
            return if is_end { self.finish(id, LIE, around) } else { Ok(()) };
        }
        let outcome = match stream.reading {
            Reading::Awaiting => {
                let Some(index) = message::number(fields, "x-attempt") else {
                    stream.reading = Reading::Own;
                    around.trace.note(around.schedule.now(), "evenkeel answers", &[number as u64]);
                    if is_end {
                        self.finish(id, Outcome::Failed("own answer"), around)?;
                    }
                    return Ok(());
                };
                let answer = &request.attempts.get(index).ok_or("an attempt that was never made")?.answer;
                // What came over HTTP/1 cannot be the same list.
                let is_same = if answer.is_http1 {
                    meaning(fields) == meaning(&answer.headers)
                } else {
                    *fields == answer.headers
                };
                if !is_same {
                    return Err(format!(
                        "request {number} got the headers {}",
                        differ(fields, &answer.headers)
                    ));
                }
                stream.reading = Reading::Of(index, 0);
                let is_broken = request.attempts[index].is_broken;
                around.ledger.answered(number);
                if is_end && is_broken {
                    return Err(format!("a broken answer to request {number} looks whole"));
                }
                let request = around.ledger.request(number).ok_or("a request that was never sent")?;
                let answer = &request.attempts[index].answer;
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
                } else if request.attempts[index].is_broken {
                    return Err(format!("a broken answer to request {number} looks whole"));
                } else if Some(fields) != answer.trailers.as_ref() || got != answer.body.length {
                    return Err(format!("request {number} got other trailers, or too early: {got} bytes"));
                } else {
                    Some(Outcome::Complete)
                }
            }
            // A stranger's answer was none of Evenkeel's, and was cut.
            Reading::Own if is_end => Some(Outcome::Failed("own answer")),
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
        if matches!(stream.reading, Reading::Awaiting) {
            return Err(format!("request {number} gets data before headers"));
        }
        if request.is_distrusted {
            return if is_end { self.finish(id, LIE, around) } else { Ok(()) };
        }
        let outcome = match &mut stream.reading {
            Reading::Awaiting => return Ok(()),
            Reading::Own => Outcome::Failed("own answer"),
            Reading::Of(index, got) => {
                let answer = &request.attempts[*index].answer;
                if !answer.body.matches(*got, bytes) {
                    return Err(format!("request {number} got other bytes from {got} on"));
                }
                *got += bytes.len();
                if is_end && request.attempts[*index].is_broken {
                    return Err(format!("a broken answer to request {number} looks whole"));
                }
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
