//! What texts mean: the model that they become, and which of them mean the same.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

use evenkeel_config::model::{Config, EndpointSource, LogFormat, LogLevel};
use evenkeel_config::{parse, parse_endpoints};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::indexed_headers::IndexedHeader;
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::policy::{
    BalancePolicy, ForwardedFor, HeaderRule, HeaderRules, Retry, RetryOn, RoutePolicy,
};
use evenkeel_core::route::PathMatch;
use std::path::PathBuf;
use std::time::Duration;

const FULL: &str = r#"
workers: 4
log: { format: json, level: debug, interval: 1m }
admin: { bind: off, public: "[::]:9902" }
drain: { deadline: 1m, propagation_delay: 2s }
limits:
  header_list_bytes: 5KiB
  header_block_bytes: 6KiB
  header_block_frames: 7
  concurrent_streams: 8
  exchanges: 9
  stream_window: 100KiB
  most_stream_window: 105KiB
  connection_window: 110KiB
  most_connection_window: 115KiB
  granted_credit: 3B
  replay_bytes: 12B
  output_high: 130KiB
  output_low: 14KiB
  control_output: 150KiB
  buffered_bytes: 16MiB
  interned_bytes: 17MiB
  resets: { burst: 18, per_second: 19 }
  control_frames: { burst: 20, per_second: 21 }
  upstream_resets: { burst: 24, per_second: 25 }
  early_resets: 26
  interim_answers: 27
  reset_linger: 22ms
  settings_ack: 23s
  indexed_headers: [grpc-timeout, ":path"]
listeners:
  - name: web
    bind: "0.0.0.0:8080"
    protocol: http
    max_sessions: 10
    timeouts: { connect: 1s, header: 2s, request: 3s, idle: 4s, send: 5s }
    headers: { x_forwarded_for: append, x_forwarded_proto: set, x_forwarded_host: add, x_request_id: add }
    routes:
      - match: { host: "Chat.Example.com", path_prefix: "/ws/", method: GET, headers: { X-B: "2", x-a: one } }
        service: chat
      - match: { path: /healthz }
        service: chat
      - match: { grpc: { service: helloworld.Greeter, method: SayHello } }
        service: backend
        timeouts: { request: 13s }
        retry: { on: [timeout, gateway_error, resource_exhausted], attempts: 4, per_try_timeout: 2s, budget: 0.5 }
        headers: { x_forwarded_for: set, x_forwarded_proto: add, x_forwarded_host: set, x_request_id: set }
      - service: backend
services:
  - name: backend
    endpoints: { dns: "my-backend-headless.default.svc.cluster.local:8080" }
    upstream: { protocol: h2, max_connections: 2, max_streams: 3, max_requests_per_connection: 4, pending: 5, pending_timeout: 6s }
    balance: { policy: least_request, slow_start: 10s }
    ejection: { consecutive_failures: 7, base: 2s, max: 8s, max_share: 0.25, panic_threshold: 10% }
    retry: { on: [reset, unprocessed, unavailable], attempts: 1, per_try_timeout: 3s, budget: 10% }
    timeouts: { connect: 7s, header: 8s, request: 9s, idle: 10s, send: 11s }
    drain: { deadline: 12s }
  - name: chat
    endpoints:
      static: ["10.0.0.2:22", { address: "10.0.0.1:22", zone: eu-1a, weight: 0, ordinal: 3, state: terminating }]
  - { name: srv, endpoints: { srv: _grpc._tcp.backend } }
  - { name: file, endpoints: { file: ./endpoints.yaml } }
"#;

fn full() -> Config {
    parse(FULL, "full.yaml").unwrap()
}

