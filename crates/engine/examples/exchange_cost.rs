//! What one exchange costs the engine alone, without a socket: CPU time of this process per request, for a few shapes
//! of requests. For profiling and for comparing two versions on one machine; it judges nothing.
//!
//! `cargo run --release -p evenkeel-engine --example exchange_cost [same|differ|token|bulk] [exchanges]`

use evenkeel_core::limits::Limits;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_core::{id::WorkerIndex, snapshot::Snapshot};
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup};
use evenkeel_testkit::simulation::one_service;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::http2::{Settings, put_data_header, put_settings, put_window_update};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 10;
const STREAMS: u32 = 100;
const FRAME: usize = 16_384;

/// A shape of requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Same,
    Differ,
    Token,
    Bulk,
}

impl Shape {
    fn body(self) -> usize {
        if self == Self::Bulk { 60 * 1024 } else { 16 }
    }
}

/// A client: what it says.
struct Client {
    key: ConnKey,
    next: u32,
    answered: u32,
}

impl Client {
    /// Headers that repeat stand in the client's table from its first request on; what differs is spelled out.
    fn request(&mut self, shape: Shape, nth: u64, out: &mut Vec<u8>) {
        let mut block = vec![0x83, 0x86];
        if self.next == 1 {
            string(&mut block, &[0x44], b"/echo.v1.Echo/Unary");
            string(&mut block, &[0x41], b"echo.example.com");
            string(&mut block, &[0x5f], b"application/grpc");
            string(&mut block, &[0x40, 2, b't', b'e'], b"trailers");
            string(&mut block, &[0x7a], b"grpc-go/1.85.0");
        } else if shape == Shape::Differ {
            let path = format!("/echo.v1.Echo/Unary/of/some/longer/path/that/differs/{nth:016x}");
            string(&mut block, &[0x04], path.as_bytes());
            block.extend_from_slice(&[0xc1, 0xc0, 0xbf, 0xbe]);
            let parent = format!("00-{:032x}-{nth:016x}-01", nth.wrapping_mul(0x9e37_79b9));
            string(&mut block, b"\x00\x0btraceparent", parent.as_bytes());
            let id = format!("{:08x}-0000-4000-8000-{nth:012x}", nth as u32);
            string(&mut block, b"\x00\x0cx-request-id", id.as_bytes());
        } else {
            block.extend_from_slice(&[0xc2, 0xc1, 0xc0, 0xbf, 0xbe]);
        }
        if shape == Shape::Token {
            string(&mut block, &[0x1f, 0x08], &[b'a'; 1024]);
        }
        let stream = self.next;
        self.next += 2;
        frame(out, 1, 4, stream, &block);
        let mut rest = shape.body();
        while rest > 0 {
            let part = rest.min(FRAME);
            rest -= part;
            put_data_header(out, stream, part, rest == 0);
            out.resize(out.len() + part, 0);
        }
    }
}

/// Appends a literal: how its name is told, then its value without Huffman coding.
fn string(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.extend_from_slice(name);
    if value.len() < 127 {
        block.push(value.len() as u8);
    } else {
        let rest = value.len() - 127;
        block.extend_from_slice(&[0x7f, 0x80 | (rest & 0x7f) as u8, (rest >> 7) as u8]);
    }
    block.extend_from_slice(value);
}

/// Reads frame heads of what the engine sent: streams that ended, and the flow-controlled bytes.
fn read(bytes: &[u8], ended: &mut Vec<u32>, flow: &mut usize) -> usize {
    let mut at = 0;
    while bytes.len() - at >= 9 {
        let length =
            usize::from(bytes[at]) << 16 | usize::from(bytes[at + 1]) << 8 | usize::from(bytes[at + 2]);
        if bytes.len() - at < 9 + length {
            break;
        }
        let (kind, flags) = (bytes[at + 3], bytes[at + 4]);
        if kind == 0 {
            *flow += length;
        }
        if kind <= 1 && flags & 1 != 0 {
            let id = [bytes[at + 5], bytes[at + 6], bytes[at + 7], bytes[at + 8]];
            ended.push(u32::from_be_bytes(id));
        }
        at += 9 + length;
    }
    at
}

/// The engine, its clients and what its endpoints are to be told.
struct Bench {
    engine: Engine,
    now: Moment,
    clients: HashMap<ConnKey, Client>,
    /// Bytes of answers for each endpoint's connection.
    answers: HashMap<ConnKey, Vec<u8>>,
    flow: HashMap<ConnKey, usize>,
    shape: Shape,
    sent: u64,
    done: u64,
}

