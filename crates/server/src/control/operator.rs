//! What is done about configurations and about discovery's answers.
//!
//! Owns the running configuration, the publisher and the discovery; refuses to know when things arrive: that is the
//! control loop's, which alone calls it.

use super::discovery::{Answer, Discovery, Outcome};
use super::event::What;
use super::publisher::{Publication, Publisher};
use super::reload::{Changes, in_lines};
use super::state::State;
use super::telemetry::chronicle::Chronicle;
use crate::dataplane::{BindError, Binding};
use evenkeel_config::Mistakes;
use evenkeel_config::model::Config;
use evenkeel_core::snapshot::Snapshot;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It runs, and changed this.
    Changed(String),
    /// It says the same as the running one.
    Unchanged,
}

/// Acts on configurations and answers.
pub(super) struct Operator {
    state: Arc<State>,
    config: Config,
    publisher: Publisher,
    discovery: Discovery,
    pub(super) chronicle: Chronicle,
}

impl Operator {
    /// Makes a configuration the first running one: publishes it, binds its listeners, follows its services' sources.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub(super) fn start(
        state: Arc<State>,
        config: &Config,
        workers: u16,
        discovery: Discovery,
        chronicle: Chronicle,
    ) -> Result<Self, BindError> {
        state.workers.store(workers, Relaxed);
        let publisher = Publisher::new(workers);
        let mut operator = Self { state, config: config.clone(), publisher, discovery, chronicle };
        let publication = operator.publisher.apply_config(config, operator.state.clock.now());
        if let Some(publication) = &publication {
            operator.hand_over(&publication.snapshot);
        }
        operator.listen(config)?;
        operator.state.is_listening.store(true, Relaxed);
        operator.chronicle.tell(What::Started { workers: usize::from(workers) });
        for what in publication.into_iter().flat_map(|p| p.happenings) {
            operator.chronicle.tell(what);
        }
        operator.follow();
        Ok(operator)
    }

    /// The running configuration.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Makes a configuration the running one, whole or not at all.
    ///
    /// # Errors
    /// The first address that cannot be had; then everything is as it was.
    pub(super) fn apply(&mut self, config: Config) -> Result<Applied, BindError> {
        let changes = Changes::between(&self.config, &config);
        for &setting in &changes.restart_needed {
            self.chronicle.tell(What::RestartNeeded { setting });
        }
        if changes.is_nothing() {
            self.state.reloads.unchanged.fetch_add(1, Relaxed);
            self.chronicle.tell(What::ConfigurationUnchanged);
            return Ok(Applied::Unchanged);
        }
        let announced = if changes.bindings { self.announce_and_listen(&config)? } else { Vec::new() };
        let publication = self.publisher.apply_config(&config, self.state.clock.now());
        self.publish(publication);
        for what in announced {
            self.chronicle.tell(what);
        }
        // What only a restart applies stays as it runs, so that it is told again until the restart.
        self.config = Config {
            workers: self.config.workers,
            log: self.config.log.clone(),
            admin: self.config.admin.clone(),
            limits: self.config.limits,
            ..config
        };
        self.follow();
        self.state.reloads.applied.fetch_add(1, Relaxed);
        let summary = changes.to_string();
        self.chronicle.tell(What::ConfigurationApplied { summary: summary.clone() });
        Ok(Applied::Changed(summary))
    }

    /// A configuration was refused.
    pub(super) fn reject(&mut self, mistakes: Vec<String>) {
        self.state.reloads.rejected.fetch_add(1, Relaxed);
        self.chronicle.tell(What::ConfigurationRejected { mistakes });
    }

    /// Makes what was read the running configuration, or tells why not.
    pub(super) fn reload(&mut self, read: Result<Config, Mistakes>) {
        match read {
            Err(mistakes) => self.reject(in_lines(&mistakes)),
            Ok(config) => {
                if let Err(error) = self.apply(config) {
                    self.reject(vec![error.to_string()]);
                }
            }
        }
    }

    /// Takes what a source said.
    pub(super) fn take(&mut self, answer: Answer) {
        if !self.discovery.is_current(&answer) {
            return;
        }
        let now = self.state.clock.now();
        let Answer { service, source, outcome, .. } = answer;
        let kept = self.endpoints_of(&service);
        let told = {
            let mut statuses = self.state.discovery();
            let status = statuses.entry(service.clone()).or_default();
            status.source = source;
            status.was_asked = true;
            match &outcome {
                Outcome::Endpoints(_) | Outcome::StillGood => {
                    status.last_good = Some(now);
                    let recovered = status.failure.take().is_some();
                    recovered.then(|| What::DiscoveryRecovered { service: service.clone() })
                }
                // Told when something else goes wrong, not at each retry.
                Outcome::Failed(failure) => {
                    self.state.count_discovery_failure(&service, failure.reason);
                    let before = status.failure.replace(failure.clone());
                    let is_news = before.as_ref() != Some(failure);
                    is_news.then(|| What::DiscoveryFailed {
                        service: service.clone(),
                        source,
                        reason: failure.reason.code(),
                        detail: failure.detail.clone(),
                        kept,
                    })
                }
            }
        };
        if let Some(what) = told {
            self.chronicle.tell(what);
        }
        if let Outcome::Endpoints(endpoints) = outcome {
            let publication = self.publisher.set_endpoints(&service, endpoints, now);
            self.publish(publication);
        }
    }

    fn endpoints_of(&self, service: &str) -> usize {
        let snapshot = self.publisher.current();
        snapshot.services.iter().find(|s| *s.name == *service).map_or(0, |s| s.endpoints.endpoints.len())
    }

    /// Lets the data plane know the new listeners, and binds them. Returns what happened with the announcement.
    fn announce_and_listen(&mut self, config: &Config) -> Result<Vec<What>, BindError> {
        let before = self.publisher.current().clone();
        let announced = self.publisher.announce(config, self.state.clock.now());
        let happenings = match announced {
            Some(Publication { snapshot, happenings }) => {
                self.hand_over(&snapshot);
                happenings
            }
            None => Vec::new(),
        };
        if let Err(error) = self.listen(config) {
            if let Some(publication) = self.publisher.retract(&before) {
                self.hand_over(&publication.snapshot);
            }
            return Err(error);
        }
        Ok(happenings)
    }

    fn listen(&mut self, config: &Config) -> Result<(), BindError> {
        let bindings: Vec<Binding> = config
            .listeners
            .iter()
            .map(|listener| Binding {
                listener: self.publisher.listener_id(&listener.name).expect("the publisher learned its name"),
                name: listener.name.clone(),
                address: listener.bind,
            })
            .collect();
        let addresses = self.state.data_plane.listen(&bindings)?;
        let bound: Vec<_> = bindings.into_iter().map(|b| b.name).zip(addresses).collect();
        let before = std::mem::replace(&mut *self.state.addresses(), bound.clone());
        for (listener, address) in bound {
            if !before.contains(&(listener.clone(), address)) {
                self.chronicle.tell(What::ListenerBound { listener, address });
            }
        }
        Ok(())
    }

    fn follow(&mut self) {
        let at_once = self.discovery.follow(&self.config.services);
        self.state.discovery().retain(|name, _| self.config.services.iter().any(|s| s.name == *name));
        for answer in at_once {
            self.take(answer);
        }
    }

    fn publish(&mut self, publication: Option<Publication>) {
        let Some(Publication { snapshot, happenings }) = publication else { return };
        self.hand_over(&snapshot);
        for what in happenings {
            self.chronicle.tell(what);
        }
    }

    fn hand_over(&mut self, snapshot: &Arc<Snapshot>) {
        self.chronicle.learn_names(snapshot);
        self.state.snapshot.store(snapshot.clone());
        self.state.data_plane.apply(snapshot, &Arc::default());
    }
}
