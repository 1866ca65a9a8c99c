//! What RFC 9113 and RFC 9110 ask of a relay, frame by frame.

use crate::bench::Bench;
use crate::peer::Seen;
use evenkeel_core::endpoint::EndpointState::Ready;
use evenkeel_core::policy::ServicePolicy;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_wire::http2::ErrorCode;

/// A client with stream 1, whose request is whole or not, at an endpoint.
fn asked(is_end: bool) -> Bench {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, is_end);
    bench.carry();
    bench.open();
    bench
}

fn with_method(method: &str) -> Bench {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    let head = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    bench.clients[0].headers(1, &head, true);
    bench.carry();
    bench.open();
    bench
}

#[test]
fn interim_answers_come_before_the_final_one() {
    let mut bench = asked(false);
    for status in ["100", "103", "103", "200"] {
        bench.endpoints[0].headers(1, &[(":status", status)], false);
    }
    bench.endpoints[0].data(1, b"body", true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "100"), (1, "103"), (1, "103"), (1, "200")]);
    assert_eq!(bench.clients[0].body, b"body");
}

#[test]
fn a_hundred_interim_answers_pass_and_one_more_ends_the_exchange() {
    for (interim, statuses, refused) in [(100, 101, 0), (101, 101, 1)] {
        let mut bench = asked(true);
        for _ in 0..interim {
            bench.endpoints[0].headers(1, &[(":status", "103")], false);
        }
        bench.endpoints[0].answer(1, true);
        bench.carry();
        let seen = bench.clients[0].statuses();
        let last = if refused == 0 { (1, "200") } else { (1, "502") };
        assert_eq!((seen.len(), seen.last()), (statuses, Some(&last)));
        assert_eq!(bench.refused(Limit::InterimAnswers), refused);
        assert_eq!(bench.ended(ExchangeOutcome::UpstreamProtocolError), refused);
        assert_eq!(bench.endpoints[0].resets().len() as u64, refused);
        assert!(!bench.endpoints[0].is_closed);
    }
}

#[test]
fn an_interim_answer_behind_the_final_one_or_at_the_end_is_a_fault() {
    let mut bench = asked(true);
    bench.endpoints[0].answer(1, false);
    bench.endpoints[0].headers(1, &[(":status", "103")], false);
    bench.carry();
    assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::ProtocolError)]);
    assert_eq!(bench.clients[0].resets(), [(1, ErrorCode::InternalError)]);

    for (status, is_end) in [("103", true), ("101", false)] {
        let mut bench = asked(true);
        bench.endpoints[0].headers(1, &[(":status", status)], is_end);
        bench.carry();
        assert_eq!(bench.clients[0].statuses(), [(1, "502")]);
    }
}

#[test]
fn answers_that_have_no_body_may_say_how_long_it_would_be() {
    for (method, status) in [("GET", "304"), ("GET", "204"), ("HEAD", "200")] {
        let mut bench = with_method(method);
        bench.endpoints[0].headers(1, &[(":status", status), ("content-length", "1000")], true);
        bench.carry();
        assert_eq!(bench.clients[0].statuses(), [(1, status)]);
        assert_eq!(bench.clients[0].last("content-length"), Some("1000"));
        assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
    }
}

#[test]
fn answers_that_have_no_body_must_not_bring_one() {
    for status in ["204", "304"] {
        let mut bench = with_method("GET");
        bench.endpoints[0].headers(1, &[(":status", status)], false);
        bench.endpoints[0].data(1, b"body", true);
        bench.carry();
        assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::ProtocolError)]);
        assert_eq!(bench.clients[0].resets(), [(1, ErrorCode::InternalError)]);
    }
}

#[test]
fn a_body_is_as_long_as_its_content_length() {
    for (body, is_whole) in [(&b"fou"[..], false), (b"four", true), (b"four+", false)] {
        let mut bench = asked(true);
        bench.endpoints[0].headers(1, &[(":status", "200"), ("content-length", "4")], false);
        bench.endpoints[0].data(1, body, true);
        bench.carry();
        assert_eq!(bench.clients[0].resets().is_empty(), is_whole, "{body:?}");
    }
    let mut bench = asked(true);
    bench.endpoints[0].headers(1, &[(":status", "200"), ("content-length", "4")], true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "502")]);
}

