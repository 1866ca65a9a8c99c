//! What endpoints speak, where their service leaves that open; and what TLS agrees on.

use crate::peer::Seen;
use crate::world::{Setup, World, get, ok, world};
use evenkeel_core::policy::{
    ClientCertificateRule, HeaderRule, HeaderRules, ListenerProtocol, RoutePolicy, ServicePolicy, Transport,
    UpstreamProtocol,
};
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_engine::{Alpn, Secured};
use evenkeel_wire::http2::{self, ErrorCode};

const GRPC: [(&str, &str); 5] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a.B/C"),
    (":authority", "a"),
    ("content-type", "application/grpc"),
];

#[test]
fn each_client_is_passed_on_in_its_own_version() {
    let mut w = world(UpstreamProtocol::Auto);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    assert!(w.heard(endpoint).starts_with("GET / HTTP/1.1\r\n"));
    let mut w = world(UpstreamProtocol::Auto);
    let client = w.client_h2();
    w.h2(client).request(1, true);
    w.carry();
    let endpoint = w.open_h2();
    assert_eq!(w.h2(endpoint).headers_seen(), 1);
}

#[test]
fn an_endpoint_that_refuses_http_2_is_asked_in_http_1_and_that_is_remembered() {
    for refusal in ["HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", ""] {
        let mut w = world(UpstreamProtocol::Auto);
        let client = w.client_h2();
        w.h2(client).request(1, true);
        w.h2(client).request(3, true);
        w.carry();
        let stranger = w.open();
        w.wire(stranger).http2 = None;
        if refusal.is_empty() {
            w.fin(stranger);
        } else {
            w.say(stranger, refusal);
        }
        assert!(w.is_closed(stranger));
        let endpoint = w.open();
        assert!(w.heard(endpoint).starts_with("POST / HTTP/1.1\r\n"), "{refusal:?}");
        w.say(endpoint, ok("x"));
        w.say(endpoint, ok("y"));
        w.h2(client).request(5, true);
        w.carry();
        assert!(w.heard(endpoint).starts_with("POST / HTTP/1.1\r\n"));
        w.say(endpoint, ok("z"));
        let statuses: Vec<_> = w.h2(client).statuses().iter().map(|(_, s)| (*s).to_owned()).collect();
        assert_eq!(statuses, ["200", "200", "200"], "{refusal:?}");
        assert_eq!(w.outcomes(ExchangeOutcome::Completed), 3);
    }
}

