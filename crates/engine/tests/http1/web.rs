//! gRPC-Web to gRPC over HTTP/2, in both modes, with errors and CORS.

use crate::world::{Setup, World};
use evenkeel_core::policy::{Cors, CorsOrigins, GrpcWeb, ListenerPolicy};
use evenkeel_core::reason::ExchangeOutcome;
use std::sync::Arc;
use std::time::Duration;

fn translating() -> World {
    let cors = Cors { origins: CorsOrigins::Any, headers: Box::default(), max_age: Duration::from_secs(60) };
    let grpc_web = Some(Arc::new(GrpcWeb { cors: Some(cors) }));
    World::new(Setup {
        listener: ListenerPolicy { grpc_web, ..ListenerPolicy::default() },
        ..Setup::default()
    })
}

fn call(content_type: &str, body: &str) -> String {
    format!(
        "POST /a.B/C HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\norigin: https://b\r\nx-grpc-web: 1\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

const ANSWER: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc+proto")];

#[test]
fn a_binary_call_is_answered_with_its_trailers_in_the_body() {
    let mut w = translating();
    let client = w.client();
    w.say(client, call("application/grpc-web+proto", "\0\0\0\0\x02hi"));
    let endpoint = w.open_h2();
    let peer = w.h2(endpoint);
    assert_eq!(peer.last("content-type"), Some("application/grpc+proto"));
    assert_eq!((peer.last("te"), peer.last("content-length")), (Some("trailers"), None));
    assert_eq!(peer.body, b"\0\0\0\0\x02hi");
    peer.headers(1, &ANSWER, false);
    peer.data(1, b"\0\0\0\0\x01x", false);
    peer.headers(1, &[("grpc-status", "0")], true);
    w.carry();
    // The frame of trailers begins with an octet that is no text.
    let peer_heard = std::mem::take(w.heard_bytes(client));
    let heard = String::from_utf8_lossy(&peer_heard);
    assert!(heard.contains("content-type: application/grpc-web+proto\r\n"), "{heard}");
    assert!(heard.contains("access-control-allow-origin: *\r\n"), "{heard}");
    assert!(peer_heard.windows(22).any(|w| w == b"\x80\0\0\0\x10grpc-status: 0\r\n\r"), "{heard}");
    assert!(heard.ends_with("0\r\n\r\n") && !w.is_closed(client));
    assert_eq!(w.outcomes(ExchangeOutcome::Completed), 1);
}

#[test]
fn a_text_call_is_base64_on_the_clients_side_only() {
    let mut w = translating();
    let client = w.client();
    let request = call("application/grpc-web-text", "AAAAAAVoZWxsbw==");
    let (first, rest) = request.split_at(request.len() - 5);
    w.say(client, first);
    let endpoint = w.open_h2();
    w.say(client, rest);
    assert_eq!(w.h2(endpoint).body, b"\0\0\0\0\x05hello");
    let peer = w.h2(endpoint);
    peer.headers(1, &ANSWER, false);
    peer.data(1, b"\0\0\0\0\x05h", false);
    w.carry();
    assert!(w.heard(client).ends_with("8\r\nAAAAAAVo\r\n"));
    w.h2(endpoint).data(1, b"ello", false);
    w.carry();
    assert_eq!(w.heard(client), "8\r\nZWxsbw==\r\n", "it does not wait for more");
    w.h2(endpoint).headers(1, &[("grpc-status", "0")], true);
    w.carry();
    assert_eq!(w.heard(client), "1c\r\ngAAAABBncnBjLXN0YXR1czogMA0K\r\n0\r\n\r\n");
}

#[test]
fn a_text_call_in_wrong_base64_is_refused() {
    let mut w = translating();
    let client = w.client();
    w.say(client, call("application/grpc-web-text", "AAA*"));
    let heard = w.heard(client);
    assert!(heard.contains("content-type: application/grpc-web-text\r\n"), "{heard}");
    assert!(heard.contains("grpc-status: 13\r\n") && heard.contains("access-control-allow-origin: *\r\n"));
}

#[test]
fn a_large_call_in_base64_does_not_lose_its_window() {
    let mut w = translating();
    let client = w.client_h2();
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        (":authority", "a"),
        ("content-type", "application/grpc-web-text"),
    ];
    w.h2(client).headers(1, &fields, false);
    w.carry();
    let endpoint = w.open_h2();
    for _ in 0..40 {
        w.h2(client).data(1, &[b'A'; 8_000], false);
        w.carry();
        w.h2(endpoint).window(0, 6_000);
        w.h2(endpoint).window(1, 6_000);
        w.carry();
    }
    assert_eq!(w.h2(endpoint).body.len(), 40 * 6_000);
    assert!(w.h2(client).resets().is_empty());
}

#[test]
fn an_endpoint_that_goes_leaves_its_client_with_a_status() {
    let mut w = translating();
    let client = w.client();
    w.say(client, call("application/grpc-web", "\0\0\0\0\0"));
    let endpoint = w.open_h2();
    w.reset(endpoint);
    let heard = w.heard(client);
    assert!(
        heard.contains("content-type: application/grpc-web\r\n") && heard.contains("grpc-status: 14"),
        "{heard}"
    );
    w.say(client, call("application/grpc-web-text", "AAAAAAA="));
    let endpoint = w.open_h2();
    w.h2(endpoint).headers(1, &ANSWER, false);
    w.h2(endpoint).data(1, b"\0\0\0\0\0", false);
    w.carry();
    w.reset(endpoint);
    let heard = w.heard(client);
    assert!(heard.contains("\r\n\r\n8\r\nAAAAAAA=\r\n") && heard.ends_with("\r\n0\r\n\r\n"), "{heard}");
    assert!(heard.contains("gAAAA"), "trailers: {heard}");
}

#[test]
fn a_preflight_is_answered_here_and_other_questions_are_the_endpoints() {
    let mut w = translating();
    let client = w.client();
    let question =
        "OPTIONS /a.B/C HTTP/1.1\r\nhost: a\r\norigin: https://b\r\naccess-control-request-method: POST\r\n";
    w.say(client, format!("{question}access-control-request-headers: content-type,x-grpc-web\r\n\r\n"));
    let heard = w.heard(client);
    assert!(heard.starts_with("HTTP/1.1 204 No Content\r\n"), "{heard}");
    assert!(heard.contains("access-control-allow-methods: POST\r\n") && w.asked.is_empty());
    w.say(client, format!("{question}\r\n"));
    assert_eq!(w.asked.len(), 1);
}

#[test]
fn without_translation_a_call_passes_as_it_is() {
    let mut w = World::new(Setup::default());
    let client = w.client();
    w.say(client, call("application/grpc-web-text", "AAAA"));
    let endpoint = w.open();
    let asked = w.heard(endpoint);
    assert!(
        asked.contains("content-type: application/grpc-web-text\r\n") && asked.ends_with("AAAA"),
        "{asked}"
    );
}
