//! The demo's backends: gRPC servers on loopback that count the calls which reach them. What they count is what the demo
//! shows. They know nothing of Evenkeel.

use super::way::{self, Way};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// One gRPC message: not compressed, sixteen bytes.
pub(super) const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x10sixteen bytes ok");

/// Calls that one connection may have in flight, of any way.
const MAX_CALLS: u32 = 1000;

/// The shortest time that a call takes.
const BASE_TIME: Duration = Duration::from_millis(15);

/// A running backend. Dropping it lets it end by itself, as [`leave`](Self::leave) does.
pub(super) struct Backend {
    /// Where it listens.
    pub(super) address: SocketAddr,
    calls: Arc<Calls>,
    leaving: watch::Sender<bool>,
}

#[derive(Default)]
struct Calls([AtomicU64; 2]);

impl Calls {
    /// Counts a call and gives its number, from zero.
    fn count(&self, way: Way) -> u64 {
        self.0[way as usize].fetch_add(1, Relaxed)
    }
}

impl Backend {
    /// Listens on a free port of loopback and serves there, on the threads of this runtime.
    ///
    /// # Errors
    /// No port can be had.
    pub(super) fn open(runtime: &Handle) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let calls = Arc::<Calls>::default();
        let (leaving, watcher) = watch::channel(false);
        runtime.spawn(accept(listener, calls.clone(), watcher));
        Ok(Self { address, calls, leaving })
    }

    /// Calls that ever reached it this way.
    pub(super) fn calls(&self, way: Way) -> u64 {
        self.calls.0[way as usize].load(Relaxed)
    }

    /// Ends as a well-behaved server does: no new connection, GOAWAY on the open ones, calls in flight are answered.
    pub(super) fn leave(&self) {
        self.leaving.send_replace(true);
    }
}

async fn accept(listener: TcpListener, calls: Arc<Calls>, mut leaving: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors is the only failure here: the next connection may have better luck.
                if let Ok((socket, _)) = accepted {
                    tokio::spawn(serve(socket, calls.clone(), leaving.clone()));
                }
            }
            _ = leaving.changed() => return,
        }
    }
}

async fn serve(socket: TcpStream, calls: Arc<Calls>, mut leaving: watch::Receiver<bool>) {
    // Whoever is at the other end learns of a failure by the connection's end, and counts it.
    let _ = socket.set_nodelay(true);
    let mut builder = h2::server::Builder::new();
    let Ok(mut connection) = builder.max_concurrent_streams(MAX_CALLS).handshake(socket).await else {
        return;
    };
    let mut was_asked = false;
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                tokio::spawn(answer(request, respond, calls.clone()));
            }
            _ = leaving.changed(), if !was_asked => {
                was_asked = true;
                connection.graceful_shutdown();
            }
        }
    }
}

/// A call that its client gives up needs no answer, so failures end here.
async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, calls: Arc<Calls>) {
    let way = request.headers().get(way::HEADER).and_then(|value| Way::of_name(value.as_bytes()));
    let number = way.map_or(0, |way| calls.count(way));
    let mut body = request.into_body();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
    }
    tokio::time::sleep(time_of(number)).await;
    let mut response = Response::new(());
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    if let Ok(mut stream) = respond.send_response(response, false) {
        let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        let _ = stream.send_data(MESSAGE, false);
        let _ = stream.send_trailers(HeaderMap::from_iter([status]));
    }
}

/// 15 to 25 ms, unlike from one call to the next.
fn time_of(number: u64) -> Duration {
    BASE_TIME + Duration::from_millis(number.wrapping_mul(7) % 11)
}
