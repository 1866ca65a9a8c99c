//! What is done about configurations and about discovery's answers.
//!
//! Owns the running configuration, the publisher and the discovery; refuses to know when things arrive: that is the
//! control loop's, which alone calls it.

use super::certificates::{CertificateError, Certificates, News, TlsSettings};
use super::discovery::{Answer, Discovery, Outcome};
use super::event::What;
use super::publisher::{Publication, Publisher};
use super::reload::{Changes, in_lines};
use super::state::State;
use super::telemetry::chronicle::Chronicle;
use crate::dataplane::transport::TlsContexts;
use crate::dataplane::{BindError, Binding};
use evenkeel_config::Mistakes;
use evenkeel_config::model::Config;
use evenkeel_core::snapshot::Snapshot;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;
use tokio::sync::watch;

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It runs, and changed this.
    Changed(String),
    /// It says the same as the running one.
    Unchanged,
}

/// Why a configuration cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A listener's address cannot be had.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Acts on configurations and answers.
pub(super) struct Operator {
    state: Arc<State>,
    config: Config,
    publisher: Publisher,
    certificates: Certificates,
    tls: Arc<TlsContexts>,
    /// The certificates' files, for whoever watches them.
    certificate_files: watch::Sender<BTreeSet<PathBuf>>,
    discovery: Discovery,
    pub(super) chronicle: Chronicle,
}

impl Operator {
    /// Makes a configuration the first running one: publishes it, binds its listeners, follows its services' sources.
    ///
    /// # Errors
    /// The first address that cannot be had, or the first certificate.
    pub(super) fn start(
        state: Arc<State>,
        config: &Config,
        workers: u16,
        discovery: Discovery,
        chronicle: Chronicle,
    ) -> Result<Self, Refusal> {
        state.workers.store(workers, Relaxed);
        let certificates = Certificates::default().prepare(TlsSettings::of(config), SystemTime::now())?;
        let mut operator = Self {
            state,
            config: config.clone(),
            publisher: Publisher::new(workers),
            certificates,
            tls: Arc::default(),
            certificate_files: watch::Sender::default(),
            discovery,
            chronicle,
        };
        let publication = operator.publisher.apply_config(config, operator.state.clock.now());
        operator.take_certificates();
        if let Some(publication) = &publication {
            operator.hand_over(&publication.snapshot);
        }
        operator.listen(config)?;
        operator.state.is_listening.store(true, Relaxed);
        operator.chronicle.tell(What::Started { workers: usize::from(workers) });
        operator.warn_of_unverified();
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
    /// The first address that cannot be had, or the first certificate; then everything is as it was.
    pub(super) fn apply(&mut self, config: Config) -> Result<Applied, Refusal> {
        let changes = Changes::between(&self.config, &config);
        for &setting in &changes.restart_needed {
            self.chronicle.tell(What::RestartNeeded { setting });
        }
        if changes.is_nothing() {
            self.state.reloads.unchanged.fetch_add(1, Relaxed);
            self.chronicle.tell(What::ConfigurationUnchanged);
            return Ok(Applied::Unchanged);
        }
        let certificates = self.certificates.prepare(TlsSettings::of(&config), SystemTime::now())?;
        let announced =
            if changes.bindings { self.announce_and_listen(&config, &certificates)? } else { Vec::new() };
        let publication = self.publisher.apply_config(&config, self.state.clock.now());
        self.certificates = certificates;
        self.take_certificates();
        let is_published = publication.is_some();
        self.publish(publication);
        if !is_published {
            // Certificates may be all that changed.
            self.hand_over(&self.publisher.current().clone());
        }
        self.warn_of_unverified();
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

    /// The files that certificates are made of, as they come to be others.
    pub(super) fn certificate_files(&self) -> watch::Receiver<BTreeSet<PathBuf>> {
        self.certificate_files.subscribe()
    }

    /// Some of those files changed: new connections get what they hold now, those that stand keep what they have.
    pub(super) fn read_certificates(&mut self) {
        let news = self.certificates.read_again(SystemTime::now());
        if news.iter().any(|news| matches!(news, News::Renewed { .. })) {
            self.take_certificates();
            self.hand_over(&self.publisher.current().clone());
        }
        for news in news {
            self.chronicle.tell(match news {
                News::Renewed { of, valid_until } => What::CertificatesRenewed { of, valid_until },
                News::Refused { of, why, valid_until } => What::CertificatesRefused { of, why, valid_until },
            });
        }
    }

    /// Makes the certificates what the data plane is given next.
    fn take_certificates(&mut self) {
        self.tls = Arc::new(self.contexts(&self.certificates));
        *self.state.certificate_ends() = self.certificates.ends();
        self.certificate_files.send_replace(self.certificates.files());
    }

    fn contexts(&self, certificates: &Certificates) -> TlsContexts {
        certificates.contexts(|name| self.publisher.listener_id(name), |name| self.publisher.service_id(name))
    }

    fn warn_of_unverified(&mut self) {
        for service in self.certificates.unverified() {
            self.chronicle.tell(What::UpstreamsUnverified { service });
        }
    }

    /// Lets the data plane know the new listeners, and binds them. Returns what happened with the announcement.
    fn announce_and_listen(
        &mut self,
        config: &Config,
        certificates: &Certificates,
    ) -> Result<Vec<What>, BindError> {
        let before = self.publisher.current().clone();
        let announced = self.publisher.announce(config, self.state.clock.now());
        // Those that run keep theirs until all is bound.
        let mut tls = self.contexts(certificates);
        tls.listeners.extend(self.tls.listeners.iter().map(|(id, own)| (*id, own.clone())));
        tls.services.extend(self.tls.services.iter().map(|(id, own)| (*id, own.clone())));
        self.tls = Arc::new(tls);
        let happenings = match announced {
            Some(Publication { snapshot, happenings }) => {
                self.hand_over(&snapshot);
                happenings
            }
            None => Vec::new(),
        };
        if let Err(error) = self.listen(config) {
            self.take_certificates();
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
        self.state.data_plane.apply(snapshot, &self.tls);
    }
}
