//! What texts mean: the model that they become, and which of them mean the same.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

use evenkeel_config::model::{
    Alpn, CertificateFiles, ClientAuth, ClientAuthMode, Config, EndpointSource, ListenerTls, LogFormat,
    LogLevel, TlsVersion, UpstreamTls, Verification,
};
use evenkeel_config::{parse, parse_endpoints};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::indexed_headers::IndexedHeader;
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::policy::{
    AcceptProxyProtocol, BalancePolicy, ClientCertificateRule, Cors, CorsOrigins, ForwardedFor, GrpcWeb,
    HeaderRule, HeaderRules, ListenerProtocol, Retry, RetryOn, RoutePolicy, SendProxyProtocol, Transport,
    UpstreamProtocol,
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
  header_fields: 28
  request_line_bytes: 29KiB
  chunk_extension_bytes: 30B
  tunnel_bytes: 31KiB
  pipes: 32
  handshakes_per_turn: 33
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
    protocol: auto
    tls:
      certificates: [{ cert: a.crt, key: a.key }, { cert: /b.crt, key: /b.key }]
      client_auth: { ca: clients.crt, mode: optional }
      min_version: 1.3
      alpn: [http/1.1, h2]
    proxy_protocol: required
    max_sessions: 10
    timeouts: { connect: 1s, tls_handshake: 14s, detect: 15s, header: 2s, request: 3s, idle: 4s, upgraded_idle: 16s, send: 5s }
    limits: { request_body_bytes: 17MiB }
    headers: { x_forwarded_for: append, x_forwarded_proto: set, x_forwarded_host: add, x_request_id: add }
    grpc_web: { cors: { origins: ["https://b.example", "https://a.example"], headers: [X-Tenant, authorization], max_age: 18s } }
    routes:
      - match: { host: "Chat.Example.com", path_prefix: "/ws/", method: GET, headers: { X-B: "2", x-a: one } }
        service: chat
      - match: { path: /healthz }
        service: chat
      - match: { grpc: { service: helloworld.Greeter, method: SayHello } }
        service: backend
        timeouts: { request: 13s, upgraded_idle: 19s }
        limits: { request_body_bytes: none }
        retry: { on: [timeout, gateway_error, resource_exhausted], attempts: 4, per_try_timeout: 2s, budget: 0.5 }
        headers: { x_forwarded_for: set, x_forwarded_proto: add, x_forwarded_host: set, x_request_id: set, client_certificate: remove }
      - match: { sni: "*.Db.example" }
        service: chat
      - service: backend
services:
  - name: backend
    endpoints: { dns: "my-backend-headless.default.svc.cluster.local:8080" }
    upstream:
      { protocol: h2, tls: { server_name: b.example, ca: ca.crt, cert: c.crt, key: c.key }, max_connections: 2, max_streams: 3, max_requests_per_connection: 4, pending: 5, pending_timeout: 6s }
    balance: { policy: least_request, slow_start: 10s }
    ejection: { consecutive_failures: 7, base: 2s, max: 8s, max_share: 0.25, panic_threshold: 10% }
    retry: { on: [reset, unprocessed, unavailable], attempts: 1, per_try_timeout: 3s, budget: 10% }
    timeouts: { connect: 7s, tls_handshake: 20s, header: 8s, request: 9s, idle: 10s, upgraded_idle: none, send: 11s }
    limits: { max_sessions: 21, request_body_bytes: 22B }
    websocket: { ping_interval: 23s }
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
    let each = [
        times.connect,
        times.header,
        times.idle,
        times.send,
        times.tls_handshake,
        listener.policy.detect_timeout,
    ];
    assert_eq!(each.map(|t| t.as_secs()), [1, 2, 4, 5, 14, 15]);
    assert_eq!(listener.policy.protocol, ListenerProtocol::Auto);
    assert_eq!(listener.policy.transport, Transport::Tls);
    assert_eq!(listener.policy.proxy_protocol, AcceptProxyProtocol::Required);
    let files =
        |cert: &str, key: &str| CertificateFiles { cert: PathBuf::from(cert), key: PathBuf::from(key) };
    let tls = ListenerTls {
        certificates: vec![files("a.crt", "a.key"), files("/b.crt", "/b.key")],
        client_auth: Some(ClientAuth { ca: PathBuf::from("clients.crt"), mode: ClientAuthMode::Optional }),
        min_version: TlsVersion::V1_3,
        alpn: vec![Alpn::Http11, Alpn::H2],
    };
    assert_eq!(listener.tls, Some(tls));
    let cors = Cors {
        origins: CorsOrigins::Listed(["https://a.example".into(), "https://b.example".into()].into()),
        headers: ["authorization".into(), "x-tenant".into()].into(),
        max_age: Duration::from_secs(18),
    };
    assert_eq!(listener.policy.grpc_web.as_deref(), Some(&GrpcWeb { cors: Some(cors) }));
    let of_listener = RoutePolicy {
        request_timeout: Some(Duration::from_secs(3)),
        upgraded_idle: Some(Duration::from_secs(16)),
        request_body_bytes: Some(17 << 20),
        retry: Retry::default(),
        headers: HeaderRules {
            forwarded_for: ForwardedFor::Append,
            forwarded_proto: HeaderRule::Set,
            forwarded_host: HeaderRule::Add,
            request_id: HeaderRule::Add,
            client_certificate: ClientCertificateRule::Set,
        },
    };
    let of_service = RoutePolicy {
        request_timeout: Some(Duration::from_secs(9)),
        upgraded_idle: None,
        request_body_bytes: Some(22),
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
        upgraded_idle: Some(Duration::from_secs(19)),
        request_body_bytes: None,
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
            client_certificate: ClientCertificateRule::Remove,
        },
    };
    let routes: Vec<RoutePolicy> = listener.routes.iter().map(|route| route.policy).collect();
    assert_eq!(routes, [of_listener, of_listener, of_route, of_listener, of_service]);

    let policy = config.services[0].policy;
    assert_eq!((policy.upstream.protocol, policy.upstream.transport), (UpstreamProtocol::H2, Transport::Tls));
    let tls = UpstreamTls {
        server_name: Some("b.example".into()),
        ca: Some(PathBuf::from("ca.crt")),
        certificate: Some(files("c.crt", "c.key")),
        verification: Verification::Full,
    };
    assert_eq!(config.services[0].tls, Some(tls));
    assert_eq!(policy.timeouts.tls_handshake, Duration::from_secs(20));
    assert_eq!(
        (policy.max_sessions, policy.websocket.ping_interval),
        (Some(21), Some(Duration::from_secs(23)))
    );
    assert_eq!((policy.upstream.max_connections, policy.upstream.max_streams), (Some(2), 3));
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
        header_fields: 28,
        request_line_bytes: 29 << 10,
        chunk_extension_bytes: 30,
        tunnel_bytes: 31 << 10,
        pipes: 32,
        handshakes_per_turn: 33,
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
    assert_eq!(routes[3].matches.server_name.as_deref(), Some("*.db.example"));
    assert_eq!(routes[4].matches, Default::default());
    let services: Vec<&str> = routes.iter().map(|route| &*route.service).collect();
    assert_eq!(services, ["chat", "chat", "backend", "chat", "backend"]);
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

