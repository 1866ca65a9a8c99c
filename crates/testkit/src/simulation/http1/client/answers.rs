//! What comes to a client of HTTP/1: every answer in its turn, every byte against the ledger.

use super::{Client, Reading};
use crate::simulation::http1::meaning;
use crate::simulation::http1::reader::{Ends, Happening, Head, Kind};
use crate::simulation::http2::message;
use crate::simulation::ledger::{Fields, Outcome};
use crate::simulation::network::Arrival;
use crate::simulation::surroundings::Surroundings;
use crate::simulation::tunnel;

impl Client {
    /// Something came.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub(in crate::simulation) fn arrived(
        &mut self,
        arrival: &Arrival,
        around: &mut Surroundings,
    ) -> Result<(), String> {
        let Some(end) = self.end else { return Ok(()) };
        if let Some(side) = &mut self.tunnel {
            side.arrived(arrival, around)?;
            self.leave_tunnel();
            return Ok(());
        }
        self.heard_at = around.schedule.now();
        match arrival {
            Arrival::Bytes(bytes) => {
                self.reader.feed(bytes);
                self.read(around)?;
            }
            Arrival::Fin => {
                if self.reader.close() {
                    self.whole(&Fields::new(), around)?;
                }
                around.network.close(end, &mut around.schedule);
                self.lost(true, around)?;
            }
            Arrival::Reset => self.lost(false, around)?,
        }
        Ok(())
    }

    fn read(&mut self, around: &mut Surroundings) -> Result<(), String> {
        while self.tunnel.is_none() && self.end.is_some() {
            let Some(front) = self.asked.front() else {
                // What a lie is answered with is nobody's answer.
                let is_well = self.reader.is_empty() || self.has_lied;
                return if is_well { Ok(()) } else { Err("bytes that answer no request".to_owned()) };
            };
            let kind = Kind::Answer { to_head: front.is_head };
            let Some(happening) = self.reader.next(kind)? else { return Ok(()) };
            match happening {
                Happening::Head(head) => self.head(&head, around)?,
                Happening::Body(bytes) => self.body(&bytes, around)?,
                Happening::End(trailers) => self.whole(&trailers, around)?,
            }
        }
        Ok(())
    }

    fn head(&mut self, head: &Head, around: &mut Surroundings) -> Result<(), String> {
        let Some(front) = self.asked.front_mut() else { return Ok(()) };
        let number = front.number;
        let status = message::find(&head.fields, ":status").unwrap_or_default();
        let is_change = status == b"101";
        if status.starts_with(b"1") && !is_change {
            return Ok(());
        }
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        front.ends = head.ends;
        self.is_sent_away |= !head.keeps_alive;
        self.is_last |= !head.keeps_alive;
        let index = message::number(&head.fields, "x-attempt").filter(|_| !request.is_distrusted);
        let Some(index) = index else {
            if is_change && !(request.is_distrusted && front.tunnel.is_some()) {
                return Err(format!("request {number} changes the protocol, and no endpoint said so"));
            }
            if is_change && let Some(end) = self.end {
                // A liar's word: no more comes of it.
                around.network.reset(end, &mut around.schedule, &mut around.prng);
                return self.lost(false, around);
            }
            front.reading = Reading::Own;
            if request.is_distrusted {
                around.ledger.answered(number);
            }
            return Ok(());
        };
        let attempt = request.attempts.get(index).ok_or("an attempt that was never made")?;
        if meaning(&head.fields) != meaning(&attempt.answer.headers) {
            let (got, sent) = (&head.fields, &attempt.answer.headers);
            return Err(format!("request {number} got the headers {got:?} instead of {sent:?}"));
        }
        front.reading = Reading::Of(index, 0);
        around.ledger.answered(number);
        if is_change {
            self.change(number, around)?;
        }
        Ok(())
    }

    /// From here on the connection is a tunnel.
    fn change(&mut self, number: usize, around: &mut Surroundings) -> Result<(), String> {
        let (Some(asked), Some(end)) = (self.asked.pop_front(), self.end) else { return Ok(()) };
        let tunnel = asked.tunnel.ok_or(format!("request {number} did not ask for another protocol"))?;
        around.ledger.end(number, Outcome::Complete)?;
        let mut side = tunnel::Side::new(tunnel, 0, end);
        side.arrived(&Arrival::Bytes(self.reader.take_rest()), around)?;
        self.tunnel = Some(side);
        Ok(())
    }

    fn body(&mut self, bytes: &[u8], around: &mut Surroundings) -> Result<(), String> {
        let Some(front) = self.asked.front_mut() else { return Ok(()) };
        let number = front.number;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        if let Reading::Of(index, got) = &mut front.reading
            && !request.is_distrusted
        {
            if !request.attempts[*index].answer.body.matches(*got, bytes) {
                return Err(format!("request {number} got other bytes from {got} on"));
            }
            *got += bytes.len();
        }
        Ok(())
    }

    /// An answer has come to its end.
    fn whole(&mut self, trailers: &Fields, around: &mut Surroundings) -> Result<(), String> {
        let Some(asked) = self.asked.pop_front() else { return Ok(()) };
        let number = asked.number;
        let request = around.ledger.request(number).ok_or("a request that was never sent")?;
        let outcome = match asked.reading {
            _ if request.is_distrusted => Outcome::Failed("distrusted answer"),
            Reading::Awaiting => return Err(format!("the answer to {number} has no head")),
            Reading::Own => Outcome::Failed("own answer"),
            Reading::Of(index, got) => {
                let attempt = &request.attempts[index];
                let answer = &attempt.answer;
                let is_ours = message::find(trailers, "x-end").is_none() && !trailers.is_empty();
                if !is_ours {
                    // Behind a length trailers have no place (RFC 9110 §6.5.2).
                    let has_all = asked.ends != Ends::Chunked || answer.trailers.is_none();
                    let has_those = answer.trailers.as_ref() == Some(trailers);
                    let is_whole =
                        got == answer.body.length && (has_those || (has_all && trailers.is_empty()));
                    if attempt.is_broken || !is_whole {
                        let whole = answer.body.length;
                        return Err(format!(
                            "the answer to {number} looks whole at {got} of {whole} bytes, with {trailers:?}"
                        ));
                    }
                }
                if is_ours { Outcome::Failed("own trailers") } else { Outcome::Complete }
            }
        };
        around.note("client has its end", &[u64::from(self.id), number as u64]);
        if let Some(tunnel) = asked.tunnel {
            // It was asked for and not agreed on.
            around.ledger.tunnel_broke(tunnel);
        }
        around.ledger.end(number, outcome)
    }
}
