//! One request on a connection of its own, and the answer as it came: for what a real client's report does not tell.

use crate::wait::DEADLINE;
use anyhow::{Context, Result};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// Its headers, and its trailers after them.
    pub fields: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// A header or trailer; empty if there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// gRPC's status and message.
    #[must_use]
    pub fn grpc(&self) -> (&str, &str) {
        (self.field("grpc-status"), self.field("grpc-message"))
    }
}

/// Makes a gRPC call without a message.
///
/// # Errors
/// If there is no answer.
pub fn grpc(target: &str, path: &str) -> Result<Answer> {
    let request = Request::post(format!("http://{target}{path}"));
    send(target, request.header("content-type", "application/grpc").header("te", "trailers").body(())?)
}

/// Makes a plain request with one header more.
///
/// # Errors
/// If there is no answer.
pub fn get(target: &str, path: &str, header: (&str, &str)) -> Result<Answer> {
    send(target, Request::get(format!("http://{target}{path}")).header(header.0, header.1).body(())?)
}

fn send(target: &str, request: Request<()>) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = async { tokio::time::timeout(DEADLINE, exchange(target, request)).await };
    runtime.block_on(answer).with_context(|| format!("{target} did not answer in time"))?
}

async fn exchange(target: &str, request: Request<()>) -> Result<Answer> {
    let (client, connection) = h2::client::handshake(TcpStream::connect(target).await?).await?;
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await?;
    let (answer, _no_body) = client.send_request(request, true)?;
    let (head, mut stream) = answer.await?.into_parts();
    let mut body = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part?;
        body.extend_from_slice(&part);
        stream.flow_control().release_capacity(part.len())?;
    }
    let mut fields = head.headers;
    fields.extend(stream.trailers().await?.unwrap_or_default());
    connection.abort();
    Ok(Answer { status: head.status.as_u16(), fields, body: String::from_utf8_lossy(&body).into_owned() })
}
