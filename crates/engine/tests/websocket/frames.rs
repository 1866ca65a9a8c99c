//! Frames on their way: nothing is lost, added or changed in any cut, and messages are counted.

use crate::bench::{Bench, EACH, Speaks, speaking};
use crate::talk::{masked, plain};
use evenkeel_core::policy::RoutePolicy;
use evenkeel_core::stats::MessageDirection;
use proptest::prelude::*;

fn bench(endpoint: Speaks) -> Bench {
    Bench::new(speaking(endpoint), RoutePolicy::default(), 1)
}

/// Messages of some sizes and fragments, with pings between them; the bytes, and how many messages they hold.
fn messages(sizes: &[(usize, bool)], frame: fn(u8, &[u8]) -> Vec<u8>) -> (Vec<u8>, u64) {
    let (mut out, mut count) = (Vec::new(), 0);
    for (n, &(size, is_cut)) in sizes.iter().enumerate() {
        let payload = vec![n as u8; size];
        if is_cut {
            let (first, last) = payload.split_at(size / 2);
            out.extend(frame(0x02, first));
            out.extend(frame(0x89, b"between"));
            out.extend(frame(0x80, last));
        } else {
            out.extend(frame(0x82, &payload));
        }
        count += 1;
    }
    (out, count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn messages_in_random_cuts_arrive_as_they_were_and_are_counted(
        sizes in proptest::collection::vec((prop_oneof![0usize..8, 120usize..140, 65_530usize..65_545], any::<bool>()), 1..6),
        cuts in proptest::collection::vec(prop_oneof![1usize..16, 1usize..4_000], 1..40),
        client_speaks in prop_oneof![Just(Speaks::Http1), Just(Speaks::Http2)],
        endpoint_speaks in prop_oneof![Just(Speaks::Http1), Just(Speaks::Http2)],
    ) {
        let mut bench = bench(endpoint_speaks);
        let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
        for line in [client, endpoint] {
            if let Some(peer) = &mut bench.lines[line].http2 {
                peer.window(0, 1 << 20);
                peer.window(1, 1 << 20);
            }
        }
        for (from, to, direction) in
            [(client, endpoint, MessageDirection::Up), (endpoint, client, MessageDirection::Down)]
        {
            let (bytes, count) = messages(&sizes, if direction == MessageDirection::Up { masked } else { plain });
            let (mut rest, mut heard) = (&bytes[..], Vec::new());
            for cut in cuts.iter().cycle() {
                // Crumbs in frames of HTTP/2 count as a flood; no frame of a client is so small.
                let least = if client_speaks == Speaks::Http2 { 6 } else { 1 };
                let (part, after) = rest.split_at(rest.len().min(least.max(*cut)).min(16_384));
                bench.say(from, part);
                heard.extend(bench.lines[to].hear());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            bench.carry();
            heard.extend(bench.lines[to].hear());
            prop_assert!(heard == bytes, "{} of {} bytes", heard.len(), bytes.len());
            prop_assert_eq!(bench.stats.messages_total(direction), count);
        }
    }
}

#[test]
fn a_message_is_passed_on_while_it_comes() {
    let mut bench = bench(Speaks::Http1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    let whole = masked(0x82, &[7; 1_000]);
    bench.say(client, &whole[..500]);
    assert_eq!(bench.lines[endpoint].hear(), whole[..500]);
    assert_eq!(bench.stats.messages_total(MessageDirection::Up), 0);
    bench.say(client, &whole[500..]);
    assert_eq!(bench.stats.messages_total(MessageDirection::Up), 1);
}

#[test]
fn half_a_header_waits_for_its_rest() {
    for client_speaks in EACH {
        let mut bench = bench(Speaks::Http1);
        let (client, endpoint) = bench.standing(client_speaks, Speaks::Http1);
        let whole = masked(0x82, &[7; 200]);
        bench.say(client, &whole[..7]);
        assert_eq!(bench.lines[endpoint].hear(), b"");
        bench.say(client, &whole[7..]);
        assert_eq!(bench.lines[endpoint].hear(), whole);
    }
}

#[test]
fn a_slow_endpoint_holds_its_client_back_and_nothing_is_lost() {
    for client_speaks in EACH {
        let mut bench = bench(Speaks::Http1);
        let (client, endpoint) = bench.standing(client_speaks, Speaks::Http1);
        bench.lines[endpoint].is_stuck = true;
        let message = masked(0x82, &vec![7; 16_000]);
        for _ in 0..4 {
            bench.say(client, &message);
        }
        if client_speaks == Speaks::Http1 {
            (0..20).for_each(|_| bench.say(client, &message));
            let key = bench.lines[client].key;
            assert!(!bench.engine.takes_input(key), "what waits is bounded");
        }
        bench.lines[endpoint].is_stuck = false;
        let key = bench.lines[endpoint].key;
        bench.engine.put_off(key);
        bench.carry();
        let sent = if client_speaks == Speaks::Http1 { 24 } else { 4 };
        assert_eq!(bench.lines[endpoint].hear().len(), sent * message.len());
        assert_eq!(bench.stats.messages_total(MessageDirection::Up), sent as u64);
    }
}
