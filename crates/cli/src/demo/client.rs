//! The demo's clients: each has one HTTP/2 connection that it never closes and keeps unary calls in flight on it, as a gRPC
//! channel does. They know an address to dial, and not who answers there.

use super::backend::MESSAGE;
use super::way::{self, Way};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Clients of each way.
pub(super) const CLIENTS: usize = 4;

/// Calls that each client has in flight.
pub(super) const IN_FLIGHT: usize = 20;

/// How long a client waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(100);

/// The endpoints behind a Service's address as kube-proxy holds them: one of them is chosen, by chance, when a connection
/// opens, and never again.
#[derive(Default)]
pub(super) struct ServiceTable(Mutex<Vec<SocketAddr>>);

impl ServiceTable {
    /// The endpoints from now on. Open connections stay where they are.
    pub(super) fn set(&self, endpoints: Vec<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = endpoints;
    }

    /// The endpoint of a new connection; none where there are none.
    fn choose(&self) -> Option<SocketAddr> {
        let endpoints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A new state hashes with keys of its own: chance enough for four connections.
        let chance = RandomState::new().hash_one(());
        let at = usize::try_from(chance % u64::try_from(endpoints.len().max(1)).ok()?).ok()?;
        endpoints.get(at).copied()
    }
}

/// Where a client connects.
#[derive(Clone)]
pub(super) enum Dial {
    /// A Service's address: the kernel chooses the endpoint.
    Service(Arc<ServiceTable>),
    /// Evenkeel.
    Evenkeel(SocketAddr),
}

impl Dial {
    /// The way that its calls take.
    pub(super) fn way(&self) -> Way {
        match self {
            Self::Service(_) => Way::Pinned,
            Self::Evenkeel(_) => Way::Evenkeel,
        }
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Service(table) => table.choose().ok_or_else(|| io::ErrorKind::ConnectionRefused.into()),
            Self::Evenkeel(address) => Ok(*address),
        }
    }
}

/// Starts the clients of one way. They go on until the runtime ends; calls that fail are counted in `errors`.
pub(super) fn start(runtime: &Handle, dial: &Dial, errors: &Arc<AtomicU64>) {
    for _ in 0..CLIENTS {
        runtime.spawn(client(dial.clone(), errors.clone()));
    }
}

async fn client(dial: Dial, errors: Arc<AtomicU64>) {
    loop {
        if converse(&dial, &errors).await.is_err() {
            errors.fetch_add(1, Relaxed);
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Calls over one connection until it ends. Fails if it could not be made.
async fn converse(dial: &Dial, errors: &Arc<AtomicU64>) -> io::Result<()> {
    let socket = TcpStream::connect(dial.address()?).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = h2::client::handshake(socket).await.map_err(io::Error::other)?;
    // Its failure is that of the calls on it, where it is counted.
    tokio::spawn(connection);
    let mut lanes = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        lanes.spawn(call_after_call(sender.clone(), dial.way(), errors.clone()));
    }
    while lanes.join_next().await.is_some() {}
    Ok(())
}

/// One call at a time for as long as the connection takes any.
async fn call_after_call(mut sender: SendRequest<Bytes>, way: Way, errors: Arc<AtomicU64>) {
    while let Ok(ready) = sender.clone().ready().await {
        sender = ready;
        if !matches!(call(&mut sender, way).await, Ok(true)) {
            errors.fetch_add(1, Relaxed);
        }
    }
}

/// Whether the call was answered in full, with its message and the status OK.
async fn call(sender: &mut SendRequest<Bytes>, way: Way) -> Result<bool, h2::Error> {
    let request = Request::post("http://demo/evenkeel.Demo/Call")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(way::HEADER, way.name())
        .body(())
        .expect("every part of it is a constant");
    let (response, mut stream) = sender.send_request(request, false)?;
    stream.send_data(MESSAGE, true)?;
    let mut body = response.await?.into_body();
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        length += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    let trailers = body.trailers().await?;
    let is_ok = trailers.is_some_and(|t| t.get("grpc-status").is_some_and(|status| status == "0"));
    Ok(is_ok && length == MESSAGE.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_chooses_among_its_endpoints_by_chance() {
        let table = ServiceTable::default();
        assert_eq!(table.choose(), None);
        let endpoints: Vec<SocketAddr> = (1..=3).map(|port| ([127, 0, 0, 1], port).into()).collect();
        table.set(endpoints.clone());
        let mut left = endpoints.clone();
        // Each is missed a thousand times in a row once in 10^176 runs.
        for _ in 0..1000 {
            let chosen = table.choose().unwrap();
            assert!(endpoints.contains(&chosen));
            left.retain(|&endpoint| endpoint != chosen);
        }
        assert_eq!(left, []);
    }
}