/// The first mistake, by path and what it says.
fn first_mistake(text: &str) -> Option<(String, String)> {
    let mistake = parse(text, "f").err()?.list.into_iter().next()?;
    Some((mistake.path, mistake.what))
}

#[test]
fn a_service_of_tunnels_alone_is_balanced_by_connections_unless_it_says_otherwise() {
    let policy = |listeners: [&str; 2], balance: &str| {
        let [first, second] = listeners;
        let text = format!(
            "listeners: [{{ name: a, bind: 127.0.0.1:1, protocol: {first}, service: s }},\
             {{ name: b, bind: 127.0.0.1:2, protocol: {second}, service: s }}]\n\
             services: [{{ name: s, endpoints: {{ dns: \"s:1\" }}, balance: {{ {balance} }} }},\
             {{ name: unused, endpoints: {{ dns: \"s:1\" }} }}]"
        );
        let config = parse(&text, "f").unwrap();
        assert_eq!(config.services[1].policy.balance.policy, BalancePolicy::PeakEwma);
        config.services[0].policy.balance.policy
    };
    assert_eq!(policy(["tcp", "tcp"], ""), BalancePolicy::LeastConnection);
    assert_eq!(policy(["tcp", "tcp"], "slow_start: 1s"), BalancePolicy::LeastConnection);
    assert_eq!(policy(["tcp", "tcp"], "policy: peak_ewma"), BalancePolicy::PeakEwma);
    for other in ["http", "auto"] {
        assert_eq!(policy(["tcp", other], ""), BalancePolicy::PeakEwma);
        assert_eq!(policy([other, other], "policy: least_connection"), BalancePolicy::LeastConnection);
    }
}