#[test]
fn an_answer_that_is_whole_before_its_request_stops_both_sides_without_blame() {
    let mut bench = asked(false);
    bench.clients[0].data(1, b"a part", false);
    bench.carry();
    bench.endpoints[0].answer(1, false);
    bench.endpoints[0].data(1, b"enough", true);
    bench.carry();
    let end = [
        Seen::Data { stream: 1, length: 6, is_end: true },
        Seen::Reset { stream: 1, code: ErrorCode::NoError },
    ];
    assert!(bench.clients[0].seen.ends_with(&end), "{:?}", bench.clients[0].seen);
    assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::Cancel)]);
    // What the client had sent before it knew is dropped.
    bench.clients[0].data(1, b"the rest", true);
    bench.carry();
    assert_eq!((bench.clients[0].goaways(), bench.outcomes(ExchangeOutcome::Completed)), (vec![], 1));
}

#[test]
fn trailers_alone_are_an_answer() {
    let mut bench = asked(true);
    bench.endpoints[0].headers(1, &[(":status", "200"), ("grpc-status", "5"), ("grpc-message", "no")], true);
    bench.carry();
    assert_eq!(
        bench.clients[0].seen.last(),
        Some(&Seen::Headers { stream: 1, status: "200".into(), is_end: true })
    );
    assert_eq!(bench.clients[0].last("grpc-message"), Some("no"));
}

#[test]
fn each_half_of_a_stream_goes_on_when_the_other_has_ended() {
    // The request ends first.
    let mut bench = asked(false);
    bench.clients[0].data(1, b"all", true);
    bench.carry();
    bench.endpoints[0].answer(1, false);
    for part in [&b"one"[..], b"two"] {
        bench.endpoints[0].data(1, part, false);
        bench.carry();
    }
    bench.endpoints[0].headers(1, &[("x-sum", "6")], true);
    bench.carry();
    assert_eq!((&bench.clients[0].body[..], bench.clients[0].last("x-sum")), (&b"onetwo"[..], Some("6")));
    // Messages both ways, and the request ends last but for the answer's trailers.
    let mut bench = asked(false);
    bench.endpoints[0].answer(1, false);
    for n in 0..10_u8 {
        bench.clients[0].data(1, &[n], false);
        bench.endpoints[0].data(1, &[n], false);
        bench.carry();
    }
    bench.clients[0].headers(1, &[("x-sum", "10")], true);
    bench.carry();
    bench.endpoints[0].headers(1, &[("grpc-status", "0")], true);
    bench.carry();
    assert_eq!((bench.endpoints[0].body.len(), bench.clients[0].body.len()), (10, 10));
    assert_eq!(
        (bench.endpoints[0].last("x-sum"), bench.clients[0].last("grpc-status")),
        (Some("10"), Some("0"))
    );
    assert_eq!((bench.clients[0].resets(), bench.endpoints[0].resets()), (vec![], vec![]));
}

#[test]
fn a_reset_that_crosses_an_answer_is_no_fault() {
    let mut bench = asked(true);
    bench.endpoints[0].answer(1, true);
    bench.carry();
    bench.clients[0].frame(3, 0, 1, &[0, 0, 0, 8]);
    bench.clients[0].request(3, true);
    bench.carry();
    bench.clients[0].frame(3, 0, 3, &[0, 0, 0, 8]);
    bench.carry();
    // The endpoint's answer meets our reset.
    bench.endpoints[0].answer(3, false);
    bench.endpoints[0].data(3, b"too late", true);
    bench.endpoints[0].frame(3, 0, 3, &[0, 0, 0, 0]);
    bench.clients[0].request(5, true);
    bench.carry();
    bench.endpoints[0].answer(5, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].resets(), [(3, ErrorCode::Cancel)]);
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (5, "200")]);
    assert_eq!((bench.clients[0].goaways(), bench.endpoints[0].goaways()), (vec![], vec![]));
}

#[test]
fn a_goaway_moves_what_was_not_processed_with_all_of_its_body() {
    for length in [0, 1, 64 * 1024] {
        let mut bench = asked(false);
        for stream in [0, 1] {
            bench.endpoints[0].frame(8, 0, stream, &[0, 1, 0, 0]);
        }
        let body = vec![7; length];
        for part in body.chunks(16_000) {
            bench.clients[0].data(1, part, false);
            bench.carry();
        }
        bench.publish([(0, Ready), (1, Ready)].into_iter());
        bench.endpoints[0].frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0]);
        bench.carry();
        let second = bench.open();
        for stream in [0, 1] {
            bench.endpoints[second].frame(8, 0, stream, &[0, 1, 0, 0]);
        }
        bench.clients[0].data(1, b"and the end", true);
        bench.carry();
        assert_eq!(bench.endpoints[second].body, [&body[..], b"and the end"].concat());
        bench.endpoints[second].answer(1, true);
        bench.carry();
        assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
    }
}

