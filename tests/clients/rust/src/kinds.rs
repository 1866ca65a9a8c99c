//! Each kind of call once. Run by the client after its load.

use crate::channel::{backend_of, path, ready};
use crate::codec::Raw;
use crate::codes::name_of;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

type Outcome = Result<(), String>;

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
    let (send, mut requests) = mpsc::channel::<Bytes>(1);
    let requests = stream::poll_fn(move |cx| requests.poll_recv(cx));
    let mut client = ready(channel).await.map_err(|s| said(&s))?;
    let call = client.streaming(Request::new(requests), path("Bidi"), Raw);
    let mut answer = call.await.map_err(|s| said(&s))?;
    for message in [b"ping".to_vec(), Vec::new(), vec![b'x'; 70_000]] {
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
