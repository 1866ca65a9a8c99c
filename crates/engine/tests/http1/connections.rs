//! Connections: order, keep-alive, what may be used again, and ends.

use crate::world::{Setup, World, count, get, ok, world};
use evenkeel_core::policy::{ServicePolicy, UpstreamProtocol};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use std::time::Duration;

#[test]
fn pipelined_requests_are_answered_in_order_and_asked_one_after_the_other() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, [get("/1"), get("/2"), get("/3")].concat());
    let endpoint = w.open();
    for n in 1..=3 {
        let asked = w.heard(endpoint);
        assert_eq!(count(&asked, "HTTP/1.1"), 1, "{asked}");
        assert!(asked.starts_with(&format!("GET /{n} HTTP/1.1\r\n")), "{asked}");
        w.say(endpoint, ok(&n.to_string()));
    }
    let heard = w.heard(client);
    let bodies: Vec<_> = heard.split("HTTP/1.1 200 OK\r\n").skip(1).map(|a| a.chars().last()).collect();
    assert_eq!(bodies, [Some('1'), Some('2'), Some('3')]);
    assert!(w.asked.is_empty() && !w.is_closed(client) && !w.is_closed(endpoint));
}

#[test]
fn each_request_of_a_connection_is_picked_for_anew() {
    let mut service = ServicePolicy::default();
    service.upstream.protocol = UpstreamProtocol::H1;
    service.balance.policy = evenkeel_core::policy::BalancePolicy::RoundRobin;
    let mut w = World::new(Setup { service, endpoints: 2, ..Setup::default() });
    let client = w.client();
    let mut endpoints = Vec::new();
    for n in 0..6 {
        w.say(client, get("/"));
        if n < 2 {
            endpoints.push(w.open());
        }
        let asked: Vec<_> = endpoints.iter().map(|&e| w.heard(e)).collect();
        let one = asked.iter().position(|a| !a.is_empty()).unwrap();
        assert_eq!(one, n % 2);
        w.say(endpoints[one], ok("x"));
        assert!(w.heard(client).ends_with("\r\n\r\nx"));
    }
}

#[test]
fn bytes_behind_an_answer_close_the_upstream_and_reach_nobody() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, [ok("x"), ok("smuggled")].concat());
    let heard = w.heard(client);
    assert!(heard.ends_with("\r\n\r\nx") && !heard.contains("smuggled"), "{heard}");
    assert!(w.is_closed(endpoint));
    w.say(client, get("/again"));
    assert_eq!(w.asked.len(), 1, "the next one needs another connection");
}

#[test]
fn bytes_on_an_idle_upstream_close_it() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    w.say(endpoint, "H");
    assert!(w.is_closed(endpoint) && !w.is_closed(client));
}

#[test]
fn an_answer_before_the_end_of_its_request_is_no_reason_to_use_the_upstream_again() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345");
    let endpoint = w.open();
    assert!(w.heard(endpoint).ends_with("\r\n\r\n12345"));
    w.say(endpoint, ok("early"));
    assert!(w.heard(client).ends_with("early"));
    assert!(w.is_closed(endpoint) && !w.is_closed(client));
    // The rest is dropped, and the next request is read behind it.
    w.say(client, ["67890".to_owned(), get("/next")].concat());
    let endpoint = w.open();
    assert!(w.heard(endpoint).starts_with("GET /next "));
    w.say(endpoint, ok("y"));
    assert!(w.heard(client).ends_with("y"));
    assert_eq!(w.outcomes(ExchangeOutcome::Completed), 2);
}

#[test]
fn a_client_that_does_not_end_its_answered_request_is_closed_without_another_answer() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345");
    let endpoint = w.open();
    w.say(endpoint, ok("early"));
    w.heard(client);
    w.pass(Duration::from_secs(9));
    assert!(!w.is_closed(client));
    w.pass(Duration::from_secs(2));
    assert_eq!((w.is_closed(client), w.heard(client)), (true, String::new()));
    assert_eq!(w.session_ends(), [CloseReason::HeaderTimeout]);
}

