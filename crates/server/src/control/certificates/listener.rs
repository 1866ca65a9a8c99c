//! The rustls configuration of a listener.

use super::chooser::Chooser;
use super::error::CertificateError;
use super::kept::{Made, Makes};
use super::pem::Reader;
use super::settings::NamedListener;
use evenkeel_config::model::{ClientAuthMode, TlsVersion};
use rustls::crypto::ring;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Sessions of clients without tickets that are kept to be resumed.
const SESSIONS_KEPT: usize = 1_024;

impl Makes for NamedListener {
    type Made = Arc<ServerConfig>;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn files(&self) -> Vec<PathBuf> {
        let pairs = self.tls.certificates.iter().flat_map(|pair| [pair.cert.clone(), pair.key.clone()]);
        pairs.chain(self.tls.client_auth.iter().map(|auth| auth.ca.clone())).collect()
    }

    fn make(&self, reader: &mut Reader, now: SystemTime) -> Result<Made<Self::Made>, CertificateError> {
        let refused = |source| CertificateError::Refused { of: format!("listener {}", self.name), source };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions(self.tls.min_version))
            .map_err(refused)?;
        let builder = match &self.tls.client_auth {
            None => builder.with_no_client_auth(),
            Some(auth) => {
                let roots = Arc::new(reader.authorities(&auth.ca)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = match auth.mode {
                    ClientAuthMode::Required => verifier,
                    ClientAuthMode::Optional => verifier.allow_unauthenticated(),
                };
                let broken = |e: rustls::server::VerifierBuilderError| CertificateError::Malformed {
                    path: auth.ca.clone(),
                    why: e.to_string(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(broken)?)
            }
        };
        let pairs: Vec<_> =
            self.tls.certificates.iter().map(|files| reader.pair(files, now)).collect::<Result<_, _>>()?;
        let valid_until = pairs.iter().map(|pair| pair.valid_until).min();
        let mut config = builder.with_cert_resolver(Arc::new(Chooser::new(pairs)));
        config.alpn_protocols = self.tls.alpn.iter().map(|alpn| alpn.id().as_bytes().to_vec()).collect();
        // The keys of tickets are new with each configuration, and change every six hours: no ticket outlives the
        // authorities by which its client was verified.
        config.ticketer = ring::Ticketer::new().map_err(refused)?;
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS_KEPT);
        Ok(Made { value: Arc::new(config), valid_until })
    }
}

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static NEWEST: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match least {
        TlsVersion::V1_2 => rustls::DEFAULT_VERSIONS,
        TlsVersion::V1_3 => &NEWEST,
    }
}
