//! An HTTP/1.1 client with one connection that it keeps alive, and one request after the other on it.

use super::{Opening, wrong_answer};
use crate::demo::dial::Dial;
use crate::demo::way::{self, Way};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::io;

/// Asks over one connection. Only a failure ends it.
pub(super) async fn converse(dial: &Dial, opening: Opening) -> io::Result<()> {
    let mut sender = connect(dial).await?;
    let mut opening = Some(opening);
    loop {
        sender.ready().await.map_err(io::Error::other)?;
        let response = ask(&mut sender, "/http", dial.way()).await?;
        let body = response.into_body().collect().await.map_err(io::Error::other)?;
        if body.to_bytes().as_ref() != b"hello\n" {
            return Err(wrong_answer());
        }
        drop(opening.take());
    }
}

/// A new connection for HTTP/1.1.
pub(super) async fn connect(dial: &Dial) -> io::Result<SendRequest<Empty<Bytes>>> {
    let socket = TokioIo::new(dial.connect().await?);
    let (sender, connection) = handshake(socket).await.map_err(io::Error::other)?;
    // Its failure is that of the request on it.
    tokio::spawn(connection);
    Ok(sender)
}

/// The answer to one GET. Anything but 200 is a failure.
pub(super) async fn ask(
    sender: &mut SendRequest<Empty<Bytes>>,
    path: &'static str,
    way: Way,
) -> io::Result<Response<Incoming>> {
    let request = Request::get(path)
        .header("host", "demo")
        .header(way::HEADER, way.name())
        .body(Empty::new())
        .expect("every part of it is a constant");
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if response.status() == StatusCode::OK { Ok(response) } else { Err(wrong_answer()) }
}
