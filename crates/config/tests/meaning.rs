//! What texts mean: the model that they become, and which of them mean the same.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

use evenkeel_config::model::{Config, EndpointSource, LogFormat, LogLevel};
use evenkeel_config::{parse, parse_endpoints};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::policy::BalancePolicy;
use evenkeel_core::route::PathMatch;
use std::path::PathBuf;
use std::time::Duration;

const FULL: &str = r#"
workers: 4
log: { format: json, level: debug, interval: 1m }
admin: { bind: off, public: "[::]:9902" }
drain: { deadline: 1m, propagation_delay: 2s }
listeners:
  - name: web
    bind: "0.0.0.0:8080"
    protocol: http
    max_sessions: 10
    timeouts: { connect: 1s, header: 2s, request: 3s, idle: 4s, send: 5s }
    routes:
      - match: { host: "Chat.Example.com", path_prefix: "/ws/", method: GET, headers: { X-B: "2", x-a: one } }
        service: chat
      - match: { path: /healthz }
        service: chat
      - match: { grpc: { service: helloworld.Greeter, method: SayHello } }
        service: backend
      - service: backend
services:
  - name: backend
    endpoints: { dns: "my-backend-headless.default.svc.cluster.local:8080" }
    upstream: { protocol: h2, max_connections: 2, max_streams: 3, max_requests_per_connection: 4, pending: 5, pending_timeout: 6s }
    balance: { policy: least_request, slow_start: 10s }
    ejection: { consecutive_failures: 7, base: 2s, max: 8s, max_share: 0.25, panic_threshold: 10% }
    retry: { attempts: 1 }
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
    let exchanges = listener.routes[0].policy;
    assert_eq!((exchanges.request_timeout, exchanges.retry.attempts), (Some(Duration::from_secs(3)), 2));

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
