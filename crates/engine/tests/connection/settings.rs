//! SETTINGS: first, acknowledged, and in the order of RFC 7541.

use crate::bench::{Bench, LISTENER, address};
use crate::peer::Peer;
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::policy::{ServicePolicy, Timeouts};
use evenkeel_core::reason::CloseReason;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(20);

/// A client that has said nothing but its preface.
fn silent_client(bench: &mut Bench) {
    let key = bench.engine.accept(bench.now, LISTENER, address(9)).unwrap();
    let mut peer = Peer::client(key);
    peer.out.truncate(evenkeel_wire::detect::PREFACE.len());
    peer.acknowledges = false;
    bench.clients.push(peer);
    bench.carry();
}

#[test]
fn a_client_whose_first_frame_is_not_settings_is_ended() {
    for (kind, flags, payload) in [(6, 0, &[0; 8][..]), (4, 1, &[]), (8, 0, &[0, 0, 0, 1])] {
        let mut bench = Bench::new(ServicePolicy::default(), 1);
        silent_client(&mut bench);
        bench.clients[0].frame(kind, flags, 0, payload);
        bench.carry();
        assert_eq!(bench.session_ends(), [CloseReason::ProtocolError], "type {kind}");
    }
}

#[test]
fn a_client_that_never_sends_settings_runs_into_the_header_timeout() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    silent_client(&mut bench);
    bench.pass(Timeouts::default().header - STEP);
    assert_eq!(bench.session_ends(), []);
    bench.pass(2 * STEP);
    assert_eq!(bench.session_ends(), [CloseReason::HeaderTimeout]);
}

#[test]
fn settings_that_are_not_acknowledged_in_time_end_the_connection() {
    let deadline = Limits::default().settings_ack;
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].acknowledges = false;
    bench.carry();
    bench.pass(deadline - STEP);
    assert_eq!(bench.session_ends(), []);
    bench.pass(2 * STEP);
    assert_eq!(bench.session_ends(), [CloseReason::SettingsTimeout]);

    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.carry();
    bench.pass(2 * deadline);
    assert_eq!(bench.session_ends(), [], "one that acknowledges has nothing to fear");
}

#[test]
fn acknowledgements_of_nothing_are_a_flood() {
    let limits = Limits { control_frames: Rate { burst: 5, per_second: 1 }, ..Limits::default() };
    let acks = |n: usize| {
        let mut bench = Bench::with_limits(limits, 1);
        bench.client();
        bench.carry();
        for _ in 0..n {
            bench.clients[0].frame(4, 1, 0, &[]);
        }
        bench.carry();
        bench.session_ends()
    };
    // The client's own SETTINGS are the first of the score.
    assert_eq!(acks(4), []);
    assert_eq!(acks(5), [CloseReason::ControlFlood]);
}

#[test]
fn of_two_table_sizes_in_one_frame_the_smallest_and_the_last_are_announced() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    let pair = |size: u8| [0, 1, 0, 0, 0, size];
    bench.clients[0].frame(4, 0, 0, &[pair(200), pair(0), pair(100)].concat());
    bench.carry();
    let key = bench.clients[0].key;
    bench.endpoints[0].answer(1, true);
    let bytes = std::mem::take(&mut bench.endpoints[0].out);
    bench.engine.received(bench.now, bench.endpoints[0].key, &bytes);
    let output = bench.engine.output(key);
    // A frame's header, then both updates: to 0, and to 100 in two octets.
    assert_eq!(output[3], 1, "{output:02x?}");
    assert_eq!(output[9..12], [0x20, 0x3f, 100 - 31], "{output:02x?}");
}
