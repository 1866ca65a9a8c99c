//! What clients get wrong: streams used again, windows overrun, bodies behind their end, bad requests, half-closed sockets.
//!
//! What is wrong about a request must not reach an endpoint, and nothing of it may touch another client's requests.

use super::super::frames::names;
use super::super::lies::{Streams, put_broken, put_flood};
use super::{Client, Past};
use crate::simulation::ledger::{Fields, Outcome};
use crate::simulation::network::End;
use crate::simulation::surroundings::Surroundings;
use std::time::Duration;

/// Request headers that break RFC 9113 §8.2 and §8.3, or that nobody serves, behind a method.
const BAD_REQUESTS: &[&[(&str, &str)]] = &[
    &[(":scheme", "http"), (":path", "/"), ("Upper", "1")],
    &[(":scheme", "http"), (":path", "/"), ("connection", "close")],
    &[(":scheme", "http"), (":path", "/"), ("te", "gzip")],
    &[(":scheme", "http"), (":path", "/"), ("transfer-encoding", "chunked")],
    &[(":scheme", "http"), (":path", "/"), (":path", "/")],
    &[(":scheme", "http"), (":path", "")],
    &[(":scheme", "http")],
    &[(":path", "/")],
    &[(":scheme", "http"), ("a", "b"), (":path", "/")],
    &[(":scheme", "http"), (":path", "/"), (":status", "200")],
    &[(":scheme", "http"), (":path", "/"), ("a", "b\r\nc: d")],
    &[(":scheme", "http"), (":path", "/"), ("a", " b")],
    &[(":scheme", "http"), (":path", "/"), ("content-length", "1"), ("content-length", "2")],
    &[(":scheme", "http"), (":path", "/"), ("content-length", "-1")],
    &[(":scheme", "http"), (":path", "/"), ("content-length", "18446744073709551616")],
    &[(":scheme", "http"), (":path", "/"), (":authority", "a"), ("host", "b")],
    &[(":authority", "a:443")],
];

impl Client {
    /// Something that RFC 9113 or RFC 7541 forbids, or that nobody should do.
    pub(super) fn lie(&mut self, end: End, around: &mut Surroundings) -> Result<(), String> {
        self.has_lied = true;
        around.ledger.lies += 1;
        let nth = around.prng.below(self.streams.len().max(1));
        let open = self.streams.keys().copied().nth(nth);
        let nth = around.prng.below(self.past.len().max(1));
        let idle = self.next_stream + 2;
        let past = self.past.keys().copied().nth(nth).unwrap_or(idle);
        let at = Streams { open: open.unwrap_or(idle), past, idle };
        let kind = around.prng.below(30);
        around.note("client lies", &[u64::from(self.id), kind as u64]);
        match kind {
            0..=9 => put_broken(&mut self.session, at, &mut around.prng),
            10 => put_flood(&mut self.session, at, &mut around.prng),
            11..=14 => self.ask_wrongly(around),
            15 => around.network.finish_writing(end, &mut around.schedule),
            16 => self.stall(end, around),
            // A header block that is never finished.
            17 => self.session.put_raw(names::HEADERS, 0, self.next_stream, &[0x82]),
            18 if past != idle => self.session.put_headers(past, &request_again(), true, &mut around.prng),
            18 | 19 => self.session.put_headers(2, &request_again(), true, &mut around.prng),
            20 => self.session.put_raw_data(past, 0, b"behind the end"),
            21 => self.begin_and_cancel(around)?,
            _ => {
                if let Some(id) = open {
                    self.lie_about(id, kind, around);
                }
            }
        }
        Ok(())
    }

    /// A request that no endpoint may see.
    fn ask_wrongly(&mut self, around: &mut Surroundings) {
        let prng = &mut around.prng;
        let method = prng.pick(&["GET", "POST", "CONNECT"]);
        let mut fields: Fields = vec![(b":method".to_vec(), method.as_bytes().to_vec())];
        let bad = prng.pick(BAD_REQUESTS);
        fields.extend(bad.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())));
        let id = self.next_stream;
        self.next_stream += 2;
        self.session.put_headers(id, &fields, prng.chance(800), prng);
        self.past.insert(id, Past::Cancelled);
    }

    /// It neither reads nor writes for a while.
    fn stall(&mut self, end: End, around: &mut Surroundings) {
        let time = Duration::from_millis(around.prng.between(1_000, 15_000) as u64);
        self.stalls_until = around.schedule.now() + time;
        self.is_paused = true;
        around.network.set_paused(end, true, &mut around.schedule);
    }

    /// Requests that are cancelled as soon as they are sent.
    fn begin_and_cancel(&mut self, around: &mut Surroundings) -> Result<(), String> {
        for _ in 0..self.left.min(10) {
            let id = self.begin(around);
            if let Some(stream) = self.streams.remove(&id) {
                self.session.put_reset(id, 8);
                self.past.insert(id, Past::Cancelled);
                around.ledger.end(stream.number, Outcome::Cancelled)?;
            }
        }
        Ok(())
    }

    /// Something wrong on a stream that is open.
    fn lie_about(&mut self, id: u32, kind: usize, around: &mut Surroundings) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (prng, session) = (&mut around.prng, &mut self.session);
        let trailers = |name: &str| vec![(name.as_bytes().to_vec(), b"1".to_vec())];
        match kind {
            22 => {
                stream.receive_window += 0x7fff_ffff;
                session.put_raw(names::WINDOW_UPDATE, 0, id, &[0x7f, 0xff, 0xff, 0xff]);
            }
            // The right bytes, and more than may be sent.
            23 | 24 if !stream.has_ended => {
                while stream.sent < stream.body.length {
                    let bytes = stream.body.bytes(stream.sent, 16_384);
                    session.put_raw_data(id, 0, bytes);
                    stream.sent += bytes.len();
                    stream.send_window -= bytes.len() as i64;
                }
            }
            25 if stream.has_ended => session.put_raw_data(id, 0, b"behind the end"),
            26 if stream.has_ended => session.put_headers(id, &trailers("late"), true, prng),
            27 if !stream.has_ended => session.put_headers(id, &trailers("endless"), false, prng),
            28 if !stream.has_ended => session.put_headers(id, &trailers(":path"), true, prng),
            _ => session.put_raw(names::WINDOW_UPDATE, 0, id, &[0; 4]),
        }
    }
}

/// A request that would be right on a stream of its own.
fn request_again() -> Fields {
    let pairs = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "h")];
    pairs.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect()
}