#[test]
fn every_key_reaches_the_model() {
    let config = full();
    assert_eq!(config.workers, Some(4));
    assert_eq!((config.log.format, config.log.level), (Some(LogFormat::Json), LogLevel::Debug));
    assert_eq!(config.log.interval, Duration::from_secs(60));
    assert_eq!((config.admin.bind, config.admin.public), (None, Some("[::]:9902".parse().unwrap())));
    assert_eq!(config.drain.deadline, Duration::from_secs(60));
    assert_eq!(config.drain.propagation_delay, Duration::from_secs(2));

    let listener = &config.listeners[0];
    assert_eq!((&*listener.name, listener.bind.port(), listener.policy.max_sessions), ("web", 8080, 10));
    let times = listener.policy.timeouts;
    let seconds = [times.connect, times.header, times.idle, times.send].map(|t| t.as_secs());
    assert_eq!(seconds, [1, 2, 4, 5]);
    let of_listener = RoutePolicy {
        request_timeout: Some(Duration::from_secs(3)),
        retry: Retry::default(),
        headers: HeaderRules {
            forwarded_for: ForwardedFor::Append,
            forwarded_proto: HeaderRule::Set,
            forwarded_host: HeaderRule::Add,
            request_id: HeaderRule::Add,
        },
    };
    let of_service = RoutePolicy {
        request_timeout: Some(Duration::from_secs(9)),
        retry: Retry {
            on: RetryOn { reset: true, unavailable: true, ..RetryOn::default() },
            attempts: 1,
            per_try_timeout: Some(Duration::from_secs(3)),
            budget: 0.1,
        },
        ..of_listener
    };
    let of_route = RoutePolicy {
        request_timeout: Some(Duration::from_secs(13)),
        retry: Retry {
            on: RetryOn {
                timeout: true,
                gateway_error: true,
                resource_exhausted: true,
                ..RetryOn::default()
            },
            attempts: 4,
            per_try_timeout: Some(Duration::from_secs(2)),
            budget: 0.5,
        },
        headers: HeaderRules {
            forwarded_for: ForwardedFor::Set,
            forwarded_proto: HeaderRule::Add,
            forwarded_host: HeaderRule::Set,
            request_id: HeaderRule::Set,
        },
    };
    let routes: Vec<RoutePolicy> = listener.routes.iter().map(|route| route.policy).collect();
    assert_eq!(routes, [of_listener, of_listener, of_route, of_service]);

    let policy = config.services[0].policy;
    assert_eq!((policy.upstream.max_connections, policy.upstream.max_streams), (2, 3));
    assert_eq!((policy.upstream.max_requests_per_connection, policy.upstream.pending), (Some(4), 5));
    assert_eq!(policy.upstream.pending_timeout, Duration::from_secs(6));
    assert_eq!(policy.balance.policy, BalancePolicy::LeastRequest);
    assert_eq!(policy.balance.slow_start, Duration::from_secs(10));
    assert_eq!((policy.ejection.consecutive_failures, policy.ejection.base.as_secs()), (7, 2));
    assert_eq!((policy.ejection.max.as_secs(), policy.ejection.max_share), (8, 0.25));
    assert_eq!(policy.ejection.panic_threshold, 0.1);
    let times = policy.timeouts;
    let seconds = [times.connect, times.header, times.idle, times.send].map(|t| t.as_secs());
    assert_eq!(seconds, [7, 8, 10, 11]);
    assert_eq!(policy.drain_deadline, Some(Duration::from_secs(12)));
}

#[test]
fn every_limit_reaches_the_model() {
    let limits = Limits {
        header_list_bytes: 5 << 10,
        header_block_bytes: 6 << 10,
        header_block_frames: 7,
        concurrent_streams: 8,
        exchanges: 9,
        stream_window: 100 << 10,
        most_stream_window: 105 << 10,
        connection_window: 110 << 10,
        most_connection_window: 115 << 10,
        granted_credit: 3,
        replay_bytes: 12,
        output_high: 130 << 10,
        output_low: 14 << 10,
        control_output: 150 << 10,
        buffered_bytes: 16 << 20,
        interned_bytes: 17 << 20,
        resets: Rate { burst: 18, per_second: 19 },
        control_frames: Rate { burst: 20, per_second: 21 },
        upstream_resets: Rate { burst: 24, per_second: 25 },
        early_resets: 26,
        interim_answers: 27,
        reset_linger: Duration::from_millis(22),
        settings_ack: Duration::from_secs(23),
        indexed_headers: [IndexedHeader::Path, IndexedHeader::GrpcTimeout].into_iter().collect(),
    };
    assert_eq!(full().limits, limits);
}

/// One listener, one service, one route; each with these keys.
fn route_with(listener: &str, service: &str, route: &str) -> Result<RoutePolicy, String> {
    let text = format!(
        "listeners: [{{ name: web, bind: 127.0.0.1:80, {listener} routes: [{{ service: a, {route} }}] }}]\n\
         services: [{{ name: a, endpoints: {{ dns: \"a:80\" }}, {service} }}]"
    );
    match parse(&text, "f") {
        Ok(config) => Ok(config.listeners[0].routes[0].policy),
        Err(mistakes) => Err(format!("{}: {}", mistakes.list[0].path, mistakes.list[0].what)),
    }
}

