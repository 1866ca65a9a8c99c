//! Opening handshakes: what is asked of clients and endpoints, and how one becomes another.

use crate::bench::{Bench, EACH, Speaks, speaking};
use crate::talk::{self, CONNECT, KEY, header, masked, plain};
use evenkeel_core::policy::{RoutePolicy, ServicePolicy, Upstream, UpstreamProtocol};
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_wire::websocket::handshake::accept_of;

fn bench(endpoint: Speaks) -> Bench {
    Bench::new(speaking(endpoint), RoutePolicy::default(), 1)
}

#[test]
fn a_websocket_stands_from_each_to_each_and_carries_messages_both_ways() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            for text in [&b"hello"[..], b"", &[b'x'; 300]] {
                bench.say(client, &masked(0x81, text));
                assert_eq!(bench.lines[endpoint].hear(), masked(0x81, text));
                bench.say(endpoint, &plain(0x81, text));
                assert_eq!(bench.lines[client].hear(), plain(0x81, text));
            }
            assert_eq!((bench.stats.websockets(), bench.sessions()), (1, vec![1]));
        }
    }
}

#[test]
fn an_upgrade_passes_as_it_is_and_its_answer_too() {
    let mut bench = bench(Speaks::Http1);
    let client = bench.asking(Speaks::Http1);
    let endpoint = bench.open(Speaks::Http1);
    let request = bench.agree(endpoint);
    assert!(request.starts_with(b"GET /chat HTTP/1.1\r\n"));
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(header(&request, name), Some(value));
    }
    let answer = bench.lines[client].hear();
    let accept = accept_of(KEY.as_bytes());
    assert_eq!(header(&answer, "sec-websocket-accept").map(str::as_bytes), Some(&accept[..]));
    assert_eq!(header(&answer, "sec-websocket-protocol"), Some("chat"));
}

#[test]
fn an_extended_connect_becomes_an_upgrade_with_a_key_of_ours() {
    let mut bench = bench(Speaks::Http1);
    let client = bench.asking(Speaks::Http2);
    let endpoint = bench.open(Speaks::Http1);
    let request = bench.agree(endpoint);
    assert!(request.starts_with(b"GET /chat HTTP/1.1\r\nhost: a\r\n"));
    assert_eq!(header(&request, "upgrade"), Some("websocket"));
    assert_eq!(header(&request, "sec-websocket-version"), Some("13"));
    assert_eq!(header(&request, "sec-websocket-key").unwrap().len(), 24);
    assert!(!request.windows(9).any(|w| w == b":protocol"));
    let peer = bench.lines[client].http2.as_ref().unwrap();
    let names: Vec<&str> = peer.blocks[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [":status", "sec-websocket-protocol"], "what proves an upgrade stays behind");
}

#[test]
fn an_upgrade_becomes_an_extended_connect_on_a_shared_connection() {
    let mut bench = bench(Speaks::Http2);
    let first = bench.asking(Speaks::Http1);
    let endpoint = bench.open(Speaks::Http2);
    let second = bench.asking(Speaks::Http1);
    assert!(bench.asked.is_empty(), "one connection takes both");
    let peer = bench.lines[endpoint].http2.as_mut().unwrap();
    assert_eq!(peer.blocks.len(), 2);
    let fields: Vec<_> = peer.blocks[0].iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for wanted in [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "a"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert!(fields.contains(&wanted), "{wanted:?} in {fields:?}");
    }
    assert!(!fields.iter().any(|(name, _)| *name == "sec-websocket-key" || *name == "upgrade"));
    for stream in [1, 3] {
        peer.headers(stream, &[(":status", "200")], false);
    }
    bench.carry();
    let accept = accept_of(KEY.as_bytes());
    for client in [first, second] {
        let answer = bench.lines[client].hear();
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        assert_eq!(header(&answer, "upgrade"), Some("websocket"));
        assert_eq!(header(&answer, "sec-websocket-accept").map(str::as_bytes), Some(&accept[..]));
    }
    assert_eq!(bench.sessions(), [2]);
}

