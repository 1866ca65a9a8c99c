//! Bodies: where they end, trailers, interim answers, and answers that have none.

use crate::peer::Seen;
use crate::world::{get, ok, world};
use evenkeel_core::policy::UpstreamProtocol;

#[test]
fn head_204_and_304_have_no_body_whatever_they_say() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    let heard = w.heard(client);
    assert!(heard.contains("content-length: 5\r\n") && heard.ends_with("\r\n\r\n"), "{heard}");
    for (status, line) in [("204 No Content", ""), ("304 Not Modified", "content-length: 5\r\n")] {
        w.say(client, get("/"));
        w.say(endpoint, format!("HTTP/1.1 {status}\r\n{line}\r\n"));
        let heard = w.heard(client);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{heard}");
        assert!(heard.contains(line) && heard.ends_with("\r\n\r\n"));
    }
    assert!(!w.is_closed(client) && !w.is_closed(endpoint));
    w.say(client, get("/"));
    w.say(endpoint, ok("x"));
    assert!(w.heard(client).ends_with("x"), "the next message begins where it should");
}

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    let head =
        "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\n\r\n";
    w.say(client, [head, "3;x=y\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"].concat());
    let endpoint = w.open();
    let asked = w.heard(endpoint);
    assert!(
        asked.contains("transfer-encoding: chunked\r\n") && asked.contains("te: trailers\r\n"),
        "{asked}"
    );
    assert!(asked.ends_with("3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"), "{asked}");
    w.say(endpoint, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-end: 2\r\n\r\n");
    assert!(w.heard(client).ends_with("2\r\nhi\r\n0\r\nx-end: 2\r\n\r\n"));
    assert!(!w.is_closed(client) && !w.is_closed(endpoint));
}

#[test]
fn trailers_cross_between_http_1_and_http_2() {
    let mut w = world(UpstreamProtocol::H2);
    let client = w.client();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    w.say(client, [head, "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"].concat());
    let endpoint = w.open_h2();
    assert_eq!(w.h2(endpoint).body, b"abc");
    assert_eq!(w.h2(endpoint).last("x-sum"), Some("1"));
    let peer = w.h2(endpoint);
    peer.answer(1, false);
    peer.data(1, b"hi", false);
    peer.headers(1, &[("x-end", "2")], true);
    w.carry();
    let heard = w.heard(client);
    assert!(heard.ends_with("2\r\nhi\r\n0\r\nx-end: 2\r\n\r\n"), "{heard}");

    let mut w = world(UpstreamProtocol::H1);
    let client = w.client_h2();
    let peer = w.h2(client);
    peer.request(1, false);
    peer.data(1, b"abc", false);
    peer.headers(1, &[("x-sum", "1")], true);
    w.carry();
    let endpoint = w.open();
    let asked = w.heard(endpoint);
    assert!(asked.contains("transfer-encoding: chunked\r\n"), "{asked}");
    assert!(asked.ends_with("3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"), "{asked}");
    w.say(endpoint, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-end: 2\r\n\r\n");
    assert_eq!(w.h2(client).body, b"hi");
    assert_eq!(w.h2(client).last("x-end"), Some("2"));
    assert!(w.h2(client).resets().is_empty() && !w.is_closed(endpoint));
}

#[test]
fn a_body_until_the_end_of_the_connection_is_whole_when_it_ends() {
    let mut w = world(UpstreamProtocol::H1);
    let (client, other) = (w.client(), w.client_h2());
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\n\r\nabc");
    assert!(w.heard(client).ends_with("3\r\nabc\r\n"));
    w.fin(endpoint);
    assert_eq!(w.heard(client), "0\r\n\r\n");
    assert!(!w.is_closed(client));
    w.h2(other).request(1, true);
    w.carry();
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.0 200 OK\r\n\r\nabc");
    w.fin(endpoint);
    assert_eq!(w.h2(other).body, b"abc");
    assert!(matches!(w.h2(other).seen.last(), Some(Seen::Data { is_end: true, .. })));
}

#[test]
fn a_client_that_waits_for_100_is_told_by_its_endpoint() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    let endpoint = w.open();
    assert!(w.heard(endpoint).contains("expect: 100-continue\r\n"));
    assert_eq!(w.heard(client), "");
    w.say(endpoint, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(w.heard(client), "HTTP/1.1 100 Continue\r\n\r\n");
    w.say(client, "abc");
    assert_eq!(w.heard(endpoint), "abc");
    w.say(endpoint, ok("x"));
    assert!(w.heard(client).ends_with("x") && !w.is_closed(client) && !w.is_closed(endpoint));
}

#[test]
fn a_client_that_waits_for_100_and_is_refused_may_go_on_with_its_body_or_not() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n");
    assert!(w.heard(client).starts_with("HTTP/1.1 417 "));
    assert!(w.is_closed(endpoint), "it still waits for a body");
    w.say(client, ["abc".to_owned(), get("/2")].concat());
    let endpoint = w.open();
    assert!(w.heard(endpoint).starts_with("GET /2 "));
}

#[test]
fn interim_answers_pass_but_not_to_http_1_0() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, hints);
    assert_eq!(w.heard(client), hints);
    w.say(endpoint, ok("x"));
    let old = w.client();
    w.say(old, "GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    w.say(endpoint, [hints.to_owned(), ok("y")].concat());
    let heard = w.heard(old);
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && !heard.contains("103"), "{heard}");
    let new = w.client_h2();
    w.h2(new).request(1, true);
    w.carry();
    w.say(endpoint, [hints.to_owned(), ok("z")].concat());
    assert_eq!(w.h2(new).statuses(), [(1, "103"), (1, "200")]);
}

#[test]
fn a_body_passes_in_whatever_cuts_it_comes() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;q\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
    for cut in 1..answer.len() {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client_h2();
        w.h2(client).request(1, true);
        w.carry();
        let endpoint = w.open();
        for part in answer.as_bytes().chunks(cut) {
            w.say(endpoint, part);
        }
        assert_eq!(w.h2(client).body, b"abc0123456789", "{cut}");
        assert_eq!(w.h2(client).last("x"), Some("y"), "{cut}");
        assert!(!w.is_closed(endpoint));
    }
}