#[test]
fn the_nearest_request_timeout_holds_and_none_turns_those_farther_off() {
    let request = |listener: &str, service: &str, route: &str| {
        let at = |value: &str| match value {
            "" => String::new(),
            value => format!("timeouts: {{ request: {value} }},"),
        };
        let policy = route_with(&at(listener), &at(service), &at(route)).unwrap();
        policy.request_timeout.map(|timeout| timeout.as_secs())
    };
    assert_eq!(request("", "", ""), None);
    assert_eq!(request("3s", "", ""), Some(3));
    assert_eq!(request("3s", "2s", ""), Some(2));
    assert_eq!(request("3s", "2s", "1s"), Some(1));
    assert_eq!(request("3s", "", "1s"), Some(1));
    assert_eq!(request("3s", "none", ""), None);
    assert_eq!(request("3s", "none", "1s"), Some(1));
    assert_eq!(request("3s", "2s", "none"), None);
    assert_eq!(request("none", "2s", ""), Some(2));
}

#[test]
fn each_key_of_retry_and_headers_is_the_nearest_that_is_written() {
    let listener = "headers: { x_forwarded_for: append, x_request_id: add },";
    let service = "retry: { on: [reset], attempts: 3, per_try_timeout: 1s },";
    let route = "headers: { x_request_id: set }, retry: { attempts: 0, per_try_timeout: none }";
    let policy = route_with(listener, service, route).unwrap();
    assert_eq!(
        (policy.headers.forwarded_for, policy.headers.request_id),
        (ForwardedFor::Append, HeaderRule::Set)
    );
    let reset = RetryOn { reset: true, ..RetryOn::default() };
    assert_eq!(policy.retry, Retry { on: reset, attempts: 0, per_try_timeout: None, budget: 0.2 });
    assert_eq!(route_with(listener, service, "retry: { on: [] }").unwrap().retry.on, RetryOn::default());
}

#[test]
fn what_contradicts_itself_is_a_mistake_where_it_is_written() {
    let mistake = |service: &str, route: &str| route_with("", service, route).err();
    let needs = "`timeout` needs a `per_try_timeout`, which is none";
    assert_eq!(mistake("retry: { on: [timeout] }", ""), Some(format!("services[0].retry.on: {needs}")));
    assert_eq!(mistake("retry: { on: [timeout], per_try_timeout: 1s }", ""), None);
    assert_eq!(mistake("", "retry: { on: [timeout], per_try_timeout: 1s }"), None);
    assert_eq!(mistake("retry: { per_try_timeout: 1s }", "retry: { on: [timeout] }"), None);
    let route = |key: &str, what: &str| Some(format!("listeners[0].routes[0].retry.{key}: {what}"));
    assert_eq!(mistake("", "retry: { on: [timeout] }"), route("on", needs));
    let off = "retry: { per_try_timeout: none }";
    assert_eq!(
        mistake("retry: { on: [timeout], per_try_timeout: 1s }", off),
        route("per_try_timeout", needs)
    );

    let never = "`on` says what is sent again, and `attempts` is 0, so nothing is";
    assert_eq!(mistake("", "retry: { on: [reset], attempts: 0 }"), route("on", never));
    assert_eq!(mistake("retry: { on: [reset] }", "retry: { attempts: 0 }"), None);

    let long = "`per_try_timeout` (2s) is not shorter than `timeouts.request` (2s)";
    let per_try = "retry: { per_try_timeout: 2s }";
    assert_eq!(mistake("timeouts: { request: 2s }", per_try), route("per_try_timeout", long));
    assert_eq!(mistake("timeouts: { request: 2001ms }", per_try), None);
    assert_eq!(mistake(per_try, "timeouts: { request: 2s }"), None);
}

