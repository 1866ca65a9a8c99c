//! An endpoint that answers with as many bytes as the request asks for, and keeps all the rules of flow control: what slow
//! readers are offered.

use crate::bystander::SIZE;
use anyhow::Result;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::future::poll_fn;
use std::net::TcpListener;
use std::thread;
use tokio::net::TcpStream;

/// What is given to the library at once.
const PART: usize = 64 * 1024;

/// Starts one on a thread that lives until the test's process ends, and says where.
///
/// # Errors
/// If there is no port.
pub fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
    });
    Ok(address)
}

async fn serve(stream: TcpStream) {
    let mut server = h2::server::Builder::new();
    server.max_concurrent_streams(1_000).initial_window_size(1 << 20).initial_connection_window_size(1 << 24);
    let Ok(mut connection) = server.handshake(stream).await else { return };
    while let Some(Ok((request, answer))) = connection.accept().await {
        // A caller that goes away ends its answer, and nothing else.
        tokio::spawn(async move { give(request, answer).await.is_ok() });
    }
}

async fn give(
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
) -> std::result::Result<(), h2::Error> {
    let asked = request.headers().get(SIZE).and_then(|size| size.to_str().ok()?.parse().ok());
    let mut left: usize = asked.unwrap_or(5);
    let head = Response::builder().header("content-type", "application/grpc");
    let mut stream = answer.send_response(head.body(()).unwrap_or_default(), false)?;
    while left > 0 {
        stream.reserve_capacity(left.min(PART));
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await else { return Ok(()) };
        let now = room?.min(left).min(PART);
        stream.send_data(Bytes::from(vec![0; now]), false)?;
        left -= now;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
