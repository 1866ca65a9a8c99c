//! The admin API by plain HTTP/1 over a socket.

use super::*;
use crate::control::state::{DiscoveryStatus, StreamEvent};
use crate::control::test_config::{self, config, list, listener, service};
use evenkeel_core::id::WorkerIndex;
use evenkeel_core::reason::ExchangeOutcome;
use serde_json::Value;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(20);

struct Api {
    state: Arc<State>,
    address: SocketAddr,
}

impl Api {
    async fn start(scope: Scope) -> Self {
        let services = vec![service("shop", list(&[7, 8]))];
        let state = test_config::state(&config(vec![listener("web", "shop")], services));
        let listener = AdminListener::bind((Ipv4Addr::LOCALHOST, 0).into(), scope).await.unwrap();
        let address = listener.address();
        tokio::spawn(serve(listener, state.clone()));
        Self { state, address }
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Status and body of a request.
    async fn exchange(&self, request: &str) -> (u16, String) {
        let mut answer = String::new();
        let read = async { self.send(request).await.read_to_string(&mut answer).await.unwrap() };
        tokio::time::timeout(DEADLINE, read).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    async fn get_json(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.get(path).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn readiness_tells_every_reason_against_it_until_there_is_none() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        let (status, body) = api.get_json("/readyz").await;
        let expected =
            json!([{ "reason": "not_listening" }, { "reason": "not_discovered", "service": "shop" }]);
        assert_eq!((status, &body["ready"], &body["reasons"]), (503, &json!(false), &expected));

        api.state.is_listening.store(true, Relaxed);
        let asked = DiscoveryStatus { was_asked: true, ..DiscoveryStatus::default() };
        api.state.discovery().insert("shop".into(), asked);
        assert_eq!(api.get_json("/readyz").await, (200, json!({ "ready": true, "reasons": [] })));

        api.state.is_draining.store(true, Relaxed);
        let (status, body) = api.get_json("/readyz").await;
        assert_eq!((status, &body["reasons"]), (503, &json!([{ "reason": "draining" }])));
        assert_eq!(api.get("/livez").await.0, 200, "a draining process is alive");
    });
}

#[test]
fn services_show_their_endpoints_and_load() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        {
            let snapshot = api.state.snapshot.load();
            let cell = snapshot.services[0].endpoints.endpoints[1].stats.cell(WorkerIndex(0));
            cell.exchange_began();
            cell.exchange_began();
            cell.exchange_ended(ExchangeOutcome::UpstreamReset);
            cell.upstream_opened();
            cell.session_began();
            cell.set_latency_ewma_ns(2_500_000);
        }
        let (status, body) = api.get_json("/api/v1/services").await;
        assert_eq!(status, 200);
        let service = &body["services"][0];
        assert_eq!((&service["name"], &service["skew"]), (&json!("shop"), &json!(1.0)));
        let endpoint = service["endpoints"][1].as_object().unwrap();
        for (field, value) in [
            ("address", json!("127.0.0.1:8")),
            ("zone", Value::Null),
            ("weight", json!(1)),
            ("state", json!("ready")),
            ("sessions", json!(1)),
            ("upstreams", json!(1)),
            ("active_exchanges", json!(1)),
            ("requests_total", json!(2)),
            ("failures_total", json!(1)),
            ("latency_ewma_us", json!(2500)),
            ("ejected", json!(false)),
        ] {
            assert_eq!(endpoint.get(field), Some(&value), "{field}");
        }
    });
}

#[test]
fn connections_are_asked_of_the_workers_and_a_wrong_question_is_refused() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        let none = (200, json!({ "connections": [], "next": null }));
        assert_eq!(api.get_json("/api/v1/connections").await, none);
        assert_eq!(api.get_json("/api/v1/connections?limit=1000&after=0-0").await, none);
        for wrong in ["limit=0", "limit=1001", "limit=x", "after=x", "page=2"] {
            let (status, body) = api.get_json(&format!("/api/v1/connections?{wrong}")).await;
            assert_eq!((status, &body["error"]), (400, &json!("bad_query")), "{wrong}");
        }
    });
}

#[test]
fn metrics_end_with_eof() {
    on_runtime(async {
        let api = Api::start(Scope::Public).await;
        let (status, body) = api.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(body.ends_with("# EOF\n") && body.contains("evenkeel_sessions_active"));
    });
}

#[test]
fn the_public_address_serves_health_and_metrics_only() {
    on_runtime(async {
        let api = Api::start(Scope::Public).await;
        for path in ["/livez", "/metrics"] {
            assert_eq!(api.get(path).await.0, 200);
        }
        for path in ["/api/v1/services", "/api/v1/connections", "/api/v1/events", "/"] {
            let (status, body) = api.get_json(path).await;
            assert_eq!((status, &body["error"]), (404, &json!("not_found")));
        }
        let request = "GET /livez HTTP/1.1\r\nHost: pod.example\r\nConnection: close\r\n\r\n";
        assert_eq!(api.exchange(request).await.0, 200);
    });
}

#[test]
fn a_request_for_a_name_that_is_not_loopback_is_refused() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        for hosts in ["Host: evil.example\r\n", "", "Host: localhost\r\nHost: evil.example\r\n"] {
            let request = format!("GET /api/v1/services HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            assert_eq!(api.exchange(&request).await.0, 403, "{hosts:?}");
        }
        let request =
            "GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        assert_eq!(api.exchange(request).await.0, 403);
    });
}

#[test]
fn another_method_is_refused_as_json() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        let request = "DELETE /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let (status, body) = api.exchange(request).await;
        assert_eq!(status, 405);
        assert!(body.contains("method_not_allowed"));
    });
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        let request = |bytes: usize| {
            let filler = "x".repeat(bytes);
            format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: {filler}\r\n\r\n")
        };
        assert_eq!(api.exchange(&request(15 * 1024)).await.0, 200);
        assert_eq!(api.exchange(&request(17 * 1024)).await.0, 431);
    });
}

#[test]
fn the_event_stream_carries_what_happens_and_the_most_subscribers_fit() {
    on_runtime(async {
        let api = Api::start(Scope::Full).await;
        let request = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut streams = Vec::new();
        for _ in 0..MAX_SUBSCRIBERS {
            let mut stream = api.send(request).await;
            read_until(&mut stream, "text/event-stream").await;
            streams.push(stream);
        }
        let (status, body) = api.get_json("/api/v1/events").await;
        assert_eq!((status, &body["error"]), (503, &json!("too_many_subscribers")));

        let event = StreamEvent { event: "session_ended", data: r#"{"reason":"client_closed"}"#.into() };
        api.state.events.send(event).unwrap();
        read_until(&mut streams[0], "event: session_ended\ndata: {\"reason\":\"client_closed\"}").await;
    });
}

async fn read_until(stream: &mut TcpStream, wanted: &str) {
    let mut seen = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the stream ended");
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect(wanted);
}
