//! Where the demo's clients connect: to a Service as kube-proxy holds it, or to Evenkeel.

use super::way::Way;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;

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
        // A new state hashes with keys of its own: chance enough for a few connections.
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

    /// A new connection.
    ///
    /// # Errors
    /// Nobody is there.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let address = match self {
            Self::Service(table) => table.choose().ok_or(io::ErrorKind::ConnectionRefused)?,
            Self::Evenkeel(address) => *address,
        };
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }
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
