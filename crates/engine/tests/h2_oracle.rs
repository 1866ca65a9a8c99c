//! The `h2` crate on both sides of the engine, in memory: whatever the engine writes, another implementation of RFC 9113
//! and RFC 7541 has to read, and no byte and no header may come out other than it went in.
//!
//! Everything is polled in rounds by hand, without a runtime and without sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use bytes::Bytes;
use evenkeel_core::id::WorkerIndex;
use evenkeel_core::limits::Limits;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, Engine, EngineSetup};
use evenkeel_testkit::simulation::ledger::Span;
use evenkeel_testkit::simulation::one_service;
use evenkeel_testkit::simulation::prng::Prng;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes under way between the engine and one `h2` connection.
#[derive(Default)]
struct Wire {
    to_peer: VecDeque<u8>,
    to_engine: Vec<u8>,
    is_ended: bool,
}

struct PeerIo(Rc<RefCell<Wire>>);

impl AsyncRead for PeerIo {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        if wire.to_peer.is_empty() {
            return if wire.is_ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let n = wire.to_peer.len().min(into.remaining());
        for byte in wire.to_peer.drain(..n) {
            into.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PeerIo {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().to_engine.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks that are polled in turn; tasks may add tasks.
#[derive(Clone, Default)]
struct Tasks(Rc<RefCell<Vec<Task>>>);

impl Tasks {
    fn add(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(task));
    }

    fn poll(&self) {
        let mut context = Context::from_waker(Waker::noop());
        let mut running = std::mem::take(&mut *self.0.borrow_mut());
        running.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        self.0.borrow_mut().append(&mut running);
    }
}

/// A chance of its own for each task, so that their order does not matter.
fn chance(seed: u64, number: usize) -> Prng {
    Prng::new(seed.wrapping_mul(1_000_003) ^ number as u64)
}

async fn send_body(
    stream: &mut SendStream<Bytes>,
    body: Span,
    trailers: Option<HeaderMap>,
) -> Result<(), h2::Error> {
    let mut sent = 0;
    while sent < body.length {
        stream.reserve_capacity(body.length - sent);
        // `poll_capacity` speaks of new capacity only.
        if stream.capacity() == 0 {
            let Some(room) = poll_fn(|c| stream.poll_capacity(c)).await else { return Ok(()) };
            room?;
        }
        let room = stream.capacity().min(9_000);
        let part = Bytes::from_static(body.bytes(sent, room));
        sent += part.len();
        stream.send_data(part, sent == body.length && trailers.is_none())?;
    }
    match trailers {
        Some(trailers) => stream.send_trailers(trailers),
        None => Ok(()),
    }
}

/// Reads a body to its end.
async fn read_body(stream: &mut RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut body = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part?;
        body.extend_from_slice(&part);
        stream.flow_control().release_capacity(part.len())?;
    }
    Ok((body, stream.trailers().await?))
}

/// An endpoint that sends back the `x-` headers, the body and the trailers.
async fn serve(io: PeerIo, tasks: Tasks, seed: u64) {
    let mut prng = chance(seed, 77);
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(prng.pick(&[0, 100, 65_535, 1 << 20]).max(1_000))
        .initial_connection_window_size(65_535)
        .max_frame_size(prng.pick(&[16_384, 40_000]))
        .max_concurrent_streams(prng.pick(&[1, 3, 100]));
    if prng.chance(500) {
        builder.header_table_size(prng.pick(&[0, 100, 8_192]));
    }
    let mut connection = builder.handshake::<_, Bytes>(io).await.expect("the engine greets well");
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request.expect("the engine breaks no rule");
        tasks.add(async move {
            let (head, mut stream) = request.into_parts();
            // A client that cancels ends it here.
            let Ok((body, trailers)) = read_body(&mut stream).await else { return };
            let mut response = Response::new(());
            for (name, value) in head.headers.iter().filter(|(n, _)| n.as_str().starts_with("x-")) {
                response.headers_mut().append(name.clone(), value.clone());
            }
            let is_bare = body.is_empty() && trailers.is_none();
            let Ok(mut out) = respond.send_response(response, is_bare) else { return };
            if !is_bare {
                // What came is sent from the pattern, where the client will look for it.
                let number: usize = head.headers["x-request"].to_str().unwrap().parse().unwrap();
                let (_, span, _) = message(seed, number);
                assert!(span.length == body.len() && span.matches(0, &body), "the request's body");
                let _ = send_body(&mut out, span, trailers).await;
            }
        });
    }
}

/// Headers, body and trailers of a request.
fn message(seed: u64, number: usize) -> (HeaderMap, Span, Option<HeaderMap>) {
    let mut prng = chance(seed, number);
    let mut headers = HeaderMap::new();
    headers.insert("x-request", HeaderValue::from(number));
    for _ in 0..prng.below(8) {
        let name = prng.pick(&["x-a", "x-b", "x-c", "x-long", "accept", "user-agent", "authorization"]);
        let value = match prng.below(3) {
            0 => "same".to_owned(),
            1 => prng.bits().to_string(),
            _ => "v".repeat(prng.below(900)),
        };
        let mut value = HeaderValue::from_str(&value).unwrap();
        value.set_sensitive(prng.chance(100));
        headers.append(name, value);
    }
    let length = prng.pick(&[0, 10, 3_000, 40_000, 150_000]);
    let span = Span::of(prng.below(length + 1), &mut prng);
    let trailers = (span.length > 0 && prng.chance(300)).then(|| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(prng.below(16)));
        trailers
    });
    (headers, span, trailers)
}

