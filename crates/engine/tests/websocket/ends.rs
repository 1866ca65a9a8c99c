//! Ends of WebSockets: by their peers, by a fault of frames, and by drains.

use crate::bench::{Bench, EACH, Speaks, speaking};
use crate::talk::{close_codes, frames, masked, plain};
use evenkeel_core::endpoint::EndpointState;
use evenkeel_core::policy::{RoutePolicy, ServicePolicy};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_engine::PeerEnd;
use std::time::Duration;

fn bench(endpoint: Speaks) -> Bench {
    Bench::new(speaking(endpoint), RoutePolicy::default(), 1)
}

fn close(code: u16) -> Vec<u8> {
    code.to_be_bytes().to_vec()
}

#[test]
fn a_closing_handshake_passes_and_its_codes_are_in_the_sessions_record() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            bench.say(client, &masked(0x81, b"last"));
            bench.say(client, &masked(0x88, &close(4000)));
            assert_eq!(close_codes(&bench.lines[endpoint].hear()), [4000]);
            bench.say(endpoint, &plain(0x88, &[]));
            assert_eq!(close_codes(&bench.lines[client].hear()), [1005]);
            bench.end(endpoint);
            assert!(bench.lines[client].is_over());
            bench.end(client);
            assert!(bench.lines[endpoint].is_over());
            assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
            assert_eq!((bench.stats.websockets(), bench.sessions()), (0, vec![0]));
            if client_speaks == Speaks::Http1 {
                let (reason, figures) = bench.session_ends()[0];
                assert_eq!(reason, CloseReason::ClientClosed);
                assert_eq!((figures.messages_in, figures.messages_out), (1, 0));
                let codes = (figures.close_code_in, figures.close_code_out);
                assert_eq!((codes.0.unwrap().get(), codes.1.unwrap().get()), (4000, 1005));
            }
        }
    }
}

#[test]
fn a_side_that_has_ended_still_hears_the_other() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            bench.end(client);
            assert!(bench.lines[endpoint].is_over());
            bench.say(endpoint, &plain(0x81, b"still here"));
            assert_eq!(frames(&bench.lines[client].hear()), [(0x81, b"still here".to_vec())]);
            bench.end(endpoint);
            assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
            assert_eq!(bench.engine.open_exchanges(), 0);
        }
    }
}

#[test]
fn a_side_that_breaks_off_breaks_the_other_off() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            let key = bench.lines[endpoint].key;
            match &mut bench.lines[endpoint].http2 {
                Some(peer) => peer.reset(1),
                None => bench.engine.peer_ended(bench.now, key, PeerEnd::Reset),
            }
            bench.lines[endpoint].is_closed |= endpoint_speaks == Speaks::Http1;
            bench.carry();
            assert!(bench.lines[client].is_over());
            assert_eq!((bench.engine.open_exchanges(), bench.sessions()), (0, vec![0]));
        }
    }
}

#[test]
fn a_client_that_breaks_the_rules_hears_what_was_answered_to_it_and_then_1002() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            // A good message, then one of a reserved opcode.
            bench.say(client, &[masked(0x81, b"good"), masked(0x83, b"bad"), masked(0x81, b"late")].concat());
            let heard = bench.lines[endpoint].hear();
            assert_eq!(frames(&heard)[0], (0x81, b"good".to_vec()));
            assert_eq!((frames(&heard).len(), close_codes(&heard)), (2, vec![1002]));
            assert!(!bench.lines[client].is_over());
            bench.say(endpoint, &[plain(0x81, b"good"), plain(0x88, &close(1002))].concat());
            let heard = bench.lines[client].hear();
            assert_eq!(frames(&heard), [(0x81, b"good".to_vec()), (0x88, close(1002))]);
            assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_over());
            assert_eq!(bench.outcomes(ExchangeOutcome::WebSocketFault), 1);
            assert_eq!((bench.engine.open_exchanges(), bench.sessions()), (0, vec![0]));
            if client_speaks == Speaks::Http1 {
                assert_eq!(bench.session_ends()[0].0, CloseReason::WebSocketFault);
            }
        }
    }
}

#[test]
fn an_endpoint_that_says_nothing_to_a_fault_is_not_waited_for_long() {
    for client_speaks in EACH {
        let mut bench = bench(Speaks::Http1);
        let (client, endpoint) = bench.standing(client_speaks, Speaks::Http1);
        bench.say(client, b"\x81\x00");
        assert_eq!(close_codes(&bench.lines[endpoint].hear()), [1002], "a client has to mask");
        bench.pass(Duration::from_secs(4));
        assert!(!bench.lines[client].is_over());
        bench.pass(Duration::from_secs(2));
        assert_eq!(close_codes(&bench.lines[client].hear()), [1002]);
        assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_closed);
        assert_eq!(bench.outcomes(ExchangeOutcome::WebSocketFault), 1);
    }
}

#[test]
fn an_endpoint_that_breaks_the_rules_is_told_so_and_its_client_too() {
    for client_speaks in EACH {
        let mut bench = bench(Speaks::Http1);
        let (client, endpoint) = bench.standing(client_speaks, Speaks::Http1);
        bench.say(endpoint, &[plain(0x01, b"half"), plain(0x81, b"another")].concat());
        let heard = bench.lines[client].hear();
        assert_eq!(
            frames(&heard),
            [(0x01, b"half".to_vec()), (0x88, [close(1002), b"websocket_fault".to_vec()].concat())]
        );
        bench.say(client, &masked(0x88, &close(1002)));
        assert_eq!(close_codes(&bench.lines[endpoint].hear()), [1002]);
        assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_over());
    }
}

