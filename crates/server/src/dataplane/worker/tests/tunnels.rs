//! Tunnels on real sockets: the PROXY protocol, bulk through pipes, ends and resets.

use super::*;
use evenkeel_core::policy::{AcceptProxyProtocol, ListenerProtocol, SendProxyProtocol, Upstream};
use evenkeel_core::reason::Limit;
use std::net::Shutdown;

fn tcp(limits: Limits) -> Hand {
    let listening = ListenerPolicy { protocol: ListenerProtocol::Tcp, ..ListenerPolicy::default() };
    Hand::with(listening, ServicePolicy::default(), limits)
}

impl Hand {
    /// A client, and the endpoint's end of its tunnel.
    fn tunnel(&mut self) -> (Blocking, Blocking) {
        let client = self.connect();
        (client, self.endpoint())
    }

    fn endpoint(&mut self) -> Blocking {
        self.back.set_nonblocking(true).unwrap();
        let (mut end, back) = (None, self.back.try_clone().unwrap());
        self.turn_until(|_| {
            end = end.take().or_else(|| back.accept().ok().map(|(stream, _)| stream));
            end.is_some()
        });
        let end = end.unwrap();
        end.set_nonblocking(false).unwrap();
        end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        end
    }

    /// Turns until `length` bytes have come at `to`.
    fn hear(&mut self, mut to: &Blocking, length: usize) -> Vec<u8> {
        to.set_nonblocking(true).unwrap();
        let (mut heard, mut part) = (Vec::new(), vec![0; 65_536]);
        self.turn_until(|_| {
            while let Some(n) = to.read(&mut part).ok().filter(|&n| n > 0 && heard.len() < length) {
                heard.extend_from_slice(&part[..n]);
            }
            heard.len() >= length
        });
        to.set_nonblocking(false).unwrap();
        heard
    }

    /// Turns until `to` hears the end; what came before.
    fn hear_all(&mut self, mut to: &Blocking) -> (Vec<u8>, std::io::Result<usize>) {
        to.set_nonblocking(true).unwrap();
        let (mut heard, mut part, mut end) = (Vec::new(), vec![0; 65_536], None);
        self.turn_until(|_| {
            loop {
                match to.read(&mut part) {
                    Ok(n) if n > 0 => heard.extend_from_slice(&part[..n]),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
                    other => break end = Some(other),
                }
            }
            true
        });
        (heard, end.unwrap())
    }
}

/// Bytes of which each place is told from the next.
fn bulk(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Writes all, and ends that side. As much as the kernel takes is there before anybody reads.
fn send(mut to: Blocking, bytes: Vec<u8>) -> std::thread::JoinHandle<Blocking> {
    to.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(n) = to.write(&bytes[sent..]) {
        sent += n;
    }
    to.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        to.write_all(&bytes[sent..]).unwrap();
        to.shutdown(Shutdown::Write).unwrap();
        to
    })
}

#[test]
fn bulk_arrives_whole_and_in_order_through_pipes_and_without_any() {
    const LENGTH: usize = 24 << 20;
    for pipes in [64, 0] {
        let mut hand = tcp(Limits { pipes, ..Limits::default() });
        let (client, end) = hand.tunnel();
        let sender = send(end, bulk(LENGTH));
        let (heard, ended) = hand.hear_all(&client);
        assert!(heard == bulk(LENGTH), "{} bytes came", heard.len());
        assert_eq!(ended.unwrap(), 0);
        let mut end = sender.join().unwrap();
        assert_eq!(hand.worker.shared.stats.refused_total(Limit::Pipes) > 0, pipes == 0);
        // The other direction is still open.
        (&client).write_all(b"thanks").unwrap();
        assert_eq!(hand.hear(&end, 6), b"thanks");
        client.shutdown(Shutdown::Write).unwrap();
        hand.turn_until(|w| w.engine.sessions() == 0);
        assert_eq!(end.read(&mut [0; 8]).unwrap(), 0);
    }
}

