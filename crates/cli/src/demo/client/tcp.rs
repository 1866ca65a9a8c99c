//! A TCP client: a few bytes, their echo, a little time, and again.

use super::{Opening, PACE, wrong_answer};
use crate::demo::dial::Dial;
use crate::demo::way::MESSAGE_BYTES;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends messages over one connection. Only a failure ends it.
pub(super) async fn converse(dial: &Dial, opening: Opening) -> io::Result<()> {
    let mut socket = dial.connect().await?;
    let mut opening = Some(opening);
    let message = dial.way().message();
    loop {
        socket.write_all(&message).await?;
        let mut echo = [0; MESSAGE_BYTES];
        socket.read_exact(&mut echo).await?;
        if echo != message {
            return Err(wrong_answer());
        }
        drop(opening.take());
        tokio::time::sleep(PACE).await;
    }
}
