//! Faults that the simulation found, each as a test of its symptom.

use crate::world::{get, ok, world};
use evenkeel_core::policy::UpstreamProtocol;

#[test]
fn bytes_behind_an_early_answer_do_not_make_the_engine_turn_in_circles() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf.");
    let endpoint = w.open();
    w.say(endpoint, [ok("early"), ok("and one more")].concat());
    assert!(w.heard(client).ends_with("early"));
    assert!(w.is_closed(endpoint), "its next answer would be nobody's");
}

#[test]
fn an_upstream_that_was_held_back_is_read_again_for_its_next_request() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.wire(client).is_stuck = true;
    let body = "b".repeat(1 << 20);
    w.say(endpoint, ok(&body));
    w.wire(client).is_stuck = false;
    w.engine.put_off(client);
    w.carry();
    assert!(w.heard(client).ends_with("bbb"));
    w.say(client, get("/next"));
    w.say(endpoint, ok("next"));
    assert!(w.heard(client).ends_with("next"));
    w.engine.check_invariants().unwrap();
}

#[test]
fn an_answer_until_the_end_that_is_cut_ends_with_a_reset() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, "GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf.\r\n");
    assert!(!w.is_closed(client));
    w.reset(endpoint);
    assert!(w.is_closed(client));
    assert!(w.wire(client).is_aborted, "an end would make it look whole");
}

#[test]
fn bytes_that_came_unasked_are_not_the_beginning_of_the_next_answer() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, ok("one"));
    assert!(w.heard(client).ends_with("one"));
    w.say(endpoint, "HT");
    assert!(w.is_closed(endpoint));
}
