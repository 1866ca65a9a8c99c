//! A WebSocket backend: it sends every message back.

use super::counts::Counts;
use crate::demo::way;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};

/// Hears which way the handshake came.
struct Way<'w>(&'w mut Option<way::Way>);

impl Callback for Way<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        *self.0 = way::of_headers(request.headers());
        Ok(response)
    }
}

/// Serves a connection until its client ends it.
pub(super) async fn serve(socket: TcpStream, counts: &Arc<Counts>) {
    let mut way = None;
    let accepted = accept_hdr_async(socket, Way(&mut way)).await;
    let (Ok(mut websocket), Some(way)) = (accepted, way) else { return };
    let session = counts.session(way);
    while let Some(Ok(message)) = websocket.next().await {
        // The close frame is answered by the library.
        if message.is_binary() {
            session.count();
            if websocket.send(message).await.is_err() {
                return;
            }
        }
    }
}
