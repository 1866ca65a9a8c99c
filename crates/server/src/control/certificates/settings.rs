//! What a configuration says of TLS.

use evenkeel_config::model::Config;
use std::path::PathBuf;
use std::sync::Arc;

/// All that a configuration says of TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Its listeners with TLS.
    pub listeners: Vec<NamedListener>,
    /// Its services with TLS.
    pub services: Vec<NamedUpstream>,
}

impl TlsSettings {
    /// What a configuration says: no listener and no service can be given TLS in one so far.
    #[must_use]
    pub fn of(_: &Config) -> Self {
        Self::default()
    }
}

/// A listener that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedListener {
    /// Its name.
    pub name: Arc<str>,
    /// Clients that speak no TLS are served too.
    pub is_optional: bool,
    /// How.
    pub tls: ListenerTls,
}

/// A service whose endpoints speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUpstream {
    /// Its name.
    pub name: Arc<str>,
    /// What is offered to endpoints, the best first.
    pub alpn: Vec<Alpn>,
    /// How.
    pub tls: UpstreamTls,
}

/// Two PEM files that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and those that lead to its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one; the first is for clients that ask for no name, or one that none of them has.
    pub certificates: Vec<CertificateFiles>,
    /// Whether clients are asked for certificates.
    pub client_auth: Option<ClientAuth>,
    /// The oldest that is taken.
    pub min_version: TlsVersion,
    /// What clients may choose from, the best first.
    pub alpn: Vec<Alpn>,
}

/// Certificates that clients are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities that may have signed them.
    pub ca: PathBuf,
    /// Whether they need one.
    pub mode: ClientAuthMode,
}

/// Whether clients need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// They do.
    Required,
    /// They do not; one that they have must verify.
    Optional,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    V1_2,
    /// 1.3 (RFC 8446).
    V1_3,
}

/// A protocol that is offered (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2.
    H2,
    /// HTTP/1.1.
    Http11,
}

impl Alpn {
    /// Its name on the wire.
    #[must_use]
    pub fn id(self) -> &'static [u8] {
        match self {
            Self::H2 => b"h2",
            Self::Http11 => b"http/1.1",
        }
    }
}

/// How a service's endpoints are spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that endpoints must have; `None`: their address.
    pub server_name: Option<Arc<str>>,
    /// The authorities that may have signed their certificates; `None`: those that the machine trusts.
    pub ca: Option<PathBuf>,
    /// Our own certificate, for endpoints that ask for one.
    pub certificate: Option<CertificateFiles>,
    /// Whether their certificates are verified.
    pub verification: Verification,
}

/// Whether endpoints have to prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By authority, name and time.
    Full,
    /// They do not: anybody can answer for them.
    Off,
}
