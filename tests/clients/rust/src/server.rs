//! The server: the methods of the service; every answer bears the server's name. Run by `main`.

use crate::codec::{Raw, SERVICE};
use crate::codes::code_named;
use crate::watched::Watched;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::{self, BoxStream};
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Sender};
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};
use tower_service::Service;

type Answers = BoxStream<'static, Result<Bytes, Status>>;
type Answered = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

/// A server for each name, each on a port of its own: the first on this one, the others on free ones.
pub(crate) async fn serve_all(port: u16, names: &[String], delay: Duration) -> anyhow::Result<()> {
    let ports = std::iter::once(port).chain(std::iter::repeat(0));
    let serve_one = |(name, port): (&String, u16)| {
        serve(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), name.clone(), delay)
    };
    try_join_all(names.iter().zip(ports).map(serve_one)).await?;
    Ok(())
}

/// Serves h2c until SIGTERM, then lets the calls in flight end.
async fn serve(address: SocketAddr, name: String, delay: Duration) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let incoming = TcpIncoming::bind(address)?.with_nodelay(Some(true));
    println!("READY {}", incoming.local_addr()?.port());
    let echo = Echo { name: name.into(), delay, watched: Watched::default() };
    let stop = async move {
        terminate.recv().await;
    };
    Ok(Server::builder().serve_with_incoming_shutdown(echo, incoming, stop).await?)
}

/// What a method does with the requests.
#[derive(Clone, Copy)]
enum Answer {
    Same,
    Many,
    Joined,
    Each,
    OnceCancelled,
}

#[derive(Clone)]
struct Echo {
    name: Arc<str>,
    delay: Duration,
    watched: Watched,
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(SERVICE));
        let answer = match method {
            Some("/Unary") => Answer::Same,
            Some("/ServerStream") => Answer::Many,
            Some("/ClientStream") => Answer::Joined,
            Some("/Bidi") => Answer::Each,
            Some("/Cancelled") => Answer::OnceCancelled,
            _ => {
                let status = Status::unimplemented(path.to_owned());
                return Box::pin(ready(Ok(status.into_http())));
            }
        };
        let echo = self.clone();
        let method = Method { name: echo.name, delay: echo.delay, watched: echo.watched, answer };
        let mut server = tonic::server::Grpc::new(Raw).accept_compressed(Gzip);
        if request.headers().contains_key("x-gzip") {
            server = server.send_compressed(Gzip);
        }
        Box::pin(async move { Ok(server.streaming(method, request).await) })
    }
}

/// One call. All four are served as streams, because only the end of a stream takes trailers of ours.
struct Method {
    name: Arc<str>,
    delay: Duration,
    watched: Watched,
    answer: Answer,
}

impl Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<Answers>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        ready(self.begin(request))
    }
}

impl Method {
    /// The headers go out at once, unless the trailers shall be all, and the answers as they come.
    fn begin(&self, request: Request<Streaming<Bytes>>) -> Result<Response<Answers>, Status> {
        let name = MetadataValue::from_str(&self.name).map_err(|_| Status::internal("name"))?;
        let asked = Asked::new(request.metadata(), self.delay, &name, &self.watched)?;
        if request.metadata().contains_key("x-trailers-only") {
            return Err(asked.end);
        }
        let (out, mut answers) = mpsc::channel(1);
        tokio::spawn(asked.answer(self.answer, request.into_inner(), out));
        let mut response = Response::new(stream::poll_fn(move |cx| answers.poll_recv(cx)).boxed());
        response.metadata_mut().insert("x-backend", name);
        Ok(response)
    }
}

/// What the metadata of a call asks for.
struct Asked {
    delay: Duration,
    count: usize,
    /// Its key, if somebody wants to know that it was cancelled.
    watch: Option<String>,
    watched: Watched,
    end: Status,
}

impl Asked {
    fn new(
        given: &MetadataMap,
        delay: Duration,
        name: &MetadataValue<Ascii>,
        watched: &Watched,
    ) -> Result<Self, Status> {
        let text = |key| given.get(key).and_then(|value| value.to_str().ok());
        let number = |key, otherwise| match text(key) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| Status::invalid_argument(key)),
        };
        let delay_ms: u64 = number("x-delay-ms", delay.as_millis() as u64)?;
        let mut trailers = MetadataMap::new();
        trailers.insert("x-backend-trailer", name.clone());
        if let Some(value) = given.get("x-echo") {
            trailers.insert("x-echo", value.clone());
        }
        if let Some(value) = given.get_bin("x-echo-bin") {
            trailers.insert_bin("x-echo-bin", value.clone());
        }
        let details =
            given.get_bin("x-details-bin").and_then(|value| value.to_bytes().ok()).unwrap_or_default();
        let (code, message) = match text("x-fail").map(|fail| fail.split_once(':').unwrap_or((fail, ""))) {
            None => (Code::Ok, ""),
            Some((name, message)) => (code_named(name)?, message),
        };
        Ok(Self {
            delay: Duration::from_millis(delay_ms),
            count: number("x-count", 5)? as usize,
            watch: text("x-watch").map(str::to_owned),
            watched: watched.clone(),
            end: Status::with_details_and_metadata(code, message, details, trailers),
        })
    }

    async fn answer(self, answer: Answer, requests: Streaming<Bytes>, out: Sender<Result<Bytes, Status>>) {
        tokio::select! {
            () = tokio::time::sleep(self.delay) => {}
            () = out.closed() => {
                if let Some(key) = &self.watch {
                    self.watched.mark(key);
                }
            }
        }
        let end = match self.messages(answer, requests, &out).await {
            Ok(()) => self.end,
            Err(status) => status,
        };
        // Whoever called has gone when nobody takes it.
        let _gone = out.send(Err(end)).await;
    }

    async fn messages(
        &self,
        answer: Answer,
        mut requests: Streaming<Bytes>,
        out: &Sender<Result<Bytes, Status>>,
    ) -> Result<(), Status> {
        if self.end.code() != Code::Ok {
            return Ok(());
        }
        let gone = |_| Status::cancelled("the caller has gone");
        let mut joined = BytesMut::new();
        while let Some(request) = requests.message().await? {
            match answer {
                Answer::Same | Answer::Each => out.send(Ok(request)).await.map_err(gone)?,
                Answer::OnceCancelled => {
                    self.watched.marked(&String::from_utf8_lossy(&request)).await;
                    out.send(Ok(request)).await.map_err(gone)?;
                }
                Answer::Joined => joined.extend_from_slice(&request),
                Answer::Many => {
                    for _ in 0..self.count {
                        out.send(Ok(request.clone())).await.map_err(gone)?;
                    }
                }
            }
        }
        if let Answer::Joined = answer {
            out.send(Ok(joined.freeze())).await.map_err(gone)?;
        }
        Ok(())
    }
}
