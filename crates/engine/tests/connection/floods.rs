//! Frames that cost us and bring nothing: one decaying score, which work in good faith never meets.

use crate::bench::Bench;
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::policy::{ServicePolicy, Timeouts};
use evenkeel_core::reason::{CloseReason, Limit};
use std::time::Duration;

const BURST: usize = 20;

/// A client with stream 1 open at the endpoint, and as much score as its own first frames leave.
fn bench() -> Bench {
    let limits = Limits {
        control_frames: Rate { burst: BURST as u32, per_second: 1 },
        resets: Rate { burst: 1, per_second: 1 },
        ..Limits::default()
    };
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    // SETTINGS is one of the score, and the request makes up for it.
    bench.clients[0].request(1, false);
    bench.carry();
    bench.open();
    bench
}

fn flood(frames: usize, frame: impl Fn(&mut Bench)) -> Vec<CloseReason> {
    let mut bench = bench();
    for _ in 0..frames {
        frame(&mut bench);
        bench.carry();
    }
    assert_eq!(bench.refused(Limit::ControlFrames), bench.session_ends().len() as u64);
    bench.session_ends()
}

#[test]
fn each_kind_of_flood_ends_the_connection_at_the_same_score() {
    type Send = fn(&mut Bench);
    let kinds: &[(&str, Send)] = &[
        ("PING", |b| b.clients[0].frame(6, 0, 0, &[1; 8])),
        ("answers to no PING", |b| b.clients[0].frame(6, 1, 0, &[1; 8])),
        ("SETTINGS", |b| b.clients[0].frame(4, 0, 0, &[])),
        ("PRIORITY", |b| b.clients[0].frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("an unknown type", |b| b.clients[0].frame(0xee, 0, 0, &[1; 3])),
        ("empty DATA", |b| b.clients[0].data(1, b"", false)),
        ("crumbs of DATA", |b| b.clients[0].data(1, b"x", false)),
        ("window updates of a byte", |b| b.clients[0].window(1, 1)),
        ("window updates of a byte for all", |b| b.clients[0].window(0, 1)),
        ("window updates of streams that are over", |b| {
            b.clients[0].frame(2, 0, 0, &[]);
            b.clients[0].out.clear();
            b.clients[0].window(1, 1);
        }),
        ("GOAWAY", |b| b.clients[0].frame(7, 0, 0, &[0; 8])),
    ];
    for (name, send) in kinds {
        assert_eq!(flood(BURST, send), [], "{name}");
        assert_eq!(flood(BURST + 1, send), [CloseReason::ControlFlood], "{name}");
    }
}

#[test]
fn headers_of_streams_that_we_reset_are_a_flood_as_well() {
    let mut bench = bench();
    bench.clients[0].window(1, 0x7fff_ffff);
    bench.carry();
    for _ in 0..BURST + 3 {
        bench.clients[0].headers(1, &[("x-sum", "1")], true);
    }
    bench.carry();
    assert_eq!(bench.session_ends(), [CloseReason::ControlFlood]);
}

#[test]
fn a_client_that_measures_and_gives_back_all_that_it_gets_is_no_flood() {
    let mut bench = bench();
    bench.endpoints[0].answer(1, false);
    for _ in 0..50 * BURST {
        // As grpc-go does: a PING while data comes, and credit for each frame.
        bench.endpoints[0].data(1, &[0; 100], false);
        bench.carry();
        bench.clients[0].frame(6, 0, 0, &[2, 4, 16, 16, 9, 14, 7, 7]);
        bench.clients[0].window(1, 100);
        bench.clients[0].window(0, 100);
        bench.carry();
    }
    assert_eq!(bench.session_ends(), []);
}

#[test]
fn a_stream_of_small_messages_is_no_flood() {
    let mut bench = bench();
    for _ in 0..50 * BURST {
        bench.clients[0].data(1, &[0; 5], false);
    }
    bench.carry();
    assert_eq!(bench.session_ends(), []);
}

#[test]
fn a_header_block_that_trickles_in_over_continuations_runs_into_the_header_timeout() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.carry();
    bench.clients[0].frame(1, 0, 1, &[0x82]);
    bench.carry();
    let seconds = Timeouts::default().header.as_secs();
    for _ in 1..seconds {
        bench.pass(Duration::from_secs(1));
        bench.clients[0].frame(9, 0, 1, &[0x84]);
        bench.carry();
    }
    assert_eq!(bench.session_ends(), []);
    bench.pass(Duration::from_millis(1_020));
    assert_eq!(bench.session_ends(), [CloseReason::HeaderTimeout]);
}

