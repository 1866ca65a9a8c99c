//! Small configurations, and the state of a server that runs them, for this side's tests.

use super::publisher::Publisher;
use super::state::State;
use crate::clock::Clock;
use crate::dataplane::DataPlane;
use evenkeel_config::model::{Admin, Config, EndpointSource, Listener, Log, LogLevel, Route, Service};
use evenkeel_core::endpoint::EndpointSpec;
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{Drain, ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::RouteMatch;
use evenkeel_core::time::Moment;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Everything by default, the admin API and the listeners on ports that the system chooses.
pub(crate) fn config(listeners: Vec<Listener>, services: Vec<Service>) -> Config {
    Config {
        workers: Some(1),
        log: Log { format: None, level: LogLevel::Info, interval: Duration::from_secs(300) },
        admin: Admin { bind: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), public: None },
        drain: Drain::default(),
        limits: Limits::default(),
        listeners,
        services,
    }
}

pub(crate) fn listener(name: &str, service: &str) -> Listener {
    Listener {
        name: name.into(),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        policy: ListenerPolicy::default(),
        tls: None,
        routes: vec![Route {
            matches: RouteMatch::default(),
            service: service.into(),
            policy: RoutePolicy::default(),
        }],
    }
}

pub(crate) fn service(name: &str, endpoints: EndpointSource) -> Service {
    Service { name: name.into(), endpoints, policy: ServicePolicy::default(), tls: None }
}

pub(crate) fn list(ports: &[u16]) -> EndpointSource {
    let spec = |&port| EndpointSpec::at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    EndpointSource::Static(ports.iter().map(spec).collect())
}

/// The state of a process with one worker that runs this configuration and listens on nothing.
pub(crate) fn state(config: &Config) -> Arc<State> {
    let clock = Clock::start();
    let (events, _) = tokio::sync::mpsc::channel(1);
    let state =
        State::new(clock, DataPlane::start(1, clock, config.limits, config.log.interval, &events).unwrap());
    let publication = Publisher::new(1).apply_config(config, Moment::ZERO).unwrap();
    state.snapshot.store(publication.snapshot);
    state.workers.store(1, Relaxed);
    Arc::new(state)
}
