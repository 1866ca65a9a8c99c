//! Authorities and certificates that tests make for themselves.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// Who signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as files would hold them.
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// Versions that a test runs through.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        // No other has its name: issuers are looked for by it.
        let name = format!("Authority {:02x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// For these DNS names, from the first year to the first day of the second.
    pub(crate) fn issue_for(&self, names: &[&str], from: i32, until: i32) -> Issued {
        self.issue_with(names, &[], from, until)
    }

    /// For these DNS names.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for(names, 2020, 2120)
    }

    /// For a client with this URI.
    pub(crate) fn issue_uri(&self, uri: &str) -> Issued {
        self.issue_with(&["client.test"], &[uri], 2020, 2120)
    }

    fn issue_with(&self, names: &[&str], uris: &[&str], from: i32, until: i32) -> Issued {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|&uri| SanType::URI(uri.try_into().unwrap())));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "subject of a test");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Issued { cert: cert.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// A server's configuration; clients are asked for certificates of this authority if `clients` says so.
    pub(crate) fn server(
        &self,
        own: &Issued,
        versions: &[&'static SupportedProtocolVersion],
        clients: Clients,
    ) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), provider);
        let builder = match clients {
            Clients::NotAsked => builder.with_no_client_auth(),
            Clients::Asked => {
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
            }
            Clients::Required => builder.with_client_cert_verifier(verifier.build().unwrap()),
        };
        let mut config = builder.with_single_cert(own.chain(), own.private_key()).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new().unwrap();
        config
    }

    /// A client's configuration that trusts this authority.
    pub(crate) fn client(
        &self,
        own: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match own {
            Some(own) => builder.with_client_auth_cert(own.chain(), own.private_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy)]
pub(crate) enum Clients {
    NotAsked,
    Asked,
    Required,
}

impl Issued {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.cert.as_bytes()).map(Result::unwrap).collect()
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}
