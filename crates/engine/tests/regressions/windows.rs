//! The window of a stream whose bytes cannot leave: all of it may be used, and not a byte more (RFC 9113 §6.9.1).

use crate::bench::Bench;
use evenkeel_core::policy::ServicePolicy;
use evenkeel_wire::http2::ErrorCode;

const WINDOW: usize = 65_535;

/// So many bytes of DATA, in frames that nobody refuses for their size.
fn frames(length: usize) -> impl Iterator<Item = Vec<u8>> {
    let last = length % 16_384;
    let whole = (0..length / 16_384).map(|_| 16_384);
    whole.chain((last > 0).then_some(last)).map(|n| vec![7; n])
}

/// A client sends so much of a body while no endpoint takes it; its resets.
fn upload(length: usize) -> Vec<(u32, ErrorCode)> {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, false);
    frames(length).for_each(|part| bench.clients[0].data(1, &part, false));
    bench.carry();
    bench.clients[0].resets()
}

/// An endpoint sends so much of a body to a client that has given no credit; its resets.
fn download(length: usize) -> Vec<(u32, ErrorCode)> {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    bench.clients[0].frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    bench.endpoints[0].answer(1, false);
    frames(length).for_each(|part| bench.endpoints[0].data(1, &part, false));
    bench.carry();
    bench.endpoints[0].resets()
}

#[test]
fn a_client_may_use_its_whole_window_and_one_byte_more_is_refused() {
    assert_eq!(upload(WINDOW), []);
    assert_eq!(upload(WINDOW + 1), [(1, ErrorCode::FlowControlError)]);
}

#[test]
fn an_endpoint_may_use_its_whole_window_and_one_byte_more_is_refused() {
    assert_eq!(download(WINDOW), []);
    assert_eq!(download(WINDOW + 1), [(1, ErrorCode::FlowControlError)]);
}
