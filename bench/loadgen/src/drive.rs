//! The lean HTTP/2 load: unary exchanges in a closed loop, or at a fixed rate; `park` has connections that are idle before and
//! after a few. An exchange is well if it is answered by 200, by as many octets of body as it sent, and by an end; any other
//! counts as an error. Called by `main`.
mod park;

use crate::frame::{DATA, END_STREAM, HEADERS, PADDED, RST_STREAM, next_frame, put_headers};
use crate::link::Link;
use crate::pipe::{Pipe, Secret};
use crate::poll::Poll;
use crate::tally::{Tally, cpu_s};
use crate::words::Words;
use crate::{Args, mono_ns};
pub use park::park;
use std::io;
use std::time::Duration;

struct Caller {
    link: Link,
    words: Words,
    next: u32,
    has_begun: bool,
    /// It was told to go away: it ends what it began, and begins no more.
    is_told: bool,
    is_lost: bool,
}

impl Caller {
    fn open(addr: &str, secret: Option<&Secret>, shape: &str, seed: u64) -> io::Result<Self> {
        let link = Link::new(Pipe::connect(addr, secret)?, None)?;
        Ok(Self {
            link,
            words: Words::new(shape, seed),
            next: 1,
            has_begun: false,
            is_told: false,
            is_lost: false,
        })
    }

    /// Exchanges that may begin now.
    fn room(&self, most: usize) -> usize {
        if !self.link.has_settings || self.is_lost || self.link.is_going_away {
            return 0;
        }
        most.min(self.link.max_streams).saturating_sub(self.link.streams.len())
    }

    fn call(&mut self, at: u64, body: u32, block: &mut Vec<u8>) {
        if !self.has_begun {
            self.has_begun = true;
            self.words.limit(self.link.table);
        }
        let id = self.next;
        self.next += 2;
        block.clear();
        self.words.block(block);
        put_headers(&mut self.link.out, id, if body == 0 { END_STREAM } else { 0 }, block);
        self.link.open(id, at);
        if body > 0 {
            self.link.send(id, body);
        }
    }

    /// Takes what came.
    fn receive(&mut self, buf: &mut [u8], body: u32, tally: &mut Tally) -> io::Result<()> {
        let Some(end) = self.link.read(buf)? else { return Ok(()) };
        let (buf, mut at) = (&buf[..end], 0);
        let mut now = 0;
        while let Some(f) = next_frame(buf, at) {
            at = f.to;
            let payload = &buf[f.from..f.to];
            match f.kind {
                HEADERS => {
                    if let Some(s) = self.link.streams.get_mut(&f.id).filter(|s| !s.answered) {
                        s.answered = true;
                        let from = usize::from(f.flags & PADDED != 0);
                        // Behind size updates (001xxxxx, of up to three octets) the first field.
                        let mut rest = &payload[from.min(payload.len())..];
                        while let [b, tail @ ..] = rest
                            && b & 0xe0 == 0x20
                        {
                            rest = tail;
                            while b & 0x1f == 0x1f
                                && let [more, tail @ ..] = rest
                            {
                                rest = tail;
                                if more & 0x80 == 0 {
                                    break;
                                }
                            }
                        }
                        s.good = rest.first() == Some(&0x88);
                    }
                }
                DATA => {
                    let n = self.link.took(&f, payload);
                    if let Some(s) = self.link.streams.get_mut(&f.id) {
                        s.got += n;
                    }
                }
                RST_STREAM => {
                    if self.link.streams.remove(&f.id).is_some() {
                        tally.error(1, || format!("reset, code {payload:?}"));
                    }
                }
                _ => self.link.control(&f, payload),
            }
            if f.kind <= HEADERS
                && f.flags & END_STREAM != 0
                && let Some(s) = self.link.streams.remove(&f.id)
            {
                if now == 0 {
                    now = mono_ns();
                }
                if s.good && s.got == body && s.left == 0 {
                    tally.delays.add(now.saturating_sub(s.at));
                    tally.bytes += u64::from(body + s.got);
                } else {
                    tally.error(1, || {
                        format!("200: {}, {} of {body} octets, {} not sent", s.good, s.got, s.left)
                    });
                }
            }
        }
        self.link.keep(&buf[at..]);
        if self.link.is_going_away && !self.is_told {
            self.is_told = true;
            tally.error(1, || "a connection was told to go away".into());
        }
        Ok(())
    }
}

/// The connections, and what drives them.
struct Load {
    callers: Vec<Caller>,
    poll: Poll,
    ready: Vec<usize>,
    buf: Vec<u8>,
    block: Vec<u8>,
    body: u32,
    tally: Tally,
}

impl Load {
    fn open(args: &Args) -> Self {
        let (addrs, shape) = (args.str("addr", ""), args.str("headers", "plain"));
        let mut addrs = addrs.split(',').cycle();
        let mut load = Self {
            callers: Vec::new(),
            poll: Poll::new(),
            ready: Vec::new(),
            buf: vec![0; 512 * 1024],
            block: Vec::new(),
            body: 5 + args.num("body", 32) as u32,
            tally: Tally::new(),
        };
        let secret = Secret::of(args, "h2");
        let seed = mono_ns();
        for n in 0..args.num("conns", 1) {
            let addr = addrs.next().unwrap_or_default();
            match Caller::open(addr, secret.as_ref(), &shape, seed.wrapping_add(n)) {
                Ok(c) => {
                    load.poll.add(c.link.pipe.fd(), load.callers.len());
                    load.callers.push(c);
                }
                Err(e) => load.tally.error(1, || format!("connect: {e}")),
            }
        }
        for at in 0..load.callers.len() {
            if secret.is_some() {
                load.take(at); // what came along with the handshake's end
            }
            load.flush(at);
        }
        load
    }

