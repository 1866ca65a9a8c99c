//! What a configuration says of TLS.

use evenkeel_config::model::Config;
use std::path::PathBuf;
use std::sync::Arc;

/// All that a configuration says of TLS.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct TlsSettings {
    pub(in crate::control) listeners: Vec<NamedListener>,
    pub(in crate::control) services: Vec<NamedUpstream>,
}

impl TlsSettings {
    /// What a configuration says: no listener and no service can be given TLS in one so far.
    pub(in crate::control) fn of(_: &Config) -> Self {
        Self::default()
    }
}

/// A listener that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct NamedListener {
    pub(in crate::control) name: Arc<str>,
    /// Clients that speak no TLS are served too.
    pub(in crate::control) is_optional: bool,
    pub(in crate::control) tls: ListenerTls,
}

/// A service whose endpoints speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct NamedUpstream {
    pub(in crate::control) name: Arc<str>,
    /// What is offered to endpoints, the best first.
    pub(in crate::control) alpn: Vec<Alpn>,
    pub(in crate::control) tls: UpstreamTls,
}

/// Two PEM files that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct CertificateFiles {
    /// The certificate, and those that lead to its authority.
    pub(in crate::control) cert: PathBuf,
    /// Its private key.
    pub(in crate::control) key: PathBuf,
}

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct ListenerTls {
    /// At least one; the first is for clients that ask for no name, or one that none of them has.
    pub(in crate::control) certificates: Vec<CertificateFiles>,
    pub(in crate::control) client_auth: Option<ClientAuth>,
    pub(in crate::control) min_version: TlsVersion,
    /// What clients may choose from, the best first.
    pub(in crate::control) alpn: Vec<Alpn>,
}

/// Certificates that clients are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct ClientAuth {
    /// The authorities that may have signed them.
    pub(in crate::control) ca: PathBuf,
    pub(in crate::control) mode: ClientAuthMode,
}

/// Whether clients need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum ClientAuthMode {
    Required,
    Optional,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum TlsVersion {
    V1_2,
    V1_3,
}

/// A protocol that is offered (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Alpn {
    H2,
    Http11,
}

impl Alpn {
    /// Its name on the wire.
    pub(in crate::control) fn id(self) -> &'static [u8] {
        match self {
            Self::H2 => b"h2",
            Self::Http11 => b"http/1.1",
        }
    }
}

/// How a service's endpoints are spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct UpstreamTls {
    /// The name that endpoints must have; `None`: their address.
    pub(in crate::control) server_name: Option<Arc<str>>,
    /// The authorities that may have signed their certificates; `None`: those that the machine trusts.
    pub(in crate::control) ca: Option<PathBuf>,
    /// Our own certificate, for endpoints that ask for one.
    pub(in crate::control) certificate: Option<CertificateFiles>,
    pub(in crate::control) verification: Verification,
}

/// Whether endpoints have to prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Verification {
    Full,
    Off,
}
