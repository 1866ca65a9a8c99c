//! Windows grow for bulk while the budget lasts, and settle when it is over.

use crate::bench::Bench;
use crate::peer::Seen;
use evenkeel_core::limits::Limits;
use evenkeel_core::reason::Limit;
use std::time::Duration;

const FIRST: u32 = 65_535;

/// An upload that the endpoint takes at once; the credit that the client gets for it on its stream, at each update.
fn upload(limits: Limits, halves: u32, pause: Duration) -> (Vec<u32>, Bench) {
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    bench.clients[0].request(1, false);
    bench.carry();
    bench.open();
    bench.endpoints[0].window(0, 1 << 30);
    bench.endpoints[0].window(1, 1 << 30);
    bench.carry();
    for _ in 0..halves {
        send(&mut bench, FIRST / 2);
        bench.pass(pause);
    }
    (credits(&bench), bench)
}

fn send(bench: &mut Bench, mut bytes: u32) {
    while bytes > 0 {
        let part = bytes.min(16_384);
        bench.clients[0].data(1, &vec![0; part as usize], false);
        bytes -= part;
    }
    bench.carry();
}

fn credits(bench: &Bench) -> Vec<u32> {
    let of_stream = |s: &Seen| match s {
        Seen::Window { stream: 1, increment } => Some(*increment),
        _ => None,
    };
    bench.clients[0].seen.iter().filter_map(of_stream).collect()
}

#[test]
fn the_window_of_a_fast_upload_doubles_up_to_the_most_and_no_further() {
    let limits = Limits { most_stream_window: 2 * FIRST, ..Limits::default() };
    let (credits, bench) = upload(limits, 20, Duration::from_millis(1));
    let grown = credits.iter().sum::<u32>() - 20 * (FIRST / 2);
    // What is owed and not yet given is less than half of the grown window.
    assert!(grown <= FIRST && grown > FIRST - FIRST, "{credits:?}");
    assert_eq!(credits[1], FIRST / 2 + FIRST, "{credits:?}");
    assert_eq!(bench.refused(Limit::GrantedCredit), 0);
}

#[test]
fn a_slow_upload_keeps_its_first_window() {
    let (credits, _) = upload(Limits::default(), 6, Duration::from_millis(150));
    assert_eq!(credits, [FIRST / 2; 6]);
}

#[test]
fn windows_grow_to_the_last_byte_of_the_budget_and_not_beyond() {
    let at = |granted_credit| Limits { granted_credit, most_stream_window: 2 * FIRST, ..Limits::default() };
    let (credits, bench) = upload(at(FIRST as usize), 2, Duration::from_millis(1));
    assert_eq!((credits[1], bench.refused(Limit::GrantedCredit)), (FIRST / 2 + FIRST, 0));
    let (credits, bench) = upload(at(FIRST as usize - 1), 2, Duration::from_millis(1));
    assert_eq!((credits[1], bench.refused(Limit::GrantedCredit)), (FIRST / 2, 1));
}

#[test]
fn a_window_settles_when_the_bulk_is_over_and_its_budget_is_there_for_others() {
    let limits =
        Limits { granted_credit: FIRST as usize, most_stream_window: 2 * FIRST, ..Limits::default() };
    let (before, mut bench) = upload(limits, 2, Duration::from_millis(1));
    bench.pass(Duration::from_secs(2));
    send(&mut bench, FIRST);
    assert_eq!(credits(&bench), before, "what was used is not given back: the window is as at first");
    // Another one may grow in its place.
    bench.clients[0].request(3, false);
    bench.carry();
    bench.endpoints[0].window(3, 1 << 30);
    for _ in 0..4 {
        bench.clients[0].data(3, &[0; 16_384], false);
        bench.pass(Duration::from_millis(1));
    }
    let grew = |s: &Seen| matches!(s, Seen::Window { stream: 3, increment } if *increment > FIRST);
    assert!(bench.clients[0].seen.iter().any(grew), "{:?}", bench.clients[0].seen);
}

#[test]
fn the_end_of_a_stream_gives_its_part_of_the_budget_back() {
    let limits =
        Limits { granted_credit: FIRST as usize, most_stream_window: 2 * FIRST, ..Limits::default() };
    let (_, mut bench) = upload(limits, 2, Duration::from_millis(1));
    bench.clients[0].reset(1);
    bench.clients[0].request(3, false);
    bench.carry();
    bench.endpoints[0].window(3, 1 << 30);
    for _ in 0..4 {
        bench.clients[0].data(3, &[0; 16_384], false);
        bench.pass(Duration::from_millis(1));
    }
    assert_eq!(bench.refused(Limit::GrantedCredit), 0);
}

#[test]
fn the_window_of_a_connection_in_bulk_grows_to_its_most() {
    let limits = Limits {
        connection_window: FIRST,
        most_connection_window: 4 * FIRST,
        most_stream_window: FIRST,
        ..Limits::default()
    };
    let (_, bench) = upload(limits, 30, Duration::from_millis(1));
    let of_connection = |s: &Seen| match s {
        Seen::Window { stream: 0, increment } => Some(u64::from(*increment)),
        _ => None,
    };
    let given: u64 = bench.clients[0].seen.iter().filter_map(of_connection).sum();
    let used = 30 * u64::from(FIRST / 2);
    assert!(given > used && given <= used + 3 * u64::from(FIRST), "{given} for {used}");
}

#[test]
fn padding_takes_from_the_window_and_is_given_back_like_the_rest() {
    let (_, mut bench) = upload(Limits::default(), 0, Duration::ZERO);
    let padded = [&[250][..], b"data!", &[0; 250]].concat();
    for _ in 0..128 {
        bench.clients[0].frame(0, 0x8, 1, &padded);
    }
    bench.carry();
    // 128 frames of 256 octets are a byte more than half a window.
    assert_eq!(credits(&bench), [128 * 256]);
}

#[test]
fn a_window_that_settings_made_negative_holds_data_back_until_it_is_positive_again() {
    let mut bench = Bench::with_limits(Limits::default(), 1);
    bench.client();
    bench.clients[0].window(0, 1 << 20);
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    bench.endpoints[0].answer(1, false);
    for _ in 0..3 {
        bench.endpoints[0].data(1, &[0; 10_000], false);
    }
    bench.carry();
    let got = |bench: &Bench| {
        let length = |s: &Seen| if let Seen::Data { length, .. } = s { *length } else { 0 };
        bench.clients[0].seen.iter().map(length).sum::<usize>()
    };
    assert_eq!(got(&bench), 30_000);
    // The window is now 30,000 below zero.
    bench.clients[0].frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    bench.endpoints[0].data(1, &[0; 10], false);
    bench.carry();
    bench.clients[0].window(1, 30_000);
    bench.carry();
    assert_eq!(got(&bench), 30_000);
    bench.clients[0].window(1, 1);
    bench.carry();
    assert_eq!(got(&bench), 30_001);
}
