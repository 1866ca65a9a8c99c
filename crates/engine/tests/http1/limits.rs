//! Limits, from both sides, and slow heads.

use crate::world::{Setup, World, get, ok, world};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{RoutePolicy, UpstreamProtocol};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use std::time::Duration;

fn limited(limits: Limits) -> World {
    let mut setup = Setup { limits, ..Setup::default() };
    setup.service.upstream.protocol = UpstreamProtocol::H1;
    World::new(setup)
}

/// Whether a request gets to an endpoint; else what its client hears.
fn asked(w: &mut World, request: &str) -> Result<(), String> {
    let client = w.client();
    w.say(client, request);
    if w.asked.is_empty() {
        assert!(w.is_closed(client));
        return Err(w.heard(client));
    }
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    Ok(())
}

#[test]
fn the_most_fields_pass_and_one_more_is_431() {
    let mut w = limited(Limits { header_fields: 10, ..Limits::default() });
    let request = |n| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(n));
    assert_eq!(asked(&mut w, &request(9)), Ok(()));
    assert!(asked(&mut w, &request(10)).unwrap_err().starts_with("HTTP/1.1 431 "));
    assert_eq!(w.refused(Limit::HeaderFields), 1);
}

#[test]
fn the_longest_request_line_passes_and_one_byte_more_is_414() {
    let mut w = limited(Limits { request_line_bytes: 9_000, ..Limits::default() });
    let request = |n: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(n - 14));
    assert_eq!(asked(&mut w, &request(9_000)), Ok(()));
    assert!(asked(&mut w, &request(9_001)).unwrap_err().starts_with("HTTP/1.1 414 "));
    assert_eq!(w.refused(Limit::RequestLineBytes), 1);
}

#[test]
fn a_head_of_too_many_bytes_is_431() {
    let mut w = limited(Limits { header_list_bytes: 4_096, ..Limits::default() });
    let request = |n| format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(n));
    assert_eq!(asked(&mut w, &request(3_500)), Ok(()));
    assert!(asked(&mut w, &request(4_096)).unwrap_err().starts_with("HTTP/1.1 431 "));
    assert_eq!(w.refused(Limit::HeaderListBytes), 1);
}

#[test]
fn the_largest_body_of_a_route_passes_and_one_byte_more_is_413() {
    let route = RoutePolicy { request_body_bytes: Some(5), ..RoutePolicy::default() };
    let mut setup = Setup { route, ..Setup::default() };
    setup.service.upstream.protocol = UpstreamProtocol::H1;
    let mut w = World::new(setup);
    let length =
        |n: usize| format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {n}\r\n\r\n{}", "b".repeat(n));
    let chunk = |n: usize| {
        let body = "b".repeat(n);
        format!(
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{n:x}\r\n{body}\r\n0\r\n\r\n"
        )
    };
    assert_eq!(asked(&mut w, &length(5)), Ok(()));
    assert_eq!(asked(&mut w, &chunk(5)), Ok(()));
    let heard = asked(&mut w, &length(6)).unwrap_err();
    assert!(heard.starts_with("HTTP/1.1 413 ") && heard.contains("connection: close\r\n"), "{heard}");
    assert_eq!(w.outcomes(ExchangeOutcome::BodyTooLarge), 1);
    // Of chunks nobody knows before: the request is on its way by then.
    let client = w.client();
    w.say(client, chunk(6));
    let heard = w.heard(client);
    assert!(heard.starts_with("HTTP/1.1 413 ") && heard.contains("connection: close\r\n"), "{heard}");
    assert!(w.is_closed(client));
    assert_eq!((w.outcomes(ExchangeOutcome::BodyTooLarge), w.refused(Limit::RequestBodyBytes)), (2, 2));
}

#[test]
fn a_body_too_large_that_waits_for_100_is_refused_before_it_comes() {
    let route = RoutePolicy { request_body_bytes: Some(5), ..RoutePolicy::default() };
    let mut w = World::new(Setup { route, ..Setup::default() });
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n");
    assert!(w.heard(client).starts_with("HTTP/1.1 413 ") && w.asked.is_empty());
}

#[test]
fn a_slow_head_is_408_if_something_of_it_came_and_else_a_close() {
    for (part, status) in [
        ("", ""),
        ("GE", ""),
        ("GET / HT", "HTTP/1.1 408 "),
        ("GET / HTTP/1.1\r\nhost: a\r\n", "HTTP/1.1 408 "),
        ("PRI * HTTP/2.0\r\n", ""),
    ] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.say(client, part);
        w.pass(Duration::from_millis(9_900));
        assert!(!w.is_closed(client), "{part:?}");
        w.pass(Duration::from_millis(200));
        assert!(w.is_closed(client), "{part:?}");
        let heard = w.heard(client);
        assert!(heard.starts_with(status) && heard.is_empty() == status.is_empty(), "{part:?}: {heard}");
        assert_eq!(w.session_ends(), [CloseReason::HeaderTimeout]);
    }
}

#[test]
fn a_slow_second_head_is_408_and_a_client_that_only_waits_is_not_hurried() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    w.heard(client);
    w.pass(Duration::from_secs(60));
    assert!(!w.is_closed(client));
    w.say(client, "GET / HTTP/1.1\r\n");
    // A byte now and then is no head.
    for _ in 0..5 {
        w.pass(Duration::from_secs(2));
        w.say(client, "x");
    }
    w.pass(Duration::from_secs(1));
    assert!(w.heard(client).starts_with("HTTP/1.1 408 ") && w.is_closed(client));
}

#[test]
fn a_head_that_breaks_the_rules_is_answered_with_its_status_and_ends_the_connection() {
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nhost: a\r\nexpect: rain\r\n\r\n", 417),
        ("GET / HTTP/1.2\r\nhost: a\r\n\r\n", 505),
    ] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.say(client, request);
        let heard = w.heard(client);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {heard}");
        assert!(heard.contains("connection: close\r\n") && w.is_closed(client), "{request:?}");
        assert_eq!(w.session_ends(), [CloseReason::BadMessage]);
    }
}

#[test]
fn an_answer_over_the_limits_is_502() {
    let mut w = limited(Limits { header_fields: 4, ..Limits::default() });
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(5)));
    assert!(w.heard(client).starts_with("HTTP/1.1 502 "));
    assert!(w.is_closed(endpoint) && !w.is_closed(client));
}
