//! The configured list of headers that may enter the HPACK table of an upstream, seen from the endpoint.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::indexed_headers::{IndexedHeader, IndexedHeaders};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, Engine, EngineSetup};
use evenkeel_wire::detect::PREFACE;
use std::sync::Arc;
use std::time::Duration;

const NOW: Moment = Moment::ZERO;
/// Long enough to be told from what stands around it.
const LONG: &str = "/0123456789-0123456789-0123456789-0123456789";

fn engine(indexed_headers: IndexedHeaders) -> Engine {
    let mut writer = EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default());
    writer.publish(vec![EndpointSpec::at(([10, 0, 0, 1], 80).into())], NOW);
    let service = Service {
        id: ServiceId(0),
        name: "s".into(),
        policy: ServicePolicy::default(),
        endpoints: Arc::clone(writer.current()),
        stats: Arc::new(ServiceStats::new(1)),
    };
    let everything =
        Route { matches: RouteMatch::default(), service: ServiceId(0), policy: RoutePolicy::default() };
    let listener = Listener {
        id: ListenerId(0),
        name: "l".into(),
        policy: ListenerPolicy::default(),
        routes: RouteTable { routes: vec![everything] },
        stats: Arc::new(ListenerStats::new(1)),
    };
    let snapshot = Snapshot { services: vec![Arc::new(service)], listeners: vec![Arc::new(listener)] };
    let setup = EngineSetup {
        worker: WorkerIndex(0),
        seed: 1,
        limits: Limits { indexed_headers, ..Limits::default() },
        log_interval: Duration::from_secs(60),
        stats: Arc::new(WorkerStats::default()),
        snapshot: Arc::new(snapshot),
    };
    Engine::new(setup, NOW)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// A request whose last two fields the client itself indexes: its path, and one more.
fn request(stream: u32, name: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [(":authority", "h"), (":path", LONG), (name, LONG)] {
        block.extend_from_slice(&[0x40, name.len() as u8]);
        block.extend_from_slice(name.as_bytes());
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
    }
    frame(1, 5, stream, &block)
}

/// The same request by what the first one left in the client's table.
fn request_again(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, &[0x83, 0x86, 0xc0, 0xbf, 0xbe])
}

/// How often the long value is spelled out to the endpoint in the third of three equal requests: the second shows that
/// the client uses its table.
fn spelled_again(indexed_headers: IndexedHeaders, name: &str) -> usize {
    let mut engine = engine(indexed_headers);
    let client = engine.accept(NOW, ListenerId(0), ([127, 0, 0, 1], 9).into()).unwrap();
    engine.received(NOW, client, &[&PREFACE[..], &frame(4, 0, 0, &[]), &request(1, name)].concat());
    let mut actions = Vec::new();
    engine.take_actions(&mut actions);
    let asked = |action: &Action| if let Action::Connect { conn, .. } = action { Some(*conn) } else { None };
    let upstream = actions.iter().find_map(asked).unwrap();
    engine.connected(NOW, upstream);
    engine.received(NOW, upstream, &frame(4, 0, 0, &[]));
    let first = engine.output(upstream).to_vec();
    engine.wrote(NOW, upstream, first.len());
    assert_eq!(count(&first), 2, "everything is spelled out once");
    engine.received(NOW, client, &request_again(3));
    let second = engine.output(upstream).to_vec();
    engine.wrote(NOW, upstream, second.len());
    assert_eq!(count(&second), 2, "and once more, for whoever comes after");
    engine.received(NOW, client, &request_again(5));
    count(engine.output(upstream))
}

fn count(output: &[u8]) -> usize {
    output.windows(LONG.len()).filter(|window| *window == LONG.as_bytes()).count()
}

#[test]
fn what_the_list_holds_is_spelled_out_twice_and_the_rest_each_time() {
    let path = IndexedHeaders::NONE.with(IndexedHeader::Path);
    assert_eq!(spelled_again(IndexedHeaders::NONE, "user-agent"), 2);
    assert_eq!(spelled_again(path, "user-agent"), 1);
    assert_eq!(spelled_again(path.with(IndexedHeader::UserAgent), "user-agent"), 0);
    assert_eq!(spelled_again(IndexedHeaders::default(), "user-agent"), 0);
}

#[test]
fn a_secret_and_an_unknown_header_are_spelled_out_each_time_whatever_the_list_holds() {
    let all = IndexedHeader::ALL.iter().copied().collect();
    for name in ["authorization", "cookie", "proxy-authorization", "x-tenant"] {
        assert_eq!(spelled_again(all, name), 1, "{name}");
    }
}