#[test]
fn only_services_of_tunnels_alone_send_the_proxy_protocol() {
    let text = |protocol: &str, upstream: &str| {
        format!(
            "listeners: [{{ name: a, bind: 127.0.0.1:1, protocol: {protocol}, service: s }}]\n\
             services: [{{ name: s, endpoints: {{ dns: \"s:1\" }}, upstream: {{ {upstream} }} }}]"
        )
    };
    for (word, sent) in [("v1", SendProxyProtocol::V1), ("v2", SendProxyProtocol::V2)] {
        let config = parse(&text("tcp", &format!("proxy_protocol: {word}")), "f").unwrap();
        assert_eq!(config.services[0].policy.upstream.proxy_protocol, sent);
    }
    for protocol in ["http", "auto"] {
        assert_eq!(first_mistake(&text(protocol, "proxy_protocol: none")), None);
        let (path, what) = first_mistake(&text(protocol, "proxy_protocol: v2")).unwrap();
        assert_eq!(path, "services[0].upstream.proxy_protocol");
        assert_eq!(what, "clients of listener a share connections, and the header names one client");
    }
}

#[test]
fn a_route_may_ask_only_for_what_its_listener_hears() {
    let mistake = |protocol: &str, matches: &str| {
        let text = format!(
            "listeners: [{{ name: a, bind: 127.0.0.1:1, protocol: {protocol}, routes: [{{ match: {{ {matches} }}, service: s }}] }}]\n\
             services: [{{ name: s, endpoints: {{ dns: \"s:1\" }} }}]"
        );
        first_mistake(&text).map(|(path, _)| path)
    };
    let at = |key: &str| Some(format!("listeners[0].routes[0].match.{key}"));
    for (key, value) in
        [("host", "a.b"), ("path", "/"), ("path_prefix", "/"), ("method", "GET"), ("headers", "{ a: b }")]
    {
        let matches = format!("{key}: {value}");
        assert_eq!(mistake("tcp", &matches), at(key));
        assert_eq!((mistake("http", &matches), mistake("auto", &matches)), (None, None));
    }
    assert_eq!(mistake("http", "sni: a.b"), at("sni"));
    assert_eq!((mistake("tcp", "sni: a.b"), mistake("auto", "sni: \"*.a.b\"")), (None, None));
}

#[test]
fn tls_is_read_with_what_its_listener_speaks() {
    let tls = |protocol: &str, alpn: &str| {
        let text = format!(
            "listeners: [{{ name: a, bind: 127.0.0.1:1, protocol: {protocol}, service: s,\
             tls: {{ certificates: [{{ cert: c, key: k }}], {alpn} }} }}]\n\
             services: [{{ name: s, endpoints: {{ dns: \"s:1\" }} }}]"
        );
        parse(&text, "f").unwrap().listeners[0].tls.clone().unwrap()
    };
    assert_eq!(tls("http", "").alpn, [Alpn::H2, Alpn::Http11]);
    assert_eq!(tls("auto", "").alpn, [Alpn::H2, Alpn::Http11]);
    assert_eq!(tls("tcp", "").alpn, []);
    assert_eq!(tls("tcp", "alpn: [h2]").alpn, [Alpn::H2]);
    assert_eq!(tls("http", "alpn: []").alpn, []);
    assert_eq!((tls("http", "").min_version, tls("http", "").client_auth), (TlsVersion::V1_2, None));
    assert_eq!(tls("http", "min_version: \"1.3\"").min_version, TlsVersion::V1_3);
}

