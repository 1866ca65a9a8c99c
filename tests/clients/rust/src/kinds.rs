//! Each kind of call once. Run by the client after its load.

use crate::channel::{backend_of, path, ready};
use crate::codec::Raw;
use crate::codes::name_of;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

type Outcome = Result<(), String>;

/// A google.rpc.Status: NOT_FOUND, "100% gone", and a detail of type a.test/Why.
const DETAILS: &[u8] = b"\x08\x05\x12\x09100% gone\x1a\x11\x0a\x0aa.test/Why\x12\x03\x00\x01\xff";

/// The largest message that every library takes without being told to.
const LARGEST: usize = 4 << 20;

/// What the client itself waits for a call with a deadline that the server lets pass.
const SHORT: Duration = Duration::from_millis(500);

/// Runs each kind and says for each `ok` or what failed.
pub(crate) async fn each(channel: &Channel, deadline: Duration) -> Value {
    let mut done = Map::new();
    let mut note = |kind: &str, outcome: Result<Outcome, _>| {
        let said = match outcome {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(why)) => format!("failed: {why}"),
            Err(tokio::time::error::Elapsed { .. }) => "failed: deadline".to_owned(),
        };
        done.insert(kind.to_owned(), said.into());
    };
    note("unary", tokio::time::timeout(deadline, unary(channel)).await);
    note("server_stream", tokio::time::timeout(deadline, server_stream(channel)).await);
    note("client_stream", tokio::time::timeout(deadline, client_stream(channel)).await);
    note("bidi", tokio::time::timeout(deadline, bidi(channel)).await);
    note("metadata", tokio::time::timeout(deadline, metadata(channel)).await);
    note("status", tokio::time::timeout(deadline, status(channel)).await);
    note("details", tokio::time::timeout(deadline, details(channel)).await);
    note("trailers_only", tokio::time::timeout(deadline, trailers_only(channel)).await);
    note("large", tokio::time::timeout(deadline, large(channel)).await);
    note("gzip", tokio::time::timeout(deadline, gzip(channel)).await);
    note("deadline", tokio::time::timeout(deadline, past_deadline(channel)).await);
    note("cancel", tokio::time::timeout(deadline, cancel(channel)).await);
    Value::Object(done)
}

fn said(status: &Status) -> String {
    format!("{}: {}", name_of(status.code()), status.message())
}

fn want(well: bool, what: impl FnOnce() -> String) -> Outcome {
    if well { Ok(()) } else { Err(what()) }
}

async fn called(channel: &Channel, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
    ready(channel).await?.unary(request, path("Unary"), Raw).await
}

async fn unary(channel: &Channel) -> Outcome {
    let answer = called(channel, Request::new(Bytes::from_static(b"one"))).await.map_err(|s| said(&s))?;
    want(answer.get_ref() == "one", || format!("answer {:?}", answer.get_ref()))?;
    want(backend_of(answer.metadata(), answer.metadata()).is_some(), || format!("{:?}", answer.metadata()))
}

async fn server_stream(channel: &Channel) -> Outcome {
    let mut request = Request::new(Bytes::from_static(b"many"));
    request.metadata_mut().insert("x-count", 7.into());
    let mut client = ready(channel).await.map_err(|s| said(&s))?;
    let mut answer =
        client.server_streaming(request, path("ServerStream"), Raw).await.map_err(|s| said(&s))?;
    for _ in 0..7 {
        next(&mut answer, b"many").await?;
    }
    end(answer).await
}

async fn client_stream(channel: &Channel) -> Outcome {
    let messages = stream::iter(["a", "", "bc"].map(|text| Bytes::from_static(text.as_bytes())));
    let mut client = ready(channel).await.map_err(|s| said(&s))?;
    let call = client.client_streaming(Request::new(messages), path("ClientStream"), Raw);
    let answer = call.await.map_err(|s| said(&s))?;
    want(answer.get_ref() == "abc", || format!("answer {:?}", answer.get_ref()))?;
    want(backend_of(answer.metadata(), answer.metadata()).is_some(), || format!("{:?}", answer.metadata()))
}

async fn bidi(channel: &Channel) -> Outcome {
    let client = ready(channel).await.map_err(|s| said(&s))?;
    each_echoed(client, [b"ping".to_vec(), Vec::new(), vec![b'x'; 70_000]], &[]).await
}

async fn gzip(channel: &Channel) -> Outcome {
    let client = ready(channel).await.map_err(|s| said(&s))?;
    let client = client.send_compressed(Gzip).accept_compressed(Gzip);
    each_echoed(client, [vec![b'z'; 100_000], b"plain".to_vec()], &["x-gzip"]).await
}

