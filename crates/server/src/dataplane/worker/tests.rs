//! The worker on real sockets: places that are used again, peers that go while something is being said.

use super::*;
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{ServiceId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats};
use evenkeel_engine::EngineSetup;
use std::net::{TcpListener, TcpStream as Blocking};

mod secured;
mod tunnels;

const LISTENER: ListenerId = ListenerId(0);

/// A worker that the test turns by hand, with real sockets on both sides.
struct Hand {
    worker: Worker,
    events: Events,
    front: TcpListener,
    back: TcpListener,
    snapshot: Arc<Snapshot>,
    told: tokio::sync::mpsc::Receiver<Event>,
}

impl Hand {
    fn new() -> Self {
        Self::with(ListenerPolicy::default(), ServicePolicy::default(), Limits::default())
    }

    fn with(listening: ListenerPolicy, serving: ServicePolicy, limits: Limits) -> Self {
        let (front, back) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let mut writer = EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default());
        writer.publish(vec![EndpointSpec::at(back.local_addr().unwrap())], Moment::ZERO);
        let service = Service {
            id: ServiceId(0),
            name: "main".into(),
            policy: serving,
            endpoints: Arc::clone(writer.current()),
            stats: Arc::new(ServiceStats::new(1)),
        };
        let routes = vec![Route {
            matches: RouteMatch::default(),
            service: ServiceId(0),
            policy: RoutePolicy::default(),
        }];
        let listener = Listener {
            id: LISTENER,
            name: "web".into(),
            policy: listening,
            routes: RouteTable { routes },
            stats: Arc::new(ListenerStats::new(1)),
        };
        let snapshot =
            Arc::new(Snapshot { services: vec![Arc::new(service)], listeners: vec![Arc::new(listener)] });
        let stats = Arc::new(WorkerStats::default());
        let clock = Clock::start();
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 3,
            limits,
            log_interval: Duration::from_secs(300),
            stats: Arc::clone(&stats),
            snapshot: Arc::clone(&snapshot),
        };
        let poll = Poll::new().unwrap();
        let inbox = Inbox::new(mio::Waker::new(poll.registry(), INBOX).unwrap());
        let shared = Arc::new(Shared { inbox, stats, turn_since: AtomicU64::new(0) });
        let (events, told) = tokio::sync::mpsc::channel(1024);
        let worker = Worker::new(poll, clock, Engine::new(setup, clock.now()), shared, events);
        Self { worker, events: Events::with_capacity(64), front, back, snapshot, told }
    }

    /// A client, which the worker will find in its inbox.
    fn connect(&self) -> Blocking {
        let client = Blocking::connect(self.front.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (stream, peer) = self.front.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        self.worker.shared.inbox.send(Command::Accepted { stream, listener: LISTENER, peer });
        client
    }

    /// Turns on events until `is_done`, or for five seconds.
    fn turn_until(&mut self, mut is_done: impl FnMut(&mut Worker) -> bool) {
        let until = self.worker.clock.now() + Duration::from_secs(5);
        while !is_done(&mut self.worker) {
            assert!(self.worker.clock.now() < until, "it does not come to that");
            let timeout = self.worker.timeout().min(Duration::from_millis(20));
            self.worker.poll.poll(&mut self.events, Some(timeout)).unwrap();
            let now = self.worker.clock.now();
            self.worker.turn(now, &mut self.events);
        }
    }

    /// An upstream that stands: the endpoint's end of it.
    fn upstream(&mut self) -> (Blocking, Blocking) {
        let mut client = self.connect();
        client.write_all(&[PREFACE, SETTINGS, &request(1)].concat()).unwrap();
        self.back.set_nonblocking(true).unwrap();
        let mut end = None;
        let back = self.back.try_clone().unwrap();
        self.turn_until(|_| {
            end = end.take().or_else(|| back.accept().ok().map(|(stream, _)| stream));
            end.is_some()
        });
        let end = end.unwrap();
        end.set_nonblocking(false).unwrap();
        end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (client, end)
    }
}

#[test]
fn a_worker_that_is_asked_tells_its_sessions_in_the_same_turn() {
    let mut hand = Hand::new();
    let _client = hand.connect();
    hand.turn_until(|w| w.engine.sessions() == 1);
    let (answer, mut page) = tokio::sync::oneshot::channel();
    hand.worker.shared.inbox.send(Command::List { from: 0, most: 10, answer });
    let now = hand.worker.clock.now();
    hand.worker.turn(now, &mut hand.events);
    let page = page.try_recv().unwrap();
    assert_eq!((page.sessions.len(), page.next), (1, None));
    assert_eq!(page.sessions[0].listener, LISTENER);
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// HEADERS of `POST / http a`, whole.
fn request(stream: u8) -> Vec<u8> {
    vec![0, 0, 6, 1, 5, 0, 0, 0, stream, 0x83, 0x84, 0x86, 0x01, 1, b'a']
}

fn read_all(mut from: &Blocking) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.read_to_end(&mut bytes);
    bytes
}

