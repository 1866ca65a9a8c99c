//! An HTTP/2 endpoint on the `h2` crate, which refuses malformed requests by itself, and records those that are whole.

use anyhow::Result;
use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::net::{TcpListener, TcpStream};

type Messages = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// The endpoint.
#[derive(Debug)]
pub(crate) struct H2Recorder {
    address: String,
    messages: Messages,
}

impl H2Recorder {
    pub(crate) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let recorder = Self { address: listener.local_addr()?.to_string(), messages: Messages::default() };
        let messages = recorder.messages.clone();
        thread::spawn(move || {
            runtime.block_on(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    // A connection ends when Evenkeel closes it.
                    tokio::spawn(serve(stream, messages.clone()));
                }
            });
        });
        Ok(recorder)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whole messages since the last question: method and target, and body.
    pub(crate) fn take(&self) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn serve(stream: TcpStream, messages: Messages) -> Result<()> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, answer) = request?;
        tokio::spawn(one(request, answer, messages.clone()));
    }
    Ok(())
}

async fn one(
    request: Request<h2::RecvStream>,
    mut answer: SendResponse<Bytes>,
    messages: Messages,
) -> Result<()> {
    let (head, mut body) = request.into_parts();
    let mut whole = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        whole.extend_from_slice(&part);
    }
    body.trailers().await?;
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let line = format!("{} {target}", head.method);
    messages.lock().unwrap_or_else(PoisonError::into_inner).push((line, whole));
    answer.send_response(Response::builder().header("content-length", 0).body(())?, true)?;
    Ok(())
}