/// Sends each message once the one before has come back.
async fn each_echoed<const N: usize>(
    mut client: Grpc<Channel>,
    messages: [Vec<u8>; N],
    wishes: &[&'static str],
) -> Outcome {
    let (send, mut requests) = mpsc::channel::<Bytes>(1);
    let requests = stream::poll_fn(move |cx| requests.poll_recv(cx));
    let mut request = Request::new(requests);
    for wish in wishes {
        request.metadata_mut().insert(*wish, 1.into());
    }
    let mut answer = client.streaming(request, path("Bidi"), Raw).await.map_err(|s| said(&s))?;
    for message in messages {
        send.send(message.clone().into()).await.map_err(|_| "the call has ended".to_owned())?;
        next(&mut answer, &message).await?;
    }
    drop(send);
    end(answer).await
}

async fn next(answer: &mut Response<Streaming<Bytes>>, wanted: &[u8]) -> Outcome {
    let message = answer.get_mut().message().await.map_err(|s| said(&s))?;
    want(message.as_deref() == Some(wanted), || {
        format!("{:?} bytes instead of {}, or others", message.map(|message| message.len()), wanted.len())
    })
}

async fn end(mut answer: Response<Streaming<Bytes>>) -> Outcome {
    let more = answer.get_mut().message().await.map_err(|s| said(&s))?;
    want(more.is_none(), || "no end".to_owned())?;
    let trailers = answer.get_mut().trailers().await.map_err(|s| said(&s))?.unwrap_or_default();
    want(backend_of(answer.metadata(), &trailers).is_some(), || format!("trailers {trailers:?}"))
}

async fn metadata(channel: &Channel) -> Outcome {
    let binary: Vec<u8> = (0..=255).collect();
    let mut request = Request::new(Bytes::from_static(b"m"));
    request.metadata_mut().insert("x-echo", MetadataValue::from_static("some text"));
    request.metadata_mut().insert_bin("x-echo-bin", MetadataValue::from_bytes(&binary));
    let answer = called(channel, request).await.map_err(|s| said(&s))?;
    let text = answer.metadata().get("x-echo");
    want(text.is_some_and(|text| text == "some text"), || format!("x-echo {text:?}"))?;
    let bytes = answer.metadata().get_bin("x-echo-bin").and_then(|value| value.to_bytes().ok());
    want(bytes.as_deref() == Some(&binary[..]), || format!("x-echo-bin {bytes:?}"))
}

async fn status(channel: &Channel) -> Outcome {
    let mut request = Request::new(Bytes::from_static(b"s"));
    request.metadata_mut().insert("x-fail", MetadataValue::from_static("NOT_FOUND:100% gone"));
    match called(channel, request).await {
        Ok(_) => Err("no status".to_owned()),
        Err(status) => {
            want(status.code() == Code::NotFound && status.message() == "100% gone", || said(&status))
        }
    }
}

async fn details(channel: &Channel) -> Outcome {
    let mut request = Request::new(Bytes::from_static(b"d"));
    request.metadata_mut().insert("x-fail", MetadataValue::from_static("NOT_FOUND:100% gone"));
    request.metadata_mut().insert_bin("x-details-bin", MetadataValue::from_bytes(DETAILS));
    let Err(status) = called(channel, request).await else { return Err("no status".to_owned()) };
    want(status.code() == Code::NotFound && status.details() == DETAILS, || format!("{status:?}"))
}

async fn trailers_only(channel: &Channel) -> Outcome {
    let mut request = Request::new(Bytes::from_static(b"t"));
    request.metadata_mut().insert("x-trailers-only", 1.into());
    request.metadata_mut().insert("x-fail", MetadataValue::from_static("ABORTED:at once"));
    let Err(status) = called(channel, request).await else { return Err("no status".to_owned()) };
    want(status.code() == Code::Aborted && status.message() == "at once", || said(&status))?;
    let fields = status.metadata();
    want(!fields.contains_key("x-backend"), || format!("headers {fields:?}"))?;
    want(fields.contains_key("x-backend-trailer"), || format!("trailers {fields:?}"))
}

async fn large(channel: &Channel) -> Outcome {
    let sent: Bytes = (0..LARGEST).map(|at| (at % 251) as u8).collect();
    let answer = called(channel, Request::new(sent.clone())).await.map_err(|s| said(&s))?;
    want(*answer.get_ref() == sent, || format!("{} bytes, or others", answer.get_ref().len()))
}

/// A call that is not answered, and watched by this key.
fn slow<T>(message: T, key: &str) -> Result<Request<T>, String> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-watch", key.parse().map_err(|_| "no key".to_owned())?);
    request.metadata_mut().insert("x-delay-ms", 600_000.into());
    Ok(request)
}

fn new_key() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("rust-{}", since.as_nanos())
}

async fn past_deadline(channel: &Channel) -> Outcome {
    let key = new_key();
    let mut request = slow(Bytes::from_static(b"late"), &key)?;
    request.set_timeout(SHORT);
    // tonic itself does not look at the clock once the headers are there; who uses it does.
    if let Ok(ended) = tokio::time::timeout(SHORT, called(channel, request)).await {
        let code = ended.err().map(|status| status.code());
        // Its own end of the time before the headers is CANCELLED to tonic.
        want(matches!(code, Some(Code::DeadlineExceeded | Code::Cancelled)), || format!("{code:?}"))?;
    }
    seen_cancelled(channel, &key).await
}

async fn cancel(channel: &Channel) -> Outcome {
    let key = new_key();
    // With requests still to come, hyper goes on with the stream when its answer is dropped.
    let request = slow(stream::iter([Bytes::from_static(b"only")]), &key)?;
    let mut client = ready(channel).await.map_err(|s| said(&s))?;
    let answer = client.streaming(request, path("Bidi"), Raw).await.map_err(|s| said(&s))?;
    want(answer.metadata().contains_key("x-backend"), || format!("headers {:?}", answer.metadata()))?;
    drop(answer);
    seen_cancelled(channel, &key).await
}

/// Waits until the server has seen the end of the call that it watches by this key.
async fn seen_cancelled(channel: &Channel, key: &str) -> Outcome {
    let request = Request::new(Bytes::from(key.to_owned()));
    let mut client = ready(channel).await.map_err(|s| said(&s))?;
    match client.unary::<Bytes, Bytes, _>(request, path("Cancelled"), Raw).await {
        Ok(_) => Ok(()),
        Err(status) => Err(format!("the server did not see it: {}", said(&status))),
    }
}
