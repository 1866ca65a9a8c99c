//! A TCP backend: it sends every byte back. The first byte says which way the connection came.

use super::counts::Counts;
use crate::demo::way::{MESSAGE_BYTES, Way};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Serves a connection until its client ends it.
pub(super) async fn serve(mut socket: TcpStream, counts: &Arc<Counts>) {
    let mut message = [0; MESSAGE_BYTES];
    let mut session = None;
    while socket.read_exact(&mut message).await.is_ok() {
        if session.is_none() {
            session = Way::of_initial(message[0]).map(|way| counts.session(way));
        }
        let Some(session) = &session else { return };
        session.count();
        if socket.write_all(&message).await.is_err() {
            return;
        }
    }
}
