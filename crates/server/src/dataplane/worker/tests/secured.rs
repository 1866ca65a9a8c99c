//! TLS on the worker's sockets: how many handshakes a turn takes, how connections end, who speaks what.

use super::*;
use crate::dataplane::transport::test_certificates::{Authority, Clients, VERSIONS};
use crate::dataplane::transport::{ListenerContext, TlsContexts, UpstreamContext};
use evenkeel_core::policy::{self, ListenerProtocol};
use evenkeel_core::reason::CloseReason;
use rustls::ClientConnection;

/// As many as a turn takes.
const MOST: usize = 16;

/// A client's side of TLS on a socket that does not block.
struct Client {
    tls: ClientConnection,
    stream: Blocking,
}

impl Client {
    /// Sends what there is to send, and takes what has come.
    fn pump(&mut self) -> bool {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream).unwrap();
        }
        match self.tls.read_tls(&mut self.stream) {
            Ok(0) => return false,
            Ok(_) => drop(self.tls.process_new_packets().unwrap()),
            Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
        }
        !self.tls.is_handshaking()
    }
}

/// A worker whose listener and service may speak TLS by this authority.
fn hand(authority: &Authority, is_optional: bool) -> Hand {
    let protocol = if is_optional { ListenerProtocol::Auto } else { ListenerProtocol::Http };
    hand_of(authority, protocol)
}

fn hand_of(authority: &Authority, protocol: ListenerProtocol) -> Hand {
    let is_optional = protocol == ListenerProtocol::Auto;
    let own = authority.issue(&["web.test"]);
    let config = Arc::new(authority.server(&own, &VERSIONS, Clients::NotAsked));
    let tls = TlsContexts {
        listeners: [(LISTENER, ListenerContext { config, is_optional })].into(),
        services: [].into(),
    };
    let policy = ListenerPolicy { protocol, transport: policy::Transport::Tls, ..ListenerPolicy::default() };
    let mut hand = Hand::with(policy, ServicePolicy::default(), Limits::default());
    hand.worker.tls = Arc::new(tls);
    hand
}

fn client(hand: &Hand, authority: &Authority) -> Client {
    let stream = hand.connect();
    stream.set_nonblocking(true).unwrap();
    let config = Arc::new(authority.client(None, &VERSIONS));
    Client { tls: ClientConnection::new(config, "web.test".try_into().unwrap()).unwrap(), stream }
}

/// The reason of the next session's end.
fn end_of_session(hand: &mut Hand) -> CloseReason {
    hand.turn_until(|w| w.engine.sessions() == 0 && !w.engine.has_work());
    loop {
        if let EventKind::SessionEnded { reason, .. } = hand.told.try_recv().unwrap().kind {
            return reason;
        }
    }
}

#[test]
fn a_turn_takes_so_many_handshakes_and_the_next_one_the_rest() {
    let authority = Authority::new();
    let mut hand = hand(&authority, false);
    let mut clients: Vec<_> = (0..2).map(|_| client(&hand, &authority)).collect();
    let now = hand.worker.clock.now();
    hand.worker.take_inbox(now);
    for client in &mut clients {
        client.pump();
    }
    hand.worker.handshakes = MOST - 1;
    hand.worker.read_ready(now);
    assert_eq!((hand.worker.handshakes, &hand.worker.put_by[..]), (MOST, &[ConnKey::from_bits(1)][..]));
    assert!(hand.worker.ready.is_empty() && hand.worker.timeout().is_zero());
    hand.turn_until(|w| w.put_by.is_empty());
    hand.turn_until(|_| clients.iter_mut().map(Client::pump).filter(|&is_open| is_open).count() == 2);
}

#[test]
fn a_session_that_stands_is_read_whatever_handshakes_there_were() {
    let authority = Authority::new();
    let mut hand = hand(&authority, false);
    let mut client = client(&hand, &authority);
    hand.turn_until(|_| client.pump());
    client.tls.writer().write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    client.pump();
    let key = ConnKey::from_bits(0);
    hand.turn_until(
        |w| matches!(&w.sockets.get(key).unwrap().transport, Transport::Tls(tls) if tls.is_open()),
    );
    client.tls.writer().write_all(&[&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[7; 8]].concat()).unwrap();
    client.pump();
    hand.worker.handshakes = MOST;
    let now = hand.worker.clock.now();
    assert!(hand.worker.read_secured(now, key) > 0);
    assert!(hand.worker.put_by.is_empty());
}

