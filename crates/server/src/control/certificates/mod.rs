//! Certificates: files to what the data plane speaks TLS with.
//!
//! Owns which files a configuration names, what was last good of each, and the TLS of each listener and service made of
//! them; refuses to know threads, sockets and when files change: the operator calls it when they did. A file that is
//! broken when it is read again leaves what runs in place.
//!
//! Below it: `settings` (what a configuration says), `pem` (files), `chooser` (certificates by name), `listener` and
//! `upstream` (rustls' configurations), `kept` (the last good of one), `error`.

mod chooser;
mod error;
mod kept;
mod listener;
mod pem;
mod settings;
#[cfg(test)]
mod tests;
mod upstream;

pub use error::CertificateError;
pub use settings::{NamedListener, NamedUpstream, TlsSettings};

use crate::dataplane::transport::{ListenerContext, TlsContexts, UpstreamContext};
use evenkeel_config::model::Verification;
use evenkeel_core::id::{ListenerId, ServiceId};
use kept::Kept;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// The TLS of the running configuration.
#[derive(Default)]
pub struct Certificates {
    listeners: Vec<Kept<NamedListener>>,
    services: Vec<Kept<NamedUpstream>>,
}

/// What became of a listener's or a service's certificates when their files were read again.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// New ones are in use.
    Renewed {
        /// The listener's or service's name.
        of: Arc<str>,
        /// When the first of them ends; `None` if there is none of ours.
        valid_until: Option<SystemTime>,
    },
    /// They cannot be used; those before stay. Told once for each reason.
    Refused {
        /// The listener's or service's name.
        of: Arc<str>,
        /// What is wrong, with the path.
        why: String,
        /// When the first of those in use ends.
        valid_until: Option<SystemTime>,
    },
}

impl Certificates {
    /// Reads everything that a configuration names. What it names as before, in files that are as before, stays the same
    /// value.
    ///
    /// # Errors
    /// The first that cannot be used, with the path; nothing has changed then.
    pub fn prepare(&self, settings: TlsSettings, now: SystemTime) -> Result<Self, CertificateError> {
        let listeners = settings.listeners.into_iter().map(|s| Kept::first(s, &self.listeners, now));
        let services = settings.services.into_iter().map(|s| Kept::first(s, &self.services, now));
        Ok(Self {
            listeners: listeners.collect::<Result<_, _>>()?,
            services: services.collect::<Result<_, _>>()?,
        })
    }

    /// Reads all files again: what became of those whose files changed.
    pub fn read_again(&mut self, now: SystemTime) -> Vec<News> {
        let listeners = self.listeners.iter_mut().filter_map(|kept| kept.again(now));
        let listeners: Vec<_> = listeners.collect();
        listeners.into_iter().chain(self.services.iter_mut().filter_map(|kept| kept.again(now))).collect()
    }

    /// All files, to be watched.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let listeners = self.listeners.iter().flat_map(|kept| kept.files());
        listeners.chain(self.services.iter().flat_map(|kept| kept.files())).collect()
    }

    /// When the first of each listener's certificates ends.
    pub fn ends(&self) -> Vec<(Arc<str>, SystemTime)> {
        self.listeners.iter().filter_map(|kept| Some((kept.name().clone(), kept.valid_until()?))).collect()
    }

    /// Services whose endpoints are believed whoever they are.
    pub fn unverified(&self) -> Vec<Arc<str>> {
        let is_off = |kept: &&Kept<NamedUpstream>| kept.settings().tls.verification == Verification::Off;
        self.services.iter().filter(is_off).map(|kept| kept.name().clone()).collect()
    }

    /// What the data plane is given. Names without an id are not configured, and left out.
    pub fn contexts(
        &self,
        listener_id: impl Fn(&str) -> Option<ListenerId>,
        service_id: impl Fn(&str) -> Option<ServiceId>,
    ) -> TlsContexts {
        let listeners = self.listeners.iter().filter_map(|kept| {
            let config = Arc::clone(kept.made());
            let is_optional = kept.settings().is_optional;
            Some((listener_id(kept.name())?, ListenerContext { config, is_optional }))
        });
        let services = self.services.iter().filter_map(|kept| {
            let (config, server_name) = kept.made().clone();
            Some((service_id(kept.name())?, UpstreamContext { config, server_name }))
        });
        TlsContexts { listeners: listeners.collect(), services: services.collect() }
    }
}
