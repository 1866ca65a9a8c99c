//! Which certificate a client gets: by the name that it asks for (SNI), and by what it can verify.

use super::pem::Pair;
use crate::dataplane::transport::server_name;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// A listener's certificates by name. Several may have the same name, with keys of different kinds.
#[derive(Debug)]
pub(super) struct Chooser {
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*.`, which stands for one label (RFC 9525 §6.3).
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// For all other names and none: in the order of the configuration.
    all: Vec<Arc<CertifiedKey>>,
}

impl Chooser {
    pub(super) fn new(pairs: Vec<Pair>) -> Self {
        let mut chooser = Self { exact: HashMap::new(), wildcard: HashMap::new(), all: Vec::new() };
        for pair in pairs {
            let key = Arc::new(pair.key);
            for name in &pair.names {
                let (of, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut chooser.wildcard, rest),
                    None => (&mut chooser.exact, name.as_str()),
                };
                of.entry(name.into()).or_default().push(key.clone());
            }
            chooser.all.push(key);
        }
        chooser
    }

    /// The certificates for a name, best first; all of them for one that none has.
    fn for_name(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let found = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase()).and_then(|name| {
            let wildcard = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(name.as_str()).or_else(wildcard)
        });
        found.unwrap_or(&self.all)
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        server_name::note(hello.server_name());
        let fitting = self.for_name(hello.server_name());
        let schemes = hello.signature_schemes();
        let is_verifiable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        // One that the client cannot verify makes it say so, which is more than silence.
        fitting.iter().find(is_verifiable).or(fitting.first()).cloned()
    }
}