#[test]
fn a_hello_that_comes_in_bits_is_no_handshake_until_it_is_whole() {
    let authority = Authority::new();
    let mut hand = hand(&authority, true);
    let mut client = client(&hand, &authority);
    let mut hello = Vec::new();
    client.tls.write_tls(&mut hello).unwrap();
    let (last, first) = hello.split_last().unwrap();
    hand.turn_until(|w| w.engine.sessions() == 1);
    for (n, byte) in first.iter().enumerate() {
        client.stream.write_all(&[*byte]).unwrap();
        hand.turn_until(|w| {
            assert_eq!(w.handshakes, 0);
            match &w.sockets.get(ConnKey::from_bits(0)).unwrap().transport {
                Transport::Tls(tls) => tls.tail().len() == n + 1,
                Transport::Undecided(first) => n == 0 && first.has_first,
                Transport::Clear => panic!("it is TLS"),
            }
        });
    }
    client.stream.write_all(&[*last]).unwrap();
    hand.turn_until(|w| w.handshakes == 1);
    hand.turn_until(|_| client.pump());
}

#[test]
fn an_end_that_was_announced_is_a_close_and_is_answered() {
    let authority = Authority::new();
    let mut hand = hand(&authority, false);
    let mut client = client(&hand, &authority);
    hand.turn_until(|_| client.pump());
    client.tls.send_close_notify();
    client.pump();
    assert_eq!(end_of_session(&mut hand), CloseReason::ClientClosed);
    client.stream.set_nonblocking(false).unwrap();
    while client.tls.read_tls(&mut client.stream).unwrap() > 0 {
        if client.tls.process_new_packets().unwrap().peer_has_closed() {
            return;
        }
    }
    panic!("no close_notify came back");
}

#[test]
fn an_end_that_was_not_announced_is_told_as_one_that_cut_something_off() {
    let authority = Authority::new();
    let mut hand = hand(&authority, false);
    let mut client = client(&hand, &authority);
    hand.turn_until(|_| client.pump());
    client.pump();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(end_of_session(&mut hand), CloseReason::TlsClosedUncleanly);
}

#[test]
fn a_client_that_speaks_no_tls_where_it_must_is_told_so_by_an_alert() {
    let authority = Authority::new();
    let mut hand = hand(&authority, false);
    let mut client = hand.connect();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    hand.turn_until(|w| w.engine.sessions() == 1);
    assert_eq!(end_of_session(&mut hand), CloseReason::TlsHandshakeFailed);
    let said = read_all(&client);
    assert_eq!((said[0], said.len()), (0x15, 7), "{said:?}");
}

