//! A gRPC backend: unary calls over HTTP/2 by prior knowledge.

use super::counts::Counts;
use crate::demo::way::{self, Way};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// One gRPC message: not compressed, sixteen bytes.
pub(in crate::demo) const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x10sixteen bytes ok");

/// Calls that one connection may have in flight, of any way.
const MAX_CALLS: u32 = 1000;

/// The shortest time that a call takes.
const BASE_TIME: Duration = Duration::from_millis(15);

/// Serves a connection until its client or `leaving` ends it.
pub(super) async fn serve(socket: TcpStream, counts: &Arc<Counts>, mut leaving: watch::Receiver<bool>) {
    let mut builder = h2::server::Builder::new();
    let Ok(mut connection) = builder.max_concurrent_streams(MAX_CALLS).handshake(socket).await else {
        return;
    };
    let mut was_asked = false;
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                tokio::spawn(answer(request, respond, counts.clone()));
            }
            _ = leaving.changed(), if !was_asked => {
                was_asked = true;
                connection.graceful_shutdown();
            }
        }
    }
}

/// A call that its client gives up needs no answer, so failures end here.
async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, counts: Arc<Counts>) {
    let number = way::of_headers(request.headers()).map_or(0, |way: Way| counts.count(way));
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