#[test]
fn an_endpoint_that_answers_http_1_in_http_2_is_asked_again_in_that() {
    let mut settings = Vec::new();
    http2::put_settings(&mut settings, &http2::Settings::default(), false);
    let mut goaway = Vec::new();
    http2::put_goaway(&mut goaway, 0, ErrorCode::ProtocolError, b"");
    for first in [settings, goaway] {
        for cut in [1, 5, 9, first.len()] {
            let mut w = world(UpstreamProtocol::Auto);
            let client = w.client();
            w.say(client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
            let stranger = w.open();
            for part in first.chunks(cut) {
                if !w.is_closed(stranger) {
                    w.say(stranger, part);
                }
            }
            assert!(w.is_closed(stranger));
            let endpoint = w.open_h2();
            assert_eq!(w.h2(endpoint).body, b"abc");
            w.h2(endpoint).answer(1, true);
            w.carry();
            assert!(w.heard(client).starts_with("HTTP/1.1 200 OK\r\n"));
            // It is remembered.
            w.say(client, get("/2"));
            assert!(w.asked.is_empty());
            assert_eq!(w.h2(endpoint).headers_seen(), 2);
            assert_eq!(w.outcomes(ExchangeOutcome::UpstreamGone), 0);
        }
    }
}

#[test]
fn an_endpoint_that_speaks_nothing_fails_the_request_in_the_end() {
    let mut w = world(UpstreamProtocol::Auto);
    let client = w.client_h2();
    w.h2(client).request(1, true);
    w.carry();
    for _ in 0..2 {
        let stranger = w.open();
        w.fin(stranger);
    }
    assert!(w.asked.is_empty());
    assert_eq!(w.h2(client).statuses(), [(1, "503")]);
}

#[test]
fn a_grpc_call_goes_in_http_2_even_beside_connections_of_http_1() {
    let mut w = world(UpstreamProtocol::Auto);
    let client = w.client();
    w.say(client, get("/"));
    let first = w.open();
    w.say(first, ok("x"));
    let caller = w.client_h2();
    w.h2(caller).headers(1, &GRPC, true);
    w.carry();
    let second = w.open_h2();
    assert_eq!(w.h2(second).headers_seen(), 1);
    let grpc =
        "POST /a.B/C HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    let client = w.client();
    w.say(client, grpc);
    assert_eq!(w.h2(second).headers_seen(), 2);
}

#[test]
fn a_service_of_one_protocol_learns_nothing() {
    let mut w = world(UpstreamProtocol::H2);
    let client = w.client_h2();
    w.h2(client).request(1, true);
    w.carry();
    let stranger = w.open();
    w.say(stranger, "HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(w.asked.is_empty());
    assert_eq!(w.h2(client).statuses(), [(1, "503")]);
}

fn over_tls(protocol: UpstreamProtocol) -> World {
    let mut service = ServicePolicy::default();
    service.upstream.protocol = protocol;
    service.upstream.transport = Transport::Tls;
    World::new(Setup { service, ..Setup::default() })
}

#[test]
fn under_tls_the_handshake_says_what_is_spoken() {
    for (alpn, is_http2) in [(Some(Alpn::H2), true), (Some(Alpn::H1), false), (None, false)] {
        let mut w = over_tls(UpstreamProtocol::Auto);
        let client = w.client();
        w.say(client, get("/"));
        let key = w.asked[0].0;
        assert_eq!(w.engine.may_agree_on(key), [Alpn::H2, Alpn::H1]);
        w.engine.secured(w.now, key, Secured { alpn, ..Secured::default() });
        if is_http2 {
            let endpoint = w.open_h2();
            assert_eq!(w.h2(endpoint).headers_seen(), 1);
        } else {
            let endpoint = w.open();
            assert!(w.heard(endpoint).starts_with("GET / HTTP/1.1\r\n"), "{alpn:?}");
        }
    }
}

#[test]
fn an_endpoint_that_agrees_on_another_protocol_than_its_service_has_is_not_connected() {
    for (protocol, alpn) in [(UpstreamProtocol::H1, Alpn::H2), (UpstreamProtocol::H2, Alpn::H1)] {
        let mut w = over_tls(protocol);
        let client = w.client();
        w.say(client, get("/"));
        let key = w.asked[0].0;
        w.engine.secured(w.now, key, Secured { alpn: Some(alpn), ..Secured::default() });
        w.carry();
        assert!(w.heard(client).starts_with("HTTP/1.1 503 "), "{protocol:?}");
        assert_eq!(w.outcomes(ExchangeOutcome::ConnectFailed), 1);
    }
}

#[test]
fn a_client_that_speaks_http_2_never_sees_what_was_tried() {
    let mut w = world(UpstreamProtocol::Auto);
    let client = w.client_h2();
    w.h2(client).request(1, true);
    w.carry();
    let stranger = w.open();
    w.fin(stranger);
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    let resets = w.h2(client).seen.iter().filter(|s| matches!(s, Seen::Reset { .. })).count();
    assert_eq!((resets, w.h2(client).body.as_slice()), (0, &b"x"[..]));
}

#[test]
fn an_endpoint_hears_that_its_client_came_by_tls_and_who_it_is() {
    let headers = HeaderRules {
        forwarded_proto: HeaderRule::Set,
        client_certificate: ClientCertificateRule::Set,
        ..HeaderRules::default()
    };
    let route = RoutePolicy { headers, ..RoutePolicy::default() };
    let mut setup = Setup { route, ..Setup::default() };
    setup.service.upstream.protocol = UpstreamProtocol::H2;
    let mut w = World::new(setup);
    let client = w.client();
    let identity = Some("spiffe://mesh/web".into());
    let secured = Secured { alpn: Some(Alpn::H1), client_identity: identity, ..Secured::default() };
    w.engine.secured(w.now, client, secured);
    w.say(client, "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-client-cert: spiffe://mesh/root\r\n\r\n");
    let endpoint = w.open_h2();
    let peer = w.h2(endpoint);
    assert_eq!(peer.last(":scheme"), Some("https"));
    assert_eq!(peer.last("x-forwarded-proto"), Some("https"));
    assert_eq!(peer.last("x-forwarded-client-cert"), Some("spiffe://mesh/web"));
    let named = peer.blocks[0].iter().filter(|(name, _)| name == "x-forwarded-client-cert").count();
    assert_eq!(named, 1);
}

#[test]
fn a_tunnel_under_tls_asks_for_its_endpoint_once_the_handshake_is_done() {
    let mut setup = Setup::default();
    setup.listener.protocol = ListenerProtocol::Tcp;
    setup.listener.transport = Transport::Tls;
    let mut w = World::new(setup);
    let client = w.client();
    w.carry();
    assert!(w.asked.is_empty());
    w.engine.secured(w.now, client, Secured::default());
    w.carry();
    assert_eq!(w.asked.len(), 1);
    let key = w.asked[0].0;
    assert!(w.engine.may_agree_on(key).is_empty());
    let endpoint = w.open();
    w.say(client, "ping");
    assert_eq!(w.heard(endpoint), "ping");
}
