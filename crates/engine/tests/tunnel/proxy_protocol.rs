//! The PROXY protocol in front of a session, and in front of what an endpoint hears.

use crate::bench::{Bench, Setup, client_address};
use evenkeel_core::event::EventKind;
use evenkeel_core::policy::{
    AcceptProxyProtocol, ForwardedFor, HeaderRules, ListenerPolicy, ListenerProtocol, RoutePolicy,
    SendProxyProtocol, ServicePolicy, Upstream,
};
use evenkeel_core::reason::CloseReason;
use std::net::SocketAddr;
use std::time::Duration;

fn required(protocol: ListenerProtocol) -> Setup {
    let proxy_protocol = AcceptProxyProtocol::Required;
    Setup {
        listener: ListenerPolicy { protocol, proxy_protocol, ..ListenerPolicy::default() },
        ..Setup::default()
    }
}

fn sending(proxy_protocol: SendProxyProtocol) -> ServicePolicy {
    ServicePolicy { upstream: Upstream { proxy_protocol, ..Upstream::default() }, ..ServicePolicy::default() }
}

const HEADER: &[u8] = b"PROXY TCP4 198.51.100.7 203.0.113.1 1234 443\r\n";

#[test]
fn the_header_names_the_client_before_anything_is_picked() {
    let mut bench = Bench::new(required(ListenerProtocol::Tcp));
    let client = bench.connect();
    assert!(bench.engine.awaits_proxy_header(client) && bench.asked.is_empty());
    for cut in 1..HEADER.len() {
        assert_eq!(bench.engine.proxy_header(bench.now, client, &HEADER[..cut]), None);
    }
    let first = [HEADER, b"hello"].concat();
    assert_eq!(bench.engine.proxy_header(bench.now, client, &first), Some(HEADER.len()));
    bench.carry();
    assert!(!bench.engine.awaits_proxy_header(client));
    let peers: Vec<SocketAddr> = bench
        .events
        .iter()
        .filter_map(|e| match e {
            EventKind::SessionStarted { peer, .. } => Some(*peer),
            _ => None,
        })
        .collect();
    assert_eq!(peers, ["198.51.100.7:1234".parse().unwrap()]);
    let endpoint = bench.open();
    bench.say(client, b"hello");
    assert_eq!(bench.heard(endpoint), b"hello");
}

#[test]
fn something_else_or_nothing_instead_of_a_header_ends_the_session() {
    let mut bench = Bench::new(required(ListenerProtocol::Http));
    let client = bench.connect();
    assert_eq!(bench.engine.proxy_header(bench.now, client, b"GET / HTTP/1.1\r\n"), None);
    bench.carry();
    assert_eq!(bench.session_ends(), [CloseReason::BadProxyHeader]);
    // A listener of any protocol waits for it as long as for a head, and not for a server to speak.
    for protocol in [ListenerProtocol::Http, ListenerProtocol::Tcp, ListenerProtocol::Auto] {
        let mut bench = Bench::new(required(protocol));
        bench.connect();
        bench.pass(Duration::from_millis(9_900));
        assert_eq!((bench.session_ends(), bench.asked.len()), (vec![], 0));
        bench.pass(Duration::from_millis(200));
        assert_eq!(bench.session_ends(), [CloseReason::HeaderTimeout]);
    }
}

#[test]
fn an_http_request_behind_a_header_is_that_client_s() {
    let headers = HeaderRules { forwarded_for: ForwardedFor::Append, ..HeaderRules::default() };
    let route = RoutePolicy { headers, ..RoutePolicy::default() };
    let mut bench = Bench::new(Setup { route, ..required(ListenerProtocol::Http) });
    let client = bench.connect();
    assert_eq!(bench.engine.proxy_header(bench.now, client, HEADER), Some(HEADER.len()));
    bench.say(client, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let endpoint = bench.open();
    let request = String::from_utf8(bench.heard(endpoint)).unwrap();
    assert!(request.contains("198.51.100.7"), "{request}");
}

#[test]
fn an_endpoint_hears_who_its_client_is_before_anything_else() {
    let setup = Setup { service: sending(SendProxyProtocol::V1), ..Setup::default() };
    let mut bench = Bench::new(setup);
    assert!(bench.engine.tells_destinations());
    let client = bench.connect();
    bench.engine.set_destination(client, "203.0.113.1:443".parse().unwrap());
    bench.say(client, b"hello");
    bench.refuse();
    let endpoint = bench.open();
    assert_eq!(bench.heard(endpoint), b"PROXY TCP4 192.0.2.9 203.0.113.1 4000 443\r\nhello");
    assert_eq!(bench.engine.introduction(endpoint), b"", "it is said once");
}

#[test]
fn what_a_proxy_in_front_said_is_handed_on_in_either_version() {
    let setup = Setup { service: sending(SendProxyProtocol::V2), ..required(ListenerProtocol::Tcp) };
    let mut bench = Bench::new(setup);
    let client = bench.connect();
    bench.engine.set_destination(client, client_address());
    bench.engine.proxy_header(bench.now, client, HEADER);
    bench.carry();
    let endpoint = bench.open();
    let heard = bench.heard(endpoint);
    let (length, header) = evenkeel_wire::proxy_protocol::read(&heard).unwrap().unwrap();
    let ends = header.addresses.unwrap();
    assert_eq!(length, heard.len());
    assert_eq!(
        (ends.source.to_string(), ends.destination.to_string()),
        ("198.51.100.7:1234".to_owned(), "203.0.113.1:443".to_owned(),)
    );
}

#[test]
fn before_tls_to_an_endpoint_the_header_is_taken_out_and_not_said_again() {
    let mut bench = Bench::new(Setup { service: sending(SendProxyProtocol::V1), ..Setup::default() });
    let client = bench.connect();
    let (key, _) = bench.asked[0];
    assert_eq!(bench.engine.introduction(key), b"PROXY UNKNOWN\r\n");
    bench.say(client, b"hello");
    let endpoint = bench.open();
    assert_eq!(bench.heard(endpoint), b"hello");
}
