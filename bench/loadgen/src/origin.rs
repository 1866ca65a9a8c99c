//! Lean backends: HTTP/2 on many ports in one thread. Each request is answered by as many octets of body as it had, and
//! by trailers; its headers are not decoded.
use crate::Args;
use crate::link::{DATA, END_STREAM, HEADERS, Link, PREFACE, RST_STREAM, next_frame};
use crate::poll::Poll;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd};

struct Backend {
    listener: TcpListener,
    port: u16,
    conns: u64,
    reqs: u64,
}

struct Client {
    link: Link,
    backend: usize,
    has_preface: bool,
}

pub fn run(args: &Args) {
    let mut backends: Vec<Backend> = args
        .ports("ports")
        .into_iter()
        .map(|port| Backend { listener: listen(port), port, conns: 0, reqs: 0 })
        .collect();
    let ctl = listen(args.num("ctl", 9001) as u16);
    let mut poll = Poll::new();
    let first = backends.len() + 1;
    for (i, b) in backends.iter().enumerate() {
        poll.add(b.listener.as_raw_fd(), i);
    }
    poll.add(ctl.as_raw_fd(), first - 1);
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut free = Vec::new();
    let mut buf = vec![0; 512 * 1024];
    let mut ready = Vec::new();
    loop {
        poll.wait(None, &mut ready);
        for &token in &ready {
            if token < first - 1 {
                let Ok((sock, _)) = backends[token].listener.accept() else { continue };
                let Ok(link) = Link::new(sock, Some(1000)) else { continue };
                backends[token].conns += 1;
                let at = free.pop().unwrap_or_else(|| {
                    clients.push(None);
                    clients.len() - 1
                });
                poll.add(link.sock.as_raw_fd(), first + at);
                clients[at] = Some(Client { link, backend: token, has_preface: false });
            } else if token == first - 1 {
                let Ok((mut s, _)) = ctl.accept() else { continue };
                let text: String =
                    backends.iter().map(|b| format!("{} {} {}\n", b.port, b.conns, b.reqs)).collect();
                let _ = s.write_all(text.as_bytes());
            } else if let Some(c) = &mut clients[token - first] {
                let served = serve(c, &mut buf, &mut backends[c.backend].reqs);
                if served.and_then(|()| c.link.flush(&poll, token)).is_err() {
                    clients[token - first] = None;
                    free.push(token - first);
                }
            }
        }
    }
}

fn serve(c: &mut Client, buf: &mut [u8], reqs: &mut u64) -> io::Result<()> {
    let Some(end) = c.link.read(buf)? else { return Ok(()) };
    let (buf, mut at) = (&buf[..end], 0);
    if !c.has_preface {
        if end < PREFACE.len() {
            c.link.keep(buf);
            return Ok(());
        }
        if !buf.starts_with(PREFACE) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        at = PREFACE.len();
        c.has_preface = true;
    }
    while let Some(f) = next_frame(buf, at) {
        at = f.to;
        let payload = &buf[f.from..f.to];
        match f.kind {
            HEADERS => {
                if !c.link.streams.contains_key(&f.id) {
                    c.link.open(f.id, 0);
                }
            }
            DATA => {
                let n = c.link.took(&f, payload);
                if let Some(s) = c.link.streams.get_mut(&f.id) {
                    s.got += n;
                }
            }
            RST_STREAM => drop(c.link.streams.remove(&f.id)),
            _ => c.link.control(&f, payload),
        }
        if f.kind <= HEADERS && f.flags & END_STREAM != 0 {
            *reqs += 1;
            let Some(body) = c.link.streams.get(&f.id).map(|s| s.got) else { continue };
            c.link.answer(f.id);
            if c.link.send(f.id, body) {
                c.link.streams.remove(&f.id);
                c.link.trailers(f.id);
            }
        }
    }
    c.link.keep(&buf[at..]);
    Ok(())
}

/// As `TcpListener::bind`, with room for thousands that connect at once.
fn listen(port: u16) -> TcpListener {
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
