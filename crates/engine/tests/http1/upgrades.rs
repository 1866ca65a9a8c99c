//! From HTTP/1 to HTTP/2 by `Upgrade: h2c` (RFC 7540 §3.2).

use crate::peer::Peer;
use crate::world::{World, get, ok, world};
use evenkeel_core::policy::UpstreamProtocol;
use evenkeel_core::reason::CloseReason;
use evenkeel_engine::{ConnKey, Secured};
use std::time::Duration;

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

fn ask(settings: &str, more: &str) -> String {
    format!(
        "GET /up HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
         http2-settings: {settings}\r\n{more}\r\n"
    )
}

/// From the 101 on its client reads frames.
fn reads_frames(w: &mut World, client: ConnKey) {
    let wire = std::mem::take(&mut w.wire(client).http2);
    assert!(wire.is_none());
    let mut peer = Peer::client(client);
    // It says nothing before its preface.
    peer.out.clear();
    peer.acknowledges = false;
    w.wire(client).http2 = Some(peer);
}

#[test]
fn the_request_that_asked_is_answered_on_stream_1() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    // It is answered only once it is asked for, so the 101 and our SETTINGS are all that comes now.
    w.wire(client).is_stuck = true;
    w.say(client, ask("AAMAAABkAAQCAAAAAAIAAAAA", ""));
    let output = w.engine.output(client).to_vec();
    assert!(output.starts_with(AGREED.as_bytes()), "{:?}", String::from_utf8_lossy(&output));
    w.engine.wrote(w.now, client, AGREED.len());
    w.wire(client).is_stuck = false;
    reads_frames(&mut w, client);
    w.engine.put_off(client);
    w.carry();
    let endpoint = w.open();
    let asked = w.heard(endpoint);
    assert!(asked.starts_with("GET /up HTTP/1.1\r\n") && !asked.contains("h2c"), "{asked}");
    assert!(!asked.contains("http2-settings"));
    w.say(endpoint, ok("hi"));
    assert_eq!(w.h2(client).statuses(), [(1, "200")]);
    assert_eq!(w.h2(client).body, b"hi");
    // Its preface, in parts, and another stream.
    let preface = Peer::client(client).out;
    for byte in preface {
        w.h2(client).out.push(byte);
        w.carry();
    }
    w.h2(client).request(3, true);
    w.carry();
    assert!(w.heard(endpoint).starts_with("POST / "));
    w.say(endpoint, ok("2"));
    assert_eq!(w.h2(client).statuses(), [(1, "200"), (3, "200")]);
    assert!(!w.is_closed(client));
}

#[test]
fn what_cannot_be_agreed_to_is_answered_in_http_1() {
    let sound = "AAMAAABk";
    for request in [
        ask("AAMA", ""),
        ask("AAMAAABk=", ""),
        // A window beyond 2^31-1.
        ask("AAT_____", ""),
        ask(sound, "content-length: 1\r\n") + "x",
        ask(sound, "").replace("upgrade, http2-settings", "upgrade"),
        ask(sound, "").replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.say(client, &request);
        let endpoint = w.open();
        w.say(endpoint, ok("x"));
        assert!(w.heard(client).starts_with("HTTP/1.1 200 OK\r\n"), "{request}");
    }
}

#[test]
fn only_the_first_request_of_a_cleartext_connection_may_ask() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, get("/"));
    let endpoint = w.open();
    w.say(endpoint, ok("x"));
    w.heard(client);
    w.say(client, ask("AAMAAABk", ""));
    w.say(endpoint, ok("y"));
    assert!(w.heard(client).starts_with("HTTP/1.1 200 OK\r\n"));
    let secured = w.client();
    w.engine.secured(w.now, secured, Secured::default());
    w.say(secured, ask("AAMAAABk", ""));
    w.say(endpoint, ok("z"));
    assert!(w.heard(secured).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_client_that_sends_no_preface_after_it_is_closed() {
    for says in ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", ""] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.wire(client).is_stuck = true;
        w.say(client, ask("AAMAAABk", ""));
        w.say(client, says);
        w.wire(client).is_stuck = false;
        // The request has its answer first: that there is no endpoint.
        w.pass(Duration::from_secs(11));
        w.pass(Duration::from_secs(11));
        w.pass(Duration::from_secs(6));
        assert!(w.is_closed(client), "{says:?}");
        let reason = if says.is_empty() { CloseReason::HeaderTimeout } else { CloseReason::ProtocolError };
        assert_eq!(w.session_ends(), [reason], "{says:?}");
    }
}