#[test]
fn a_session_that_takes_the_place_of_one_just_ended_leaves_no_count_behind() {
    let mut hand = Hand::new();
    let mut first = hand.connect();
    hand.turn_until(|w| w.engine.sessions() == 1 && w.ready.is_empty());
    first.write_all(b"\0\0\0\0").unwrap();
    let second = hand.connect();
    hand.worker.poll.poll(&mut hand.events, Some(Duration::from_secs(5))).unwrap();
    // One turn reads what ends the first session and takes the second one in.
    let now = hand.worker.clock.now();
    hand.worker.turn(now, &mut hand.events);
    hand.turn_until(|w| w.engine.sessions() == 1 && w.ready.is_empty());
    assert_eq!(hand.worker.shared.inbox.sessions(), 1);
    drop(second);
    hand.turn_until(|w| w.engine.sessions() == 0);
    assert_eq!(hand.worker.shared.inbox.sessions(), 0);
}

#[test]
fn what_an_endpoint_said_before_it_went_is_heard_though_writing_to_it_fails_first() {
    let mut hand = Hand::new();
    let (mut client, mut end) = hand.upstream();
    let answer = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];
    end.write_all(&[SETTINGS, &[0, 0, 0, 4, 1, 0, 0, 0, 0]].concat()).unwrap();
    let (mut sent, mut part) = (Vec::new(), [0; 512]);
    end.set_nonblocking(true).unwrap();
    hand.turn_until(|_| {
        let n = end.read(&mut part).unwrap_or(0);
        sent.extend_from_slice(&part[..n]);
        // HEADERS that end stream 1 and their block.
        sent.windows(6).any(|w| w == [1, 5, 0, 0, 0, 1])
    });
    // The answer and the end lie in our socket's buffer; then the next request meets a peer that is gone.
    end.write_all(&answer).unwrap();
    drop(end);
    client.write_all(&request(3)).unwrap();
    let now = hand.worker.clock.now();
    let key = ConnKey::from_bits(1);
    assert!(!hand.worker.sockets.get(key).unwrap().is_client);
    // As if the peer's reset had come between two writes of one turn.
    hand.worker.write_failed(now, key);
    hand.turn_until(|w| w.engine.open_exchanges() == 0);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    hand.turn_until(|w| w.engine.sessions() == 0);
    let seen = read_all(&client);
    assert!(seen.windows(answer.len()).any(|w| w == answer), "{seen:?}");
}

#[test]
fn a_drained_worker_stays_until_its_last_client_has_heard_the_end() {
    let mut hand = Hand::new();
    let mut client = hand.connect();
    client.write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    hand.turn_until(|w| w.engine.sessions() == 1 && w.ready.is_empty());
    let deadline = hand.worker.clock.now() + Duration::from_secs(30);
    hand.worker.shared.inbox.send(Command::Drain { deadline });
    // The answer to the PING: nothing is open, so the session ends.
    client.write_all(&[&[0, 0, 8, 6, 1, 0, 0, 0, 0], &b"evenkeel"[..]].concat()).unwrap();
    hand.turn_until(|w| w.is_draining && w.engine.sessions() == 0);
    hand.worker.shared.inbox.send(Command::AcceptingEnded);
    hand.turn_until(|w| !w.is_accepting);
    assert!(!hand.worker.is_over(), "the client has not closed yet");
    drop(client);
    hand.turn_until(|w| w.is_over());
}

#[test]
fn a_client_that_ends_its_side_at_once_still_hears_what_it_spoke() {
    let mut hand = Hand::new();
    let mut client = hand.connect();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    hand.turn_until(|w| w.engine.sessions() == 1);
    hand.turn_until(|w| w.engine.sessions() == 0);
    assert!(read_all(&client).starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn a_connection_that_is_accepted_while_a_drain_begins_is_served() {
    let mut hand = Hand::new();
    let deadline = hand.worker.clock.now() + Duration::from_secs(30);
    hand.worker.shared.inbox.send(Command::Drain { deadline });
    hand.turn_until(|w| w.is_draining);
    assert!(!hand.worker.is_over(), "connections may still come");
    let (client, mut end) = hand.upstream();
    hand.worker.shared.inbox.send(Command::AcceptingEnded);
    end.write_all(&[SETTINGS, &[0, 0, 0, 4, 1, 0, 0, 0, 0], &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]].concat())
        .unwrap();
    let mut seen = Vec::new();
    client.set_nonblocking(true).unwrap();
    hand.turn_until(|_| {
        let mut part = [0; 512];
        let n = (&client).read(&mut part).unwrap_or(0);
        seen.extend_from_slice(&part[..n]);
        seen.windows(10).any(|w| w == [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88])
    });
    drop(client);
    hand.turn_until(|w| w.is_over());
}

#[test]
fn the_kernel_watches_the_peers_of_both_sides() {
    let mut hand = Hand::new();
    let (_client, _end) = hand.upstream();
    hand.turn_until(|w| w.sockets.get(ConnKey::from_bits(1)).is_some_and(|s| !s.is_connecting));
    for key in [0, 1] {
        let socket = hand.worker.sockets.get(ConnKey::from_bits(key)).unwrap();
        let options = socket2::SockRef::from(&socket.stream);
        let send = evenkeel_core::policy::Timeouts::default().send;
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(send));
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), send);
    }
}

