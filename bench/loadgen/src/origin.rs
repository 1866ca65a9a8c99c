//! Lean backends: many ports in one thread. HTTP/2 is served here, what is not by `plain`. An HTTP/2 request is answered by as
//! many octets of body as it had, and by trailers; one without a body by a small document; its headers are not decoded.
//! Called by `main`.
use crate::frame::{DATA, END_STREAM, HEADERS, PREFACE, RST_STREAM, next_frame};
use crate::link::Link;
use crate::pipe::Pipe;
use crate::plain::{Plain, SMALL, Speech};
use crate::poll::Poll;
use crate::{Args, mono_ns};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Duration;

struct Backend {
    listener: TcpListener,
    port: u16,
    /// `None`: HTTP/2.
    speech: Option<Speech>,
    conns: u64,
    reqs: u64,
}

enum Client {
    Http2 { link: Link, has_preface: bool },
    Plain(Plain),
}

struct Place {
    client: Option<Client>,
    backend: usize,
    /// How many connections stood here before: events are of one.
    turn: u32,
}

/// The streams' next events, the earliest first: when, the place, its turn.
type Due = BinaryHeap<Reverse<(u64, usize, u32)>>;

pub fn run(args: &Args) {
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut backends = Vec::new();
    for (word, speech) in [
        ("ports", None),
        ("h1", Some(Speech::Http1)),
        ("ws", Some(Speech::WebSocket)),
        ("tcp", Some(Speech::Tcp)),
    ] {
        for port in args.ports(word) {
            backends.push(Backend { listener: listen(port), port, speech, conns: 0, reqs: 0 });
        }
    }
    let ctl = listen(args.num("ctl", 9001) as u16);
    let mut poll = Poll::new();
    let first = backends.len() + 1;
    for (i, b) in backends.iter().enumerate() {
        poll.add(b.listener.as_raw_fd(), i);
    }
    poll.add(ctl.as_raw_fd(), first - 1);
    let (mut places, mut free): (Vec<Place>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut buf = vec![0; 512 * 1024];
    let (mut ready, mut due) = (Vec::new(), Due::new());
    loop {
        let wait = due.peek().map(|Reverse((at, ..))| Duration::from_nanos(at.saturating_sub(mono_ns())));
        poll.wait(wait, &mut ready);
        for &token in &ready {
            if token < first - 1 {
                let Ok((sock, _)) = backends[token].listener.accept() else { continue };
                let fd = sock.as_raw_fd();
                let Ok(client) = open(sock, backends[token].speech) else { continue };
                backends[token].conns += 1;
                let at = free.pop().unwrap_or_else(|| {
                    places.push(Place { client: None, backend: 0, turn: 0 });
                    places.len() - 1
                });
                poll.add(fd, first + at);
                places[at] = Place { client: Some(client), backend: token, turn: places[at].turn + 1 };
            } else if token == first - 1 {
                let Ok((mut s, _)) = ctl.accept() else { continue };
                let text: String =
                    backends.iter().map(|b| format!("{} {} {}\n", b.port, b.conns, b.reqs)).collect();
                let _ = s.write_all(text.as_bytes());
            } else {
                let p = &mut places[token - first];
                let reqs = &mut backends[p.backend].reqs;
                let served = match &mut p.client {
                    Some(Client::Http2 { link, has_preface }) => serve(link, has_preface, &mut buf, reqs)
                        .and_then(|()| link.flush(&poll, token).map(|_| ())),
                    Some(Client::Plain(c)) => {
                        let streamed = c.gap;
                        let served = c.serve(&mut buf, || *reqs += 1);
                        if let (None, Some(gap)) = (streamed, c.gap) {
                            // Streams start out of step, so that events do not come all at once.
                            let now = mono_ns();
                            due.push(Reverse((now + now % 997 * gap / 997, token - first, p.turn)));
                        }
                        served.and_then(|()| c.flush(&poll, token))
                    }
                    None => continue,
                };
                if served.is_err() {
                    p.client = None;
                    free.push(token - first);
                }
            }
        }
        events(&mut due, &mut places, &poll, first);
    }
}

/// Sends the events that are due.
fn events(due: &mut Due, places: &mut [Place], poll: &Poll, first: usize) {
    if due.is_empty() {
        return;
    }
    let now = mono_ns();
    while let Some(&Reverse((when, at, turn))) = due.peek()
        && when <= now
    {
        due.pop();
        let p = &mut places[at];
        if p.turn == turn
            && let Some(Client::Plain(c)) = &mut p.client
            && let Some(gap) = c.gap
        {
            c.event();
            // That the client is gone is found out when it is read.
            let _ = c.flush(poll, first + at);
            due.push(Reverse((when + gap, at, turn)));
        }
    }
}

fn open(sock: TcpStream, speech: Option<Speech>) -> io::Result<Client> {
    Ok(match speech {
        Some(speech) => Client::Plain(Plain::new(sock, speech)?),
        None => Client::Http2 { link: Link::new(Pipe::plain(sock)?, Some(1000))?, has_preface: false },
    })
}

fn serve(link: &mut Link, has_preface: &mut bool, buf: &mut [u8], reqs: &mut u64) -> io::Result<()> {
    let Some(end) = link.read(buf)? else { return Ok(()) };
    let (buf, mut at) = (&buf[..end], 0);
    if !*has_preface {
        if end < PREFACE.len() {
            link.keep(buf);
            return Ok(());
        }
        if !buf.starts_with(PREFACE) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        at = PREFACE.len();
        *has_preface = true;
    }
    while let Some(f) = next_frame(buf, at) {
        at = f.to;
        let payload = &buf[f.from..f.to];
        match f.kind {
            HEADERS => {
                if !link.streams.contains_key(&f.id) {
                    link.open(f.id, 0);
                }
            }
            DATA => {
                let n = link.took(&f, payload);
                if let Some(s) = link.streams.get_mut(&f.id) {
                    s.got += n;
                }
            }
            RST_STREAM => drop(link.streams.remove(&f.id)),
            _ => link.control(&f, payload),
        }
        if f.kind <= HEADERS && f.flags & END_STREAM != 0 {
            *reqs += 1;
            let Some(body) = link.streams.get(&f.id).map(|s| s.got) else { continue };
            if body == 0 {
                link.answer_plain(f.id, SMALL.len() as u32);
                continue;
            }
            link.answer(f.id);
            if link.send(f.id, body) {
                link.end(f.id);
            }
        }
    }
    link.keep(&buf[at..]);
    Ok(())
}

/// As `TcpListener::bind`, with room for thousands that connect at once.
pub fn listen(port: u16) -> TcpListener {
    let s = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(s >= 0, "socket: {}", io::Error::last_os_error());
    let l = unsafe { TcpListener::from_raw_fd(s) };
    let on: libc::c_int = 1;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_be_bytes([127, 0, 0, 1]).to_be() },
        sin_zero: [0; 8],
    };
    let ok = unsafe {
        libc::setsockopt(s, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), 4) == 0
            && libc::bind(s, (&raw const address).cast(), size_of_val(&address) as u32) == 0
            && libc::listen(s, 4096) == 0
    };
    assert!(ok, "port {port}: {}", io::Error::last_os_error());
    l
}
