//! `/api/v1/connections`: the sessions that are open, a page at a time. Field names are stable.
//!
//! Workers are asked one after the other through their inboxes, each for a part of its table, so that none of them
//! stops serving for it. A session that is open all the while is on exactly one page.

use super::answer::error;
use super::context::Admin;
use crate::dataplane::OpenSession;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use evenkeel_core::event::ConnectionFigures;
use evenkeel_core::session::{SessionTls, TlsVersion};
use evenkeel_core::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

/// Sessions on a page, unless the request says how many.
const PAGE: usize = 100;

/// Most sessions on a page.
const MOST_ON_PAGE: usize = 1000;

/// Most parts of tables that are asked for in one request; the page may then be short.
const MOST_LOOKS: usize = 64;

/// Longest time that a worker may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    limit: Option<usize>,
    after: Option<String>,
}

/// Where a page ended, and the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    worker: usize,
    place: usize,
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (worker, place) = text.split_once('-').ok_or(())?;
        Ok(Self { worker: worker.parse().map_err(drop)?, place: place.parse().map_err(drop)? })
    }
}

#[derive(Serialize)]
struct ConnectionsPage {
    connections: Vec<ConnectionView>,
    /// To be given as `after` for the next page; null on the last one.
    next: Option<String>,
}

#[derive(Serialize)]
struct ConnectionView {
    id: u64,
    peer: String,
    listener: String,
    protocol: &'static str,
    /// Null in cleartext.
    tls: Option<TlsView>,
    /// Of the one exchange that is open; null if there is none, or more than one.
    service: Option<String>,
    endpoint: Option<String>,
    state: &'static str,
    age_ms: u64,
    active_exchanges: usize,
    exchanges: u64,
    failed: u64,
    bytes_in: u64,
    bytes_out: u64,
    messages_in: u64,
    messages_out: u64,
    /// Of the last close frame that came from the client; null if none did.
    close_code_in: Option<NonZeroU16>,
    close_code_out: Option<NonZeroU16>,
}

#[derive(Serialize)]
struct TlsView {
    version: Option<&'static str>,
    alpn: Option<&'static str>,
    server_name: Option<String>,
    client_identity: Option<String>,
}

/// A page of sessions.
pub(super) async fn connections(
    Extract(admin): Extract<Admin>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Some((limit, cursor)) = asked.ok().and_then(|Query(asked)| understood(&asked)) else {
        let message =
            format!("limit is a number from 1 to {MOST_ON_PAGE}, after the `next` of the page before");
        return error(StatusCode::BAD_REQUEST, "bad_query", &message);
    };
    match page(&admin, limit, cursor).await {
        Some(page) => Json(page).into_response(),
        None => error(StatusCode::SERVICE_UNAVAILABLE, "worker_busy", "a worker did not answer in time"),
    }
}

fn understood(asked: &Asked) -> Option<(usize, Cursor)> {
    let limit = asked.limit.unwrap_or(PAGE);
    let cursor = match &asked.after {
        Some(after) => after.parse().ok()?,
        None => Cursor::default(),
    };
    (1..=MOST_ON_PAGE).contains(&limit).then_some((limit, cursor))
}

/// The page that begins here; `None` if a worker did not answer.
async fn page(admin: &Admin, limit: usize, mut at: Cursor) -> Option<ConnectionsPage> {
    let data_plane = &admin.state.data_plane;
    let mut found = Vec::new();
    for _ in 0..MOST_LOOKS {
        if found.len() >= limit || at.worker >= data_plane.workers() {
            break;
        }
        let answer = data_plane.list_sessions(at.worker, at.place, limit - found.len());
        let part = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.ok()?.ok()?;
        found.extend(part.sessions);
        at = match part.next {
            Some(place) => Cursor { place, ..at },
            None => Cursor { worker: at.worker + 1, place: 0 },
        };
    }
    let next = (at.worker < data_plane.workers()).then(|| format!("{}-{}", at.worker, at.place));
    let snapshot = admin.state.snapshot.load();
    let connections = found.into_iter().map(|session| view(session, &snapshot)).collect();
    Some(ConnectionsPage { connections, next })
}

fn view(session: OpenSession, snapshot: &Snapshot) -> ConnectionView {
    let service = session.service.map(|id| {
        let found = snapshot.services.iter().find(|s| s.id == id);
        found.map_or("unknown", |s| &*s.name).to_owned()
    });
    let listener = snapshot.listener(session.listener).map_or("unknown", |l| &*l.name).to_owned();
    let ConnectionFigures {
        age,
        exchanges,
        failed,
        bytes_in,
        bytes_out,
        messages_in,
        messages_out,
        close_code_in,
        close_code_out,
    } = session.figures;
    ConnectionView {
        id: session.session,
        peer: session.peer.to_string(),
        listener,
        protocol: session.protocol.code(),
        tls: session.tls.map(|tls| tls_view(*tls)),
        service,
        endpoint: session.endpoint.map(|address| address.to_string()),
        state: if session.is_ending { "ending" } else { "open" },
        age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        active_exchanges: session.open_exchanges,
        exchanges,
        failed,
        bytes_in,
        bytes_out,
        messages_in,
        messages_out,
        close_code_in,
        close_code_out,
    }
}

fn tls_view(tls: SessionTls) -> TlsView {
    TlsView {
        version: tls.version.map(TlsVersion::code),
        alpn: tls.alpn,
        server_name: tls.server_name.map(String::from),
        client_identity: tls.client_identity.map(String::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(limit: Option<usize>, after: Option<&str>) -> Option<(usize, Cursor)> {
        understood(&Asked { limit, after: after.map(str::to_owned) })
    }

    #[test]
    fn the_largest_page_is_given_and_one_more_is_refused() {
        assert_eq!(asked(None, None), Some((PAGE, Cursor::default())));
        assert!(asked(Some(MOST_ON_PAGE), None).is_some());
        assert!(asked(Some(MOST_ON_PAGE + 1), None).is_none());
        assert!(asked(Some(0), None).is_none());
    }

    #[test]
    fn a_cursor_is_what_a_page_ended_with_and_nothing_else() {
        assert_eq!(asked(None, Some("3-2048")).unwrap().1, Cursor { worker: 3, place: 2048 });
        for bad in ["", "3", "-", "3-", "a-1", "1--1", "1-99999999999999999999999"] {
            assert!(asked(None, Some(bad)).is_none(), "{bad:?}");
        }
    }
}
