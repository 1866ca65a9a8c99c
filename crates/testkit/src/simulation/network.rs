//! Links between two ends: ordered bytes with delay, in random cuts, with short writes, ends and resets.
//!
//! Knows nothing of what the bytes mean. A link is opened by one side (0) and taken by the other (1). Whoever drives the
//! simulation hands `Deliver` and `Room` events of the schedule back in here.

use super::prng::Prng;
use super::schedule::{Event, Schedule};
use evenkeel_core::time::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// One side of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Number of the link, never used again.
    pub link: u32,
    /// 0 opened it, 1 took it.
    pub side: u8,
}

impl End {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        Self { link: self.link, side: self.side ^ 1 }
    }
}

/// What comes out of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The other side writes no more.
    Fin,
    /// The other side is gone.
    Reset,
}

/// How good the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Shortest and longest one-way delay of a link, in microseconds.
    pub delay: (usize, usize),
    /// Smallest and largest number of bytes that a direction holds.
    pub capacity: (usize, usize),
    /// Of a thousand deliveries, how many are cut in two.
    pub cuts: u32,
    /// Of a thousand writes, how many take only a part, possibly nothing.
    pub short_writes: u32,
}

/// How a link breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The reader sees the end, and the writer nothing before the reader ends the link too.
    End,
    /// Both sides see a reset.
    Reset,
}

/// A link that breaks at a point: so many bytes come through from one side, and then the break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Whose writing is cut.
    pub end: End,
    /// Bytes that come through.
    pub at: usize,
    /// How.
    pub how: Break,
}

#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<(Moment, Arrival)>,
    /// Bytes that ever went in.
    written: usize,
    held: usize,
    capacity: usize,
    last_arrival: Moment,
    /// The writer was told that not all was taken.
    is_wanted: bool,
    /// The writer has ended it, or either side is gone: nothing more goes in.
    is_shut: bool,
    /// The reader wants nothing for now.
    is_paused: bool,
    /// The reader is gone: what comes is dropped.
    is_unread: bool,
}

#[derive(Debug)]
struct Link {
    delay: Duration,
    /// By the side that writes.
    pipes: [Pipe; 2],
}

/// All links.
#[derive(Debug)]
pub struct Network {
    weather: Weather,
    links: Vec<Link>,
    cut: Option<Cut>,
}

impl Network {
    /// A network without links.
    #[must_use]
    pub fn new(weather: Weather) -> Self {
        Self { weather, links: Vec::new(), cut: None }
    }

    /// One of its links breaks, if there is a cut.
    #[must_use]
    pub fn with_cut(self, cut: Option<Cut>) -> Self {
        Self { cut, ..self }
    }

    /// Opens a link; after one delay `Event::Opened` says that the other side has to take or refuse it. What is written
    /// before arrives later.
    pub fn open(&mut self, schedule: &mut Schedule, prng: &mut Prng) -> End {
        let delay = Duration::from_micros(prng.between(self.weather.delay.0, self.weather.delay.1) as u64);
        let opened = schedule.now() + delay;
        let mut pipe = || Pipe {
            capacity: prng.between(self.weather.capacity.0, self.weather.capacity.1).max(1),
            last_arrival: opened,
            ..Pipe::default()
        };
        let link = self.links.len() as u32;
        let pipes = [pipe(), pipe()];
        self.links.push(Link { delay, pipes });
        schedule.at(opened, Event::Opened(link));
        End { link, side: 0 }
    }

