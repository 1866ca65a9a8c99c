//! Memory budgets of a worker: over them, who holds most goes first.

use crate::bench::Bench;
use evenkeel_core::limits::Limits;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_engine::ConnKey;
use evenkeel_wire::http2::ErrorCode;

/// Answers a client's stream with so many bytes, of which its window takes 65,535.
fn answer(bench: &mut Bench, stream: u32, mut bytes: usize) {
    bench.endpoints[0].answer(stream, false);
    while bytes > 0 {
        let part = bytes.min(16_384);
        bench.endpoints[0].data(stream, &vec![0; part], false);
        bytes -= part;
    }
    bench.carry();
}

/// A client with these streams open at the endpoint, whose answers wait because it takes none of them.
fn slow_client(limits: Limits, waiting: &[usize]) -> Bench {
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    // Streams begin without a window.
    bench.clients[0].frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for n in 0..waiting.len() {
        bench.clients[0].request(2 * n as u32 + 1, true);
    }
    bench.carry();
    bench.open();
    for (n, &bytes) in waiting.iter().enumerate() {
        answer(&mut bench, 2 * n as u32 + 1, bytes);
    }
    bench
}

#[test]
fn over_the_budget_the_largest_slow_stream_is_shed_and_the_newest_goes_on() {
    let limits = Limits { buffered_bytes: 128 * 1024, ..Limits::default() };
    let bench = slow_client(limits, &[16_384, 65_535, 16_384]);
    assert_eq!(bench.clients[0].resets(), []);
    let bench = slow_client(limits, &[16_384, 65_535, 16_384, 32_768, 100]);
    assert_eq!(bench.clients[0].resets(), [(3, ErrorCode::InternalError)]);
    assert_eq!(bench.ended(ExchangeOutcome::Shed), 1);
    assert_eq!(bench.refused(Limit::BufferedBytes), 1);
    assert!(bench.session_ends().is_empty());
}

#[test]
fn the_whole_memory_of_outputs_counts_and_the_connection_that_holds_most_is_cut() {
    let limits = Limits { buffered_bytes: 120_000, ..Limits::default() };
    let mut bench = Bench::with_limits(limits, 1);
    for client in 0..3 {
        bench.client();
        bench.clients[client].request(1, true);
    }
    bench.carry();
    bench.open();
    // Sockets that take nothing: the first of each 60 KB answer is in the outputs.
    for (client, bytes) in [(0, 10_000), (1, 50_000), (2, 10_000)] {
        let stream = 2 * client as u32 + 1;
        bench.endpoints[0].answer(stream, false);
        for _ in 0..bytes / 10_000 {
            bench.endpoints[0].data(stream, &[0; 10_000], false);
        }
        let bytes = std::mem::take(&mut bench.endpoints[0].out);
        bench.engine.received(bench.now, bench.endpoints[0].key, &bytes);
        bench.engine.wrote(bench.now, bench.clients[client].key, 0);
    }
    let held = |bench: &Bench, client: usize| !bench.engine.output(key(bench, client)).is_empty();
    assert!(held(&bench, 0) && held(&bench, 1) && held(&bench, 2), "{:?}", bench.engine.memory());
    let before = bench.engine.memory()[0];
    assert!(before > 70_000, "{before}");
    // A byte more than fits, wherever it goes.
    for _ in 0..3 {
        bench.endpoints[0].data(1, &[0; 10_000], false);
    }
    let bytes = std::mem::take(&mut bench.endpoints[0].out);
    bench.engine.received(bench.now, bench.endpoints[0].key, &bytes);
    assert!(held(&bench, 0) && !held(&bench, 1) && held(&bench, 2));
    assert!(bench.engine.memory()[0] <= 120_000);
    bench.engine.check_invariants().unwrap();
    bench.carry();
    assert_eq!(bench.session_ends(), [CloseReason::Shed]);
    assert_eq!(bench.endpoints[0].resets(), [(3, ErrorCode::Cancel)]);
}

fn key(bench: &Bench, client: usize) -> ConnKey {
    bench.clients[client].key
}

/// A request with this many fields of 100 bytes that enter the table.
fn indexed(bench: &mut Bench, client: usize, stream: u32, fields: u32) {
    let mut block = vec![0x83, 0x84, 0x86, 0x41, 1, b'a'];
    for n in 0..fields {
        block.extend_from_slice(&[0x40, 3, b'x', b'-', b'a' + client as u8, 100]);
        let value = format!("{client}-{stream}-{n}-");
        block.extend_from_slice(format!("{value:v<100}").as_bytes());
    }
    for (n, part) in block.chunks(16_000).enumerate() {
        let kind = if n == 0 { 1 } else { 9 };
        let is_last = (n + 1) * 16_000 >= block.len();
        let flags = u8::from(n == 0) | if is_last { 4 } else { 0 };
        bench.clients[client].frame(kind, flags, stream, part);
    }
    bench.carry();
}

