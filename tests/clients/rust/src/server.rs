//! The server: four methods; every answer bears the server's name. Run by `main`.

use crate::SERVICE;
use crate::codec::Raw;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tonic::body::Body;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};
use tower_service::Service;

type Answers = BoxStream<'static, Result<Bytes, Status>>;
type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Serves h2c until SIGTERM, then lets the calls in flight end.
pub(crate) async fn serve(address: SocketAddr, name: String, delay: Duration) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let incoming = TcpIncoming::bind(address)?.with_nodelay(Some(true));
    println!("READY {}", incoming.local_addr()?.port());
    let echo = Echo { name: name.into(), delay };
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
}

#[derive(Clone)]
struct Echo {
    name: Arc<str>,
    delay: Duration,
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pending<Self::Response, Infallible>;

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
            _ => {
                let status = Status::unimplemented(path.to_owned());
                return Box::pin(std::future::ready(Ok(status.into_http())));
            }
        };
        let method = Method { name: self.name.clone(), delay: self.delay, answer };
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).streaming(method, request).await) })
    }
}

/// One call. All four are served as streams, because only the end of a stream takes trailers of ours.
struct Method {
    name: Arc<str>,
    delay: Duration,
    answer: Answer,
}

impl Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<Answers>;
    type Error = Status;
    type Future = Pending<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let answer = self.answer;
        let begun = Begun::new(&self.name, self.delay, request.metadata());
        let name = MetadataValue::from_str(&self.name);
        Box::pin(async move {
            let begun = begun?;
            let count = begun.count;
            let end = begun.end.clone();
            let answers = stream::once(begun.wait()).flat_map(move |proceed| match proceed {
                Ok(()) => answers(answer, count, request_stream(&end), end.clone()),
                Err(status) => stream::iter([Err(status)]).boxed(),
            });
            let _ = request;
            let mut response = Response::new(answers.boxed());
            response.metadata_mut().insert("x-backend", name.map_err(|_| Status::internal("name"))?);
            Ok(response)
        })
    }
}
