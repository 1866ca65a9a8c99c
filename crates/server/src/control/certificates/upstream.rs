//! The rustls configuration with which a service's endpoints are spoken to.

use super::error::CertificateError;
use super::kept::{Made, Makes};
use super::pem::Reader;
use super::settings::NamedUpstream;
use evenkeel_config::model::Verification;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

impl Makes for NamedUpstream {
    type Made = (Arc<ClientConfig>, Option<ServerName<'static>>);

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn files(&self) -> Vec<PathBuf> {
        let own = self.tls.certificate.iter().flat_map(|pair| [pair.cert.clone(), pair.key.clone()]);
        own.chain(self.tls.ca.clone()).collect()
    }

    fn make(&self, reader: &mut Reader, now: SystemTime) -> Result<Made<Self::Made>, CertificateError> {
        let refused = |source| CertificateError::Refused { of: format!("service {}", self.name), source };
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let builder = match (self.tls.verification, &self.tls.ca) {
            (Verification::Off, _) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            }
            (Verification::Full, Some(ca)) => builder.with_root_certificates(reader.authorities(ca)?),
            (Verification::Full, None) => builder.with_root_certificates(self.trusted_by_the_machine()?),
        };
        let own = self.tls.certificate.as_ref().map(|files| reader.pair(files, now)).transpose()?;
        let valid_until = own.as_ref().map(|pair| pair.valid_until);
        let mut config = match own {
            Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair.key))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|alpn| alpn.id().as_bytes().to_vec()).collect();
        let server_name = match &self.tls.server_name {
            None => None,
            Some(name) => Some(ServerName::try_from(name.to_string()).map_err(|_| {
                CertificateError::BadServerName { service: self.name.to_string(), name: name.to_string() }
            })?),
        };
        Ok(Made { value: (Arc::new(config), server_name), valid_until })
    }
}

impl NamedUpstream {
    /// The machine's own list, which whoever keeps the machine keeps up to date: one that is compiled in would age with
    /// the program.
    fn trusted_by_the_machine(&self) -> Result<RootCertStore, CertificateError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(|e| format!(" ({e})")).unwrap_or_default();
            return Err(CertificateError::NoAuthorities { service: self.name.to_string(), why });
        }
        Ok(roots)
    }
}

/// Believes whoever answers, as `verify: false` asks: its signature must fit its certificate, and that may be anybody's.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
