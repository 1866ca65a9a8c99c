//! Tunnels: bytes both ways without a form, as a TCP listener carries them and as a connection that changed its protocol
//! does.
//!
//! What each side sends is in the ledger from the start. Whatever comes at the other side must be its beginning, an end
//! (FIN) may come only behind all of it, and everything else is a reset.

use super::ledger::Span;
use super::network::{Arrival, End};
use super::prng::Prng;
use super::schedule::Event;
use super::surroundings::Surroundings;
use std::time::Duration;

/// How a side of tunnels behaves. Shares are of a thousand.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Tunnels that a client opens.
    pub tunnels: u32,
    /// Longest time between two of its acts, in microseconds.
    pub pace: usize,
    /// Most bytes that a side sends.
    pub most_bytes: usize,
    /// Acts that stop or take up reading again.
    pub pauses: u32,
    /// Acts that break a tunnel.
    pub breaks: u32,
}

/// First bytes of a client, which tell the endpoint whose tunnel it is.
pub(super) const FIRST_BYTES: usize = 13;

/// What begins every tunnel of a TCP listener.
pub(super) const MARK: &[u8] = b"TUN ";

/// What the two sides are to send.
pub(super) fn bytes_of_both(number: usize, most: usize, prng: &mut Prng) -> [Vec<u8>; 2] {
    let mut span = || {
        let most = prng.pick(&[0, 10, 2_000, most]);
        let length = prng.below(most + 1);
        Span::of(length, prng)
    };
    let (up, down) = (span(), span());
    let mut first = format!("TUN {number:08}\n").into_bytes();
    first.extend_from_slice(up.bytes(0, up.length));
    [first, down.bytes(0, down.length).to_vec()]
}

/// Which tunnel a client's first bytes begin.
pub(super) fn number_of(first: &[u8]) -> Option<usize> {
    std::str::from_utf8(first.get(MARK.len()..FIRST_BYTES - 1)?).ok()?.parse().ok()
}

/// One side of a tunnel.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) number: usize,
    /// 0 is the client's, 1 the endpoint's.
    side: usize,
    end: End,
    sent: usize,
    has_finished: bool,
    has_heard_end: bool,
    is_paused: bool,
    is_over: bool,
}

impl Side {
    pub(super) fn new(number: usize, side: usize, end: End) -> Self {
        Self {
            number,
            side,
            end,
            sent: 0,
            has_finished: false,
            has_heard_end: false,
            is_paused: false,
            is_over: false,
        }
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Both directions have ended, or it broke.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Sends on, ends its direction, pauses, or breaks.
    pub(super) fn act(&mut self, habits: &Habits, around: &mut Surroundings) {
        if self.is_over {
            return;
        }
        if around.prng.chance(habits.breaks) {
            around.note("a tunnel is broken", &[self.number as u64, self.side as u64]);
            around.network.reset(self.end, &mut around.schedule, &mut around.prng);
            around.ledger.tunnel_broke(self.number);
            self.is_over = true;
            return;
        }
        if around.prng.chance(if self.is_paused { 200 } else { habits.pauses }) {
            self.is_paused = !self.is_paused;
            around.network.set_paused(self.end, self.is_paused, &mut around.schedule);
        }
        self.send(around);
    }

    fn send(&mut self, around: &mut Surroundings) {
        let most = around.prng.pick(&[1, 100, 3_000, 20_000, 200_000]);
        let bytes = around.ledger.tunnel_bytes(self.number, self.side);
        let part = &bytes[self.sent..bytes.len().min(self.sent + most)];
        self.sent += around.network.write(self.end, part, &mut around.schedule, &mut around.prng);
        let is_whole = self.sent == bytes.len();
        if is_whole && !self.has_finished && around.prng.chance(300) {
            self.has_finished = true;
            around.ledger.tunnel_finished(self.number, self.side);
            around.network.finish_writing(self.end, &mut around.schedule);
            self.end_if_over(around);
        }
    }

    fn end_if_over(&mut self, around: &mut Surroundings) {
        if self.has_finished && self.has_heard_end {
            self.is_over = true;
            around.network.close(self.end, &mut around.schedule);
        }
    }

    /// Something came.
    ///
    /// # Errors
    /// Other bytes than the other side sends, or an end before its time.
    pub(super) fn arrived(&mut self, arrival: &Arrival, around: &mut Surroundings) -> Result<(), String> {
        match arrival {
            Arrival::Bytes(bytes) => around.ledger.tunnel_got(self.number, self.side, bytes)?,
            Arrival::Fin => {
                self.has_heard_end = true;
                around.ledger.tunnel_ended(self.number, self.side)?;
                self.end_if_over(around);
            }
            Arrival::Reset => {
                self.is_over = true;
                around.ledger.tunnel_broke(self.number);
            }
        }
        Ok(())
    }
}

/// A client that opens one tunnel after the other.
#[derive(Debug)]
pub(super) struct Client {
    id: u32,
    habits: Habits,
    side: Option<Side>,
    left: u32,
    is_done: bool,
}

impl Client {
    pub(super) fn new(id: u32, habits: Habits) -> Self {
        Self { id, habits, side: None, left: habits.tunnels, is_done: false }
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(super) fn end(&self) -> Option<End> {
        self.side.as_ref().map(|side| side.end)
    }

    /// Does what it does next; true if it wants to connect.
    pub(super) fn act(&mut self, around: &mut Surroundings) -> bool {
        if self.is_done {
            return false;
        }
        let pause = Duration::from_micros(around.prng.between(200, self.habits.pace.max(200)) as u64);
        around.schedule.after(pause, Event::Client(self.id));
        if let Some(side) = &mut self.side {
            side.act(&self.habits, around);
        }
        self.side.take_if(|side| side.is_over());
        self.is_done = self.side.is_none() && self.left == 0;
        self.side.is_none() && !self.is_done
    }

    pub(super) fn connect(&mut self, around: &mut Surroundings) -> End {
        let end = around.network.open(&mut around.schedule, &mut around.prng);
        let number = around.ledger.next_tunnel();
        around.ledger.open_tunnel(bytes_of_both(number, self.habits.most_bytes, &mut around.prng));
        self.side = Some(Side::new(number, 0, end));
        self.left -= 1;
        end
    }

    pub(super) fn give_up(&mut self) {
        self.left = 0;
    }

    pub(super) fn arrived(&mut self, arrival: &Arrival, around: &mut Surroundings) -> Result<(), String> {
        let Some(side) = &mut self.side else { return Ok(()) };
        side.arrived(arrival, around)
    }
}
