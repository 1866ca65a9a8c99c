//! The lean load of what is not HTTP/2: HTTP/1.1 requests, WebSocket and TCP messages, one outstanding on each connection, in a
//! closed loop; event streams; downloads. Also connections that say nothing before and after a few exchanges. What an
//! answer must be stands in `answer`; any other ends its connection and is an error. Called by `main`.
use crate::answer::{Kind, Took};
use crate::pipe::{Pipe, Secret};
use crate::poll::Poll;
use crate::tally::{Tally, cpu_s};
use crate::{Args, mono_ns};
use std::io::{self, Read};
use std::time::Duration;

struct Caller {
    pipe: Pipe,
    /// What came of an answer that is not whole yet.
    tail: Vec<u8>,
    /// When the message was sent that is outstanding.
    at: u64,
    waits: bool,
    is_open: bool,
    is_lost: bool,
    done: u64,
}

struct Load {
    kind: Kind,
    opening: Vec<u8>,
    message: Vec<u8>,
    callers: Vec<Caller>,
    poll: Poll,
    ready: Vec<usize>,
    buf: Vec<u8>,
    tally: Tally,
}

/// Connections that are opened, or do their exchanges, at once.
const GROUP: usize = 200;
const PATIENCE: u64 = 20_000_000_000;

impl Load {
    /// Opens the connections, and waits until each has answered its handshake.
    fn open(args: &Args) -> Self {
        let addr = args.str("addr", "");
        let kind = Kind::of(&args.str("as", "h1"), args.num("size", 64) as usize);
        let secret = Secret::of(args, "http/1.1");
        let mut load = Self {
            opening: kind.opening(&addr, args.num("gap-ms", 20)),
            message: kind.message(&addr),
            kind,
            callers: Vec::new(),
            poll: Poll::new(),
            ready: Vec::new(),
            buf: vec![0; 1 << 20],
            tally: Tally::new(),
        };
        let wanted = args.num("conns", 1) as usize;
        for from in (0..wanted).step_by(GROUP) {
            for _ in from..wanted.min(from + GROUP) {
                match Pipe::connect(&addr, secret.as_ref()) {
                    Ok(pipe) => load.begin(pipe),
                    Err(e) => load.tally.error(1, || format!("connect: {e}")),
                }
            }
            load.until(|load| load.callers.iter().skip(from).all(|c| c.is_open || c.is_lost));
        }
        let late = load.callers.iter().filter(|c| !c.is_open && !c.is_lost).count();
        load.tally.error(late as u64, || "not open in time".into());
        load
    }

    fn begin(&mut self, pipe: Pipe) {
        let at = self.callers.len();
        self.poll.add(pipe.fd(), at);
        let is_open = !self.kind.has_handshake();
        let tail = Vec::new();
        self.callers.push(Caller { pipe, tail, at: 0, waits: false, is_open, is_lost: false, done: 0 });
        if !self.opening.is_empty()
            && let Err(e) = put(&mut self.callers[at].pipe, &self.opening)
        {
            self.lose(at, &e);
        }
    }

    fn say(&mut self, at: usize) {
        let c = &mut self.callers[at];
        if c.is_lost || !c.is_open || self.message.is_empty() {
            return;
        }
        c.at = mono_ns();
        c.waits = true;
        if let Err(e) = put(&mut c.pipe, &self.message) {
            self.lose(at, &e);
        }
    }

    fn lose(&mut self, at: usize, why: &io::Error) {
        let c = &mut self.callers[at];
        c.is_lost = true;
        c.waits = false;
        c.pipe.close();
        self.poll.remove(c.pipe.fd());
        self.tally.error(1, || format!("a connection was lost: {why}"));
    }