#[test]
fn a_request_that_is_no_handshake_is_refused_with_what_would_be_one() {
    for (method, version, key, status) in [
        ("GET", "8", KEY, "426"),
        ("GET", "", KEY, "426"),
        ("GET", "13", "", "400"),
        ("GET", "13", "short", "400"),
        ("POST", "13", KEY, "400"),
    ] {
        let mut bench = bench(Speaks::Http1);
        let client = bench.client(Speaks::Http1);
        bench.say(client, &talk::request(method, version, key));
        let answer = bench.lines[client].hear();
        assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{method} {version} {key}");
        let head = answer.split(|&b| b == b'\n').collect::<Vec<_>>().len();
        assert!(head > 3);
        assert_eq!(header(&answer, "sec-websocket-version"), Some("13"));
        assert!(bench.asked.is_empty(), "no endpoint hears of it");
        // The connection goes on, with a request that is right.
        bench.say(client, &talk::request("GET", "13", KEY));
        assert_eq!(bench.asked.len(), 1);
    }
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    let mut bench = bench(Speaks::Http1);
    let client = bench.client(Speaks::Http1);
    let text = String::from_utf8(talk::request("GET", "13", KEY)).unwrap();
    bench.say(client, text.replace("\r\n\r\n", &format!("\r\nsec-websocket-key: {KEY}\r\n\r\n")).as_bytes());
    assert!(bench.lines[client].hear().starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn an_endpoint_that_has_not_read_the_key_is_not_believed() {
    for accept in ["", "sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"] {
        for speaks in EACH {
            let mut bench = bench(Speaks::Http1);
            let client = bench.asking(speaks);
            let endpoint = bench.open(Speaks::Http1);
            let answer =
                format!("HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n{accept}\r\n");
            bench.say(endpoint, answer.as_bytes());
            match &bench.lines[client].http2 {
                Some(peer) => assert_eq!(peer.last(":status"), Some("502")),
                None => assert!(bench.lines[client].hear().starts_with(b"HTTP/1.1 502 ")),
            }
            assert_eq!(bench.outcomes(ExchangeOutcome::UpstreamProtocolError), 1);
            assert_eq!((bench.stats.websockets(), bench.sessions()), (0, vec![0]));
        }
    }
}

#[test]
fn an_endpoint_that_refuses_is_passed_on() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let client = bench.asking(client_speaks);
            let endpoint = bench.open(endpoint_speaks);
            match &mut bench.lines[endpoint].http2 {
                Some(peer) => peer.headers(1, &[(":status", "403")], true),
                None => bench.lines[endpoint].say(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"),
            }
            bench.carry();
            match &bench.lines[client].http2 {
                Some(peer) => assert_eq!(peer.last(":status"), Some("403")),
                None => assert!(bench.lines[client].hear().starts_with(b"HTTP/1.1 403 ")),
            }
            assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
            assert_eq!(bench.sessions(), [0]);
        }
    }
}