/// One entry of 4,000 octets in the table, and then requests of 15 references to it each: as many as a client may make in
/// one go.
fn swelling_requests() -> Vec<Vec<u8>> {
    let value = [&[0x7f, 0xa1, 0x1e][..], &[b'v'; 4_000]].concat();
    let first = [&[0x83, 0x84, 0x86, 0x01, 1, b'a', 0x40, 1, b'x'][..], &value].concat();
    let next = [&[0x83, 0x84, 0x86, 0x01, 1, b'a'][..], &[0xbe; 15]].concat();
    let frame = |stream: u8| {
        let block = if stream == 3 { &first } else { &next };
        let head = [0, (block.len() >> 8) as u8, block.len() as u8, 1, 5, 0, 0, 0, stream];
        [&head[..], block].concat()
    };
    (0..30).map(|n| frame(3 + 2 * n)).collect()
}

#[test]
fn a_turn_ends_though_an_endpoint_takes_all_that_a_client_can_make_of_a_few_bytes() {
    let mut hand = Hand::new();
    let (mut client, mut end) = hand.upstream();
    end.write_all(&[SETTINGS, &[0, 0, 0, 4, 1, 0, 0, 0, 0]].concat()).unwrap();
    let reader = std::thread::spawn(move || {
        let mut part = vec![0; 1 << 20];
        while end.read(&mut part).is_ok_and(|n| n > 0) {}
    });
    for part in swelling_requests() {
        client.write_all(&part).unwrap();
    }
    let (mut written, mut most) = (0, 0);
    hand.turn_until(|w| {
        written += w.written;
        most = most.max(w.written);
        written > 29 * 60_000
    });
    assert!(most <= TURN_BYTES, "{most}");
    drop(hand);
    reader.join().unwrap();
}

#[test]
fn who_was_not_reached_in_a_turn_is_written_to_before_the_one_that_filled_it() {
    let mut hand = Hand::new();
    let clients: Vec<_> = (0..3).map(|_| hand.connect()).collect();
    for mut client in &clients {
        client.write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    }
    hand.turn_until(|w| w.engine.sessions() == 3 && w.ready.is_empty() && !w.engine.has_work());
    let now = hand.worker.clock.now();
    let keys: Vec<_> = (0..3).map(ConnKey::from_bits).collect();
    for &key in &keys {
        let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
        hand.worker.engine.received(now, key, &ping);
    }
    hand.worker.written = TURN_BYTES - 3;
    hand.worker.settle(now);
    assert_eq!(hand.worker.written, TURN_BYTES);
    let waiting = |w: &Worker| keys.iter().map(|&k| w.engine.output(k).len()).collect::<Vec<_>>();
    assert_eq!(waiting(&hand.worker), [14, 17, 17]);
    hand.worker.written = TURN_BYTES - 30;
    hand.worker.settle(now);
    assert_eq!(waiting(&hand.worker), [14, 0, 4]);
    hand.worker.written = TURN_BYTES - 15;
    hand.worker.settle(now);
    assert_eq!(waiting(&hand.worker), [0, 0, 3], "the first has waited longer by then");
    assert!(hand.worker.timeout().is_zero());
    hand.worker.written = 0;
    hand.worker.settle(now);
    assert_eq!(waiting(&hand.worker), [0, 0, 0]);
}

#[test]
fn a_connection_that_has_much_to_write_leaves_the_next_one_its_share() {
    let mut hand = Hand::new();
    let (_client, mut end) = hand.upstream();
    end.write_all(&[SETTINGS, &[0, 0, 0, 4, 1, 0, 0, 0, 0]].concat()).unwrap();
    let mut other = hand.connect();
    other.write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    let (client, upstream, other) = (0, 1, 2);
    let [client, upstream, other] = [client, upstream, other].map(ConnKey::from_bits);
    let mut part = [0; 512];
    end.set_nonblocking(true).unwrap();
    let mut seen = Vec::new();
    hand.turn_until(|w| {
        let n = end.read(&mut part).unwrap_or(0);
        seen.extend_from_slice(&part[..n]);
        let is_asked = seen.windows(6).any(|w| w == [1, 5, 0, 0, 0, 1]);
        is_asked && w.engine.sessions() == 2 && w.ready.is_empty() && !w.engine.has_work()
    });
    let now = hand.worker.clock.now();
    for part in swelling_requests() {
        hand.worker.engine.received(now, client, &part);
    }
    hand.worker.engine.received(now, other, &[&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[7; 8]].concat());
    assert_eq!(hand.worker.engine.output(other).len(), 17);
    hand.worker.written = TURN_BYTES - SHARE_BYTES - 17;
    hand.worker.settle(now);
    assert!(!hand.worker.engine.output(upstream).is_empty());
    assert!(hand.worker.engine.output(other).is_empty());
}