#[test]
fn limits_that_contradict_each_other_are_mistakes_and_those_that_just_do_not_are_none() {
    let mistake = |limits: &str| {
        let text = format!(
            "limits: {{ {limits} }}\nlisteners: [{{ name: web, bind: 127.0.0.1:80, service: a }}]\n\
             services: [{{ name: a, endpoints: {{ dns: \"a:80\" }} }}]"
        );
        parse(&text, "f").err().map(|mistakes| {
            mistakes.list.iter().map(|m| format!("{}: {}", m.path, m.what)).collect::<String>()
        })
    };
    for (well, wrong, what) in [
        (
            "stream_window: 1MiB",
            "stream_window: 1048577B, connection_window: 2MiB",
            "limits.stream_window: `most_stream_window` (1MiB) is less than `stream_window` (1048577B): a window grows from the one to the other",
        ),
        (
            "connection_window: 8MiB",
            "connection_window: 9MiB",
            "limits.connection_window: `most_connection_window` (8MiB) is less than `connection_window` (9MiB): a window grows from the one to the other",
        ),
        (
            "stream_window: 128KiB, connection_window: 128KiB",
            "stream_window: 128KiB, connection_window: 127KiB",
            "limits.connection_window: `connection_window` (127KiB) is less than `stream_window` (128KiB): no stream could use its window up",
        ),
        (
            "most_stream_window: 8MiB",
            "most_stream_window: 9MiB",
            "limits.most_stream_window: `most_connection_window` (8MiB) is less than `most_stream_window` (9MiB): no stream could use its window up",
        ),
        (
            "buffered_bytes: 2MiB, most_stream_window: 2MiB",
            "buffered_bytes: 2MiB, most_stream_window: 2049KiB",
            "limits.buffered_bytes: `buffered_bytes` (2MiB) is less than `most_stream_window` (2049KiB): what one stream may send must fit",
        ),
        (
            "header_list_bytes: 1MiB",
            "header_list_bytes: 1025KiB",
            "limits.header_list_bytes: `control_output` (1MiB) is less than `header_list_bytes` (1025KiB): the headers of one answer must fit",
        ),
        (
            "output_high: 65537B",
            "output_high: 64KiB",
            "limits.output_high: `output_low` (64KiB) is not less than `output_high` (64KiB): streams that are held back go on below it",
        ),
    ] {
        assert_eq!(mistake(well), None);
        assert_eq!(mistake(wrong).as_deref(), Some(what));
    }
}

#[test]
fn every_source_of_endpoints_reaches_the_model() {
    let config = full();
    let sources: Vec<&EndpointSource> = config.services.iter().map(|service| &service.endpoints).collect();
    let name = "my-backend-headless.default.svc.cluster.local";
    assert_eq!(sources[0], &EndpointSource::Dns { name: name.into(), port: 8080 });
    let first = EndpointSpec {
        zone: Some("eu-1a".into()),
        weight: 0,
        ordinal: Some(3),
        state: EndpointState::Terminating,
        ..EndpointSpec::at("10.0.0.1:22".parse().unwrap())
    };
    let second = EndpointSpec::at("10.0.0.2:22".parse().unwrap());
    assert_eq!(sources[1], &EndpointSource::Static(vec![first, second]));
    assert_eq!(sources[2], &EndpointSource::Srv { name: "_grpc._tcp.backend".into() });
    assert_eq!(sources[3], &EndpointSource::File { path: PathBuf::from("./endpoints.yaml") });
}

#[test]
fn routes_keep_their_order_and_their_parts() {
    let config = full();
    let routes = &config.listeners[0].routes;
    let first = &routes[0].matches;
    assert_eq!((first.host.as_deref(), first.method.as_deref()), (Some("chat.example.com"), Some("GET")));
    assert_eq!(first.path, PathMatch::Prefix("/ws".into()));
    assert_eq!(first.headers, [("x-a".into(), "one".into()), ("x-b".into(), "2".into())]);
    assert_eq!(routes[1].matches.path, PathMatch::Exact("/healthz".into()));
    let grpc = PathMatch::Grpc { service: "helloworld.Greeter".into(), method: Some("SayHello".into()) };
    assert_eq!(routes[2].matches.path, grpc);
    assert_eq!(routes[3].matches, Default::default());
    let services: Vec<&str> = routes.iter().map(|route| &*route.service).collect();
    assert_eq!(services, ["chat", "chat", "backend", "backend"]);
}

#[test]
fn equal_meaning_is_an_equal_model() {
    let one = r#"
        listeners: [{ name: web, bind: "127.0.0.1:80", service: a, timeouts: { idle: 1h, send: 60s } }]
        services: [{ name: a, endpoints: { static: ["10.0.0.1:1", "10.0.0.2:1"] }, ejection: { max_share: 50% } }]"#;
    let other = r#"
        # another order, a comment, JSON's quotes, defaults written out, another unit
        services:
          - ejection: { max_share: 0.5, base: 1000ms }
            endpoints: { static: [{ address: "10.0.0.2:1", weight: 1 }, 10.0.0.1:1] }
            "name": "a"
        listeners:
          - routes: [{ service: a, match: {} }]
            timeouts: { send: 1m, idle: 3600s }
            bind: 127.0.0.1:80
            name: web
        log: { level: info }"#;
    assert_eq!(parse(one, "one"), parse(other, "other"));
    assert_ne!(parse(one, "one"), parse(&one.replace("1h", "2h"), "other"));
}