#[test]
fn half_a_bad_header_is_not_seen_by_the_other_side() {
    let mut bench = bench(Speaks::Http1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    bench.say(client, b"\x82\xfe\x00");
    bench.say(client, b"\x05");
    assert_eq!(close_codes(&bench.lines[endpoint].hear()), [1002]);
}

#[test]
fn a_drain_leaves_websockets_alone_until_its_deadline_and_closes_them_with_1001() {
    for client_speaks in EACH {
        for endpoint_speaks in EACH {
            let mut bench = bench(endpoint_speaks);
            let (client, endpoint) = bench.standing(client_speaks, endpoint_speaks);
            let deadline = bench.now + Duration::from_secs(30);
            bench.engine.begin_drain(bench.now, deadline);
            bench.carry();
            bench.pass(Duration::from_secs(29));
            bench.say(client, &masked(0x81, b"on"));
            bench.say(endpoint, &plain(0x81, b"and on"));
            assert_eq!(frames(&bench.lines[endpoint].hear()), [(0x81, b"on".to_vec())]);
            assert_eq!(frames(&bench.lines[client].hear()), [(0x81, b"and on".to_vec())]);
            bench.pass(Duration::from_secs(2));
            assert_eq!(close_codes(&bench.lines[client].hear()), [1001]);
            assert_eq!(close_codes(&bench.lines[endpoint].hear()), [1001]);
            assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_over());
            assert_eq!(bench.outcomes(ExchangeOutcome::Drained), 1);
            assert_eq!(bench.session_ends()[0].0, CloseReason::DrainDeadline);
        }
    }
}

#[test]
fn an_endpoint_that_goes_closes_its_websockets_between_messages_with_1012() {
    let policy = ServicePolicy { drain_deadline: Some(Duration::from_secs(10)), ..speaking(Speaks::Http1) };
    let mut bench = Bench::new(policy, RoutePolicy::default(), 1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    bench.say(endpoint, &plain(0x01, b"be"));
    bench.lines[client].hear();
    bench.publish([(0, EndpointState::Terminating)].into_iter());
    bench.pass(Duration::from_secs(9));
    assert!(bench.lines[endpoint].hear().is_empty());
    bench.pass(Duration::from_secs(2));
    assert_eq!(close_codes(&bench.lines[endpoint].hear()), [1012]);
    assert!(bench.lines[client].hear().is_empty(), "its message is still under way");
    bench.say(endpoint, &[plain(0x80, b"gin"), plain(0x81, b"late")].concat());
    let heard = frames(&bench.lines[client].hear());
    assert_eq!((heard.len(), heard[0].clone()), (2, (0x80, b"gin".to_vec())));
    assert_eq!(heard[1].1[..2], close(1012));
    assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_over());
    assert_eq!(bench.session_ends()[0].0, CloseReason::EndpointTerminating);
    assert_eq!(bench.outcomes(ExchangeOutcome::Drained), 1);
}

#[test]
fn a_message_that_does_not_end_is_not_waited_for_long() {
    let policy = ServicePolicy { drain_deadline: Some(Duration::from_secs(10)), ..speaking(Speaks::Http1) };
    let mut bench = Bench::new(policy, RoutePolicy::default(), 1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    bench.say(endpoint, &plain(0x01, b"be"));
    bench.publish([(0, EndpointState::Terminating)].into_iter());
    bench.pass(Duration::from_secs(11));
    bench.pass(Duration::from_secs(6));
    assert_eq!(close_codes(&bench.lines[client].hear()), [1012], "behind the fragment");
    assert!(bench.lines[client].is_closed && bench.lines[endpoint].is_closed);
    assert_eq!(bench.engine.open_exchanges(), 0);
}

#[test]
fn an_idle_websocket_ends_by_its_route_and_one_that_is_spoken_on_does_not() {
    for client_speaks in EACH {
        let route = RoutePolicy { upgraded_idle: Some(Duration::from_secs(60)), ..RoutePolicy::default() };
        let mut bench = Bench::new(speaking(Speaks::Http1), route, 1);
        let (client, endpoint) = bench.standing(client_speaks, Speaks::Http1);
        for _ in 0..5 {
            bench.pass(Duration::from_secs(40));
            bench.say(endpoint, &plain(0x81, b"x"));
        }
        bench.lines[client].hear();
        bench.pass(Duration::from_secs(59));
        assert!(!bench.lines[client].is_over());
        bench.pass(Duration::from_secs(2));
        assert_eq!(close_codes(&bench.lines[client].hear()), [1001]);
        assert!(bench.lines[client].is_over() && bench.lines[endpoint].is_over());
        assert_eq!(bench.outcomes(ExchangeOutcome::UpgradedIdle), 1);
    }
}

#[test]
fn a_fault_behind_a_close_frame_is_none() {
    let mut bench = bench(Speaks::Http1);
    let (client, endpoint) = bench.standing(Speaks::Http1, Speaks::Http1);
    bench.say(client, &[masked(0x88, &close(1000)), b"\x83garbage".to_vec()].concat());
    bench.say(endpoint, &plain(0x88, &close(1000)));
    assert_eq!(close_codes(&bench.lines[client].hear()), [1000]);
    assert_eq!(bench.outcomes(ExchangeOutcome::WebSocketFault), 0);
}
