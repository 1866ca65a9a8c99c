//! What endpoints get wrong: answers out of order, twice or to nobody, windows overrun, promises that are not kept.
//!
//! A request about which an endpoint lies is marked in the ledger. All others on the same connection are not: what comes
//! of them must be right, or fail.

use super::super::frames::names;
use super::super::lies::{Streams, put_broken, put_flood};
use super::super::session::OwnSettings;
use super::conn::{Conn, Past, REFUSED_STREAM};
use crate::simulation::ledger::Fields;
use crate::simulation::schedule::Event;
use crate::simulation::surroundings::Surroundings;
use std::time::Duration;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect()
}

impl Conn {
    /// Something that RFC 9113 or RFC 7541 forbids, or that nobody should do; `index` is the endpoint's.
    pub(super) fn lie(&mut self, index: u32, around: &mut Surroundings) -> Result<(), String> {
        self.has_lied = true;
        around.ledger.lies += 1;
        let nth = around.prng.below(self.streams.len().max(1));
        let open = self.streams.keys().copied().nth(nth);
        let nth = around.prng.below(self.past.len().max(1));
        let idle = self.highest + 2;
        let past = self.past.keys().copied().nth(nth).unwrap_or(idle);
        let at = Streams { open: open.unwrap_or(idle), past, idle };
        let kind = around.prng.below(40);
        around.note("endpoint lies", &[u64::from(index), u64::from(self.end.link), kind as u64]);
        match kind {
            0..=13 => put_broken(&mut self.session, at, &mut around.prng),
            14 => put_flood(&mut self.session, at, &mut around.prng),
            15..=17 => self.fool_with_goaway(kind, around)?,
            18 => around.network.finish_writing(self.end, &mut around.schedule),
            19 => self.stall(index, around),
            20..=22 if past != idle => self.frames_of_the_past(kind, past, around),
            23 => {
                let settings = OwnSettings { window: 0, streams: 0, table: 0, ..self.session.announced() };
                self.session.put_settings(settings);
            }
            _ => {
                if let Some(id) = open {
                    self.lie_about(id, kind, around);
                }
            }
        }
        Ok(())
    }

    /// The last stream grows, or those that were worked on are said not to be.
    fn fool_with_goaway(&mut self, kind: usize, around: &mut Surroundings) -> Result<(), String> {
        if kind == 15 {
            let taken = self.streams.values().filter(|s| s.is_taken());
            taken.for_each(|s| around.ledger.distrust(s.number));
            self.session.put_goaway(0, 0);
        }
        if self.goaway.is_none() {
            self.go_away(self.decided, around)?;
        }
        if kind == 16 {
            self.session.put_goaway(self.highest + 100, 0);
        }
        Ok(())
    }

    /// It neither reads nor writes for a while.
    fn stall(&mut self, index: u32, around: &mut Surroundings) {
        let time = Duration::from_millis(around.prng.between(1_000, 15_000) as u64);
        self.stalls_until = around.schedule.now() + time;
        (self.is_paused, self.is_acting) = (true, true);
        around.network.set_paused(self.end, true, &mut around.schedule);
        around.schedule.after(time, Event::Endpoint(index, self.end.link));
    }

    /// Frames for a stream that has ended.
    fn frames_of_the_past(&mut self, kind: usize, past: u32, around: &mut Surroundings) {
        let session = &mut self.session;
        match kind {
            20 => session.put_raw_data(past, names::END_STREAM, b"once more"),
            21 => session.put_headers(past, &fields(&[(":status", "200")]), true, &mut around.prng),
            _ => {
                session.put_reset(past, REFUSED_STREAM);
                session.put_raw(names::WINDOW_UPDATE, 0, past, &[0x7f, 0xff, 0xff, 0xff]);
            }
        }
    }

    /// Something wrong on a stream that is open.
    fn lie_about(&mut self, id: u32, kind: usize, around: &mut Surroundings) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let number = stream.number;
        let (prng, session) = (&mut around.prng, &mut self.session);
        let mut is_taint = false;
        match kind {
            24 => {
                stream.receive_window += 0x7fff_ffff;
                session.put_raw(names::WINDOW_UPDATE, 0, id, &[0x7f, 0xff, 0xff, 0xff]);
            }
            // Whether it is too much, too early, or as much as may be, nobody here has counted.
            25 | 26 => {
                is_taint = true;
                (0..8).for_each(|_| session.put_raw_data(id, 0, &[0; 16_384]));
                stream.send_window -= 8 * 16_384;
            }
            27 => session.put_headers(id, &fields(&[("no-status", "1")]), false, prng),
            28 => session.put_headers(id, &fields(&[(":status", "200"), ("Upper", "1")]), false, prng),
            29 => session.put_headers(id, &fields(&[(":status", "101")]), false, prng),
            30 => session.put_headers(id, &fields(&[(":status", "103")]), true, prng),
            31 | 32 => {
                is_taint = true;
                for _ in 0..2 {
                    session.put_headers(id, &fields(&[(":status", "200")]), false, prng);
                }
            }
            33 if !stream.has_begun() => session.put_raw_data(id, 0, b"before any headers"),
            34 => (0..30).for_each(|_| {
                session.put_headers(id, &fields(&[(":status", "103"), ("link", "</a>")]), false, prng);
            }),
            35 => {
                let huge =
                    vec![(b":status".to_vec(), b"200".to_vec()), (b"x-h".to_vec(), vec![b'h'; 200_000])];
                session.put_headers(id, &huge, false, prng);
            }
            36 if stream.is_taken() => {
                is_taint = true;
                session.put_reset(id, REFUSED_STREAM);
                self.streams.remove(&id);
                self.past.insert(id, Past::Dropped);
            }
            37 => session.put_headers(id, &fields(&[(":status", "200"), (":path", "/")]), true, prng),
            38 if stream.has_begun() => {
                is_taint = true;
                session.put_headers(id, &fields(&[("grpc-status", "0")]), false, prng);
            }
            _ => session.put_headers(id, &fields(&[(":status", "0x1"), ("te", "gzip")]), false, prng),
        }
        if is_taint {
            around.ledger.distrust(number);
        }
    }
}
