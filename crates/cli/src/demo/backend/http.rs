//! An HTTP/1.1 backend with keep-alive.

use super::counts::Counts;
use crate::demo::way;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// What a request takes.
const TIME: Duration = Duration::from_millis(2);

/// Serves a connection until its client ends it.
pub(super) async fn serve(socket: TcpStream, counts: &Arc<Counts>) {
    let answer = |request: Request<Incoming>| async move {
        if let Some(way) = way::of_headers(request.headers()) {
            counts.count(way);
        }
        tokio::time::sleep(TIME).await;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello\n"))))
    };
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer)).await;
}