    /// Takes what came on one connection; whether its answer is whole.
    fn take(&mut self, at: usize) -> io::Result<bool> {
        let c = &mut self.callers[at];
        let old = c.tail.len();
        self.buf[..old].copy_from_slice(&c.tail);
        let end = match c.pipe.read(&mut self.buf[old..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => old + n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        };
        c.tail.clear();
        let (mut from, mut answered) = (0, false);
        if !c.is_open {
            match self.kind.opened(&self.buf[..end])? {
                Some(n) => (from, c.is_open) = (n, true),
                None => {
                    c.tail.extend_from_slice(&self.buf[..end]);
                    return Ok(false);
                }
            }
        }
        let now = mono_ns();
        while from < end {
            match self.kind.take(&self.buf[from..end])? {
                Took::Nothing => break,
                Took::Answer(n) if c.waits => {
                    self.tally.delays.add(now.saturating_sub(c.at));
                    (c.waits, answered) = (false, true);
                    from += n;
                }
                Took::Answer(_) => return Err(io::Error::other("an answer to nothing")),
                Took::Event(n, sent) => {
                    self.tally.delays.add(now.saturating_sub(sent));
                    from += n;
                }
                Took::Part(n) => {
                    self.tally.bytes += n as u64;
                    from += n;
                    continue;
                }
            }
            c.done += 1;
        }
        c.tail.extend_from_slice(&self.buf[from..end]);
        Ok(answered)
    }

    /// Waits, and takes what came; `goes_on` says whether a connection whose answer is whole says the next message.
    fn turn(&mut self, most: u64, goes_on: impl Fn(&Caller) -> bool) {
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(Some(Duration::from_nanos(most.clamp(1000, 100_000_000))), &mut ready);
        let callers = self.callers.len();
        for &at in ready.iter().filter(|at| **at < callers) {
            if self.callers[at].is_lost {
                continue;
            }
            match self.take(at) {
                Ok(true) if goes_on(&self.callers[at]) => self.say(at),
                Ok(_) => {}
                Err(e) => self.lose(at, &e),
            }
        }
        self.ready = ready;
    }

    /// Turns until it is so, at most as long as `PATIENCE`; nothing new is said.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let end = mono_ns() + PATIENCE;
        while !is_so(self) && mono_ns() < end {
            self.turn(u64::MAX, |_| false);
        }
    }

    /// So many exchanges on each connection, one after the other; of streams as many events come on each.
    fn exchanges(&mut self, each: u64) {
        self.callers.iter_mut().for_each(|c| c.done = 0);
        for from in (0..self.callers.len()).step_by(GROUP) {
            let group = from..self.callers.len().min(from + GROUP);
            group.clone().for_each(|at| self.say(at));
            let end = mono_ns() + PATIENCE;
            let is_short = |c: &Caller| !c.is_lost && c.done < each;
            while !self.kind.is_download()
                && self.callers[group.clone()].iter().any(is_short)
                && mono_ns() < end
            {
                self.turn(u64::MAX, |c| c.done < each);
            }
        }
        let short = |c: &&Caller| !c.is_lost && c.done < each;
        let short = self.callers.iter().filter(short).count() * usize::from(!self.kind.is_download());
        self.tally.error(short as u64, || "connections without all their exchanges".into());
    }

    fn held(&self) -> usize {
        self.callers.iter().filter(|c| !c.is_lost).count()
    }
}

/// Messages fit into a socket's buffer, as one is outstanding.
fn put(pipe: &mut Pipe, message: &[u8]) -> io::Result<()> {
    match pipe.write(message)? {
        n if n == message.len() && !pipe.holds() => Ok(()),
        _ => Err(io::Error::other("no room for a message")),
    }
}

/// The closed loop, for `--secs` from when all is open and each connection has done one exchange. Exchanges count that end
/// within the time.
pub fn run(args: &Args) {
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut load = Load::open(args);
    load.exchanges(1);
    let _ = load.tally.pause();
    let is_gated = args.num("gate", 0) == 1;
    if is_gated {
        load.tally.report(1.0, load.held(), cpu_s());
        next_word();
        // Events that waited meanwhile are not of this time.
        load.turn(1000, |_| false);
        let _ = load.tally.pause();
    }
    let (cpu, start) = (cpu_s(), mono_ns());
    let end = start + args.num("secs", 5) * 1_000_000_000;
    (0..load.callers.len()).for_each(|at| load.say(at));
    let mut now = start;
    while now < end && load.held() > 0 {
        load.turn(end - now, |_| true);
        now = mono_ns();
    }
    load.tally.report((now - start).max(1) as f64 / 1e9, load.held(), cpu_s() - cpu);
    if is_gated {
        while next_word() {}
    }
}

/// Opens connections and says so on stdout; then at each line on stdin does some exchanges on each and says so again;
/// holds them until stdin ends, and says how many are left.
pub fn hold(args: &Args) {
    let t = mono_ns();
    let mut load = Load::open(args);
    let stdin = load.callers.len();
    load.poll.add(0, stdin);
    load.tally.report((mono_ns() - t) as f64 / 1e9, load.held(), cpu_s());
    loop {
        load.turn(u64::MAX, |_| false);
        if load.ready.contains(&stdin) {
            if !next_word() {
                return load.tally.report(1.0, load.held(), cpu_s());
            }
            load.exchanges(args.num("exchanges", 20));
            load.tally.report(1.0, load.held(), cpu_s());
        }
    }
}

/// Waits for a line on stdin; whether there was one.
fn next_word() -> bool {
    matches!(io::stdin().read(&mut [0; 64]), Ok(n) if n > 0)
}
