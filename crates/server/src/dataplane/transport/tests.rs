//! Both sides of TLS against each other over pipes that cut where they like.

use super::test_certificates::{Authority, Clients, VERSIONS};
use super::tls::{MOST_TAIL, SEAL_BYTES};
use super::*;
use rustls::SupportedProtocolVersion;
use std::sync::Arc;

/// One side, with what it has to say and what it heard.
struct End {
    tls: Tls,
    wire: Wire,
    output: Vec<u8>,
    heard: Vec<u8>,
    agreed: Vec<Agreed>,
}

impl End {
    fn new(tls: Tls) -> Self {
        Self { tls, wire: Wire::new(), output: Vec::new(), heard: Vec::new(), agreed: Vec::new() }
    }

    /// One write, of which the socket takes at most so many bytes.
    fn write(&mut self, most: usize) -> Vec<u8> {
        let fresh = if self.tls.is_open() { &self.output[self.tls.sealed()..] } else { &[] };
        self.tls.fill(fresh, &mut self.wire).unwrap();
        let outgoing = self.tls.outgoing(&self.wire);
        let taken = outgoing[..outgoing.len().min(most)].to_vec();
        let left = self.tls.wrote(taken.len(), &mut self.wire);
        self.output.drain(..left);
        taken
    }

    fn write_all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let part = self.write(usize::MAX);
            if part.is_empty() {
                return all;
            }
            all.extend(part);
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), TlsFailure> {
        let mut buffer = [self.tls.tail(), bytes].concat();
        let (heard, agreed) = (&mut self.heard, &mut self.agreed);
        self.tls.receive(&mut buffer, |what| match what {
            Heard::Secured(with) => {
                assert!(heard.is_empty() && agreed.is_empty(), "once, and first");
                agreed.push(with);
            }
            Heard::Plaintext(bytes) => {
                assert_eq!(agreed.len(), 1);
                heard.extend_from_slice(bytes);
            }
        })
    }
}

/// Choices that are the same each time.
struct Cuts(u64);

impl Cuts {
    fn next(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + self.0 as usize % most
    }
}

fn pair(version: &'static SupportedProtocolVersion) -> (End, End) {
    let authority = Authority::new();
    let own = authority.issue(&["web.test"]);
    pair_of(authority.server(&own, &[version], Clients::NotAsked), authority.client(None, &[version]))
}

fn pair_of(server: rustls::ServerConfig, client: rustls::ClientConfig) -> (End, End) {
    let alpn: Vec<_> = client.alpn_protocols.iter().filter_map(|name| Alpn::from_name(name)).collect();
    let client = Tls::client(Arc::new(client), "web.test".try_into().unwrap(), alpn.into_iter()).unwrap();
    (End::new(Tls::server(Arc::new(server)).unwrap()), End::new(client))
}

/// Carries what both have to say until neither has anything.
fn exchange(server: &mut End, client: &mut End) -> Result<(), TlsFailure> {
    loop {
        let (to_server, to_client) = (client.write_all(), server.write_all());
        if to_server.is_empty() && to_client.is_empty() {
            return Ok(());
        }
        client.read(&to_client)?;
        server.read(&to_server)?;
    }
}

fn open_pair(version: &'static SupportedProtocolVersion) -> (End, End) {
    let (mut server, mut client) = pair(version);
    exchange(&mut server, &mut client).unwrap();
    assert!(server.tls.is_open() && client.tls.is_open());
    (server, client)
}

