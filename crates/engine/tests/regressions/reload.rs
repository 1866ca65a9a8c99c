//! New snapshots: what did not change is not touched, and of what changed only what has to be.

use crate::bench::{Bench, LISTENER, address};
use crate::peer::Peer;
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::policy::{
    HeaderRule, HeaderRules, ListenerPolicy, Retry, RetryOn, RoutePolicy, ServicePolicy, Timeouts, Upstream,
};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats};
use std::sync::Arc;
use std::time::Duration;

const OTHER: ListenerId = ListenerId(1);

/// Two listeners, each with a session, an exchange that goes on, and an upstream to a service of its own.
struct Running {
    bench: Bench,
    writers: [EndpointSetWriter; 2],
    snapshot: Snapshot,
}

fn listener(id: ListenerId, service: u32, route: RoutePolicy) -> Arc<Listener> {
    let routes = vec![Route { matches: RouteMatch::default(), service: ServiceId(service), policy: route }];
    Arc::new(Listener {
        id,
        name: format!("l{}", id.0).into(),
        policy: ListenerPolicy::default(),
        routes: RouteTable { routes },
        stats: Arc::new(ListenerStats::new(1)),
    })
}

fn service(writer: &EndpointSetWriter, policy: ServicePolicy) -> Arc<Service> {
    Arc::new(Service {
        id: writer.service(),
        name: format!("s{}", writer.service().0).into(),
        policy,
        endpoints: Arc::clone(writer.current()),
        stats: Arc::new(ServiceStats::new(1)),
    })
}

fn running() -> Running {
    let mut bench = Bench::new(ServicePolicy::default(), 0);
    let ids = EndpointIds::default();
    let writers = [0, 1].map(|id| {
        let mut writer = EndpointSetWriter::new(ServiceId(id), 1, ids.clone());
        writer.publish(vec![EndpointSpec::at(address(id as u16))], bench.now);
        writer
    });
    let snapshot = Snapshot {
        services: writers.iter().map(|writer| service(writer, ServicePolicy::default())).collect(),
        listeners: vec![
            listener(LISTENER, 0, RoutePolicy::default()),
            listener(OTHER, 1, RoutePolicy::default()),
        ],
    };
    bench.engine.refresh(bench.now, Arc::new(snapshot.clone()));
    for (index, listener) in [LISTENER, OTHER].into_iter().enumerate() {
        let key = bench.engine.accept(bench.now, listener, address(9)).unwrap();
        bench.clients.push(Peer::client(key));
        bench.clients[index].request(1, false);
        bench.carry();
        bench.open();
        bench.endpoints[index].answer(1, false);
        bench.carry();
    }
    Running { bench, writers, snapshot }
}

impl Running {
    /// Publishes, and says what the engine then wants to do: connections with output, and actions.
    fn publish(&mut self, snapshot: &Snapshot) -> (usize, usize) {
        self.bench.engine.refresh(self.bench.now, Arc::new(snapshot.clone()));
        let (mut dirty, mut actions) = (Vec::new(), Vec::new());
        self.bench.engine.check_invariants().unwrap();
        self.bench.engine.take_dirty(&mut dirty);
        self.bench.engine.take_actions(&mut actions);
        (dirty.len(), actions.len())
    }

    /// Ends the exchange of a client, begins another, and says whether it is answered over the same upstream.
    fn still_works(&mut self, index: usize) -> bool {
        self.bench.endpoints[index].data(1, &[], true);
        self.bench.clients[index].data(1, &[], true);
        self.bench.clients[index].request(3, true);
        self.bench.carry();
        self.bench.endpoints[index].answer(3, true);
        self.bench.carry();
        self.bench.asked.is_empty() && self.bench.clients[index].statuses() == [(1, "200"), (3, "200")]
    }
}

#[test]
fn a_snapshot_of_the_same_values_touches_no_connection() {
    let mut running = running();
    let same = running.snapshot.clone();
    assert_eq!(running.publish(&same), (0, 0));
    assert!(running.still_works(0) && running.still_works(1));
}

#[test]
fn a_change_of_policies_touches_no_connection() {
    let mut running = running();
    let policy = ServicePolicy {
        timeouts: Timeouts { idle: Duration::from_secs(7), ..Timeouts::default() },
        upstream: Upstream { max_streams: 7, max_connections: Some(7), ..Upstream::default() },
        ..ServicePolicy::default()
    };
    let route = RoutePolicy {
        request_timeout: Some(Duration::from_secs(7)),
        retry: Retry { on: RetryOn { reset: true, ..RetryOn::default() }, ..Retry::default() },
        headers: HeaderRules { request_id: HeaderRule::Add, ..HeaderRules::default() },
        ..RoutePolicy::default()
    };
    let mut next = running.snapshot.clone();
    next.services[0] = service(&running.writers[0], policy);
    next.listeners[0] = listener(LISTENER, 0, route);
    assert_eq!(running.publish(&next), (0, 0));
    assert!(running.still_works(0) && running.still_works(1));
}

#[test]
fn endpoints_of_one_service_that_change_leave_the_others_connections_open() {
    let mut running = running();
    for index in [0, 1] {
        assert!(running.still_works(index));
    }
    running.writers[0].publish(vec![EndpointSpec::at(address(7))], running.bench.now);
    let mut next = running.snapshot.clone();
    next.services[0] = service(&running.writers[0], ServicePolicy::default());
    running.bench.engine.refresh(running.bench.now, Arc::new(next));
    running.bench.carry();
    let closed: Vec<bool> = running.bench.endpoints.iter().map(|endpoint| endpoint.is_closed).collect();
    assert_eq!(closed, [true, false]);
    assert!(running.bench.clients.iter().all(|client| !client.is_closed && client.goaways().is_empty()));
}

#[test]
fn a_session_stays_when_its_listeners_routes_change_and_its_next_request_follows_the_new_ones() {
    let mut running = running();
    let mut next = running.snapshot.clone();
    next.listeners[0] = listener(LISTENER, 1, RoutePolicy::default());
    assert_eq!(running.publish(&next), (0, 0));
    running.bench.clients[0].request(3, true);
    running.bench.carry();
    assert!(running.bench.asked.is_empty(), "the other service's upstream is open");
    running.bench.endpoints[1].answer(3, true);
    running.bench.endpoints[0].data(1, &[], true);
    running.bench.carry();
    assert_eq!(running.bench.clients[0].statuses(), [(1, "200"), (3, "200")]);
}

#[test]
fn a_service_that_goes_ends_its_exchanges_at_their_own_pace_and_leaves_the_others_alone() {
    let mut running = running();
    let mut next = running.snapshot.clone();
    next.services.remove(0);
    assert_eq!(running.publish(&next), (0, 0), "both exchanges go on");
    running.bench.endpoints[0].data(1, &[], true);
    running.bench.clients[0].data(1, &[], true);
    running.bench.carry();
    assert!(running.bench.endpoints[0].is_closed && !running.bench.endpoints[1].is_closed);
    assert!(!running.bench.clients[0].is_closed);
    assert!(running.still_works(1));
}