    /// Takes a part of `bytes`, possibly all or nothing; if not all, an `Event::Room` follows. A link whose other side
    /// is gone takes everything and delivers nothing, as a socket does until it hears the reset.
    pub fn write(&mut self, end: End, bytes: &[u8], schedule: &mut Schedule, prng: &mut Prng) -> usize {
        if let Some(cut) = self.cut.filter(|cut| cut.end == end) {
            let left = cut.at - self.links[end.link as usize].pipes[usize::from(end.side)].written;
            if bytes.len() >= left {
                self.cut = None;
                self.write(end, &bytes[..left], schedule, prng);
                self.break_link(end, cut.how, schedule);
                return bytes.len();
            }
        }
        let short_writes = self.weather.short_writes;
        let link = &mut self.links[end.link as usize];
        let pipe = &mut link.pipes[usize::from(end.side)];
        if pipe.is_shut || pipe.is_unread {
            return bytes.len();
        }
        let mut n = bytes.len().min(pipe.capacity - pipe.held);
        let is_full = n < bytes.len();
        if n > 0 && prng.chance(short_writes) {
            n = prng.below(n + 1);
        }
        if n > 0 {
            pipe.held += n;
            pipe.written += n;
            let arrival = pipe.last_arrival.max(schedule.now() + link.delay);
            pipe.last_arrival = arrival;
            pipe.pieces.push_back((arrival, Arrival::Bytes(bytes[..n].to_vec())));
            schedule.at(arrival, Event::Deliver(end.link, end.side ^ 1));
        }
        if n < bytes.len() {
            pipe.is_wanted = true;
            if !is_full || pipe.held == 0 {
                schedule.after(link.delay, Event::Room(end.link, end.side));
            }
        }
        n
    }

    /// What has come to an end, if anything has: the answer to `Event::Deliver`.
    pub fn deliver(&mut self, end: End, schedule: &mut Schedule, prng: &mut Prng) -> Option<Arrival> {
        let cuts = self.weather.cuts;
        let link = &mut self.links[end.link as usize];
        let pipe = &mut link.pipes[usize::from(end.side ^ 1)];
        // A reset is heard by whoever does not read, and drops what was not read.
        if pipe.is_paused
            && pipe.pieces.back().is_some_and(|(at, a)| *a == Arrival::Reset && *at <= schedule.now())
        {
            pipe.pieces.clear();
            return Some(Arrival::Reset);
        }
        if pipe.is_paused || pipe.pieces.front().is_none_or(|(at, _)| *at > schedule.now()) {
            return None;
        }
        let (_, mut arrival) = pipe.pieces.pop_front()?;
        if let Arrival::Bytes(bytes) = &mut arrival {
            if bytes.len() > 1 && prng.chance(cuts) {
                let rest = bytes.split_off(prng.between(1, bytes.len() - 1));
                let later = schedule.now() + Duration::from_micros(prng.below(300) as u64);
                pipe.pieces.push_front((later, Arrival::Bytes(rest)));
                schedule.at(later, Event::Deliver(end.link, end.side));
            }
            pipe.held -= bytes.len();
            if std::mem::take(&mut pipe.is_wanted) {
                schedule.after(link.delay, Event::Room(end.link, end.side ^ 1));
            }
        }
        // After a pause, or behind a cut, the next piece's own event has passed.
        if let Some((next, _)) = pipe.pieces.front()
            && *next <= schedule.now()
        {
            schedule.at(*next, Event::Deliver(end.link, end.side));
        }
        (!pipe.is_unread).then_some(arrival)
    }

    /// Stops or goes on reading at an end; while it stands still, the link fills up.
    pub fn set_paused(&mut self, end: End, is_paused: bool, schedule: &mut Schedule) {
        let pipe = &mut self.links[end.link as usize].pipes[usize::from(end.side ^ 1)];
        if pipe.is_paused && !is_paused {
            schedule.after(Duration::ZERO, Event::Deliver(end.link, end.side));
        }
        pipe.is_paused = is_paused;
    }

    /// Ends the writing side: what was written arrives, then the end does.
    pub fn finish_writing(&mut self, end: End, schedule: &mut Schedule) {
        self.push_end(end, Arrival::Fin, schedule);
    }

    /// Ends both sides: what was written arrives, what comes is dropped.
    pub fn close(&mut self, end: End, schedule: &mut Schedule) {
        self.push_end(end, Arrival::Fin, schedule);
        self.stop_reading(end, schedule);
    }

    /// Breaks the link: a random part of what is under way arrives, then the reset does.
    pub fn reset(&mut self, end: End, schedule: &mut Schedule, prng: &mut Prng) {
        let pipe = &mut self.links[end.link as usize].pipes[usize::from(end.side)];
        if !pipe.is_shut {
            let kept = prng.between(0, pipe.pieces.len());
            pipe.pieces.truncate(kept);
        }
        // One that has ended its side may still break.
        pipe.pieces.retain(|(_, arrival)| *arrival != Arrival::Fin);
        pipe.is_shut = false;
        self.push_end(end, Arrival::Reset, schedule);
        self.stop_reading(end, schedule);
    }