async fn ask(send: h2::client::SendRequest<Bytes>, seed: u64, number: usize, done: Rc<RefCell<usize>>) {
    let (headers, span, trailers) = message(seed, number);
    let mut prng = chance(seed, number + 5_000);
    let mut request = Request::post("http://service/a.B/C").body(()).unwrap();
    *request.headers_mut() = headers.clone();
    let mut send = send.ready().await.expect("the engine keeps the connection");
    let is_bare = span.length == 0 && trailers.is_none();
    let (response, mut stream) = send.send_request(request, is_bare).unwrap();
    if prng.chance(100) {
        stream.send_reset(h2::Reason::CANCEL);
    } else {
        if !is_bare {
            send_body(&mut stream, span, trailers.clone()).await.expect("the request is taken");
        }
        let response = response.await.expect("an answer");
        assert_eq!(response.status(), 200, "request {number} of seed {seed}");
        let (head, mut stream) = response.into_parts();
        for name in headers.keys().filter(|n| n.as_str().starts_with("x-")) {
            let (sent, got): (Vec<_>, Vec<_>) =
                (headers.get_all(name).iter().collect(), head.headers.get_all(name).iter().collect());
            assert_eq!(got, sent, "{name} of request {number} of seed {seed}");
        }
        let (body, got_trailers) = read_body(&mut stream).await.expect("a body");
        assert!(body.len() == span.length && span.matches(0, &body), "the body of {number} of seed {seed}");
        assert_eq!(got_trailers, trailers, "request {number} of seed {seed}");
    }
    *done.borrow_mut() += 1;
}

/// Runs requests through an engine until all are answered.
fn run(seed: u64) {
    const REQUESTS: usize = 12;
    let mut prng = Prng::new(seed);
    let (listener, snapshot) = one_service(3);
    let setup = EngineSetup {
        worker: WorkerIndex(0),
        seed,
        limits: Limits { connection_window: prng.pick(&[65_535, 1 << 20]), ..Limits::default() },
        log_interval: Duration::from_secs(300),
        stats: Arc::new(WorkerStats::default()),
        snapshot,
    };
    let mut now = Moment::ZERO;
    let mut engine = Engine::new(setup, now);
    let (tasks, done) = (Tasks::default(), Rc::new(RefCell::new(0)));
    let client = engine.accept(now, listener, ([10, 0, 0, 9], 1).into()).expect("there is room");
    let mut wires: Vec<(ConnKey, Rc<RefCell<Wire>>)> = vec![(client, Rc::default())];
    let io = PeerIo(Rc::clone(&wires[0].1));
    let (spawn, counter) = (tasks.clone(), Rc::clone(&done));
    let window = prng.pick(&[1_000, 65_535, 1 << 20]);
    tasks.add(async move {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_max_send_streams(100);
        let (send, connection) = builder.handshake::<_, Bytes>(io).await.expect("the engine greets well");
        spawn.add(async move { connection.await.expect("the engine breaks no rule") });
        (0..REQUESTS).for_each(|n| spawn.add(ask(send.clone(), seed, n, Rc::clone(&counter))));
    });
    let (mut actions, mut dirty) = (Vec::new(), Vec::new());
    for round in 0.. {
        assert!(round < 20_000, "seed {seed}: {} of {REQUESTS} requests are answered", done.borrow());
        if *done.borrow() == REQUESTS {
            break;
        }
        now = now + Duration::from_millis(1);
        tasks.poll();
        for (key, wire) in &wires {
            let bytes = std::mem::take(&mut wire.borrow_mut().to_engine);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (part, after) = rest.split_at(prng.between(1, rest.len()));
                engine.received(now, *key, part);
                engine.check_invariants().unwrap();
                rest = after;
            }
        }
        engine.tick(now);
        while engine.has_work() {
            engine.take_dirty(&mut dirty);
            for key in dirty.drain(..) {
                let Some((_, wire)) = wires.iter().find(|(k, _)| *k == key) else { continue };
                wire.borrow_mut().to_peer.extend(engine.output(key));
                engine.wrote(now, key, engine.output(key).len());
            }
            engine.take_actions(&mut actions);
            for action in actions.drain(..) {
                match action {
                    Action::Connect { conn, .. } => {
                        let wire: Rc<RefCell<Wire>> = Rc::default();
                        tasks.add(serve(PeerIo(Rc::clone(&wire)), tasks.clone(), seed));
                        wires.push((conn, wire));
                        engine.connected(now, conn);
                    }
                    Action::Close { conn, .. } => {
                        let wire = wires.iter().find(|(k, _)| *k == conn).map(|(_, w)| w);
                        wire.expect("the engine closes what it has").borrow_mut().is_ended = true;
                        wires.retain(|(k, _)| *k != conn);
                    }
                    Action::Resume { .. } | Action::EndOutput { .. } | Action::Event(_) => {}
                }
            }
        }
        engine.check_invariants().unwrap();
    }
}

#[test]
fn h2_on_both_sides_understands_every_byte_and_gets_what_the_other_sent() {
    (0..48).for_each(run);
}
