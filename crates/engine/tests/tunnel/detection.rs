//! What first bytes say, or their absence; and passing TLS on by the name that it asks for.

use crate::bench::{Bench, Setup};
use evenkeel_core::policy::{ListenerPolicy, ListenerProtocol};
use evenkeel_core::reason::CloseReason;
use std::time::Duration;

fn listening(protocol: ListenerProtocol) -> Setup {
    let listener = ListenerPolicy { protocol, ..ListenerPolicy::default() };
    Setup { listener, ..Setup::default() }
}

/// A ClientHello for a host (RFC 8446 §4.1.2, RFC 6066 §3), in one record.
fn client_hello(host: &str) -> Vec<u8> {
    let host = host.as_bytes();
    let size = |n: usize| (n as u16).to_be_bytes();
    let name = [&[0][..], &size(host.len()), host].concat();
    let list = [&size(name.len())[..], &name].concat();
    let extension = [&[0, 0][..], &size(list.len()), &list].concat();
    let body =
        [&[3, 3][..], &[9; 32], &[0, 0, 2, 0x13, 1, 1, 0], &size(extension.len()), &extension].concat();
    let message = [&[1, 0][..], &size(body.len()), &body].concat();
    [&[22, 3, 1][..], &size(message.len()), &message].concat()
}

#[test]
fn bytes_that_are_no_protocol_of_ours_are_a_tunnel_s() {
    let mut bench = Bench::new(listening(ListenerProtocol::Auto));
    let client = bench.connect();
    assert!(bench.asked.is_empty());
    bench.say(client, b"\x00\x01\x02");
    let endpoint = bench.open();
    assert_eq!(bench.heard(endpoint), b"\x00\x01\x02");
}

#[test]
fn a_client_that_waits_for_its_server_to_speak_gets_it_after_the_bounded_wait() {
    let mut bench = Bench::new(listening(ListenerProtocol::Auto));
    let client = bench.connect();
    bench.pass(Duration::from_millis(2_900));
    assert!(bench.asked.is_empty());
    bench.pass(Duration::from_millis(200));
    let endpoint = bench.open();
    bench.say(endpoint, b"SSH-2.0-sshd\r\n");
    assert_eq!(bench.heard(client), b"SSH-2.0-sshd\r\n");
}

#[test]
fn a_few_letters_and_an_end_are_passed_on_as_they_are() {
    let mut bench = Bench::new(listening(ListenerProtocol::Auto));
    let client = bench.connect();
    bench.say(client, b"GE");
    bench.end(client);
    let endpoint = bench.open();
    assert_eq!((bench.heard(endpoint), bench.peer(endpoint).heard_end), (b"GE".to_vec(), true));
}

#[test]
fn an_http_request_is_no_tunnel() {
    let mut bench = Bench::new(listening(ListenerProtocol::Auto));
    let client = bench.connect();
    bench.say(client, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let endpoint = bench.open();
    let request = bench.heard(endpoint);
    assert!(bench.engine.takes_input(client), "no direction of a tunnel");
    bench.say(endpoint, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert!(bench.heard(client).starts_with(b"HTTP/1.1 200 "));
    assert_eq!(bench.peer(client).closed, None);
    assert!(request.ends_with(b"\r\n\r\n"), "{request:?}");
}

#[test]
fn tls_is_passed_on_by_the_name_it_asks_for_however_it_is_cut() {
    let hello = client_hello("db.example.com");
    for protocol in [ListenerProtocol::Tcp, ListenerProtocol::Auto] {
        for cut in [1, 5, 20, hello.len() - 1] {
            let mut bench = Bench::new(Setup { names: vec!["db.example.com"], ..listening(protocol) });
            let client = bench.connect();
            bench.say(client, &hello[..cut]);
            assert!(bench.asked.is_empty());
            bench.say(client, &hello[cut..]);
            assert_eq!(bench.asked[0].1.ip().to_string(), "10.0.0.1");
            let endpoint = bench.open();
            assert_eq!(bench.heard(endpoint), hello);
        }
    }
}

#[test]
fn another_name_and_no_tls_at_all_take_the_route_without_a_name_or_none() {
    for first in [client_hello("other.example.com"), b"hello".to_vec()] {
        let named = || Setup { names: vec!["db.example.com"], ..Setup::default() };
        let mut bench = Bench::new(named());
        let client = bench.connect();
        bench.say(client, &first);
        assert_eq!(bench.asked[0].1.ip().to_string(), "10.0.0.0");
        let mut bench = Bench::new(Setup { has_default: false, ..named() });
        let client = bench.connect();
        bench.say(client, &first);
        assert_eq!(bench.session_ends(), [CloseReason::NoRoute]);
    }
}

#[test]
fn much_that_comes_with_the_first_bytes_is_kept_for_the_endpoint() {
    let mut bench = Bench::new(Setup { names: vec!["db.example.com"], ..Setup::default() });
    let client = bench.connect();
    let hello = client_hello("db.example.com");
    bench.say(client, &hello[..30]);
    let rest = [&hello[30..], &[5; 65_000]].concat();
    bench.say(client, &rest);
    assert!(!bench.engine.takes_input(client));
    let endpoint = bench.open();
    assert_eq!(bench.heard(endpoint).len(), hello.len() + 65_000);
    assert!(bench.engine.takes_input(client));
}