#[test]
fn a_used_connection_that_the_endpoint_closed_is_no_failure_of_what_may_be_repeated() {
    for (method, is_repeated) in [("GET", true), ("PUT", true), ("POST", false), ("PATCH", false)] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.say(client, get("/"));
        let endpoint = w.open();
        w.say(endpoint, ok("x"));
        w.heard(client);
        w.say(client, format!("{method} /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"));
        w.fin(endpoint);
        if is_repeated && !w.asked.is_empty() {
            let endpoint = w.open();
            assert!(w.heard(endpoint).starts_with(&format!("{method} /2 ")));
            w.say(endpoint, ok("y"));
            assert!(w.heard(client).ends_with("y"), "{method}");
        } else {
            assert!(!is_repeated, "{method} is sent again");
            assert!(w.heard(client).starts_with("HTTP/1.1 503 "), "{method}");
        }
    }
}

#[test]
fn a_connection_that_answers_nothing_at_all_fails_the_request_even_if_it_may_be_repeated() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.fin(endpoint);
    assert!(w.heard(client).starts_with("HTTP/1.1 503 "));
    assert_eq!(w.outcomes(ExchangeOutcome::UpstreamGone), 1);
}

#[test]
fn connection_close_is_obeyed_on_both_sides() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let endpoint = w.open();
    assert!(!w.heard(endpoint).contains("close"), "it is the client's connection that ends");
    w.say(endpoint, ok("x"));
    assert!(w.heard(client).contains("connection: close\r\n"));
    assert!(w.is_closed(client) && !w.is_closed(endpoint));
    let client = w.client();
    w.say(client, get("/"));
    w.say(endpoint, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\ny");
    assert!(!w.heard(client).contains("close"));
    assert!(!w.is_closed(client) && w.is_closed(endpoint));
}

#[test]
fn http_1_0_ends_with_its_answer_unless_it_asks_for_more() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "GET /1 HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n");
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    assert!(w.heard(client).contains("connection: keep-alive\r\n"));
    w.say(client, "GET /2 HTTP/1.0\r\nhost: a\r\n\r\n");
    // It knows no chunks: the end of the connection ends the body.
    w.say(endpoint, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    let heard = w.heard(client);
    assert!(heard.contains("connection: close\r\n") && heard.ends_with("\r\n\r\nab"), "{heard}");
    assert!(!heard.contains("chunked") && w.is_closed(client) && !w.wire(client).is_cut);
}

#[test]
fn a_client_that_ended_its_side_still_gets_its_answer() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.fin(client);
    assert!(!w.is_closed(client));
    w.say(endpoint, ok("x"));
    assert!(w.heard(client).ends_with("x") && w.is_closed(client));
    assert_eq!(w.outcomes(ExchangeOutcome::Completed), 1);
}

#[test]
fn an_upstream_carries_its_most_requests_and_then_another_one_is_opened() {
    let mut service = ServicePolicy::default();
    service.upstream.protocol = UpstreamProtocol::H1;
    service.upstream.max_requests_per_connection = Some(2);
    let mut w = World::new(Setup { service, ..Setup::default() });
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    assert!(!w.is_closed(endpoint));
    w.say(client, get("/"));
    w.say(endpoint, ok("x"));
    assert!(w.is_closed(endpoint));
    w.say(client, get("/"));
    assert_eq!(w.asked.len(), 1);
}

#[test]
fn a_drain_closes_idle_clients_at_once_and_busy_ones_with_their_answer() {
    let mut w = world(UpstreamProtocol::H1);
    let (idle, busy) = (w.client(), w.client());
    w.say(idle, get("/"));
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    w.say(busy, get("/"));
    w.heard(idle);
    let deadline = w.now + Duration::from_secs(30);
    w.engine.begin_drain(w.now, deadline);
    w.carry();
    assert!(w.is_closed(idle) && !w.is_closed(busy));
    w.say(endpoint, ok("y"));
    let heard = w.heard(busy);
    assert!(heard.contains("connection: close\r\n") && heard.ends_with("y"), "{heard}");
    assert!(w.is_closed(busy));
    // Whoever comes while it goes on is served once.
    let late = w.client();
    w.say(late, get("/"));
    w.say(endpoint, ok("z"));
    assert!(w.heard(late).contains("connection: close\r\n") && w.is_closed(late));
    assert_eq!(w.engine.drain_progress().finished, 3);
    assert_eq!(w.session_ends(), [CloseReason::DrainFinished; 3]);
}
