//! What sessions are counted and told as: by what they speak, and by clients that come again for what they lost.

use crate::world::{Setup, World, world};
use evenkeel_core::event::EventKind;
use evenkeel_core::policy::{ListenerPolicy, ListenerProtocol, UpstreamProtocol};
use evenkeel_core::reason::{CloseReason, Limit};
use evenkeel_core::session::{LongLived, SessionProtocol, TlsVersion};
use evenkeel_engine::{Alpn, ConnKey, Secured};
use std::time::Duration;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const HOUR: Duration = Duration::from_secs(3600);

fn tcp_listener() -> ListenerPolicy {
    ListenerPolicy { protocol: ListenerProtocol::Tcp, ..ListenerPolicy::default() }
}

/// A world behind a listener of opaque TCP.
fn tcp() -> World {
    World::new(Setup { listener: tcp_listener(), ..Setup::default() })
}

/// A client whose tunnel stands.
fn tunnel(w: &mut World) -> ConnKey {
    let client = w.client();
    w.carry();
    w.open();
    client
}

/// A client with a stream of events.
fn subscriber(w: &mut World) -> ConnKey {
    let client = w.client();
    w.say(client, GET);
    let endpoint = w.open();
    w.say(endpoint, EVENTS);
    client
}

#[test]
fn a_session_counts_as_what_it_speaks_and_ends_as_that() {
    let mut w = world(UpstreamProtocol::H1);
    let (silent, http1, _http2) = (w.client(), w.client(), w.client_h2());
    w.say(http1, GET);
    let stats = w.listener_stats();
    let open = [SessionProtocol::Unknown, SessionProtocol::Http1, SessionProtocol::Http2];
    assert_eq!(open.map(|p| stats.sessions_of(p)), [1, 1, 1]);
    w.fin(silent);
    w.reset(http1);
    assert_eq!(stats.closed_total(SessionProtocol::Unknown, CloseReason::ClientClosed), 1);
    assert_eq!(stats.closed_total(SessionProtocol::Http1, CloseReason::ClientReset), 1);
    assert_eq!(open.map(|p| stats.sessions_of(p)), [0, 0, 1]);
}

#[test]
fn a_session_that_changes_to_http_2_counts_as_that() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(
        client,
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: \r\n\r\n",
    );
    let stats = w.listener_stats();
    assert_eq!(
        (stats.sessions_of(SessionProtocol::Http1), stats.sessions_of(SessionProtocol::Http2)),
        (0, 1)
    );
}

#[test]
fn the_begin_and_the_end_of_a_session_tell_its_protocol_and_what_its_handshake_agreed_on() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    let secured = Secured {
        version: Some(TlsVersion::V1_3),
        alpn: Some(Alpn::H1),
        server_name: Some("a.example".into()),
        ..Secured::default()
    };
    w.engine.secured(w.now, client, secured);
    w.say(client, GET);
    w.reset(client);
    let told: Vec<_> = w
        .events
        .iter()
        .filter_map(|event| match event {
            EventKind::SessionStarted { protocol, tls, .. }
            | EventKind::SessionEnded { protocol, tls, .. } => Some((*protocol, tls.clone().unwrap())),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 2);
    for (protocol, tls) in told {
        assert_eq!(
            (protocol, tls.version, tls.alpn),
            (SessionProtocol::Http1, Some(TlsVersion::V1_3), Some("http/1.1"))
        );
        assert_eq!(tls.server_name.as_deref(), Some("a.example"));
    }
}

#[test]
fn a_client_that_subscribes_again_within_the_window_has_come_back() {
    for (seconds, back) in [(60, 1), (62, 0)] {
        let mut w = world(UpstreamProtocol::H1);
        let client = subscriber(&mut w);
        w.reset(client);
        w.pass(Duration::from_secs(seconds));
        subscriber(&mut w);
        assert_eq!(w.listener_stats().came_back_total(LongLived::Events), back, "after {seconds} s");
        assert_eq!(w.listener_stats().came_back_total(LongLived::Tunnel), 0);
    }
}

