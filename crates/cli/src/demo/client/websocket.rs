//! A WebSocket client: a message, its echo, a little time, and again.

use super::{Opening, PACE, wrong_answer};
use crate::demo::dial::Dial;
use crate::demo::way;
use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};

/// Sends messages over one WebSocket. Only a failure ends it.
pub(super) async fn converse(dial: &Dial, opening: Opening) -> io::Result<()> {
    let uri = http::Uri::from_static("ws://demo/websocket");
    let request = ClientRequestBuilder::new(uri).with_header(way::HEADER, dial.way().name());
    let socket = dial.connect().await?;
    let (mut websocket, _) = client_async(request, socket).await.map_err(io::Error::other)?;
    let mut opening = Some(opening);
    let message = Message::binary(dial.way().message().to_vec());
    loop {
        websocket.send(message.clone()).await.map_err(io::Error::other)?;
        let echo = websocket.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        if echo.map_err(io::Error::other)? != message {
            return Err(wrong_answer());
        }
        drop(opening.take());
        tokio::time::sleep(PACE).await;
    }
}
