//! The stage: backends, Evenkeel in front of them, and clients of both ways, all in this process and on loopback. Endpoints
//! come and go here; when they do is the script's.

use super::backend::Backend;
use super::client::{self, Dial, ServiceTable};
use super::tally::Reading;
use super::way::Way;
use anyhow::Context;
use evenkeel_config::model::{Admin, EndpointSource};
use evenkeel_config::{Config, Target};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_server::control::{Options, Server};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// Endpoints at first.
pub(super) const ENDPOINTS: usize = 3;

/// Endpoints that come and go.
pub(super) const ADDED: usize = 2;

/// Data plane threads of the demo's Evenkeel: more than one, so that picks of several threads must agree.
const WORKERS: u16 = 2;

/// Everything that runs. The clients and backends end with the process.
pub(super) struct Stage {
    runtime: Handle,
    /// Those that have left stay in the list: their counts are read on.
    backends: Vec<Backend>,
    states: Vec<Option<EndpointState>>,
    table: Arc<ServiceTable>,
    server: Server,
    config: Config,
    errors: [Arc<AtomicU64>; 2],
    was_interrupted: Arc<AtomicBool>,
}

impl Stage {
    /// Starts [`ENDPOINTS`] backends, Evenkeel, and the clients of both ways.
    ///
    /// # Errors
    /// What could not be had: a port, a thread.
    pub(super) fn open() -> anyhow::Result<Self> {
        let (serving, calling) = (runtime("backends")?, runtime("clients")?);
        let backends = (0..ENDPOINTS).map(|_| Backend::open(&serving)).collect::<Result<Vec<_>, _>>();
        let backends = backends.context("cannot start a backend")?;
        let specs = backends.iter().map(|backend| EndpointSpec::at(backend.address)).collect();
        let target = Target { endpoints: EndpointSource::Static(specs) };
        let mut config = Config::from_target((Ipv4Addr::LOCALHOST, 0).into(), target);
        config.admin = Admin { bind: None, public: None };
        config.workers = Some(WORKERS);
        let server = Server::start(config.clone(), Options::default())?;
        let addresses = server.addresses();
        let &(_, address) = addresses.first().context("Evenkeel listens nowhere")?;

        let table = Arc::<ServiceTable>::default();
        table.set(backends.iter().map(|backend| backend.address).collect());
        let errors: [Arc<AtomicU64>; 2] = Default::default();
        for dial in [Dial::Service(table.clone()), Dial::Evenkeel(address)] {
            client::start(&calling, &dial, &errors[dial.way() as usize]);
        }
        let was_interrupted = Arc::<AtomicBool>::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let was_interrupted = was_interrupted.clone();
            // Listened for before anything is shown: who sees the first line may interrupt.
            let mut signal = {
                let _inside = calling.enter();
                signal(kind)?
            };
            calling.spawn(async move {
                signal.recv().await;
                was_interrupted.store(true, Relaxed);
            });
        }
        let states = vec![Some(EndpointState::Ready); backends.len()];
        Ok(Self { runtime: serving, backends, states, table, server, config, errors, was_interrupted })
    }

    /// Totals of now.
    pub(super) fn read(&self) -> Reading {
        let calls = Way::ALL.map(|way| self.backends.iter().map(|backend| backend.calls(way)).collect());
        let errors = Way::ALL.map(|way| self.errors[way as usize].load(Relaxed));
        Reading { at: Instant::now(), calls, errors }
    }

    /// Each backend's state as it was announced; none for one that has left.
    pub(super) fn states(&self) -> &[Option<EndpointState>] {
        &self.states
    }

    /// Whether a signal asked the process to end.
    pub(super) fn was_interrupted(&self) -> bool {
        self.was_interrupted.load(Relaxed)
    }

    /// [`ADDED`] more backends come up, and both ways are told of them.
    ///
    /// # Errors
    /// A backend cannot start, or Evenkeel has ended.
    pub(super) fn add(&mut self) -> anyhow::Result<()> {
        for _ in 0..ADDED {
            self.backends.push(Backend::open(&self.runtime).context("cannot start a backend")?);
        }
        self.announce(|_| Some(EndpointState::Ready))
    }

    /// The backends that were added are marked as terminating: they still serve, and get nothing new.
    ///
    /// # Errors
    /// Evenkeel has ended.
    pub(super) fn retire_added(&mut self) -> anyhow::Result<()> {
        self.announce(|index| {
            Some(if index < ENDPOINTS { EndpointState::Ready } else { EndpointState::Terminating })
        })
    }

    /// The backends that were added end.
    ///
    /// # Errors
    /// Evenkeel has ended.
    pub(super) fn remove_added(&mut self) -> anyhow::Result<()> {
        self.announce(|index| (index < ENDPOINTS).then_some(EndpointState::Ready))?;
        self.backends.iter().skip(ENDPOINTS).for_each(Backend::leave);
        Ok(())
    }

    /// Tells both ways of the endpoints of now: each backend's state by its index, none for one that has left.
    fn announce(&mut self, state: impl Fn(usize) -> Option<EndpointState>) -> anyhow::Result<()> {
        self.states = (0..self.backends.len()).map(state).collect();
        let announced = self.backends.iter().zip(&self.states);
        let specs: Vec<EndpointSpec> = announced
            .filter_map(|(backend, state)| {
                Some(EndpointSpec { state: (*state)?, ..EndpointSpec::at(backend.address) })
            })
            .collect();
        let ready = specs.iter().filter(|spec| spec.state == EndpointState::Ready);
        self.table.set(ready.map(|spec| spec.address).collect());
        for service in &mut self.config.services {
            service.endpoints = EndpointSource::Static(specs.clone());
        }
        self.server.apply(self.config.clone())?;
        Ok(())
    }
}

/// A runtime on a thread of its own, until the process ends.
fn runtime(name: &str) -> anyhow::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}