#[test]
fn a_session_whose_client_sent_goaway_ends_with_its_last_stream() {
    let mut bench = asked(true);
    bench.clients[0].frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0]);
    bench.carry();
    // It may open more: GOAWAY speaks of the streams that we would open.
    bench.clients[0].request(3, true);
    bench.carry();
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert!(!bench.clients[0].is_closed);
    bench.endpoints[0].answer(3, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (3, "200")]);
    assert_eq!((bench.clients[0].is_closed, bench.session_ends()), (true, vec![CloseReason::ClientGoAway]));
}

#[test]
fn the_highest_stream_of_a_client_is_served() {
    let mut bench = asked(true);
    bench.endpoints[0].answer(1, true);
    bench.clients[0].request(0x7fff_ffff, true);
    bench.carry();
    bench.endpoints[0].answer(3, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (0x7fff_ffff, "200")]);
}

#[test]
fn a_window_that_a_setting_takes_away_is_waited_for() {
    let mut bench = asked(true);
    bench.endpoints[0].answer(1, false);
    bench.endpoints[0].data(1, &[1; 1_000], false);
    bench.carry();
    // SETTINGS_INITIAL_WINDOW_SIZE 500: of the stream's window, 1000 are used, so 500 are owed.
    bench.clients[0].frame(4, 0, 0, &[0, 4, 0, 0, 1, 0xf4]);
    bench.carry();
    bench.endpoints[0].data(1, &[2; 1_000], true);
    bench.carry();
    assert_eq!(bench.clients[0].body.len(), 1_000);
    bench.clients[0].frame(8, 0, 1, &[0, 0, 1, 0xf4]);
    bench.carry();
    assert_eq!(bench.clients[0].body.len(), 1_000, "the window is at 0 again");
    bench.clients[0].frame(8, 0, 1, &[0, 0, 0, 1]);
    bench.carry();
    assert_eq!(bench.clients[0].body.len(), 1_001);
    // 1499 more at once: the rest leaves.
    bench.clients[0].frame(4, 0, 0, &[0, 4, 0, 0, 7, 0xcf]);
    bench.carry();
    assert_eq!(bench.clients[0].body.len(), 2_000);
    assert!(matches!(bench.clients[0].seen.last(), Some(Seen::Settings | Seen::Data { is_end: true, .. })));
}

#[test]
fn an_endpoint_that_lowers_its_streams_gets_no_more_until_there_is_room() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    for n in 0..4 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    bench.open();
    assert_eq!(bench.endpoints[0].blocks.len(), 4);
    // SETTINGS_MAX_CONCURRENT_STREAMS 2 while four are open, and a fifth comes.
    bench.endpoints[0].frame(4, 0, 0, &[0, 3, 0, 0, 0, 2]);
    bench.carry();
    bench.clients[0].request(9, true);
    bench.carry();
    for (answered, sent) in [(1, 4), (3, 4), (5, 5)] {
        bench.endpoints[0].answer(answered, true);
        bench.carry();
        assert_eq!(bench.endpoints[0].blocks.len(), sent);
    }
}

#[test]
fn frames_grow_only_as_far_as_the_peer_allows_and_headers_are_cut_to_fit() {
    let mut bench = asked(true);
    let long = "v".repeat(120);
    let fields: Vec<(String, &str)> = (0..200).map(|n| (format!("x-{n}"), &long[..])).collect();
    let mut head = vec![(":status", "200")];
    head.extend(fields.iter().map(|(name, value)| (name.as_str(), *value)));
    // More than one frame of 16 KiB, which the peer's reader would refuse.
    bench.endpoints[0].long_headers(1, &head, true);
    bench.carry();
    assert_eq!(bench.clients[0].blocks.last().map(Vec::len), Some(201));
}

#[test]
fn padding_and_priority_change_nothing() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    // PRIORITY of a stream that is idle, open, and closed; and within HEADERS, beside padding.
    bench.clients[0].frame(2, 0, 5, &[0, 0, 0, 0, 15]);
    let mut block = vec![3, 0x80, 0, 0, 3, 200, 0x83, 0x84, 0x86, 0x41, 1, b'a'];
    block.extend_from_slice(&[0; 3]);
    bench.clients[0].frame(1, 0x4 | 0x8 | 0x20, 1, &block);
    bench.clients[0].frame(2, 0, 1, &[0, 0, 0, 0, 255]);
    bench.clients[0].frame(0, 0x1 | 0x8, 1, &[4, b'x', b'y', 0, 0, 0, 0]);
    bench.carry();
    bench.open();
    bench.endpoints[0].answer(1, true);
    bench.carry();
    bench.clients[0].frame(2, 0, 1, &[0, 0, 0, 0, 1]);
    bench.carry();
    assert_eq!(bench.endpoints[0].body, b"xy");
    assert_eq!((bench.clients[0].statuses(), bench.clients[0].goaways()), (vec![(1, "200")], vec![]));
}
