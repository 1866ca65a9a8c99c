//! The demo's clients: each has one connection that it never closes. They know an address to dial, and not who answers there.

mod events;
mod grpc;
mod http;
mod tcp;
mod websocket;

use super::dial::Dial;
use super::kind::Kind;
pub(super) use grpc::IN_FLIGHT;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How long a client waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(100);

/// Time between two messages of a connection that has only one under way.
const PACE: Duration = Duration::from_millis(10);

/// How long clients may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says, by being dropped, that a connection stands and was answered.
type Opening = oneshot::Sender<()>;

/// Clients of one kind. Dropping them ends their connections.
#[derive(Default)]
pub(super) struct Clients(Vec<JoinSet<()>>);

impl Clients {
    /// Lets `count` more clients come on each of these ways, one after the other, and returns when all are there. What fails
    /// later is counted in the way's `errors`.
    ///
    /// # Errors
    /// They cannot connect.
    pub(super) fn come(
        &mut self,
        runtime: &Handle,
        (kind, count): (Kind, usize),
        ways: &[(Dial, Arc<AtomicU64>)],
    ) -> io::Result<()> {
        for (dial, errors) in ways {
            let (sender, all) = mpsc::channel();
            let (dial, errors) = (dial.clone(), errors.clone());
            runtime.spawn(async move {
                let mut clients = JoinSet::new();
                for _ in 0..count {
                    let (opening, opened) = oneshot::channel();
                    clients.spawn(client(kind, dial.clone(), errors.clone(), opening));
                    // Whether it could or not: the errors say.
                    let _ = opened.await;
                }
                let _ = sender.send(clients);
            });
            self.0.push(all.recv_timeout(PATIENCE).map_err(|_| io::ErrorKind::TimedOut)?);
        }
        Ok(())
    }
}

async fn client(kind: Kind, dial: Dial, errors: Arc<AtomicU64>, opening: Opening) {
    let mut opening = Some(opening);
    loop {
        let opening = opening.take().unwrap_or_else(|| oneshot::channel().0);
        let ended = match kind {
            Kind::Grpc => grpc::converse(&dial, &errors, opening).await,
            Kind::Http => http::converse(&dial, opening).await,
            Kind::WebSocket => websocket::converse(&dial, opening).await,
            Kind::Events => events::converse(&dial, opening).await,
            Kind::Tcp => tcp::converse(&dial, opening).await,
        };
        if ended.is_err() {
            errors.fetch_add(1, Relaxed);
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// An answer that is not what was asked for.
fn wrong_answer() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a wrong answer")
}