impl Bench {
    fn new(shape: Shape) -> Self {
        let (listener, snapshot): (_, Arc<Snapshot>) = one_service(5);
        let now = Moment::from_nanos(1_000_000_000);
        let mut engine = Engine::new(
            EngineSetup {
                worker: WorkerIndex(0),
                seed: 1,
                limits: Limits::default(),
                log_interval: Duration::from_secs(300),
                stats: Arc::new(WorkerStats::default()),
                snapshot,
            },
            now,
        );
        let mut clients = HashMap::new();
        for n in 0..CONNECTIONS {
            let peer = ([10, 0, 0, 9], n as u16).into();
            let key = engine.accept(now, listener, peer).expect("the listener takes ten sessions");
            let mut first = PREFACE.to_vec();
            let settings = Settings { initial_window_size: 1 << 30, ..Settings::default() };
            put_settings(&mut first, &settings, true);
            put_window_update(&mut first, 0, 1 << 30);
            engine.received(now, key, &first);
            clients.insert(key, Client { key, next: 1, answered: 0 });
        }
        let (answers, flow) = (HashMap::new(), HashMap::new());
        Self { engine, now, clients, answers, flow, shape, sent: 0, done: 0 }
    }

    /// One turn of an event loop: requests and answers in, outputs out.
    fn turn(&mut self, dirty: &mut Vec<ConnKey>, actions: &mut Vec<Action>, input: &mut Vec<u8>) {
        self.now = self.now + Duration::from_micros(200);
        let keys: Vec<_> = self.clients.keys().copied().collect();
        for key in keys {
            let client = self.clients.get_mut(&key).expect("a client's key");
            input.clear();
            while client.next / 2 - client.answered < STREAMS / 4 {
                client.request(self.shape, self.sent, input);
                self.sent += 1;
            }
            for part in input.chunks(FRAME * 4) {
                self.engine.received(self.now, client.key, part);
            }
        }
        for (key, bytes) in &mut self.answers {
            for part in bytes.chunks(FRAME * 4) {
                self.engine.received(self.now, *key, part);
            }
            bytes.clear();
        }
        self.engine.take_actions(actions);
        for action in actions.drain(..) {
            if let Action::Connect { conn, .. } = action {
                self.engine.connected(self.now, conn);
                let mut hello = Vec::new();
                let settings = Settings { initial_window_size: 1 << 30, ..Settings::default() };
                put_settings(&mut hello, &settings, false);
                put_window_update(&mut hello, 0, 1 << 30);
                self.engine.received(self.now, conn, &hello);
                self.answers.insert(conn, Vec::new());
            }
        }
        self.engine.take_dirty(dirty);
        for key in dirty.drain(..) {
            self.flush(key);
        }
        self.engine.tick(self.now);
    }

    fn flush(&mut self, key: ConnKey) {
        let output = self.engine.output(key);
        let (mut ended, mut flow) = (Vec::new(), 0);
        let skip = if output.starts_with(PREFACE) { PREFACE.len() } else { 0 };
        let n = skip + read(&output[skip..], &mut ended, &mut flow);
        self.engine.wrote(self.now, key, n);
        let got = self.flow.entry(key).or_default();
        *got += flow;
        let mut credit = Vec::new();
        if *got > 1 << 20 {
            put_window_update(&mut credit, 0, std::mem::take(got) as u32);
        }
        if let Some(client) = self.clients.get_mut(&key) {
            client.answered += ended.len() as u32;
            self.done += ended.len() as u64;
            self.engine.received(self.now, key, &credit);
            return;
        }
        let Some(out) = self.answers.get_mut(&key) else { return };
        out.extend_from_slice(&credit);
        for stream in ended {
            // :status 200 and content-type: application/grpc without indexing, a message, and grpc-status: 0.
            let head = b"\x88\x0f\x10\x10application/grpc";
            frame(out, 1, 4, stream, head);
            let mut rest = self.shape.body();
            while rest > 0 {
                let part = rest.min(FRAME);
                rest -= part;
                put_data_header(out, stream, part, false);
                out.resize(out.len() + part, 0);
            }
            frame(out, 1, 5, stream, b"\x00\x0bgrpc-status\x010");
        }
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn main() {
    let mut words = std::env::args().skip(1);
    let shape = match words.next().as_deref() {
        None | Some("same") => Shape::Same,
        Some("differ") => Shape::Differ,
        Some("token") => Shape::Token,
        Some("bulk") => Shape::Bulk,
        Some(other) => {
            println!("{other} is no shape: same, differ, token or bulk");
            return;
        }
    };
    let most = words.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let mut bench = Bench::new(shape);
    let (mut dirty, mut actions, mut input) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while bench.done < most {
        bench.turn(&mut dirty, &mut actions, &mut input);
    }
    let nanos = began.elapsed().as_nanos() as f64 / bench.done as f64;
    println!("{nanos:.0} ns an exchange, its peers' share included ({} exchanges)", bench.done);
}
