//! A gRPC client: one HTTP/2 connection with unary calls in flight on it, as a gRPC channel does.

use super::Opening;
use crate::demo::backend::MESSAGE;
use crate::demo::dial::Dial;
use crate::demo::way::{self, Way};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::task::JoinSet;

/// Calls that each client has in flight.
pub(in crate::demo) const IN_FLIGHT: usize = 20;

/// Calls over one connection until it ends. Fails if it could not be made.
pub(super) async fn converse(dial: &Dial, errors: &Arc<AtomicU64>, opening: Opening) -> io::Result<()> {
    let socket = dial.connect().await?;
    let (sender, connection) = h2::client::handshake(socket).await.map_err(io::Error::other)?;
    // Its failure is that of the calls on it, where it is counted.
    tokio::spawn(connection);
    let mut lanes = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        lanes.spawn(call_after_call(sender.clone(), dial.way(), errors.clone()));
    }
    drop((sender, opening));
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
