//! Resets that a client makes, and those that it makes us send, have one budget (CVE-2023-44487, CVE-2025-8671).

use crate::bench::Bench;
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::reason::{CloseReason, Limit};

const BURST: u32 = 6;

/// Streams that each end with a fault of the client; whether it still has its connection, and the resets it got.
fn provoke(streams: u32, fault: impl Fn(&mut Bench, u32)) -> (bool, usize) {
    let limits = Limits { resets: Rate { burst: BURST, per_second: 1 }, ..Limits::default() };
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    for n in 1..=streams {
        fault(&mut bench, 2 * n + 1);
        bench.carry();
    }
    let ends = bench.session_ends();
    assert!(ends.is_empty() || ends == [CloseReason::ResetFlood], "{ends:?}");
    assert_eq!(bench.refused(Limit::Resets), u64::from(!ends.is_empty()));
    (ends.is_empty(), bench.clients[0].resets().len())
}

/// The budget is the same for each way: the last one within it is only reset, one more ends the connection.
fn check(name: &str, fault: impl Fn(&mut Bench, u32)) {
    assert_eq!(provoke(BURST, &fault), (true, BURST as usize), "{name}");
    assert!(!provoke(BURST + 1, &fault).0, "{name}");
}

fn open(bench: &mut Bench, stream: u32) {
    bench.clients[0].request(stream, false);
    bench.carry();
}

#[test]
fn its_own_resets_are_counted() {
    let fault = |bench: &mut Bench, stream| {
        open(bench, stream);
        bench.clients[0].reset(stream);
    };
    assert_eq!(provoke(BURST, fault), (true, 0));
    assert_eq!(provoke(BURST + 1, fault), (false, 0));
}

#[test]
fn resets_that_it_makes_us_send_are_counted_whatever_made_us() {
    check("a window update of nothing", |bench, stream| {
        open(bench, stream);
        bench.clients[0].frame(8, 0, stream, &[0; 4]);
    });
    check("a window beyond the most", |bench, stream| {
        open(bench, stream);
        bench.clients[0].window(stream, 0x7fff_ffff);
    });
    check("data behind the end", |bench, stream| {
        bench.clients[0].request(stream, true);
        bench.carry();
        bench.clients[0].data(stream, b"more than was asked", false);
    });
    check("headers behind the end", |bench, stream| {
        bench.clients[0].request(stream, true);
        bench.carry();
        bench.clients[0].headers(stream, &[("x-sum", "1")], true);
    });
    check("trailers that do not end", |bench, stream| {
        open(bench, stream);
        bench.clients[0].headers(stream, &[("x-sum", "1")], false);
    });
    check("data beyond the window", |bench, stream| {
        open(bench, stream);
        // The endpoint takes a window of it, for which as much more is given.
        for _ in 0..16 {
            bench.clients[0].data(stream, &[0; 16_384], false);
        }
    });
    check("more data than announced", |bench, stream| {
        let head = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
        bench.clients[0].headers(stream, &[&head[..], &[("content-length", "3")]].concat(), false);
        bench.clients[0].data(stream, b"four", false);
    });
    check("less data than announced", |bench, stream| {
        let head = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
        bench.clients[0].headers(stream, &[&head[..], &[("content-length", "5")]].concat(), false);
        bench.clients[0].data(stream, b"four", true);
    });
    check("a request against the rules", |bench, stream| {
        bench.clients[0].headers(stream, &[(":method", "GET"), ("Upper", "1")], true);
    });
    check("a dependency on itself", |bench, stream| {
        open(bench, stream);
        let mut payload = stream.to_be_bytes().to_vec();
        payload.push(9);
        bench.clients[0].frame(2, 0, stream, &payload);
    });
    check("a priority of a wrong size", |bench, stream| {
        open(bench, stream);
        bench.clients[0].frame(2, 0, stream, &[0; 4]);
    });
}

#[test]
fn streams_beyond_its_concurrency_are_counted() {
    let limits =
        Limits { resets: Rate { burst: 3, per_second: 1 }, concurrent_streams: 1, ..Limits::default() };
    let mut bench = Bench::with_limits(limits, 1);
    bench.client();
    for n in 0..4 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    assert_eq!((bench.clients[0].resets().len(), bench.session_ends()), (3, vec![]));
    bench.clients[0].request(9, true);
    bench.carry();
    assert_eq!(bench.session_ends(), [CloseReason::ResetFlood]);
}