#[test]
fn one_byte_that_might_have_become_tls_is_the_sessions_when_nothing_follows() {
    let authority = Authority::new();
    let mut hand = hand(&authority, true);
    let mut client = hand.connect();
    client.write_all(&[0x16]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    hand.turn_until(|w| w.engine.sessions() == 1);
    hand.turn_until(|w| w.engine.sessions() == 0 && !w.engine.has_work());
    loop {
        if let EventKind::SessionEnded { figures, .. } = hand.told.try_recv().unwrap().kind {
            assert_eq!(figures.bytes_in, 1);
            return;
        }
    }
}

#[test]
fn an_endpoint_that_ends_in_the_middle_of_its_handshake_could_not_be_connected_to() {
    let authority = Authority::new();
    let mut hand = Hand::new();
    let upstream = UpstreamContext { config: Arc::new(authority.client(None, &VERSIONS)), server_name: None };
    let tls = TlsContexts { listeners: [].into(), services: [(ServiceId(0), upstream)].into() };
    let snapshot = hand.snapshot.clone();
    hand.worker.shared.inbox.send(Command::Refresh { snapshot, tls: Arc::new(tls) });
    let (_client, mut end) = hand.upstream();
    let mut hello = [0; 2];
    end.set_nonblocking(true).unwrap();
    hand.turn_until(|_| end.read(&mut hello).is_ok_and(|n| n == 2));
    assert_eq!(hello, [0x16, 3]);
    drop(end);
    let mut reason = None;
    hand.turn_until(|w| w.engine.open_exchanges() == 0);
    while let Ok(event) = hand.told.try_recv() {
        if let EventKind::UpstreamClosed { reason: why, .. } = event.kind {
            reason = Some(why);
        }
    }
    assert_eq!(reason, Some(CloseReason::TlsHandshakeFailed));
}

#[test]
fn a_handshake_that_does_not_go_on_ends_at_its_own_timeout() {
    let authority = Authority::new();
    for is_optional in [false, true] {
        let mut hand = hand(&authority, is_optional);
        let mut client = client(&hand, &authority);
        let mut hello = Vec::new();
        client.tls.write_tls(&mut hello).unwrap();
        client.stream.write_all(&hello[..20]).unwrap();
        hand.turn_until(|w| {
            let socket = w.sockets.get(ConnKey::from_bits(0));
            socket.is_some_and(|s| matches!(&s.transport, Transport::Tls(tls) if tls.tail().len() == 20))
        });
        let timeout = policy::Timeouts::default().tls_handshake;
        let now = hand.worker.clock.now();
        hand.worker.engine.tick(now + (timeout - Duration::from_secs(1)));
        assert_eq!(hand.worker.engine.sessions(), 1, "it has time left");
        hand.worker.engine.tick(now + timeout + Duration::from_secs(1));
        assert_eq!(end_of_session(&mut hand), CloseReason::TlsHandshakeTimeout);
    }
}

#[test]
fn a_side_of_a_tunnel_that_ends_by_close_notify_ends_alone() {
    let authority = Authority::new();
    let mut hand = hand_of(&authority, ListenerProtocol::Tcp);
    let mut client = client(&hand, &authority);
    hand.turn_until(|_| client.pump());
    client.tls.writer().write_all(b"a question").unwrap();
    client.tls.send_close_notify();
    client.pump();
    hand.back.set_nonblocking(true).unwrap();
    let back = hand.back.try_clone().unwrap();
    let mut end = None;
    hand.turn_until(|_| {
        end = end.take().or_else(|| back.accept().ok().map(|(stream, _)| stream));
        end.is_some()
    });
    let mut end = end.unwrap();
    end.set_nonblocking(true).unwrap();
    let (mut said, mut part) = (Vec::new(), [0; 64]);
    hand.turn_until(|_| match end.read(&mut part) {
        Ok(n) => {
            said.extend_from_slice(&part[..n]);
            n == 0
        }
        Err(_) => false,
    });
    assert_eq!(said, b"a question");
    assert_eq!(hand.worker.engine.sessions(), 1, "the other side goes on");
    end.write_all(b"an answer").unwrap();
    let mut answer = Vec::new();
    hand.turn_until(|_| {
        client.pump();
        let _more = client.tls.reader().read_to_end(&mut answer);
        answer == b"an answer"
    });
    end.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(end_of_session(&mut hand), CloseReason::ClientClosed);
    client.stream.set_nonblocking(false).unwrap();
    while client.tls.read_tls(&mut client.stream).unwrap() > 0 {
        if client.tls.process_new_packets().unwrap().peer_has_closed() {
            return;
        }
    }
    panic!("no close_notify came back");
}

#[test]
fn a_side_of_a_tunnel_that_is_cut_off_ends_it_whole() {
    let authority = Authority::new();
    let mut hand = hand_of(&authority, ListenerProtocol::Tcp);
    let mut client = client(&hand, &authority);
    hand.turn_until(|_| client.pump());
    client.tls.writer().write_all(b"half a").unwrap();
    client.pump();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(end_of_session(&mut hand), CloseReason::TlsClosedUncleanly);
}
