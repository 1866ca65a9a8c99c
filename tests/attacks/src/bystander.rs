//! Who must notice nothing: a client that keeps the rules, on a connection of its own, and counts its calls while they run.
//!
//! It is on the `h2` crate, in this process: the arena reads its count at any moment, which a client's report at its end does not
//! give. That gRPC libraries live beside bad peers is what the bad-input tests show.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use evenkeel_interop::wait::{DEADLINE, until};
use h2::client::SendRequest;
use http::Request;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// A method that every good server has: the answer is the request.
pub const PATH: &str = "/evenkeel.test.Echo/Unary";

/// The header in which [`crate::generous`] is told how much to give.
pub const SIZE: &str = "x-size";

/// Calls in flight.
const LANES: usize = 4;

/// Pause of a lane between two calls: some hundred calls a second, enough to notice any trouble and next to no load.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
struct Seen {
    begun: AtomicU64,
    calls: AtomicU64,
    /// The longest call, in microseconds.
    longest: AtomicU64,
    trouble: Mutex<Option<String>>,
    shall_end: AtomicBool,
}

/// The client.
#[derive(Debug)]
pub struct Bystander {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    /// Starts calling, and waits until calls come back.
    ///
    /// # Errors
    /// If they do not.
    pub fn start(address: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (seen, address) = (Arc::new(Seen::default()), address.to_owned());
        let its = seen.clone();
        let thread = thread::spawn(move || {
            if let Err(trouble) = runtime.block_on(calls(&address, &its)) {
                let mut first = its.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(format!("{trouble:#}"));
            }
        });
        let bystander = Self { seen, thread: Some(thread) };
        until("the bystander's calls come back", DEADLINE, || {
            bystander.is_well()?;
            Ok((bystander.calls() > 20).then_some(()))
        })?;
        Ok(bystander)
    }

    /// Calls that came back right.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.seen.calls.load(Ordering::Relaxed)
    }

    /// The longest call since the last question.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.seen.longest.swap(0, Ordering::Relaxed))
    }

    /// Sees that it had no error so far.
    ///
    /// # Errors
    /// With the first one.
    pub fn is_well(&self) -> Result<()> {
        let trouble = self.seen.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(
            trouble.is_none(),
            "the client beside it was disturbed: {}",
            trouble.clone().unwrap_or_default()
        );
        Ok(())
    }

    /// Waits for some more of its calls.
    ///
    /// # Errors
    /// If they fail, or do not come.
    pub fn goes_on(&self) -> Result<()> {
        let then = self.calls();
        until("the bystander goes on", DEADLINE, || {
            self.is_well()?;
            Ok((self.calls() > then + 20).then_some(()))
        })
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.seen.shall_end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It was asked for its trouble before.
            let _gone = thread.join();
        }
    }
}

async fn calls(address: &str, seen: &Arc<Seen>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (client, seen) = (client.clone(), seen.clone());
            tokio::spawn(async move { lane(client, &seen).await })
        })
        .collect();
    for lane in lanes {
        lane.await??;
    }
    Ok(())
}

async fn lane(mut client: SendRequest<Bytes>, seen: &Seen) -> Result<()> {
    while !seen.shall_end.load(Ordering::Relaxed) {
        let (start, number) = (Instant::now(), seen.begun.fetch_add(1, Ordering::Relaxed));
        client =
            tokio::time::timeout(DEADLINE, call(client, number)).await.context("a call without an end")??;
        let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        seen.longest.fetch_max(took, Ordering::Relaxed);
        seen.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn call(client: SendRequest<Bytes>, number: u64) -> Result<SendRequest<Bytes>> {
    let mut client = client.ready().await?;
    let request = Request::post(format!("http://beside{PATH}"));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    // Every real client has a header that is another one each time, and puts it into its table.
    let request = request.header("x-request-id", format!("{number:032x}")).body(())?;
    let (answer, mut stream) = client.send_request(request, false)?;
    stream.send_data(Bytes::from_static(&[0; 5]), true)?;
    let (head, mut body) = answer.await?.into_parts();
    let mut got = 0;
    while let Some(part) = body.data().await {
        let part = part?;
        got += part.len();
        body.flow_control().release_capacity(part.len())?;
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let status = trailers.get("grpc-status").or_else(|| head.headers.get("grpc-status"));
    let is_right = head.status == 200 && got == 5 && status.is_some_and(|status| status == "0");
    ensure!(is_right, "not the answer: {head:?}, {got} bytes, {trailers:?}");
    Ok(client)
}
