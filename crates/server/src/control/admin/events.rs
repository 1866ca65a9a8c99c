//! `/api/v1/events`: what happens, as server-sent events (WHATWG HTML, "Server-sent events").

use super::answer::error;
use super::context::{Admin, MAX_SUBSCRIBERS};
use crate::control::state::StreamEvent;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Time between two comments that keep an idle stream open through middle boxes.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn events(Extract(admin): Extract<Admin>) -> Response {
    let Ok(place) = admin.subscribers.clone().try_acquire_owned() else {
        let message = format!("{MAX_SUBSCRIBERS} event streams are open, which is the most");
        return error(StatusCode::SERVICE_UNAVAILABLE, "too_many_subscribers", &message);
    };
    let stream = follow(admin.state.events.subscribe(), place);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here")).into_response()
}

/// The events from now on, for as long as the client listens; its place is free again when the stream is dropped.
fn follow(
    receiver: Receiver<StreamEvent>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((receiver, place), |(mut receiver, place)| async move {
        let event = match receiver.recv().await {
            Ok(event) => Event::default().event(event.event).data(&*event.data),
            Err(RecvError::Lagged(count)) => {
                Event::default().event("events_missed").data(json!({ "count": count }).to_string())
            }
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), (receiver, place)))
    })
}
