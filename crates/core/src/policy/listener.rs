//! Policies of a listener. Read by the acceptor, by what stands between socket and session, and by the engine.

use super::{Timeouts, Transport};
use std::sync::Arc;
use std::time::Duration;

/// What clients speak to a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP/1.1 and HTTP/2, with what they carry: gRPC, WebSocket, server-sent events. With TLS every connection is TLS.
    #[default]
    Http,
    /// Anything: bytes both ways. With TLS they are what TLS carried.
    Tcp,
    /// The first bytes say what it is: HTTP, TLS, or anything else, which is a tunnel. TLS ends here if the listener has
    /// certificates, and what it carries is told apart again; else it is passed on to the endpoint by its server name.
    Auto,
}

/// Whether a client's connection begins with a PROXY protocol header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcceptProxyProtocol {
    /// It does not; a header is garbage.
    #[default]
    Off,
    /// Version 1 or 2 comes first on every connection; one without is closed.
    Required,
}

/// Policies of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPolicy {
    /// What clients speak.
    pub protocol: ListenerProtocol,
    /// Whether TLS ends here; certificates are the data plane's.
    pub transport: Transport,
    /// What comes before anything else.
    pub proxy_protocol: AcceptProxyProtocol,
    /// Most sessions at once; one more is closed at once, with its reason.
    pub max_sessions: u32,
    /// Timeouts of the listener's sessions.
    pub timeouts: Timeouts,
    /// How long a client of an [`ListenerProtocol::Auto`] listener may say nothing before it is taken for one that waits
    /// for the server's first word.
    pub detect_timeout: Duration,
    /// Translation of gRPC-Web to gRPC; `None` passes gRPC-Web on as it is.
    pub grpc_web: Option<Arc<GrpcWeb>>,
}

/// `grpc_web` of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcWeb {
    /// Answers to browsers that call from other origins; `None` says nothing, so that browsers refuse them.
    pub cors: Option<Cors>,
}

/// Cross-origin resource sharing (Fetch standard, "CORS protocol").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Who may call.
    pub origins: CorsOrigins,
    /// Names of request headers, lower case and sorted, that may come beside those of gRPC-Web itself.
    pub headers: Box<[Box<str>]>,
    /// How long a browser may keep what a preflight said.
    pub max_age: Duration,
}

/// Origins that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every one, without credentials.
    Any,
    /// These, as browsers write them (`https://example.com`, `http://localhost:3000`), sorted.
    Listed(Box<[Box<str>]>),
}

impl CorsOrigins {
    /// Whether a request's `origin` may call.
    #[must_use]
    pub fn allows(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(list) => list.iter().any(|listed| listed.as_bytes() == origin),
        }
    }
}

impl Default for ListenerPolicy {
    fn default() -> Self {
        Self {
            protocol: ListenerProtocol::default(),
            transport: Transport::default(),
            proxy_protocol: AcceptProxyProtocol::default(),
            max_sessions: 100_000,
            timeouts: Timeouts::default(),
            detect_timeout: Duration::from_secs(3),
            grpc_web: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_of_the_list_to_the_byte() {
        let listed = CorsOrigins::Listed(["https://a.example".into(), "http://localhost:3000".into()].into());
        assert!(listed.allows(b"https://a.example") && listed.allows(b"http://localhost:3000"));
        for other in ["https://a.example:443", "http://a.example", "https://a.example.evil", "null", ""] {
            assert!(!listed.allows(other.as_bytes()), "{other}");
        }
        assert!(CorsOrigins::Any.allows(b"null"));
    }
}
