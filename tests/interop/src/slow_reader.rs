//! A client that asks for large streams and then stops reading, either the streams or the whole connection, until it is told to
//! read on; then it wants every byte. Knows the service of `tests/clients`. The slow-reader tests use it.

use crate::wait::DEADLINE;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::Request;
use std::future::Future;
use std::thread;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// A message's length on the wire with its prefix. Odd, so that a piece that is lost or doubled moves all that follow.
const PIECE: usize = 65_521;

/// Most that may take the answers of all streams to arrive once they are read.
const READ_ON: Duration = Duration::from_mins(1);

/// What is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// Each stream's window runs out; the connection itself is read.
    Streams,
    /// The socket: there is window for everything, and the kernel's buffers fill.
    Socket,
}

/// A client that has stopped reading.
#[derive(Debug)]
pub struct SlowReader {
    runtime: Runtime,
    reads: watch::Sender<bool>,
    sender: SendRequest<Bytes>,
    answers: Vec<RecvStream>,
    messages: usize,
}

impl SlowReader {
    /// Asks for so many streams of so many messages of 64 KiB on one connection, sees all the answers begin, and stops.
    ///
    /// # Errors
    /// If an answer does not begin.
    pub fn start(target: &str, stall: Stall, streams: usize, messages: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, connection) = within(&runtime, DEADLINE, connect(target, stall))??;
        let (reads, told) = watch::channel(true);
        // Of its own thread, so that the connection lives on while the test does something else.
        thread::spawn(move || drive(connection, told));
        let mut reader = Self { runtime, reads, sender, answers: Vec::new(), messages };
        for _ in 0..streams {
            let answer = reader.ask("ServerStream", messages)?;
            let answer = within(&reader.runtime, DEADLINE, answer)??;
            ensure!(answer.status() == 200, "{answer:?}");
            reader.answers.push(answer.into_body());
        }
        if stall == Stall::Socket {
            reader.reads.send(false)?;
        }
        Ok(reader)
    }

    /// Makes calls on the same connection, one after the other, and wants every byte of their answers.
    ///
    /// # Errors
    /// If one does not come back right.
    pub fn calls_beside(&mut self, calls: usize) -> Result<()> {
        for _ in 0..calls {
            let answer = self.ask("Unary", 1)?;
            within(&self.runtime, DEADLINE, async { read(answer.await?.into_body(), 1).await })??;
        }
        Ok(())
    }

    /// Reads all that it asked for and wants every byte.
    ///
    /// # Errors
    /// If something else comes, or not in a minute.
    pub fn read_on(mut self) -> Result<()> {
        self.reads.send(true)?;
        for answer in std::mem::take(&mut self.answers) {
            within(&self.runtime, READ_ON, read(answer, self.messages))??;
        }
        Ok(())
    }

    fn ask(&mut self, method: &str, messages: usize) -> Result<ResponseFuture> {
        let request = Request::post(format!("http://slow/evenkeel.test.Echo/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-count", messages)
            .body(())?;
        let (answer, body) = self.sender.send_request(request, false)?;
        within(&self.runtime, DEADLINE, send(body))??;
        Ok(answer)
    }
}

fn within<T>(runtime: &Runtime, time: Duration, work: impl Future<Output = T>) -> Result<T> {
    runtime
        .block_on(async { tokio::time::timeout(time, work).await })
        .context("the slow reader waits too long")
}

async fn connect(target: &str, stall: Stall) -> Result<(SendRequest<Bytes>, Connection<TcpStream, Bytes>)> {
    const MOST: u32 = (1 << 31) - 1;
    let window = if stall == Stall::Streams { 65_535 } else { MOST };
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).initial_connection_window_size(MOST);
    Ok(builder.handshake(TcpStream::connect(target).await?).await?)
}

/// Reads and writes while it is told to.
fn drive(mut connection: Connection<TcpStream, Bytes>, mut told: watch::Receiver<bool>) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    let _ended = runtime.block_on(async {
        while told.wait_for(|reads| *reads).await.is_ok() {
            tokio::select! {
                ended = &mut connection => return ended.map_err(anyhow::Error::from),
                _ = told.wait_for(|reads| !*reads) => {}
            }
        }
        Ok(())
    });
}

/// The bytes of a message with its prefix.
fn piece() -> Vec<u8> {
    let length = PIECE - 5;
    let mut bytes = vec![0];
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend((0..length).map(|at| (at * 31 % 251) as u8));
    bytes
}

async fn send(mut body: SendStream<Bytes>) -> Result<()> {
    let mut rest = Bytes::from(piece());
    while !rest.is_empty() {
        body.reserve_capacity(rest.len());
        let Some(capacity) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else {
            bail!("the request is not taken");
        };
        let part = rest.split_to(capacity?.min(rest.len()));
        body.send_data(part, rest.is_empty())?;
    }
    Ok(())
}

/// Reads an answer to its end: so many messages, every byte right, and gRPC's OK.
async fn read(mut body: RecvStream, messages: usize) -> Result<()> {
    let piece = piece();
    let mut at = 0;
    while let Some(part) = body.data().await {
        let part = part?;
        let mut left = &part[..];
        while !left.is_empty() {
            let wanted = &piece[at % PIECE..];
            let length = wanted.len().min(left.len());
            ensure!(left[..length] == wanted[..length], "other bytes from {at} on");
            at += length;
            left = &left[length..];
        }
        body.flow_control().release_capacity(part.len())?;
    }
    ensure!(at == messages * PIECE, "{at} bytes instead of {messages} times {PIECE}");
    let trailers = body.trailers().await?.context("no trailers")?;
    ensure!(trailers.get("grpc-status").is_some_and(|code| code == "0"), "{trailers:?}");
    Ok(())
}