#[test]
fn a_200_of_http1_is_no_consent_to_an_extended_connect() {
    let mut bench = bench(Speaks::Http1);
    let client = bench.asking(Speaks::Http2);
    let endpoint = bench.open(Speaks::Http1);
    bench.say(endpoint, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(bench.lines[client].http2.as_ref().unwrap().last(":status"), Some("502"));
}

#[test]
fn a_200_of_http1_is_an_answer_to_an_upgrade() {
    let mut bench = bench(Speaks::Http1);
    let client = bench.asking(Speaks::Http1);
    let endpoint = bench.open(Speaks::Http1);
    bench.say(endpoint, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    let answer = bench.lines[client].hear();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK") && answer.ends_with(b"\r\n\r\nhi"));
}

#[test]
fn an_endpoint_whose_http2_takes_no_websockets_is_named_or_asked_by_http1() {
    for (protocol, status) in [(UpstreamProtocol::H2, Some("502")), (UpstreamProtocol::Auto, None)] {
        let upstream = Upstream { protocol, ..Upstream::default() };
        let policy = ServicePolicy { upstream, ..ServicePolicy::default() };
        let mut bench = Bench::new(policy, RoutePolicy::default(), 1);
        bench.settings.enable_connect_protocol = false;
        let client = bench.asking(Speaks::Http2);
        if status.is_some() {
            bench.open(Speaks::Http2);
            assert_eq!(bench.lines[client].http2.as_ref().unwrap().last(":status"), status);
            assert_eq!(bench.outcomes(ExchangeOutcome::WebSocketNotTaken), 1);
        } else {
            let endpoint = bench.open(Speaks::Http1);
            assert!(bench.agree(endpoint).starts_with(b"GET /chat"));
            assert_eq!(bench.stats.websockets(), 1);
        }
    }
}

#[test]
fn extended_connect_is_announced_to_clients_only() {
    let mut bench = bench(Speaks::Http2);
    let client = bench.engine.accept(bench.now, evenkeel_core::id::ListenerId(0), crate::bench::address(9));
    let client = client.unwrap();
    bench.engine.received(bench.now, client, evenkeel_wire::detect::PREFACE);
    let has_setting = |bytes: &[u8]| bytes.windows(6).any(|pair| pair == [0, 8, 0, 0, 0, 1]);
    assert!(has_setting(bench.engine.output(client)));
    let sent = bench.engine.output(client).len();
    bench.engine.wrote(bench.now, client, sent);
    bench.asking(Speaks::Http1);
    let (endpoint, _) = bench.asked[0];
    bench.engine.connected(bench.now, endpoint);
    assert!(!has_setting(bench.engine.output(endpoint)));
}

#[test]
fn other_protocols_and_malformed_connects_are_refused() {
    let with = |name: &'static str, value: &'static str| {
        let mut fields = CONNECT.to_vec();
        fields.iter_mut().filter(|(n, _)| *n == name).for_each(|field| field.1 = value);
        fields
    };
    let without = |name: &str| CONNECT.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    for (fields, status) in [
        (with(":protocol", "connect-udp"), Some("501")),
        (with("sec-websocket-version", "8"), Some("400")),
        (without("sec-websocket-version"), Some("400")),
        (without(":scheme"), None),
        (without(":path"), None),
        (without(":authority"), None),
        (with(":method", "GET"), None),
    ] {
        let mut bench = bench(Speaks::Http1);
        let client = bench.client(Speaks::Http2);
        let peer = bench.lines[client].http2.as_mut().unwrap();
        peer.headers(1, &fields, false);
        bench.carry();
        let peer = bench.lines[client].http2.as_ref().unwrap();
        match status {
            Some(_) => assert_eq!(peer.last(":status"), status),
            None => assert_eq!(peer.resets().len(), 1, "{fields:?}"),
        }
        assert!(bench.asked.is_empty());
    }
}

#[test]
fn what_a_client_says_before_it_may_waits_for_the_consent() {
    for endpoint_speaks in EACH {
        let mut bench = bench(endpoint_speaks);
        let client = bench.asking(Speaks::Http2);
        bench.say(client, &masked(0x81, b"early"));
        let endpoint = bench.open(endpoint_speaks);
        bench.say(client, &masked(0x81, b"too"));
        bench.agree(endpoint);
        let heard = talk::frames(&bench.lines[endpoint].hear());
        assert_eq!(heard, [(0x81, b"early".to_vec()), (0x81, b"too".to_vec())]);
        assert_eq!(bench.stats.messages_total(evenkeel_core::stats::MessageDirection::Up), 2);
    }
}

#[test]
fn frames_behind_the_heads_are_not_lost() {
    let mut bench = bench(Speaks::Http1);
    let client = bench.client(Speaks::Http1);
    bench.say(client, &[talk::request("GET", "13", KEY), masked(0x81, b"at once")].concat());
    let endpoint = bench.open(Speaks::Http1);
    let request = bench.lines[endpoint].hear();
    bench.say(endpoint, &[talk::consent(&request), plain(0x81, b"welcome")].concat());
    assert_eq!(talk::frames(&bench.lines[endpoint].hear()), [(0x81, b"at once".to_vec())]);
    assert!(bench.lines[client].hear().ends_with(b"\r\n\r\n\x81\x07welcome"));
}
