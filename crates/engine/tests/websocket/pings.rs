//! Keep-alive pings: to both peers when they were silent, between frames, and the end of a peer that is not there.

use crate::bench::{Bench, EACH, Speaks, speaking};
use crate::talk::{close_codes, frames, masked, plain};
use evenkeel_core::policy::{RoutePolicy, ServicePolicy, WebSocketPolicy};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);

fn bench(endpoint: Speaks) -> Bench {
    let websocket = WebSocketPolicy { ping_interval: Some(INTERVAL) };
    Bench::new(ServicePolicy { websocket, ..speaking(endpoint) }, RoutePolicy::default(), 1)
}

/// The payload of the one ping that came.
fn ping(bytes: &[u8]) -> Vec<u8> {
    let frames = frames(bytes);
    assert_eq!((frames.len(), frames[0].0), (1, 0x89));
    frames[0].1.clone()
}

#[test]
fn silent_peers_are_pinged_and_their_pongs_stay_with_us() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            for _ in 0..4 {
                bench.pass(INTERVAL + Duration::from_secs(1));
                let to_client = bench.lines[client].hear();
                let to_endpoint = bench.lines[endpoint].hear();
                assert_eq!((to_client[1] & 0x80, to_endpoint[1] & 0x80), (0, 0x80), "masked to the endpoint");
                let (asked_client, asked_endpoint) = (ping(&to_client), ping(&to_endpoint));
                assert_ne!(asked_client, asked_endpoint);
                bench.say(client, &masked(0x8a, &asked_client));
                bench.say(endpoint, &plain(0x8a, &asked_endpoint));
                assert_eq!(bench.lines[client].hear(), b"");
                assert_eq!(bench.lines[endpoint].hear(), b"");
            }
            assert_eq!(bench.stats.websockets(), 1);
        }
    }
}

#[test]
fn pings_and_pongs_of_the_peers_pass() {
    let mut bench = bench(Speaks::Http1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    bench.say(client, &masked(0x89, b"mine"));
    assert_eq!(frames(&bench.lines[endpoint].hear()), [(0x89, b"mine".to_vec())]);
    bench.say(endpoint, &plain(0x8a, b"mine"));
    assert_eq!(frames(&bench.lines[client].hear()), [(0x8a, b"mine".to_vec())]);
}

#[test]
fn a_peer_that_is_heard_is_not_pinged() {
    let mut bench = bench(Speaks::Http1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    for _ in 0..6 {
        bench.pass(INTERVAL / 2);
        bench.say(client, &masked(0x81, b"x"));
        assert_eq!(bench.lines[client].hear(), b"");
        for (first, payload) in frames(&bench.lines[endpoint].hear()) {
            if first == 0x89 {
                bench.say(endpoint, &plain(0x8a, &payload));
            }
        }
    }
    assert_eq!(bench.stats.websockets(), 1);
}

#[test]
fn a_peer_that_does_not_answer_for_two_intervals_ends_the_session() {
    for client_speaks in EACH {
        let mut bench = bench(Speaks::Http1);
        let (client, endpoint) = bench.standing(client_speaks, Speaks::Http1);
        bench.pass(INTERVAL);
        ping(&bench.lines[client].hear());
        let answer = ping(&bench.lines[endpoint].hear());
        bench.say(endpoint, &plain(0x8a, &answer));
        // The endpoint is heard, the client is not.
        bench.pass(INTERVAL);
        bench.say(endpoint, &plain(0x8a, &[]));
        bench.pass(INTERVAL - Duration::from_secs(1));
        assert!(!bench.lines[client].is_over());
        bench.lines[client].hear();
        bench.lines[endpoint].hear();
        bench.pass(Duration::from_secs(2));
        assert_eq!(close_codes(&bench.lines[endpoint].hear()), [1011]);
        assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_over());
        assert_eq!(bench.outcomes(ExchangeOutcome::PingTimeout), 1);
        if client_speaks == Speaks::Http1 {
            assert_eq!(bench.session_ends()[0].0, CloseReason::PingTimeout);
        }
    }
}

#[test]
fn no_ping_stands_inside_a_frame() {
    let mut bench = bench(Speaks::Http1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    let whole = plain(0x82, &[7; 100]);
    bench.say(endpoint, &whole[..50]);
    bench.pass(INTERVAL + Duration::from_secs(1));
    bench.say(endpoint, &whole[50..]);
    assert_eq!(bench.lines[client].hear(), whole);
    // Half a header is held back, so there is a place before it.
    bench.say(endpoint, &whole[..1]);
    bench.pass(INTERVAL + Duration::from_secs(1));
    ping(&bench.lines[client].hear());
}

#[test]
fn without_an_interval_there_are_no_pings() {
    let mut bench = Bench::new(speaking(Speaks::Http1), RoutePolicy::default(), 1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    bench.pass(Duration::from_secs(100_000));
    assert_eq!((bench.lines[client].hear(), bench.lines[endpoint].hear()), (vec![], vec![]));
    assert_eq!(bench.stats.websockets(), 1);
}