    fn break_link(&mut self, end: End, how: Break, schedule: &mut Schedule) {
        match how {
            Break::End => self.push_end(end, Arrival::Fin, schedule),
            Break::Reset => {
                self.push_end(end, Arrival::Reset, schedule);
                self.push_end(end.other(), Arrival::Reset, schedule);
            }
        }
    }

    /// Bytes that ever went in at an end.
    #[must_use]
    pub fn written(&self, end: End) -> usize {
        self.links.get(end.link as usize).map_or(0, |link| link.pipes[usize::from(end.side)].written)
    }

    fn push_end(&mut self, end: End, arrival: Arrival, schedule: &mut Schedule) {
        let link = &mut self.links[end.link as usize];
        let pipe = &mut link.pipes[usize::from(end.side)];
        if std::mem::replace(&mut pipe.is_shut, true) {
            return;
        }
        let at = pipe.last_arrival.max(schedule.now() + link.delay);
        pipe.last_arrival = at;
        pipe.pieces.push_back((at, arrival));
        schedule.at(at, Event::Deliver(end.link, end.side ^ 1));
    }

    fn stop_reading(&mut self, end: End, schedule: &mut Schedule) {
        let pipe = &mut self.links[end.link as usize].pipes[usize::from(end.side ^ 1)];
        (pipe.is_unread, pipe.is_paused) = (true, false);
        pipe.pieces.clear();
        pipe.held = 0;
        if std::mem::take(&mut pipe.is_wanted) {
            schedule.after(Duration::ZERO, Event::Room(end.link, end.side ^ 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: Weather = Weather { delay: (10, 900), capacity: (5, 40), cuts: 500, short_writes: 500 };

    #[test]
    fn everything_arrives_once_in_order_before_the_end_however_it_is_cut() {
        for seed in 0..50 {
            let (mut prng, mut schedule) = (Prng::new(seed), Schedule::default());
            let mut network = Network::new(ROUGH);
            let from = network.open(&mut schedule, &mut prng);
            let sent: Vec<u8> = (0..255).collect();
            let (mut left, mut got, mut has_ended) = (&sent[..], Vec::new(), false);
            left = &left[network.write(from, left, &mut schedule, &mut prng)..];
            while let Some(event) = schedule.advance() {
                match event {
                    Event::Room(..) if !left.is_empty() => {
                        left = &left[network.write(from, left, &mut schedule, &mut prng)..];
                        if left.is_empty() {
                            network.finish_writing(from, &mut schedule);
                        }
                    }
                    Event::Deliver(link, side) => {
                        match network.deliver(End { link, side }, &mut schedule, &mut prng) {
                            Some(Arrival::Bytes(bytes)) => got.extend_from_slice(&bytes),
                            Some(Arrival::Fin) => has_ended = true,
                            Some(Arrival::Reset) => panic!("nobody reset it"),
                            None => {}
                        }
                    }
                    _ => {}
                }
            }
            assert_eq!(got, sent, "seed {seed}");
            assert!(has_ended, "seed {seed}");
        }
    }

    #[test]
    fn a_paused_reader_fills_the_link_and_a_resumed_one_gets_the_rest() {
        let (mut prng, mut schedule) = (Prng::new(1), Schedule::default());
        let mut network = Network::new(Weather { cuts: 0, short_writes: 0, ..ROUGH });
        let from = network.open(&mut schedule, &mut prng);
        network.set_paused(from.other(), true, &mut schedule);
        let taken = network.write(from, &[7; 100], &mut schedule, &mut prng);
        assert!((5..=40).contains(&taken));
        while let Some(event) = schedule.advance() {
            if let Event::Deliver(link, side) = event {
                assert_eq!(network.deliver(End { link, side }, &mut schedule, &mut prng), None);
            }
        }
        network.set_paused(from.other(), false, &mut schedule);
        let mut got = 0;
        while let Some(event) = schedule.advance() {
            if let Event::Deliver(link, side) = event
                && let Some(Arrival::Bytes(bytes)) =
                    network.deliver(End { link, side }, &mut schedule, &mut prng)
            {
                got += bytes.len();
            }
        }
        assert_eq!(got, taken);
    }
}
