//! A client of server-sent events: one request, whose answer does not end.

use super::{Opening, http, wrong_answer};
use crate::demo::backend::EVENT;
use crate::demo::dial::Dial;
use http_body_util::BodyExt;
use std::io;

/// Reads events until the stream ends, which it should not.
pub(super) async fn converse(dial: &Dial, opening: Opening) -> io::Result<()> {
    let mut sender = http::connect(dial).await?;
    let mut body = http::ask(&mut sender, "/sse", dial.way()).await?.into_body();
    let mut opening = Some(opening);
    // Of the event that is coming.
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        for byte in frame.data_ref().into_iter().flatten() {
            if *byte != EVENT[read] {
                return Err(wrong_answer());
            }
            read = (read + 1) % EVENT.len();
        }
        drop(opening.take());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
