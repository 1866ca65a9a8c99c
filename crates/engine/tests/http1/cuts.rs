//! What was cut is never taken for whole, however its end is said.

use crate::world::{World, get, world};
use evenkeel_core::policy::UpstreamProtocol;
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_engine::ConnKey;
use evenkeel_wire::http2::ErrorCode;

const CUT_ANSWERS: [&str; 4] = [
    "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n",
];

fn ends() -> [fn(&mut World, ConnKey); 2] {
    [World::fin, World::reset]
}

#[test]
fn a_cut_answer_is_cut_for_a_client_of_http_1() {
    for answer in CUT_ANSWERS {
        for end in ends() {
            let mut w = world(UpstreamProtocol::H1);
            let client = w.client();
            w.say(client, get("/"));
            let endpoint = w.open();
            w.say(endpoint, answer);
            end(&mut w, endpoint);
            let heard = w.heard(client);
            assert!(heard.contains("abc") && !heard.ends_with("0\r\n\r\n"), "{heard}");
            assert!(w.is_closed(client), "{answer}");
            assert_eq!(w.outcomes(ExchangeOutcome::Completed), 0, "{answer}");
        }
    }
}

#[test]
fn a_cut_answer_is_reset_for_a_client_of_http_2() {
    for answer in CUT_ANSWERS {
        for end in ends() {
            let mut w = world(UpstreamProtocol::H1);
            let client = w.client_h2();
            w.h2(client).request(1, true);
            w.carry();
            let endpoint = w.open();
            w.say(endpoint, answer);
            end(&mut w, endpoint);
            assert_eq!(w.h2(client).resets(), [(1, ErrorCode::InternalError)], "{answer}");
        }
    }
}

#[test]
fn a_body_until_the_end_of_the_connection_that_is_reset_is_cut_for_every_client() {
    let mut w = world(UpstreamProtocol::H1);
    let (client, old, new) = (w.client(), w.client(), w.client_h2());
    w.say(client, get("/"));
    w.say(old, "GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    w.h2(new).request(1, true);
    w.carry();
    for _ in 0..3 {
        let endpoint = w.open();
        w.say(endpoint, "HTTP/1.1 200 OK\r\n\r\nabc");
        w.reset(endpoint);
    }
    assert!(!w.heard(client).ends_with("0\r\n\r\n") && w.is_closed(client));
    assert!(w.is_closed(old) && w.wire(old).is_cut, "a polite end would be the end of the body");
    assert_eq!(w.h2(new).resets(), [(1, ErrorCode::InternalError)]);
}

#[test]
fn a_cut_request_is_cut_for_its_endpoint() {
    for request in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        for end in ends() {
            for is_http2 in [false, true] {
                let mut w = world(if is_http2 { UpstreamProtocol::H2 } else { UpstreamProtocol::H1 });
                let client = w.client();
                w.say(client, request);
                let endpoint = if is_http2 { w.open_h2() } else { w.open() };
                end(&mut w, client);
                assert_eq!(w.outcomes(ExchangeOutcome::ClientGone), 1);
                if is_http2 {
                    assert_eq!(w.h2(endpoint).resets(), [(1, ErrorCode::Cancel)]);
                } else {
                    assert!(w.is_closed(endpoint) && !w.heard(endpoint).ends_with("0\r\n\r\n"), "{request}");
                }
            }
        }
    }
}

#[test]
fn a_stream_that_an_endpoint_of_http_2_resets_is_cut_for_a_client_of_http_1() {
    let mut w = world(UpstreamProtocol::H2);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open_h2();
    let peer = w.h2(endpoint);
    peer.answer(1, false);
    peer.data(1, b"abc", false);
    w.carry();
    w.h2(endpoint).reset(1);
    w.carry();
    let heard = w.heard(client);
    assert!(heard.ends_with("3\r\nabc\r\n") && w.is_closed(client), "{heard}");
}

#[test]
fn chunks_that_break_the_rules_end_both_sides() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcXX");
    assert!(w.is_closed(endpoint) && w.is_closed(client));
    assert_eq!(w.outcomes(ExchangeOutcome::UpstreamProtocolError), 1);
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    assert!(w.heard(client).starts_with("HTTP/1.1 400 ") && w.is_closed(client));
}

#[test]
fn an_answer_in_half_a_head_fails_its_request() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\ncontent-");
    w.fin(endpoint);
    assert!(w.heard(client).starts_with("HTTP/1.1 503 "));
}