#[test]
fn what_one_side_says_the_other_hears_however_it_is_cut() {
    for version in VERSIONS {
        for seed in 1..40_u64 {
            let mut cuts = Cuts(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let most = [3, 100, 20_000, 70_000][seed as usize % 4];
            let (mut server, mut client) = pair(version);
            let bytes: Vec<u8> =
                (0..cuts.next(if most == 3 { 2_000 } else { 150_000 })).map(|n| n as u8).collect();
            (client.output, server.output) = (bytes.clone(), bytes.iter().map(|b| !b).collect());
            let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
            while !(client.output.is_empty()
                && server.output.is_empty()
                && to_server.is_empty()
                && to_client.is_empty())
            {
                to_server.extend(client.write(cuts.next(most)));
                to_client.extend(server.write(cuts.next(most)));
                let n = cuts.next(most).min(to_server.len());
                server.read(&to_server.drain(..n).collect::<Vec<_>>()).unwrap();
                let n = cuts.next(most).min(to_client.len());
                client.read(&to_client.drain(..n).collect::<Vec<_>>()).unwrap();
            }
            assert!(server.heard == bytes && client.heard.iter().map(|b| !b).eq(bytes.iter().copied()));
            assert!(server.tls.tail().is_empty() && client.tls.tail().is_empty());
            assert_eq!(client.agreed[0].alpn, Some(Alpn::H2));
            assert_eq!(server.agreed[0].alpn, Some(Alpn::H2));
        }
    }
}

#[test]
fn a_client_that_comes_again_is_resumed_and_needs_no_certificate() {
    for version in VERSIONS {
        let authority = Authority::new();
        let own = authority.issue(&["web.test"]);
        let server = Arc::new(authority.server(&own, &[version], Clients::NotAsked));
        let client = Arc::new(authority.client(None, &[version]));
        let said_by_server = |_| {
            let mut at_client = End::new(
                Tls::client(client.clone(), "web.test".try_into().unwrap(), [Alpn::H2].into_iter()).unwrap(),
            );
            let mut at_server = End::new(Tls::server(server.clone()).unwrap());
            at_server.read(&at_client.write_all()).unwrap();
            let flight = at_server.write_all();
            at_client.read(&flight).unwrap();
            exchange(&mut at_server, &mut at_client).unwrap();
            assert_eq!((at_client.agreed.len(), at_server.agreed.len()), (1, 1));
            flight.len()
        };
        let [first, second] = [0, 1].map(said_by_server);
        assert!(second * 3 / 2 < first, "{first} and then {second}");
    }
}

#[test]
fn a_client_is_known_by_its_certificate_where_it_is_asked_for_one() {
    let authority = Authority::new();
    let own = authority.issue(&["web.test"]);
    let with_uri = authority.issue_uri("spiffe://cluster/ns/a/sa/b");
    let with_dns = authority.issue(&["b.clients.test"]);
    for version in VERSIONS {
        for (asks, certificate, identity) in [
            (Clients::Required, Some(&with_uri), Some("spiffe://cluster/ns/a/sa/b")),
            (Clients::Asked, Some(&with_dns), Some("b.clients.test")),
            (Clients::Asked, None, None),
            (Clients::NotAsked, Some(&with_dns), None),
        ] {
            let (mut server, mut client) =
                pair_of(authority.server(&own, &[version], asks), authority.client(certificate, &[version]));
            exchange(&mut server, &mut client).unwrap();
            assert_eq!(server.agreed[0].client_identity.as_deref(), identity);
            assert_eq!(client.agreed[0].client_identity, None);
        }
    }
}

#[test]
fn a_client_without_the_certificate_that_is_required_is_told_why_it_is_refused() {
    let authority = Authority::new();
    let own = authority.issue(&["web.test"]);
    let strange = Authority::new().issue(&["b.clients.test"]);
    for version in VERSIONS {
        for (certificate, failure) in
            [(None, TlsFailure::NoCertificate), (Some(&strange), TlsFailure::UnknownAuthority)]
        {
            let (mut server, mut client) = pair_of(
                authority.server(&own, &[version], Clients::Required),
                authority.client(certificate, &[version]),
            );
            assert_eq!(exchange(&mut server, &mut client), Err(failure));
            assert!(server.tls.has_pending() && server.agreed.is_empty());
            let alert = server.write_all();
            assert_eq!(client.read(&alert), Err(TlsFailure::CertificateRefused));
        }
    }
}

#[test]
fn an_endpoint_whose_certificate_does_not_verify_is_refused() {
    for version in VERSIONS {
        let (authority, other) = (Authority::new(), Authority::new());
        let expired = authority.issue_for(&["web.test"], 2020, 2021);
        for (by, own, failure) in [
            (&other, authority.issue(&["web.test"]), TlsFailure::UnknownAuthority),
            (&authority, authority.issue(&["other.test"]), TlsFailure::WrongName),
            (&authority, expired, TlsFailure::OutOfDate),
        ] {
            let (mut server, mut client) =
                pair_of(authority.server(&own, &[version], Clients::NotAsked), by.client(None, &[version]));
            assert_eq!(exchange(&mut server, &mut client), Err(failure));
            assert!(client.agreed.is_empty());
            let alert = client.write_all();
            assert_eq!(server.read(&alert), Err(TlsFailure::CertificateRefused));
        }
    }
}

#[test]
fn peers_without_a_version_or_a_protocol_in_common_part() {
    let authority = Authority::new();
    let own = authority.issue(&["web.test"]);
    let [newer, older] = VERSIONS;
    let (mut server, mut client) =
        pair_of(authority.server(&own, &[newer], Clients::NotAsked), authority.client(None, &[older]));
    assert_eq!(exchange(&mut server, &mut client), Err(TlsFailure::Incompatible));
    let mut other = authority.server(&own, &[newer], Clients::NotAsked);
    other.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (mut server, mut client) = pair_of(other, authority.client(None, &[newer]));
    assert_eq!(exchange(&mut server, &mut client), Err(TlsFailure::Incompatible));
    let mut silent = authority.client(None, &[newer]);
    silent.alpn_protocols = Vec::new();
    let (mut server, mut client) = pair_of(authority.server(&own, &[newer], Clients::NotAsked), silent);
    exchange(&mut server, &mut client).unwrap();
    assert_eq!(server.agreed[0].alpn, None);
}

#[test]
fn what_is_no_tls_is_refused_with_an_alert() {
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut server, _) = pair(VERSIONS[0]);
    assert_eq!(server.read(request), Err(TlsFailure::NotTls));
    assert_eq!(server.write_all()[0], 0x15);
    let (_, mut client) = pair(VERSIONS[0]);
    assert_eq!(client.read(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Err(TlsFailure::NotTls));
}

#[test]
fn garbage_ends_in_a_failure_and_never_in_a_session() {
    let mut cuts = Cuts(7);
    for version in VERSIONS {
        for _ in 0..300 {
            let (mut server, mut client) = pair(version);
            let mut hello = client.write_all();
            // Any byte but that of the random parts changes what is said; those it changes too, but nobody can tell.
            let at = cuts.next(hello.len()) - 1;
            hello[at] = hello[at].wrapping_add(cuts.next(255) as u8);
            let end = cuts.next(hello.len());
            if server.read(&hello[..end]).is_ok() {
                let answer = server.write_all();
                if client.read(&answer).is_ok() {
                    let _ = server.read(&client.write_all());
                }
            }
            assert!(server.agreed.is_empty(), "what a client said was changed, and not noticed");
        }
    }
}

#[test]
fn a_record_that_was_changed_or_is_too_large_ends_the_connection() {
    for version in VERSIONS {
        let (mut server, mut client) = open_pair(version);
        client.output = b"hello".to_vec();
        let mut record = client.write_all();
        *record.last_mut().unwrap() ^= 1;
        assert_eq!(server.read(&record), Err(TlsFailure::BadRecord));
        assert!(server.heard.is_empty() && server.tls.has_pending());
        assert_eq!(client.read(&server.write_all()), Err(TlsFailure::PeerRefused));

        let (mut server, _) = open_pair(version);
        assert_eq!(server.read(&[0x17, 3, 3, 0xff, 0xff]), Err(TlsFailure::BadRecord));
    }
}

#[test]
fn a_hello_within_a_session_does_not_begin_another() {
    for version in VERSIONS {
        let (mut server, _) = open_pair(version);
        let (_, mut other) = pair(version);
        assert!(server.read(&other.write_all()).is_err());
        assert_eq!(server.agreed.len(), 1);
    }
}

#[test]
fn half_a_record_is_no_plaintext_and_no_end() {
    for version in VERSIONS {
        let (mut server, mut client) = open_pair(version);
        client.output = vec![7; 1_000];
        let record = client.write_all();
        server.read(&record[..record.len() - 1]).unwrap();
        assert!(server.heard.is_empty() && !server.tls.has_peer_closed());
        assert_eq!(server.tls.tail().len(), record.len() - 1);
        server.read(&record[record.len() - 1..]).unwrap();
        assert_eq!(server.heard.len(), 1_000);
        assert!(server.tls.tail().is_empty());
    }
}

#[test]
fn what_comes_after_a_close_notify_is_not_heard() {
    for version in VERSIONS {
        let (mut server, mut client) = open_pair(version);
        client.output = b"last".to_vec();
        let mut said = client.write_all();
        client.tls.close(&mut client.wire);
        said.extend(client.write_all());
        said.extend(b"nothing of this");
        server.read(&said).unwrap();
        assert!(server.tls.has_peer_closed() && server.tls.tail().is_empty());
        assert_eq!(server.heard, b"last");
        // The other side may go on.
        server.output = b"still here".to_vec();
        client.read(&server.write_all()).unwrap();
        assert_eq!(client.heard, b"still here");
    }
}

#[test]
fn no_close_notify_is_sent_before_the_handshake_has_ended() {
    let (mut server, _) = pair(VERSIONS[0]);
    server.tls.close(&mut server.wire);
    assert!(!server.tls.has_pending());
}

#[test]
fn the_largest_part_of_a_handshake_message_is_kept_and_one_byte_more_is_refused() {
    // A client hello of 49,152 bytes over records of 16,384 each.
    let mut said = Vec::new();
    for n in 0..3 {
        said.extend([0x16, 3, 1, 0x40, 0]);
        said.extend(if n == 0 { [1, 0, 0xc0, 0] } else { [0; 4] });
        said.extend([0; 16_380]);
    }
    let (mut server, _) = pair(VERSIONS[0]);
    server.read(&said[..MOST_TAIL]).unwrap();
    assert_eq!(server.tls.tail().len(), MOST_TAIL);
    assert_eq!(server.read(&said[MOST_TAIL..=MOST_TAIL]), Err(TlsFailure::HandshakeTooLarge));
}

#[test]
fn a_peer_that_does_not_read_makes_little_wait_and_the_rest_stays_with_the_session() {
    for version in VERSIONS {
        let (mut server, mut client) = open_pair(version);
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 253) as u8).collect();
        server.output = bytes.clone();
        for _ in 0..100 {
            assert!(server.write(0).is_empty());
            assert!(server.tls.waiting().len() <= SEAL_BYTES + Wire::MOST_MOVED + 200);
            assert_eq!(server.output.len(), bytes.len());
        }
        assert_eq!(server.tls.sealed(), SEAL_BYTES);
        // What has left is never more than what went over the wire, and the last byte not before the last record.
        let mut over = 0;
        while !server.output.is_empty() {
            let part = server.write(1_000);
            over += part.len();
            assert!(bytes.len() - server.output.len() <= over);
            assert!(!server.output.is_empty() || !server.tls.has_pending());
            client.read(&part).unwrap();
        }
        assert!(client.heard == bytes);
    }
}
