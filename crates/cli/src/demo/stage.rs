//! The stage: backends, Evenkeel in front of them, and clients of both ways, all in this process and on loopback. Endpoints
//! and clients come and go here; when they do is the script's.

use super::backend::Backend;
use super::balancer::Balancer;
use super::client::Clients;
use super::dial::{Dial, ServiceTable};
use super::kind::Kind;
use super::tally::Reading;
use super::way::Way;
use anyhow::Context;
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// Endpoints of a kind at first.
pub(super) const ENDPOINTS: usize = 3;

/// Endpoints that come and go.
pub(super) const ADDED: usize = 2;

/// Everything that runs. The backends end with the process, the clients when those of another kind come.
pub(super) struct Stage {
    serving: Handle,
    calling: Handle,
    casts: [Cast; Kind::ALL.len()],
    /// Whose clients are there.
    kind: Kind,
    clients: Clients,
    balancer: Balancer,
    was_interrupted: Arc<AtomicBool>,
}

/// The backends of a kind, and what its clients know.
struct Cast {
    /// Those that have left stay in the list: their counts are read on.
    backends: Vec<Backend>,
    states: Vec<Option<EndpointState>>,
    table: Arc<ServiceTable>,
    errors: [Arc<AtomicU64>; 2],
}

impl Cast {
    fn open(serving: &Handle, kind: Kind) -> anyhow::Result<Self> {
        let backends = (0..ENDPOINTS).map(|_| Backend::open(serving, kind)).collect::<Result<Vec<_>, _>>();
        let backends = backends.context("cannot start a backend")?;
        let table = Arc::<ServiceTable>::default();
        table.set(backends.iter().map(|backend| backend.address).collect());
        let states = vec![Some(EndpointState::Ready); backends.len()];
        Ok(Self { backends, states, table, errors: Default::default() })
    }
}

impl Stage {
    /// Starts [`ENDPOINTS`] backends of each kind, and Evenkeel.
    ///
    /// # Errors
    /// What could not be had: a port, a thread.
    pub(super) fn open() -> anyhow::Result<Self> {
        let (serving, calling) = (runtime("backends")?, runtime("clients")?);
        let [grpc, http, websocket, events, tcp] = Kind::ALL.map(|kind| Cast::open(&serving, kind));
        let casts = [grpc?, http?, websocket?, events?, tcp?];
        let balancer = Balancer::start(|kind| {
            casts[kind as usize].backends.iter().map(|backend| backend.address).collect()
        })?;
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
        let (kind, clients) = (Kind::Grpc, Clients::default());
        Ok(Self { serving, calling, casts, kind, clients, balancer, was_interrupted })
    }

    /// Those who were there leave, and the clients of a kind come, of both ways.
    ///
    /// # Errors
    /// They cannot connect.
    pub(super) fn enter(&mut self, kind: Kind) -> anyhow::Result<()> {
        self.clients = Clients::default();
        self.kind = kind;
        self.let_in(kind.clients())
    }

    /// More clients come, of both ways.
    ///
    /// # Errors
    /// They cannot connect.
    pub(super) fn let_newcomers_in(&mut self) -> anyhow::Result<()> {
        self.let_in(self.kind.newcomers())
    }

    fn let_in(&mut self, count: usize) -> anyhow::Result<()> {
        let cast = &self.casts[self.kind as usize];
        let dials = [Dial::Service(cast.table.clone()), Dial::Evenkeel(self.balancer.address(self.kind)?)];
        let ways = dials.map(|dial| (dial.clone(), cast.errors[dial.way() as usize].clone()));
        self.clients.come(&self.calling, (self.kind, count), &ways).context("clients cannot connect")
    }

    /// Totals of now, of the kind whose clients are there.
    pub(super) fn read(&self) -> Reading {
        let cast = &self.casts[self.kind as usize];
        let each = |of: &dyn Fn(&Backend) -> u64| cast.backends.iter().map(of).collect();
        let calls = Way::ALL.map(|way| each(&|backend| backend.calls(way)));
        let sessions = Way::ALL.map(|way| each(&|backend| backend.sessions(way)));
        let errors = Way::ALL.map(|way| cast.errors[way as usize].load(Relaxed));
        Reading { at: Instant::now(), calls, sessions, errors }
    }

    /// Each backend's state as it was announced; none for one that has left.
    pub(super) fn states(&self) -> &[Option<EndpointState>] {
        &self.casts[self.kind as usize].states
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
            let backend = Backend::open(&self.serving, self.kind).context("cannot start a backend")?;
            self.casts[self.kind as usize].backends.push(backend);
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
        self.casts[self.kind as usize].backends.iter().skip(ENDPOINTS).for_each(Backend::leave);
        Ok(())
    }

    /// Tells both ways of the endpoints of now: each backend's state by its index, none for one that has left.
    fn announce(&mut self, state: impl Fn(usize) -> Option<EndpointState>) -> anyhow::Result<()> {
        let cast = &mut self.casts[self.kind as usize];
        cast.states = (0..cast.backends.len()).map(state).collect();
        let announced = cast.backends.iter().zip(&cast.states);
        let specs: Vec<EndpointSpec> = announced
            .filter_map(|(backend, state)| {
                Some(EndpointSpec { state: (*state)?, ..EndpointSpec::at(backend.address) })
            })
            .collect();
        let ready = specs.iter().filter(|spec| spec.state == EndpointState::Ready);
        cast.table.set(ready.map(|spec| spec.address).collect());
        self.balancer.set(self.kind, specs)
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
