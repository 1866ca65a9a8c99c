//! How exchanges end in corners that the simulation found: one client and one endpoint, each frame by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use evenkeel_core::id::{ListenerId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup, PeerEnd};
use evenkeel_testkit::simulation::http2::{Happening, OwnSettings, Role, Session};
use evenkeel_testkit::simulation::ledger::Fields;
use evenkeel_testkit::simulation::{one_service, prng::Prng};
use std::sync::Arc;
use std::time::Duration;

struct Relay {
    engine: Engine,
    client: (ConnKey, Session),
    endpoint: Option<(ConnKey, Session)>,
    prng: Prng,
}

const NOW: Moment = Moment::from_nanos(1_000_000_000);

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect()
}

impl Relay {
    /// A client whose streams begin with this window.
    fn new(window: u32) -> Self {
        Self::with_timeout(window, None)
    }

    /// The same, with a service whose requests have a timeout.
    fn with_timeout(window: u32, request: Option<Duration>) -> Self {
        let (listener, snapshot): (ListenerId, _) = one_service(1);
        let mut snapshot = Snapshot::clone(&snapshot);
        for route in snapshot.listeners.iter_mut().flat_map(|l| &mut Arc::make_mut(l).routes.routes) {
            route.policy.request_timeout = request;
        }
        let snapshot = Arc::new(snapshot);
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 1,
            limits: Limits::default(),
            log_interval: Duration::from_secs(300),
            stats: Arc::new(WorkerStats::default()),
            snapshot,
        };
        let mut engine = Engine::new(setup, NOW);
        let key = engine.accept(NOW, listener, ([10, 0, 0, 9], 1).into()).unwrap();
        let settings = OwnSettings { window, ..OwnSettings::default() };
        let client = (key, Session::new(Role::Client, settings, 0));
        Self { engine, client, endpoint: None, prng: Prng::new(1) }
    }

    fn ask(&mut self, is_end: bool) {
        let head = fields(&[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")]);
        self.client.1.put_headers(1, &head, is_end, &mut self.prng);
    }

    /// The endpoint answers stream 1 whole.
    fn answer(&mut self, body: &[u8]) {
        let (_, session) = self.endpoint.as_mut().unwrap();
        session.put_headers(1, &fields(&[(":status", "200")]), false, &mut self.prng);
        session.put_data(1, body, true, body.len(), &mut self.prng);
    }

    /// Carries bytes until nobody has any; what the client saw.
    fn carry(&mut self) -> Vec<Happening> {
        let mut seen = Vec::new();
        loop {
            let to_engine = std::mem::take(&mut self.client.1.out);
            self.engine.received(NOW, self.client.0, &to_engine);
            if let Some((key, session)) = &mut self.endpoint {
                self.engine.received(NOW, *key, &std::mem::take(&mut session.out));
            }
            if to_engine.is_empty() && !self.engine.has_work() {
                return seen;
            }
            let (mut dirty, mut actions) = (Vec::new(), Vec::new());
            self.engine.take_dirty(&mut dirty);
            for key in dirty {
                let bytes = self.engine.output(key).to_vec();
                if key == self.client.0 {
                    seen.extend(self.client.1.take(&bytes).unwrap());
                } else if let Some((_, session)) = self.endpoint.as_mut().filter(|(k, _)| *k == key) {
                    session.take(&bytes).unwrap();
                }
                self.engine.wrote(NOW, key, bytes.len());
            }
            self.engine.take_actions(&mut actions);
            for action in actions {
                if let Action::Connect { conn, .. } = action {
                    self.endpoint = Some((conn, Session::new(Role::Server, OwnSettings::default(), 0)));
                    self.engine.connected(NOW, conn);
                }
            }
            self.engine.check_invariants().unwrap();
        }
    }

    /// The client reads on; the bytes that come, and whether they are the answer's end.
    fn read_on(&mut self) -> (Vec<u8>, bool) {
        self.client.1.put_window(1, 1_000);
        let (mut body, mut is_whole) = (Vec::new(), false);
        for happening in self.carry() {
            match happening {
                Happening::Data { bytes, is_end, .. } => {
                    body.extend_from_slice(&bytes);
                    is_whole |= is_end;
                }
                Happening::Reset { code, .. } => assert!(is_whole && code == 0, "reset with {code}"),
                _ => {}
            }
        }
        (body, is_whole)
    }
}

#[test]
fn a_request_without_an_answer_ends_at_its_timeout_and_one_that_was_answered_does_not() {
    let timeout = Duration::from_secs(3);
    let mut relay = Relay::with_timeout(1_000, Some(timeout));
    relay.ask(true);
    relay.carry();
    relay.engine.tick(NOW + (timeout - Duration::from_millis(20)));
    assert_eq!(relay.engine.open_exchanges(), 1);
    relay.engine.tick(NOW + timeout + Duration::from_millis(20));
    let status = relay.carry().into_iter().find_map(|happening| match happening {
        Happening::Headers { fields, .. } => Some(fields[0].clone()),
        _ => None,
    });
    assert_eq!(status, Some((b":status".to_vec(), b"504".to_vec())));
    assert_eq!(relay.engine.open_exchanges(), 0);

    let mut relay = Relay::with_timeout(1_000, Some(timeout));
    relay.ask(true);
    relay.carry();
    relay.answer(b"in time");
    relay.carry();
    relay.engine.tick(NOW + timeout + Duration::from_millis(20));
    assert_eq!((relay.engine.open_exchanges(), relay.engine.has_work()), (0, false));
}

#[test]
fn a_request_that_is_cancelled_while_it_waits_takes_no_place_in_the_queue() {
    let mut relay = Relay::new(1_000);
    relay.ask(true);
    let asked = std::mem::take(&mut relay.client.1.out);
    relay.engine.received(NOW, relay.client.0, &asked);
    // The connection to the endpoint is asked for and does not stand yet.
    assert_eq!(relay.engine.open_exchanges(), 1);
    relay.client.1.put_reset(1, 8);
    let reset = std::mem::take(&mut relay.client.1.out);
    relay.engine.received(NOW, relay.client.0, &reset);
    assert_eq!(relay.engine.open_exchanges(), 0);
    relay.engine.check_invariants().unwrap();
}

#[test]
fn a_whole_answer_reaches_a_slow_client_though_its_endpoint_is_gone() {
    let mut relay = Relay::new(0);
    relay.ask(false);
    relay.carry();
    relay.answer(b"all of it");
    relay.carry();
    let (key, _) = relay.endpoint.take().unwrap();
    relay.engine.peer_ended(NOW, key, PeerEnd::Reset);
    assert_eq!(relay.read_on(), (b"all of it".to_vec(), true));
    assert_eq!(relay.engine.open_exchanges(), 0);
}

#[test]
fn a_whole_answer_reaches_a_slow_client_though_the_endpoint_resets_the_rest_of_the_request() {
    let mut relay = Relay::new(0);
    relay.ask(false);
    relay.carry();
    relay.answer(b"enough");
    relay.endpoint.as_mut().unwrap().1.put_reset(1, 0);
    relay.carry();
    assert_eq!(relay.read_on(), (b"enough".to_vec(), true));
}

#[test]
fn an_answer_that_is_cut_off_is_not_taken_for_a_whole_one() {
    let mut relay = Relay::new(0);
    relay.ask(true);
    relay.carry();
    let (_, session) = relay.endpoint.as_mut().unwrap();
    session.put_headers(1, &fields(&[(":status", "200")]), false, &mut relay.prng);
    session.put_data(1, b"a part", false, 6, &mut relay.prng);
    relay.carry();
    let (key, _) = relay.endpoint.take().unwrap();
    relay.engine.peer_ended(NOW, key, PeerEnd::Reset);
    let seen = relay.carry();
    assert!(seen.iter().any(|h| matches!(h, Happening::Reset { stream: 1, code: 2 })), "{seen:?}");
}

#[test]
fn an_upstream_stream_is_free_when_the_request_ends_behind_its_answer() {
    let mut relay = Relay::new(0);
    relay.ask(false);
    relay.carry();
    relay.answer(b"early");
    relay.carry();
    relay.client.1.put_data(1, b"", true, 0, &mut relay.prng);
    relay.carry();
    // The invariants say that no exchange holds a stream that has ended both ways; the answer still comes.
    assert_eq!(relay.read_on(), (b"early".to_vec(), true));
}

#[test]
fn a_drain_serves_a_client_whose_first_bytes_were_under_way_when_it_began() {
    let mut relay = Relay::new(65_535);
    relay.engine.begin_drain(NOW, NOW + Duration::from_secs(30));
    relay.ask(true);
    relay.carry();
    relay.answer(b"served");
    let seen = relay.carry();
    assert!(seen.iter().any(|h| matches!(h, Happening::Data { is_end: true, .. })), "{seen:?}");
}

#[test]
fn interim_answers_without_end_do_not_pile_up_for_a_client_that_does_not_read() {
    let mut relay = Relay::new(65_535);
    relay.ask(true);
    relay.carry();
    let early = fields(&[(":status", "103"), ("link", &"l".repeat(3_000))]);
    let (key, mut session) = relay.endpoint.take().unwrap();
    for _ in 0..2_000 {
        session.put_headers(1, &early, false, &mut relay.prng);
        relay.engine.received(NOW, key, &std::mem::take(&mut session.out));
        assert!(relay.engine.output(relay.client.0).len() < 3 << 20);
    }
    assert_eq!(relay.engine.open_exchanges(), 0, "the client is told that its answer was shed");
}

#[test]
fn a_header_block_that_stops_inside_its_first_frame_runs_into_the_header_timeout() {
    let mut relay = Relay::new(65_535);
    relay.carry();
    relay.ask(true);
    let frame = std::mem::take(&mut relay.client.1.out);
    relay.engine.received(NOW, relay.client.0, &frame[..frame.len() - 1]);
    relay.engine.tick(NOW + Duration::from_secs(9));
    assert!(!relay.carry().iter().any(|h| matches!(h, Happening::GoAway { .. })));
    relay.engine.tick(NOW + Duration::from_secs(11));
    let seen = relay.carry();
    assert!(seen.iter().any(|h| matches!(h, Happening::GoAway { code: 11, .. })), "{seen:?}");
}
