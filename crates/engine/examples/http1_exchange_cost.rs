//! What one HTTP/1 exchange costs the engine alone, without a socket, HTTP/1 on both sides: CPU time of this process per
//! request. For profiling and for comparing two versions on one machine; it judges nothing.
//!
//! `cargo run --release -p evenkeel-engine --example http1_exchange_cost [exchanges]`

use evenkeel_core::id::WorkerIndex;
use evenkeel_core::limits::Limits;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup};
use evenkeel_testkit::simulation::one_service;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONNECTIONS: u16 = 64;
const REQUEST: &[u8] = b"GET /some/path?of=a&request=1 HTTP/1.1\r\nHost: service.example.com\r\n\
    User-Agent: curl/8.5.0\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\
    Date: Fri, 20 Nov 2026 00:00:00 GMT\r\n\r\nHello, world!";

fn main() {
    let most: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (listener, snapshot) = one_service(5);
    let mut now = Moment::from_nanos(1_000_000_000);
    let setup = EngineSetup {
        worker: WorkerIndex(0),
        seed: 1,
        limits: Limits::default(),
        log_interval: Duration::from_secs(300),
        stats: Arc::new(WorkerStats::default()),
        snapshot,
    };
    let mut engine = Engine::new(setup, now);
    let mut clients = HashSet::new();
    for n in 0..CONNECTIONS {
        let key = engine.accept(now, listener, ([10, 0, 0, 9], n).into());
        clients.insert(key.expect("the listener takes them all"));
    }
    let mut asking: Vec<ConnKey> = clients.iter().copied().collect();
    let mut answering: Vec<ConnKey> = Vec::new();
    let (mut dirty, mut actions, mut done) = (Vec::new(), Vec::new(), 0);
    let began = Instant::now();
    while done < most {
        now = now + Duration::from_micros(200);
        for key in asking.drain(..) {
            engine.received(now, key, REQUEST);
        }
        for key in answering.drain(..) {
            engine.received(now, key, ANSWER);
        }
        engine.take_actions(&mut actions);
        for action in actions.drain(..) {
            if let Action::Connect { conn, .. } = action {
                engine.connected(now, conn);
            }
        }
        engine.take_dirty(&mut dirty);
        for key in dirty.drain(..) {
            let length = engine.output(key).len();
            engine.wrote(now, key, length);
            if clients.contains(&key) {
                done += 1;
                asking.push(key);
            } else if length > 0 {
                answering.push(key);
            }
        }
        engine.tick(now);
    }
    let nanos = began.elapsed().as_nanos() as f64 / done as f64;
    println!("{nanos:.0} ns an exchange ({done} exchanges)");
}