    fn flush(&mut self, at: usize) {
        let c = &mut self.callers[at];
        if !c.is_lost
            && c.link.has_output()
            && let Err(e) = c.link.flush(&self.poll, at)
        {
            self.lose(at, &e);
        }
    }

    fn lose(&mut self, at: usize, why: &io::Error) {
        let c = &mut self.callers[at];
        c.is_lost = true;
        let n = 1 + c.link.streams.len() as u64;
        c.link.streams.clear();
        c.link.pipe.close();
        self.poll.remove(c.link.pipe.fd());
        self.tally.error(n, || format!("a connection was lost: {why}"));
    }

    /// Takes what came on one connection; whether it is still there.
    fn take(&mut self, at: usize) -> bool {
        let c = &mut self.callers[at];
        if c.is_lost {
            return false;
        }
        match c.receive(&mut self.buf, self.body, &mut self.tally) {
            Ok(()) => return true,
            Err(e) => self.lose(at, &e),
        }
        false
    }

    /// Waits, and takes what came on each connection; `then` is asked to go on with it.
    fn turn(&mut self, most: Option<Duration>, mut then: impl FnMut(&mut Caller, &mut Vec<u8>, u32)) {
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(most, &mut ready);
        let callers = self.callers.len();
        for &at in ready.iter().filter(|at| **at < callers) {
            if self.take(at) {
                then(&mut self.callers[at], &mut self.block, self.body);
                self.flush(at);
            }
        }
        self.ready = ready;
    }

    /// Waits until every connection was told the peer's settings.
    fn settle(&mut self) {
        let until = mono_ns() + 20_000_000_000;
        while self.callers.iter().any(|c| !c.is_lost && !c.link.has_settings) && mono_ns() < until {
            self.turn(Some(Duration::from_millis(100)), |_, _, _| {});
        }
        let late = self.callers.iter().filter(|c| !c.is_lost && !c.link.has_settings).count();
        self.tally.error(late as u64, || "no SETTINGS in time".into());
    }

    fn in_flight(&self) -> usize {
        self.callers.iter().map(|c| c.link.streams.len()).sum()
    }

    /// Waits for what is in flight; what does not come within ten seconds is an error.
    fn finish(&mut self) {
        let until = mono_ns() + 10_000_000_000;
        while self.in_flight() > 0 && mono_ns() < until {
            self.turn(Some(Duration::from_millis(100)), |_, _, _| {});
        }
        let left = self.in_flight() as u64;
        self.tally.error(left, || "not answered within ten seconds".into());
    }
}

/// `--rate 0`: each connection keeps `--streams` exchanges in flight; the rate is of those that ended within the time.
/// Else exchanges are due at even distances, on the connections in turn. A delay is counted from when the exchange was
/// due, not from when it could be sent, so one that stalls takes those after it along.
pub fn run(args: &Args) {
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut load = Load::open(args);
    load.settle();
    let (conns, cpu) = (load.callers.len(), cpu_s());
    let span = args.num("secs", 5) * 1_000_000_000;
    let start = mono_ns();
    match args.num("rate", 0) {
        0 => closed(&mut load, args.num("streams", 1) as usize, start + span),
        rate => open(&mut load, args.num("streams", 1000) as usize, start, span, rate),
    }
    load.tally.report(span as f64 / 1e9, conns, cpu_s() - cpu);
}

fn closed(load: &mut Load, streams: usize, end: u64) {
    let mut go_on = move |c: &mut Caller, block: &mut Vec<u8>, body: u32| {
        let room = c.room(streams);
        if room > 0 {
            let now = mono_ns();
            if now < end {
                (0..room).for_each(|_| c.call(now, body, block));
            }
        }
    };
    for at in 0..load.callers.len() {
        go_on(&mut load.callers[at], &mut load.block, load.body);
        load.flush(at);
    }
    while mono_ns() < end && load.in_flight() > 0 {
        load.turn(Some(Duration::from_millis(100)), &mut go_on);
    }
    let counted = load.tally.pause();
    load.finish();
    load.tally.resume(counted);
}

fn open(load: &mut Load, streams: usize, start: u64, span: u64, rate: u64) {
    let total = u128::from(rate) * u128::from(span) / 1_000_000_000;
    let due = |n: u128| start + (n * 1_000_000_000 / u128::from(rate)) as u64;
    let (mut begun, mut turn) = (0, 0);
    let give_up = start + span + 10_000_000_000;
    while begun < total && mono_ns() < give_up {
        let now = mono_ns();
        while begun < total && due(begun) <= now {
            let free = (0..load.callers.len()).map(|n| (turn + n) % load.callers.len());
            let Some(at) = free.into_iter().find(|at| load.callers[*at].room(streams) > 0) else { break };
            turn = at + 1;
            load.callers[at].call(due(begun), load.body, &mut load.block);
            begun += 1;
        }
        for at in 0..load.callers.len() {
            load.flush(at);
        }
        let wait = due(begun).saturating_sub(mono_ns()).clamp(1000, 100_000_000);
        load.turn(Some(Duration::from_nanos(wait)), |_, _, _| {});
    }
    load.tally.error((total - begun) as u64, || "never sent: no room in time".into());
    load.finish();
}