#[test]
fn json_is_yaml() {
    let json = r#"{"listeners": [{"name": "web", "bind": "127.0.0.1:80", "service": "a"}],
        "services": [{"name": "a", "endpoints": {"dns": "a:80"}, "retry": {"attempts": 2}}]}"#;
    assert_eq!(parse(json, "f").unwrap().listeners[0].routes[0].policy.retry.attempts, 2);
}

#[test]
fn an_alias_means_what_it_names() {
    let text = "listeners: [{ name: web, bind: 127.0.0.1:80, service: a, timeouts: { idle: &idle 7s } }]\n\
                services:\n  - name: a\n    endpoints: { dns: \"a:80\" }\n    timeouts: &t { idle: *idle }\n\
                \x20 - { name: b, endpoints: { dns: \"b:80\" }, timeouts: *t }\n";
    let config = parse(text, "f").unwrap();
    assert_eq!(config.services[1].policy.timeouts.idle, Duration::from_secs(7));
}

#[test]
fn a_service_without_connect_takes_the_shortest_that_its_listeners_write() {
    let connect = |first: &str, second: &str, service: &str| {
        let text = format!(
            "listeners:\n  - {{ name: a, bind: 127.0.0.1:1, service: s, timeouts: {{ {first} }} }}\n\
             \x20 - {{ name: b, bind: 127.0.0.1:2, service: s, timeouts: {{ {second} }} }}\n\
             \x20 - {{ name: c, bind: 127.0.0.1:3, service: other, timeouts: {{ connect: 1ms }} }}\n\
             services:\n  - {{ name: s, endpoints: {{ dns: \"s:1\" }}, timeouts: {{ {service} }} }}\n\
             \x20 - {{ name: other, endpoints: {{ dns: \"s:1\" }} }}\n"
        );
        parse(&text, "f").unwrap().services[0].policy.timeouts.connect.as_secs()
    };
    assert_eq!(connect("", "", ""), 5);
    assert_eq!(connect("connect: 9s", "", ""), 9);
    assert_eq!(connect("connect: 9s", "connect: 8s", ""), 8);
    assert_eq!(connect("connect: 9s", "connect: 8s", "connect: 20s"), 20);
}

#[test]
fn no_address_is_bound_twice() {
    let text = |admin: &str, first: &str, second: &str| {
        format!(
            "admin: {{ {admin} }}\nlisteners:\n  - {{ name: a, bind: {first}, service: s }}\n\
             \x20 - {{ name: b, bind: {second}, service: s }}\nservices: [{{ name: s, endpoints: {{ dns: \"s:1\" }} }}]"
        )
    };
    let path = |admin, first, second| {
        parse(&text(admin, first, second), "f").err().map(|mistakes| mistakes.list[0].path.clone())
    };
    assert_eq!(path("", "127.0.0.1:1", "127.0.0.1:2"), None);
    assert_eq!(path("", "127.0.0.1:0", "127.0.0.1:0"), None);
    assert_eq!(path("", "127.0.0.1:1", "127.0.0.1:1").as_deref(), Some("listeners[1].bind"));
    assert_eq!(path("", "127.0.0.1:9901", "127.0.0.1:1").as_deref(), Some("listeners[0].bind"));
    assert_eq!(path("public: 127.0.0.1:9901", "127.0.0.1:1", "127.0.0.1:2").as_deref(), Some("admin.public"));
    assert_eq!(path("bind: off, public: 127.0.0.1:9901", "127.0.0.1:1", "127.0.0.1:2"), None);
}

#[test]
fn an_endpoints_file_is_yaml_or_json_and_may_be_empty() {
    let spec = |text: &str| EndpointSpec::at(text.parse().unwrap());
    let both = Ok(vec![spec("10.0.0.1:80"), spec("[fd00::1]:80")]);
    assert_eq!(parse_endpoints("endpoints:\n  - '[fd00::1]:80'\n  - 10.0.0.1:80\n", "f"), both);
    assert_eq!(parse_endpoints(r#"{"endpoints": ["10.0.0.1:80", {"address": "[fd00::1]:80"}]}"#, "f"), both);
    assert_eq!(parse_endpoints("endpoints: []", "f"), Ok(Vec::new()));
    assert!(parse_endpoints("endpoints:", "f").is_err());
    assert!(parse_endpoints("", "f").is_err());
}
