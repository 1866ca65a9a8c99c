//! The floor: a relay that hands bytes on both ways and does nothing else, in one thread, with one read and one write for each
//! message. No limit, no timer, no protocol, no count: what is left is the socket calls, which any proxy must make. Each
//! connection goes to the next backend. Called by `main`.
//!
//! Its configuration is a file of lines: the port to listen on, then the backends' addresses.
use crate::Args;
use crate::origin::listen;
use crate::poll::Poll;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// One end; the other end of a pair stands beside it, at its place with the lowest bit turned.
struct End {
    sock: TcpStream,
    /// What could not be written yet: as long as there is any, the other end is not read.
    rest: Vec<u8>,
}

pub fn run(args: &Args) {
    let file = args.str("config", "");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("--config {file}: {e}"));
    let mut lines = text.lines();
    let listener = listen(lines.next().and_then(|l| l.parse().ok()).expect("a port in the first line"));
    let backends: Vec<&str> = lines.collect();
    let mut poll = Poll::new();
    poll.add(listener.as_raw_fd(), 0);
    let mut ends: Vec<Option<End>> = vec![None, None];
    let (mut free, mut next) = (Vec::new(), 0);
    let (mut buf, mut ready) = (vec![0; 256 * 1024], Vec::new());
    loop {
        poll.wait(None, &mut ready);
        for &at in &ready {
            if at == 0 {
                next = (next + 1) % backends.len();
                let Ok((client, _)) = listener.accept() else { continue };
                let Ok(backend) = TcpStream::connect(backends[next]) else { continue };
                let place = free.pop().unwrap_or(ends.len());
                ends.resize_with(ends.len().max(place + 2), || None);
                for (n, sock) in [client, backend].into_iter().enumerate() {
                    let _ = (sock.set_nonblocking(true), sock.set_nodelay(true));
                    poll.add(sock.as_raw_fd(), place + n);
                    ends[place + n] = Some(End { sock, rest: Vec::new() });
                }
            } else if hand_on(&mut ends, at, &mut buf, &poll).is_err() {
                (ends[at & !1], ends[at | 1]) = (None, None);
                free.push(at & !1);
            }
        }
    }
}

/// What can be done for the end that is ready: what waits for it is written, else what came from it is handed on.
fn hand_on(ends: &mut [Option<End>], at: usize, buf: &mut [u8], poll: &Poll) -> io::Result<()> {
    let (low, high) = ends.split_at_mut(at | 1);
    let (Some(one), Some(two)) = (&mut low[at & !1], &mut high[0]) else { return Ok(()) };
    let (from, to) = if at & 1 == 0 { (one, two) } else { (two, one) };
    if !from.rest.is_empty() {
        let n = sent(from.sock.write(&from.rest))?;
        from.rest.drain(..n);
        if from.rest.is_empty() {
            poll.want_write(from.sock.as_raw_fd(), at, false);
            poll.add(to.sock.as_raw_fd(), at ^ 1);
        }
        return Ok(());
    }
    let n = match from.sock.read(buf) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(n) => n,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(e) => return Err(e),
    };
    let done = sent(to.sock.write(&buf[..n]))?;
    if done < n {
        to.rest.extend_from_slice(&buf[done..n]);
        poll.want_write(to.sock.as_raw_fd(), at ^ 1, true);
        poll.remove(from.sock.as_raw_fd());
    }
    Ok(())
}

fn sent(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
