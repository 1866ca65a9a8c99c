//! HTTP/1 endpoints that say more, less or later than they were asked for, byte by byte.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use evenkeel_core::id::{ListenerId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup, PeerEnd};
use evenkeel_testkit::simulation::one_service;
use std::sync::Arc;
use std::time::Duration;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad";

/// An engine whose clients and endpoint are this test, with one connection to the endpoint at most.
struct Bench {
    engine: Engine,
    listener: ListenerId,
    now: Moment,
    connects: Vec<ConnKey>,
    closed: Vec<ConnKey>,
}

impl Bench {
    fn new() -> Self {
        let (listener, snapshot) = one_service(1);
        let mut snapshot = Snapshot::clone(&snapshot);
        for service in &mut snapshot.services {
            Arc::make_mut(service).policy.upstream.max_connections = Some(1);
        }
        let now = Moment::from_nanos(1_000_000_000);
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 1,
            limits: Limits::default(),
            log_interval: Duration::from_secs(300),
            stats: Arc::new(WorkerStats::default()),
            snapshot: Arc::new(snapshot),
        };
        let engine = Engine::new(setup, now);
        Self { engine, listener, now, connects: Vec::new(), closed: Vec::new() }
    }

    /// A client that has said this.
    fn client(&mut self, bytes: &[u8]) -> ConnKey {
        let key = self.engine.accept(self.now, self.listener, ([10, 0, 0, 9], 1).into()).unwrap();
        self.engine.received(self.now, key, bytes);
        self.act();
        key
    }

    /// The newest connection to the endpoint, which stands from now on.
    fn endpoint(&mut self) -> ConnKey {
        let key = self.connects.pop().expect("a connection was asked for");
        self.engine.connected(self.now, key);
        key
    }

    fn hears(&mut self, key: ConnKey, bytes: &[u8]) {
        self.engine.received(self.now, key, bytes);
        self.act();
    }

    fn act(&mut self) {
        let mut actions = Vec::new();
        self.engine.take_actions(&mut actions);
        for action in actions {
            match action {
                Action::Connect { conn, .. } => self.connects.push(conn),
                Action::Close { conn, .. } => self.closed.push(conn),
                Action::Resume { .. } | Action::EndOutput { .. } | Action::Event(_) => {}
            }
        }
        self.engine.check_invariants().unwrap();
    }

    /// What waits for a peer, taken by it.
    fn taken(&mut self, key: ConnKey) -> String {
        let output = self.engine.output(key).to_vec();
        self.engine.wrote(self.now, key, output.len());
        self.act();
        String::from_utf8_lossy(&output).into_owned()
    }

    fn later(&mut self, by: Duration) {
        self.now = self.now + by;
        self.engine.tick(self.now);
        self.act();
    }
}

#[test]
fn an_answer_behind_the_answer_is_not_given_to_who_waits_for_the_connection() {
    let mut bench = Bench::new();
    let (first, second) = (bench.client(GET), bench.client(GET));
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    bench.hears(endpoint, &[OK, BAD].concat());
    assert!(bench.taken(first).ends_with("\r\n\r\nok"));
    assert_eq!(bench.closed, [endpoint], "it is not asked again");
    assert_eq!(bench.taken(second), "");
    let fresh = bench.endpoint();
    assert!(bench.taken(fresh).starts_with("GET / "), "the second request goes to a connection of its own");
    bench.hears(fresh, OK);
    assert!(bench.taken(second).ends_with("\r\n\r\nok"));
}

#[test]
fn the_same_holds_behind_every_kind_of_answer() {
    let heads: [&[u8]; 3] = [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n",
    ];
    for head in heads {
        let mut bench = Bench::new();
        let (_first, second) = (bench.client(GET), bench.client(GET));
        let endpoint = bench.endpoint();
        bench.taken(endpoint);
        bench.hears(endpoint, &[head, BAD].concat());
        assert_eq!(bench.closed, [endpoint], "behind {}", head.escape_ascii());
        assert_eq!(bench.taken(second), "", "behind {}", head.escape_ascii());
    }
}

