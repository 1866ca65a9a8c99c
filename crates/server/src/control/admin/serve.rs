//! The admin API's sockets: bounded connections, bounded request heads, and a deadline for everything that a client
//! may delay.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Most connections that are served at once; more wait in the listen queue.
const MAX_CONNECTIONS: usize = 128;

/// Longest time for a whole request head to arrive, and for a kept-open connection to send its next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest request head, and largest buffer of a connection.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Longest life of a connection to the public address, so that clients who read slowly cannot hold every place and
/// keep a kubelet's probe out. The full API has none: its event stream is meant to stay.
const PUBLIC_LIFETIME: Duration = Duration::from_secs(30);

/// Time before accepting again after an error that is not one connection's (no descriptors left).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What an address serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything; loopback only.
    Full,
    /// Health and metrics.
    Public,
}

impl Scope {
    /// The stable word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Public => "public",
        }
    }

    fn lifetime(self) -> Duration {
        match self {
            Self::Full => Duration::MAX,
            Self::Public => PUBLIC_LIFETIME,
        }
    }
}

/// An address of the admin API that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("admin: cannot listen on {address}: {source}")]
pub struct AdminBindError {
    /// Where.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

/// A bound address that is not served yet.
#[derive(Debug)]
pub struct AdminListener {
    listener: TcpListener,
    scope: Scope,
    address: SocketAddr,
}

impl AdminListener {
    /// Binds an address. Must be called on the control runtime.
    ///
    /// # Errors
    /// The address cannot be had: in use, not this machine's, not permitted.
    pub async fn bind(address: SocketAddr, scope: Scope) -> Result<Self, AdminBindError> {
        let fail = |source| AdminBindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, scope, address })
    }

    /// The real address: a port 0 has become one that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it serves.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Serves these routes for as long as the task lives.
    pub(super) async fn serve(self, router: Router) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let connection = connection(stream, router.clone(), self.scope.lifetime());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, lifetime: Duration) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // However it ends (a client that left, broke the protocol or took too long), nobody is left to be told.
    let _ = tokio::time::timeout(lifetime, serving).await;
}