#[test]
fn when_the_store_is_full_the_connection_that_owns_most_is_ended_and_not_the_one_that_asks() {
    let limits = Limits { interned_bytes: 1 << 20, ..Limits::default() };
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    bench.client();
    // Nobody answers: what was asked is kept.
    for stream in 0..10 {
        indexed(&mut bench, 0, 2 * stream + 1, 400);
    }
    assert_eq!(bench.session_ends(), []);
    let held = bench.engine.memory()[1];
    assert!(held > 500_000 && held < 917_504, "{held}");
    for stream in 0..40 {
        indexed(&mut bench, 1, 2 * stream + 1, 50);
        if !bench.session_ends().is_empty() {
            break;
        }
    }
    assert_eq!(bench.session_ends(), [CloseReason::Shed]);
    assert_eq!(bench.clients.iter().map(|c| c.is_closed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(bench.refused(Limit::InternedBytes), 1);
    assert!(bench.engine.memory()[1] < 1 << 19);
}

#[test]
fn over_half_of_the_store_new_connections_get_no_table_and_are_held_to_that() {
    let limits = Limits { interned_bytes: 1 << 20, ..Limits::default() };
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    bench.client();
    indexed(&mut bench, 0, 1, 400);
    assert_eq!(bench.clients[1].table, 4096);
    for stream in 1..9 {
        indexed(&mut bench, 0, 2 * stream + 1, 400);
    }
    assert!(bench.engine.memory()[1] > 1 << 19, "{}", bench.engine.memory()[1]);
    bench.client();
    bench.carry();
    assert_eq!(bench.clients[2].table, 0);
    // Its next block says so, and what it adds is not kept.
    let head = [0x20, 0x83, 0x84, 0x86, 0x41, 1, b'a'];
    bench.clients[2].frame(1, 5, 1, &head);
    bench.carry();
    assert_eq!(bench.session_ends(), []);
    // One that goes on as before has a table that we do not know.
    bench.client();
    bench.carry();
    bench.clients[3].frame(1, 5, 1, &head[1..]);
    bench.carry();
    assert_eq!(bench.session_ends(), [CloseReason::CompressionError]);
}

#[test]
fn a_fresh_session_at_rest_takes_less_than_a_kibibyte_and_one_that_has_worked_rests_again() {
    const SESSIONS: usize = 2_000;
    let mut bench = Bench::with_limits(Limits::default(), 1);
    for _ in 0..SESSIONS {
        bench.client();
    }
    bench.carry();
    let fresh = bench.engine.memory()[2] as usize;
    assert!(fresh < SESSIONS * 1024, "{} bytes a session", fresh / SESSIONS);
    // One that had many streams at once gives their places back when it has rested for a while.
    for stream in 0..500 {
        bench.clients[0].request(2 * stream + 1, false);
    }
    bench.carry();
    for stream in 0..500 {
        bench.clients[0].reset(2 * stream + 1);
    }
    bench.carry();
    let used = bench.engine.memory()[2];
    bench.pass(std::time::Duration::from_secs(11));
    let rested = bench.engine.memory()[2];
    assert!(rested + 4_000 < used, "{used}, and {rested} after a rest");
}

#[test]
fn unfinished_frames_count_and_the_largest_is_cut() {
    let limits = Limits { buffered_bytes: 100_000, ..Limits::default() };
    let mut bench = Bench::with_limits(limits, 1);
    // A header block of so many bytes that does not end.
    for (client, bytes) in [(0, 16_000), (1, 32_000), (2, 16_000)] {
        bench.client();
        bench.carry();
        bench.clients[client].frame(1, 0, 1, &vec![0x86; 16_000]);
        for _ in 1..bytes / 16_000 {
            bench.clients[client].frame(9, 0, 1, &vec![0x86; 16_000]);
        }
        bench.carry();
    }
    assert_eq!(bench.session_ends(), []);
    assert!(bench.engine.memory()[0] >= 64_000, "{}", bench.engine.memory()[0]);
    for client in [0, 2] {
        bench.clients[client].frame(9, 0, 1, &vec![0x86; 14_000]);
        bench.clients[client].frame(9, 0, 1, &vec![0x86; 6_000]);
        bench.carry();
        bench.pass(std::time::Duration::from_millis(10));
    }
    assert!(bench.clients[1].is_closed || bench.clients[0].is_closed);
    assert_eq!(bench.session_ends(), [CloseReason::Shed]);
    assert!(bench.engine.memory()[0] <= 100_000);
}