#[test]
fn a_header_block_of_the_most_frames_passes_and_one_more_ends_the_connection() {
    let most = Limits::default().header_block_frames;
    let block = [&[0x83, 0x84, 0x86, 0x41, 1, b'a'][..]].concat();
    for (frames, ends) in [(most, vec![]), (most + 1, vec![CloseReason::ContinuationFlood])] {
        let mut bench = Bench::new(ServicePolicy::default(), 1);
        bench.client();
        bench.clients[0].frame(1, 1, 1, &block);
        for n in 2..=frames {
            bench.clients[0].frame(9, if n == frames { 4 } else { 0 }, 1, &[]);
        }
        bench.carry();
        assert_eq!(bench.session_ends(), ends);
        assert_eq!(bench.refused(Limit::HeaderBlockFrames), u64::from(frames > most));
    }
}

#[test]
fn a_frame_that_the_network_cuts_into_crumbs_is_no_flood() {
    let mut bench = bench();
    bench.clients[0].data(1, &[0; 1_000], false);
    let bytes = std::mem::take(&mut bench.clients[0].out);
    for byte in bytes {
        bench.clients[0].out.push(byte);
        bench.carry();
    }
    assert_eq!(bench.session_ends(), []);
}

#[test]
fn settings_that_move_the_windows_of_many_streams_count_more_the_more_there_are() {
    // Each SETTINGS is one, and one more for each sixteen streams; the first ones leave no score.
    for (streams, each) in [(15, 1), (16, 2), (32, 3)] {
        let fits = BURST / each;
        for (frames, ends) in [(fits, vec![]), (fits + 1, vec![CloseReason::ControlFlood])] {
            let mut bench = bench();
            for stream in 1..streams {
                bench.clients[0].request(1 + 2 * stream, false);
            }
            bench.carry();
            for n in 0..frames {
                // INITIAL_WINDOW_SIZE: another one each time.
                bench.clients[0].frame(4, 0, 0, &[0, 4, 0, 0, 0, n as u8]);
                bench.carry();
            }
            assert_eq!(bench.session_ends(), ends, "{streams} streams, {frames} frames");
        }
    }
}

#[test]
fn settings_that_leave_the_windows_as_they_are_count_once_however_many_streams_there_are() {
    let mut bench = bench();
    for stream in 1..64 {
        bench.clients[0].request(1 + 2 * stream, false);
    }
    for _ in 0..BURST {
        bench.clients[0].frame(4, 0, 0, &[]);
    }
    bench.carry();
    assert_eq!(bench.session_ends(), []);
}

/// Requests that name an entry of 3,900 bytes so many times each; how the session ended.
fn named(times: usize, requests: u32) -> Vec<CloseReason> {
    let mut bench = bench();
    let mut block = vec![0x83, 0x84, 0x86, 0x41, 1, b'a', 0x40, 1, b'x', 0x7f, 0xbd, 0x1d];
    block.extend_from_slice(&[b'v'; 3_900]);
    bench.clients[0].frame(1, 5, 3, &block);
    for request in 0..requests {
        let mut block = vec![0x83, 0x84, 0x86, 0xbf];
        block.extend(std::iter::repeat_n(0xbe, times));
        bench.clients[0].frame(1, 5, 5 + 2 * request, &block);
        bench.carry();
    }
    bench.session_ends()
}

#[test]
fn headers_that_grow_by_naming_an_entry_over_and_over_are_a_flood_and_naming_it_twice_is_none() {
    assert_eq!(named(2, 40), []);
    assert_eq!(named(15, 1), [CloseReason::ControlFlood]);
}