#[test]
fn a_receiver_that_stops_in_the_middle_of_bulk_holds_its_sender_back_and_goes_on() {
    const LENGTH: usize = 24 << 20;
    let mut hand = tcp(Limits::default());
    let (client, end) = hand.tunnel();
    let sender = send(end, bulk(LENGTH));
    let is_held_back = |w: &mut Worker| {
        let upstream = ConnKey::from_bits(1);
        let waits_in_pipe = w.sockets.get(upstream).is_some_and(|s| s.bulk.is_waiting());
        (waits_in_pipe || !w.engine.takes_input(upstream)) && w.ready.is_empty()
    };
    hand.turn_until(is_held_back);
    assert!(hand.worker.timeout() > Duration::ZERO, "nobody asks again and again");
    let (heard, _) = hand.hear_all(&client);
    assert!(heard == bulk(LENGTH), "{} bytes came", heard.len());
    drop(sender.join().unwrap());
}

#[test]
fn a_client_that_is_reset_in_the_middle_of_bulk_leaves_no_pipe_behind() {
    let mut hand = tcp(Limits { pipes: 1, ..Limits::default() });
    for _ in 0..2 {
        let (client, end) = hand.tunnel();
        let sender = std::thread::spawn(move || {
            let mut end = end;
            while end.write_all(&[7; 65_536]).is_ok() {}
        });
        hand.hear(&client, 4 << 20);
        hand.turn_until(|w| w.ready.is_empty());
        // What it has not read makes its end a reset.
        drop(client);
        hand.turn_until(|w| w.engine.sessions() == 0);
        sender.join().unwrap();
    }
    assert_eq!(hand.worker.shared.stats.refused_total(Limit::Pipes), 0);
    assert!(hand.worker.pipes.lend().is_some());
}

#[test]
fn a_reset_of_the_endpoint_reaches_the_client_as_one() {
    let mut hand = tcp(Limits::default());
    let (client, end) = hand.tunnel();
    socket2::SockRef::from(&end).set_linger(Some(Duration::ZERO)).unwrap();
    drop(end);
    let (_, ended) = hand.hear_all(&client);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_client_that_has_ended_its_side_and_then_goes_is_found_out() {
    let mut hand = tcp(Limits::default());
    let (client, end) = hand.tunnel();
    client.shutdown(Shutdown::Write).unwrap();
    let (_, ended) = hand.hear_all(&end);
    assert_eq!(ended.unwrap(), 0);
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    hand.turn_until(|w| w.engine.sessions() == 0);
}

#[test]
fn a_proxy_header_is_taken_off_however_it_is_cut_and_handed_on() {
    let header = b"PROXY TCP4 198.51.100.7 203.0.113.1 1234 443\r\n";
    for cut in [1, 20, header.len()] {
        let listening = ListenerPolicy {
            protocol: ListenerProtocol::Tcp,
            proxy_protocol: AcceptProxyProtocol::Required,
            ..ListenerPolicy::default()
        };
        let upstream = Upstream { proxy_protocol: SendProxyProtocol::V1, ..Upstream::default() };
        let serving = ServicePolicy { upstream, ..ServicePolicy::default() };
        let mut hand = Hand::with(listening, serving, Limits::default());
        let mut client = hand.connect();
        client.write_all(&header[..cut]).unwrap();
        hand.turn_until(|w| w.engine.sessions() == 1 && w.ready.is_empty());
        client.write_all(&[&header[cut..], b"hello"].concat()).unwrap();
        let end = hand.endpoint();
        let whole = [&header[..], b"hello"].concat();
        assert_eq!(hand.hear(&end, whole.len()), whole);
    }
}

#[test]
fn without_its_proxy_header_a_connection_is_closed() {
    let listening =
        ListenerPolicy { proxy_protocol: AcceptProxyProtocol::Required, ..ListenerPolicy::default() };
    for first in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"PROXY TC"] {
        let mut hand = Hand::with(listening.clone(), ServicePolicy::default(), Limits::default());
        let mut client = hand.connect();
        client.write_all(first).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        hand.turn_until(|w| w.engine.sessions() == 1);
        hand.turn_until(|w| w.engine.sessions() == 0);
    }
}
