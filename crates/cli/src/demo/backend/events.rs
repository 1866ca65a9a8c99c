//! A backend of server-sent events: one that does not end on every request, at a steady pace.

use super::counts::{Counts, Session};
use crate::demo::way;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// One event.
pub(in crate::demo) const EVENT: &[u8] = b"data: sixteen bytes ok\n\n";

/// Time between two events of a stream.
const PACE: Duration = Duration::from_millis(10);

/// Serves a connection until its client ends it.
pub(super) async fn serve(socket: TcpStream, counts: &Arc<Counts>) {
    let answer = |request: Request<Incoming>| {
        let session = way::of_headers(request.headers()).map(|way| counts.session(way));
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut response = Response::new(Events { pace, session });
        let content_type = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        std::future::ready(Ok::<_, Infallible>(response))
    };
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer)).await;
}

/// A body of events.
struct Events {
    pace: Interval,
    session: Option<Session>,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.pace.poll_tick(context).map(|_| {
            if let Some(session) = &self.session {
                session.count();
            }
            Some(Ok(Frame::data(Bytes::from_static(EVENT))))
        })
    }
}
