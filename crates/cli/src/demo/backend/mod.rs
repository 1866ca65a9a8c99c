//! The demo's backends: servers on loopback that count what reaches them. What they count is what the demo shows. They know
//! nothing of Evenkeel.

mod counts;
mod events;
mod grpc;
mod http;
mod tcp;
mod websocket;

use super::kind::Kind;
use super::way::Way;
use counts::Counts;
pub(super) use events::EVENT;
pub(super) use grpc::MESSAGE;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// A running backend. Dropping it lets it end by itself, as [`leave`](Self::leave) does.
pub(super) struct Backend {
    /// Where it listens.
    pub(super) address: SocketAddr,
    counts: Arc<Counts>,
    leaving: watch::Sender<bool>,
}

impl Backend {
    /// Listens on a free port of loopback and serves this kind there, on the threads of this runtime.
    ///
    /// # Errors
    /// No port can be had.
    pub(super) fn open(runtime: &Handle, kind: Kind) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let counts = Arc::<Counts>::default();
        let (leaving, watcher) = watch::channel(false);
        runtime.spawn(accept(listener, kind, counts.clone(), watcher));
        Ok(Self { address, counts, leaving })
    }

    /// Calls, messages or whatever its kind counts that ever reached it this way.
    pub(super) fn calls(&self, way: Way) -> u64 {
        self.counts.calls(way)
    }

    /// Sessions of this way that it holds now; none of a kind whose connections are not sessions of its own.
    pub(super) fn sessions(&self, way: Way) -> u64 {
        self.counts.sessions(way)
    }

    /// Ends as a well-behaved server does: no new connection, GOAWAY on the open ones, calls in flight are answered.
    pub(super) fn leave(&self) {
        self.leaving.send_replace(true);
    }
}

async fn accept(listener: TcpListener, kind: Kind, counts: Arc<Counts>, mut leaving: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors is the only failure here: the next connection may have better luck.
                if let Ok((socket, _)) = accepted {
                    tokio::spawn(serve(socket, kind, counts.clone(), leaving.clone()));
                }
            }
            _ = leaving.changed() => return,
        }
    }
}

/// Serves a connection to its end. Whoever is at the other end learns of a failure by that, and counts it.
async fn serve(socket: TcpStream, kind: Kind, counts: Arc<Counts>, leaving: watch::Receiver<bool>) {
    let _ = socket.set_nodelay(true);
    match kind {
        Kind::Grpc => grpc::serve(socket, &counts, leaving).await,
        Kind::Http => http::serve(socket, &counts).await,
        Kind::WebSocket => websocket::serve(socket, &counts).await,
        Kind::Events => events::serve(socket, &counts).await,
        Kind::Tcp => tcp::serve(socket, &counts).await,
    }
}
