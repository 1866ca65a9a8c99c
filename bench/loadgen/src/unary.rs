//! Unary HTTP/2 requests on hyper, whose connections come again when a server ends them: the load while backends come and
//! go. Called by `main`.
use crate::client::{Fail, report};
use crate::{Args, mono_ns};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Unary requests, `streams` at once on each connection. A connection that the
/// server ends (GOAWAY on a reload, say) is opened again, as gRPC clients do; a
/// request that fails for another reason counts as an error.
pub async fn h2(args: Args) {
    let addr = args.str("addr", "");
    let (conns, streams) = (args.num("conns", 1), args.num("streams", 1));
    let start = tokio::time::Instant::now();
    let end = start + Duration::from_secs(args.num("secs", 5));
    let errors = Arc::new(AtomicU64::new(0));
    let opened = Arc::new(AtomicU64::new(0));
    let mut set = JoinSet::new();
    for _ in 0..conns {
        let (addr, errors, opened) = (addr.clone(), errors.clone(), opened.clone());
        set.spawn(async move {
            let mut lat = Vec::new();
            while tokio::time::Instant::now() < end {
                match h2_conn(&addr, streams, end, &errors).await {
                    Ok(l) => lat.extend(l),
                    Err(_) => {
                        errors.fetch_add(1, Relaxed);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
                opened.fetch_add(1, Relaxed);
            }
            lat
        });
    }
    let mut all = Vec::new();
    while let Some(l) = set.join_next().await {
        all.extend(l.expect("task"));
    }
    let n = opened.load(Relaxed) as usize;
    report(all, start.elapsed().as_secs_f64(), n, errors.load(Relaxed), 0);
}

async fn h2_conn(
    addr: &str,
    streams: u64,
    end: tokio::time::Instant,
    errors: &Arc<AtomicU64>,
) -> Result<Vec<u32>, Fail> {
    let s = TcpStream::connect(addr).await?;
    s.set_nodelay(true)?;
    let (send, conn) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(s)).await?;
    let driver = tokio::spawn(conn);
    let uri = format!("http://{addr}/bench.Echo/Unary");
    let body = Bytes::from_static(b"\0\0\0\0\x20mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm");
    let mut set = JoinSet::new();
    for _ in 0..streams {
        let (mut send, uri, body, errors) = (send.clone(), uri.clone(), body.clone(), errors.clone());
        set.spawn(async move {
            let mut lat = Vec::new();
            while tokio::time::Instant::now() < end {
                let req = http::Request::post(uri.as_str())
                    .header("content-type", "application/grpc")
                    .header("te", "trailers")
                    .body(Full::new(body.clone()))
                    .expect("request");
                let t = mono_ns();
                if send.ready().await.is_err() {
                    break;
                }
                let done = match send.send_request(req).await {
                    Ok(r) => {
                        let good = r.status() == 200;
                        r.into_body().collect().await.map(|_| good)
                    }
                    Err(e) if e.is_canceled() || e.is_closed() => break,
                    Err(e) => Err(e),
                };
                match done {
                    Ok(true) => lat.push(((mono_ns() - t) / 1000) as u32),
                    _ => {
                        errors.fetch_add(1, Relaxed);
                        if done.is_err() {
                            break;
                        }
                    }
                }
            }
            lat
        });
    }
    drop(send);
    let mut all = Vec::new();
    while let Some(l) = set.join_next().await {
        all.extend(l?);
    }
    driver.abort();
    Ok(all)
}