#[test]
fn an_endpoint_is_asked_for_the_name_by_which_it_was_found() {
    let name = |endpoints: &str, tls: &str| {
        let text = format!(
            "listeners: [{{ name: a, bind: 127.0.0.1:1, service: s }}]\n\
             services: [{{ name: s, endpoints: {{ {endpoints} }}, upstream: {{ tls: {{ {tls} }} }} }}]"
        );
        let tls = parse(&text, "f").unwrap().services[0].tls.clone().unwrap();
        tls.server_name.map(|name| name.to_string())
    };
    assert_eq!(name("dns: \"b.example.:1\"", "").as_deref(), Some("b.example"));
    assert_eq!(name("dns: \"b.example:1\"", "server_name: c.example").as_deref(), Some("c.example"));
    assert_eq!(name("static: [10.0.0.1:1]", ""), None);
    assert_eq!(
        name("static: [10.0.0.1:1]", "server_name: 10.0.0.9, verify: false").as_deref(),
        Some("10.0.0.9")
    );
}

#[test]
fn who_a_client_is_reaches_endpoints_only_where_clients_are_asked() {
    let rule = |listener: &str, route: &str| {
        let policy = route_with(listener, "", route).map(|policy| policy.headers.client_certificate);
        policy.map_err(|text| text.split(':').next().unwrap_or_default().to_owned())
    };
    let asked = "tls: { certificates: [{ cert: c, key: k }], client_auth: { ca: a } },";
    let set = "headers: { client_certificate: set },";
    assert_eq!(rule("", ""), Ok(ClientCertificateRule::Pass));
    assert_eq!(rule(asked, ""), Ok(ClientCertificateRule::Set));
    assert_eq!(rule(asked, "headers: { client_certificate: pass }"), Ok(ClientCertificateRule::Pass));
    assert_eq!(rule("headers: { client_certificate: remove },", ""), Ok(ClientCertificateRule::Remove));
    assert_eq!(rule("", set), Err("listeners[0].routes[0].headers.client_certificate".to_owned()));
    assert_eq!(rule(set, ""), Err("listeners[0].headers.client_certificate".to_owned()));
}

#[test]
fn grpc_web_needs_nothing_and_cors_an_origin() {
    let grpc_web = |text: &str| {
        let text = format!(
            "listeners: [{{ name: a, bind: 127.0.0.1:1, service: s, {text} }}]\n\
             services: [{{ name: s, endpoints: {{ dns: \"s:1\" }} }}]"
        );
        parse(&text, "f").map(|config| config.listeners[0].policy.grpc_web.as_deref().cloned())
    };
    assert_eq!(grpc_web(""), Ok(None));
    assert_eq!(grpc_web("grpc_web: {}"), Ok(Some(GrpcWeb { cors: None })));
    let any = Cors { origins: CorsOrigins::Any, headers: Box::default(), max_age: Duration::from_secs(3600) };
    assert_eq!(grpc_web("grpc_web: { cors: { origins: [\"*\"] } }"), Ok(Some(GrpcWeb { cors: Some(any) })));
    assert!(grpc_web("grpc_web: { cors: {} }").is_err());
    assert!(grpc_web("grpc_web: { cors: { origins: [\"*\", \"https://a.b\"] } }").is_err());
}

#[test]
fn the_nearest_limit_and_idle_time_hold_and_none_turns_those_farther_off() {
    let at = |listener: &str, service: &str, route: &str| {
        let keys = |value: &str| match value {
            "" => String::new(),
            "none" => "limits: { request_body_bytes: none }, timeouts: { upgraded_idle: none },".to_owned(),
            n => format!("limits: {{ request_body_bytes: {n}B }}, timeouts: {{ upgraded_idle: {n}s }},"),
        };
        let policy = route_with(&keys(listener), &keys(service), &keys(route)).unwrap();
        let seconds = policy.upgraded_idle.map(|idle| idle.as_secs());
        assert_eq!(seconds, policy.request_body_bytes);
        seconds
    };
    assert_eq!(at("", "", ""), None);
    assert_eq!(at("3", "", ""), Some(3));
    assert_eq!(at("3", "2", ""), Some(2));
    assert_eq!(at("3", "2", "1"), Some(1));
    assert_eq!(at("3", "none", ""), None);
    assert_eq!(at("3", "2", "none"), None);
    assert_eq!(at("none", "2", ""), Some(2));
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
