//! Faults that the fuzz targets or the work on them found, each as a test of its symptom.
//!
//! One client, one endpoint, frames by hand; sockets that take nothing unless a test says so.

use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{ListenerId, ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::{PathMatch, Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats, WorkerStats};
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup, PeerEnd};
use evenkeel_wire::detect::PREFACE;
use std::sync::Arc;
use std::time::Duration;

const NOW: Moment = Moment::ZERO;

/// Small marks, so that little is needed to reach them.
fn small_limits() -> Limits {
    Limits { output_high: 1_000, output_low: 500, control_output: 1_000, ..Limits::default() }
}

struct Bench {
    engine: Engine,
    client: ConnKey,
    upstream: Option<ConnKey>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// Fields as literals that enter no table.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        for (flags, text) in [(Some(0), name), (None, value)] {
            out.extend(flags);
            if text.len() < 127 {
                out.push(text.len() as u8);
            } else {
                // 127 and one more octet or two (RFC 7541 §5.1).
                let rest = text.len() - 127;
                out.extend_from_slice(&[127, (rest % 128) as u8 | 128, (rest / 128) as u8]);
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

fn request(stream: u32, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = vec![(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "h")];
    fields.extend_from_slice(more);
    frame(1, 5, stream, &block(&fields))
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let mut writer = EndpointSetWriter::new(ServiceId(1), 1, EndpointIds::default());
        writer.publish(vec![EndpointSpec::at(([10, 0, 0, 1], 80).into())], NOW);
        let service = Service {
            id: ServiceId(1),
            name: "s".into(),
            policy: ServicePolicy::default(),
            endpoints: Arc::clone(writer.current()),
            stats: Arc::new(ServiceStats::new(1)),
        };
        let matches = RouteMatch { path: PathMatch::Prefix("/s".into()), ..RouteMatch::default() };
        let listener = Listener {
            id: ListenerId(1),
            name: "l".into(),
            policy: ListenerPolicy::default(),
            routes: RouteTable {
                routes: vec![Route { matches, service: ServiceId(1), policy: RoutePolicy::default() }],
            },
            stats: Arc::new(ListenerStats::new(1)),
        };
        let snapshot = Snapshot { services: vec![Arc::new(service)], listeners: vec![Arc::new(listener)] };
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 1,
            limits,
            log_interval: Duration::from_secs(60),
            stats: Arc::new(WorkerStats::default()),
            snapshot: Arc::new(snapshot),
        };
        let mut engine = Engine::new(setup, NOW);
        let client = engine.accept(NOW, ListenerId(1), ([127, 0, 0, 1], 9).into());
        let client = client.expect("the listener is configured");
        engine.received(NOW, client, &[&PREFACE[..], &frame(4, 0, 0, &[])].concat());
        Self { engine, client, upstream: None }
    }

    /// Bytes of the client.
    fn say(&mut self, bytes: &[u8]) {
        self.engine.received(NOW, self.client, bytes);
        let mut actions = Vec::new();
        self.engine.take_actions(&mut actions);
        for action in actions {
            if let Action::Connect { conn, .. } = action {
                self.upstream = Some(conn);
                self.engine.connected(NOW, conn);
                self.engine.received(NOW, conn, &frame(4, 0, 0, &[]));
            }
        }
    }

    /// Bytes of the endpoint.
    fn answer(&mut self, bytes: &[u8]) {
        self.engine.received(NOW, self.upstream.expect("a request came first"), bytes);
    }

    /// The client's socket takes all that waits.
    fn read(&mut self) -> Vec<u8> {
        let bytes = self.engine.output(self.client).to_vec();
        self.engine.wrote(NOW, self.client, bytes.len());
        bytes
    }

    /// Types and streams of the frames that wait for the client.
    fn frames(&self) -> Vec<(u8, u32)> {
        let (mut rest, mut out) = (self.engine.output(self.client), Vec::new());
        while !rest.is_empty() {
            let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
            out.push((rest[3], u32::from_be_bytes([rest[5], rest[6], rest[7], rest[8]])));
            rest = &rest[9 + length..];
        }
        out
    }

    fn waits(&self, key: ConnKey) -> usize {
        self.engine.output(key).len()
    }
}

const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

#[test]
fn a_stream_that_was_never_opened_is_not_reset_but_ends_the_connection() {
    let data = |stream| frame(0, 1, stream, b"x");
    let short_priority = |stream| frame(PRIORITY, 0, stream, &[0; 4]);
    for bytes in [short_priority(9), short_priority(2), data(9), data(2), frame(8, 0, 2, &[0; 4])] {
        let mut bench = Bench::new(Limits::default());
        bench.say(&request(3, "/s", &[]));
        bench.read();
        bench.say(&bytes);
        let kinds: Vec<u8> = bench.frames().into_iter().map(|(kind, _)| kind).collect();
        assert!(kinds.contains(&GOAWAY) && !kinds.contains(&RST_STREAM), "{kinds:?} after {bytes:?}");
    }
    // A stream that the client jumped over is closed, not idle.
    let mut bench = Bench::new(Limits::default());
    bench.say(&request(3, "/s", &[]));
    bench.read();
    bench.say(&short_priority(1));
    assert_eq!(bench.frames(), [(RST_STREAM, 1)]);
}