#[test]
fn a_tunnel_that_stands_again_is_a_client_that_has_come_back_and_a_second_one_is_not() {
    let mut w = tcp();
    let first = tunnel(&mut w);
    assert_eq!(w.listener_stats().sessions_of(SessionProtocol::Tcp), 1);
    w.reset(first);
    for _ in 0..2 {
        tunnel(&mut w);
    }
    assert_eq!(w.listener_stats().came_back_total(LongLived::Tunnel), 1, "one went, one came");
}

#[test]
fn clients_are_known_by_their_certificates_where_they_have_any() {
    let mut w = world(UpstreamProtocol::H1);
    let mut subscribe = |identity: &str| {
        let client = w.client();
        let secured = Secured { client_identity: Some(identity.into()), ..Secured::default() };
        w.engine.secured(w.now, client, secured);
        w.say(client, GET);
        let endpoint = w.open();
        w.say(endpoint, EVENTS);
        w.reset(client);
        w.listener_stats().came_back_total(LongLived::Events)
    };
    assert_eq!(["a", "b", "a"].map(&mut subscribe), [0, 0, 1], "all from one address");
}

#[test]
fn events_are_messages_of_both_connections() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, GET);
    let endpoint = w.open();
    w.say(endpoint, format!("{EVENTS}data: 1\n\ndata: 2\n\n"));
    w.reset(client);
    let figures = w.events.iter().find_map(|event| match event {
        EventKind::SessionEnded { figures, .. } => Some(*figures),
        _ => None,
    });
    assert_eq!((figures.unwrap().messages_out, figures.unwrap().messages_in), (2, 0));
    let stats = w.listener_stats();
    let messages: u64 = stats.messages(SessionProtocol::Http1).map(|h| h.read().1).sum();
    assert_eq!(messages, 2);
}

#[test]
fn a_session_without_messages_is_none_of_their_histogram() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, GET);
    let endpoint = w.open();
    w.say(endpoint, OK);
    w.fin(client);
    let stats = w.listener_stats();
    assert_eq!(stats.closed_total(SessionProtocol::Http1, CloseReason::ClientClosed), 1);
    assert!(stats.messages(SessionProtocol::Http1).all(|h| h.read().0 == [0; 16]));
}

#[test]
fn exchanges_that_fail_count_by_what_their_client_speaks() {
    let mut w = world(UpstreamProtocol::H1);
    let client = w.client();
    w.say(client, GET);
    let endpoint = w.open();
    w.say(endpoint, "no answer at all\r\n\r\n");
    assert!(w.heard(client).starts_with("HTTP/1.1 502"));
    let stats = w.listener_stats();
    assert_eq!(
        (stats.failed_total(SessionProtocol::Http1), stats.failed_total(SessionProtocol::Http2)),
        (1, 0)
    );
}

/// Subscribers at one endpoint, each on an upstream that stands.
fn subscribers(w: &mut World, n: usize) {
    for _ in 0..n {
        let client = w.client();
        w.say(client, GET);
        w.open();
    }
}

#[test]
fn an_endpoint_of_http_1_has_as_many_connections_as_allowed_and_one_more_waits() {
    let mut setup = Setup::default();
    setup.service.upstream.protocol = UpstreamProtocol::H1;
    setup.service.timeouts.idle = HOUR;
    let mut w = World::new(setup);
    subscribers(&mut w, 1024);
    assert_eq!(w.refused(Limit::UpstreamConnections), 0);
    let client = w.client();
    w.say(client, GET);
    assert!(w.asked.is_empty());
    assert_eq!(w.refused(Limit::UpstreamConnections), 1);
}

#[test]
fn connections_that_carry_one_tunnel_each_are_not_among_them() {
    let mut setup = Setup { listener: tcp_listener(), ..Setup::default() };
    setup.service.upstream.max_connections = Some(1);
    let mut w = World::new(setup);
    for _ in 0..3 {
        tunnel(&mut w);
    }
    assert_eq!(w.refused(Limit::UpstreamConnections), 0);
    w.engine.check_invariants().unwrap();
}