#[test]
fn an_answer_alone_leaves_the_connection_to_who_waits() {
    let mut bench = Bench::new();
    let (first, second) = (bench.client(GET), bench.client(GET));
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    bench.hears(endpoint, OK);
    assert!(bench.taken(first).ends_with("\r\n\r\nok"));
    assert!(bench.taken(endpoint).starts_with("GET / "));
    bench.hears(endpoint, OK);
    assert!(bench.taken(second).ends_with("\r\n\r\nok"));
    assert!(bench.closed.is_empty());
}

/// The client takes nothing, and its request goes on: the exchange stands behind an answer that has ended.
#[test]
fn bytes_behind_an_answer_that_still_waits_for_its_client_are_dropped() {
    let mut bench = Bench::new();
    let client = bench.client(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf");
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    let length = 1 << 20;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    bench.hears(endpoint, &[head.as_bytes(), &vec![b'x'; length], b"more"].concat());
    let mut got = 0;
    while bench.engine.open_exchanges() > 0 {
        let part = bench.taken(client);
        assert!(!part.is_empty(), "the rest of the answer is due");
        got += part.matches('x').count();
        assert!(!part.contains("more"));
    }
    got += bench.taken(client).matches('x').count();
    assert_eq!(got, length);
    assert_eq!(bench.closed.first(), Some(&endpoint), "it is not asked again");
}

#[test]
fn a_head_that_an_endpoint_has_begun_ends_in_time() {
    let mut bench = Bench::new();
    let client = bench.client(GET);
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    // It may think as long as it likes ...
    bench.later(Duration::from_secs(3600));
    assert!(bench.closed.is_empty());
    // ... but not for ever in the middle of a head.
    bench.hears(endpoint, b"HTTP/1.1 200 OK\r\n");
    for _ in 0..60 {
        bench.hears(endpoint, b"x: y\r\n");
        bench.later(Duration::from_secs(1));
    }
    assert_eq!(bench.closed, [endpoint]);
    assert!(bench.taken(client).starts_with("HTTP/1.1 50"));
}

#[test]
fn an_http1_connection_never_hears_of_goaway() {
    let mut bench = Bench::new();
    let client = bench.client(GET);
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    bench.hears(endpoint, OK);
    bench.taken(client);
    for _ in 0..100 {
        bench.later(Duration::from_secs(60));
        assert_eq!((bench.taken(client), bench.taken(endpoint)), (String::new(), String::new()));
    }
    assert_eq!(bench.closed.len(), 2, "both were idle for long enough");
}

#[test]
fn an_answer_that_comes_before_its_request_has_left_is_none() {
    let mut bench = Bench::new();
    let first = bench.client(GET);
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    bench.hears(endpoint, OK);
    assert!(bench.taken(first).ends_with("ok"));
    // The next request waits to be written when more comes.
    let second = bench.client(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nme");
    bench.hears(endpoint, BAD);
    assert_eq!(bench.closed, [endpoint]);
    assert_eq!(bench.taken(second), "");
    let fresh = bench.endpoint();
    assert!(bench.taken(fresh).starts_with("POST / "), "nobody had been asked, so it is no repetition");
    bench.hears(fresh, OK);
    assert!(bench.taken(second).ends_with("\r\n\r\nok"));
}

#[test]
fn a_get_on_a_connection_that_closes_in_that_moment_goes_elsewhere() {
    let mut bench = Bench::new();
    let client = bench.client(GET);
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    bench.hears(endpoint, OK);
    bench.taken(client);
    bench.hears(client, GET);
    assert!(bench.taken(endpoint).starts_with("GET / "));
    bench.engine.peer_ended(bench.now, endpoint, PeerEnd::Closed);
    bench.act();
    let fresh = bench.endpoint();
    assert!(bench.taken(fresh).starts_with("GET / "));
    bench.hears(fresh, OK);
    assert!(bench.taken(client).ends_with("\r\n\r\nok"));
}

#[test]
fn a_get_on_a_fresh_connection_that_closes_is_not_sent_again_by_itself() {
    let mut bench = Bench::new();
    let client = bench.client(GET);
    let endpoint = bench.endpoint();
    bench.taken(endpoint);
    bench.engine.peer_ended(bench.now, endpoint, PeerEnd::Closed);
    bench.act();
    assert!(bench.taken(client).starts_with("HTTP/1.1 503 "));
}