#[test]
fn a_grpc_answer_that_is_shed_still_begins_with_its_status() {
    let mut bench = Bench::new(small_limits());
    let grpc = [("content-type", "application/grpc")];
    bench.say(&[request(1, "/s", &grpc), request(3, "/s", &grpc)].concat());
    let large = "v".repeat(4_000);
    bench.answer(&frame(1, 5, 1, &block(&[(":status", "200"), ("x", &large)])));
    bench.engine.wrote(NOW, bench.client, bench.waits(bench.client) - 2_001);
    bench.answer(&frame(1, 5, 3, &block(&[(":status", "200"), ("x", "y")])));
    let output = bench.engine.output(bench.client);
    // HEADERS of stream 3, and in them the static index of `:status: 200`.
    assert_eq!(output[2_001 + 3..][..7], [1, 5, 0, 0, 0, 3, 0x88], "{:02x?}", &output[2_001..]);
    assert_eq!(bench.engine.check_invariants(), Ok(()));
}

#[test]
fn a_grpc_answer_cut_short_of_its_announced_length_is_reset() {
    let mut bench = Bench::new(Limits::default());
    bench.say(&request(1, "/s", &[("content-type", "application/grpc")]));
    bench.answer(&frame(1, 4, 1, &block(&[(":status", "200"), ("content-length", "10")])));
    bench.answer(&frame(0, 0, 1, b"half"));
    bench.read();
    let upstream = bench.upstream.expect("a request came first");
    bench.engine.peer_ended(NOW, upstream, PeerEnd::Closed);
    // Trailers would make a message whose length is not what it said (RFC 9113 §8.1.1).
    assert_eq!(bench.frames(), [(RST_STREAM, 1)]);
}

#[test]
fn interim_answers_do_not_pile_up_for_a_client_that_does_not_read() {
    let mut bench = Bench::new(small_limits());
    bench.say(&request(1, "/s", &[]));
    let interim = frame(1, 4, 1, &block(&[(":status", "103"), ("link", &"l".repeat(1_000))]));
    for _ in 0..1_000 {
        bench.answer(&interim);
    }
    assert!(bench.waits(bench.client) < 4_000, "{}", bench.waits(bench.client));
    assert_eq!(bench.engine.check_invariants(), Ok(()));
}

#[test]
fn trailers_do_not_pile_up_for_a_client_that_does_not_read() {
    let mut bench = Bench::new(small_limits());
    for i in 0..200 {
        bench.say(&request(2 * i + 1, "/s", &[]));
        if bench.upstream.is_some() && i < 100 {
            bench.answer(&frame(1, 4, 2 * i + 1, &block(&[(":status", "200")])));
        }
        bench.read();
    }
    for i in 0..100 {
        bench.answer(&frame(1, 5, 2 * i + 1, &block(&[("x", &"t".repeat(1_000))])));
    }
    // What was shed is a reset of 13 bytes.
    assert!(bench.waits(bench.client) < 4_000 + 100 * 13, "{}", bench.waits(bench.client));
    assert_eq!(bench.engine.check_invariants(), Ok(()));
}

#[test]
fn a_client_that_asks_on_and_on_and_reads_nothing_is_ended() {
    let mut bench = Bench::new(small_limits());
    for i in 0..10_000 {
        bench.say(&request(2 * i + 1, "/nowhere", &[]));
    }
    assert!(bench.waits(bench.client) < 4_000, "{}", bench.waits(bench.client));
    assert_eq!(bench.frames().last(), Some(&(GOAWAY, 0)));
}

#[test]
fn requests_that_are_cancelled_do_not_pile_up_for_an_endpoint_that_does_not_read() {
    let mut bench = Bench::new(small_limits());
    let large = "v".repeat(1_000);
    for i in 0..500 {
        bench.say(&request(2 * i + 1, "/s", &[("x", &large)]));
        bench.say(&frame(RST_STREAM, 0, 2 * i + 1, &[0, 0, 0, 8]));
        bench.read();
    }
    let upstream = bench.upstream.unwrap();
    assert!(bench.waits(upstream) < 4_000, "{}", bench.waits(upstream));
    assert_eq!(bench.engine.check_invariants(), Ok(()));
    // It goes on when the endpoint reads.
    bench.say(&request(1_001, "/s", &[]));
    bench.engine.wrote(NOW, upstream, bench.waits(upstream));
    assert!(bench.waits(upstream) > 0, "the request that waited is sent");
}
