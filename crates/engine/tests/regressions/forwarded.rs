//! Headers that say where a request came from, as an endpoint gets them.

use crate::bench::Bench;
use evenkeel_core::policy::{
    ForwardedFor, HeaderRule, HeaderRules, Retry, RetryOn, RoutePolicy, ServicePolicy,
};

/// A client's request with these fields before two endpoints, sent again once.
fn asked(headers: HeaderRules, extra: &[(&str, &str)]) -> Bench {
    let on = RetryOn { gateway_error: true, ..RetryOn::default() };
    let retry = Retry { on, ..Retry::default() };
    let route = RoutePolicy { headers, retry, ..RoutePolicy::default() };
    let mut bench = Bench::with_route(ServicePolicy::default(), route, 2);
    bench.client();
    let request = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a:1")];
    bench.clients[0].headers(1, &[&request[..], extra].concat(), true);
    bench.carry();
    bench.open();
    bench.endpoints[0].headers(1, &[(":status", "503")], true);
    bench.carry();
    bench.open();
    bench
}

#[test]
fn an_endpoint_is_told_where_a_request_came_from_and_the_next_one_the_same() {
    let rules = HeaderRules {
        forwarded_for: ForwardedFor::Append,
        forwarded_proto: HeaderRule::Set,
        forwarded_host: HeaderRule::Add,
        request_id: HeaderRule::Set,
        ..HeaderRules::default()
    };
    let came = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("x-request-id", "mine")];
    let bench = asked(rules, &came);
    let [first, second] = &bench.endpoints[..] else { panic!("two endpoints") };
    assert_eq!(first.last("x-forwarded-for"), Some("1.1.1.1, 2.2.2.2, 10.0.0.1"));
    assert_eq!(first.last("x-forwarded-proto"), Some("http"));
    assert_eq!(first.last("x-forwarded-host"), Some("a:1"));
    let id = first.last("x-request-id").unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id}");
    assert_eq!(first.blocks, second.blocks);
}

#[test]
fn without_rules_an_endpoint_gets_what_came() {
    let came = [("x-forwarded-for", "?"), ("x-request-id", "mine"), ("x-forwarded-for", "1.1.1.1")];
    let bench = asked(HeaderRules::default(), &came);
    let came = came.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(bench.endpoints[0].blocks[0][4..], came);
}
