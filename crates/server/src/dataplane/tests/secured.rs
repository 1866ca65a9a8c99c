//! HTTP/2 over TLS on both sides, against the h2 crate over rustls.

use crate::clock::Clock;
use crate::dataplane::transport::test_certificates::{Authority, Clients, VERSIONS};
use crate::dataplane::transport::{ListenerContext, TlsContexts, UpstreamContext};
use crate::dataplane::{Binding, DataPlane};
use bytes::Bytes;
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::{Route, RouteMatch, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats};
use evenkeel_core::time::Moment;
use rustls::SupportedProtocolVersion;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const LISTENER: ListenerId = ListenerId(0);
const SERVICE: ServiceId = ServiceId(1);

fn snapshot(endpoint: SocketAddr) -> Snapshot {
    let mut writer = EndpointSetWriter::new(SERVICE, 1, EndpointIds::default());
    writer.publish(vec![EndpointSpec::at(endpoint)], Moment::ZERO);
    let service = Service {
        id: SERVICE,
        name: "main".into(),
        policy: ServicePolicy::default(),
        endpoints: Arc::clone(writer.current()),
        stats: Arc::new(ServiceStats::new(1)),
    };
    let route = Route { matches: RouteMatch::default(), service: SERVICE, policy: RoutePolicy::default() };
    let listener = Listener {
        id: LISTENER,
        name: "web".into(),
        policy: ListenerPolicy::default(),
        routes: RouteTable { routes: vec![route] },
        stats: Arc::new(ListenerStats::new(1)),
    };
    Snapshot { services: vec![Arc::new(service)], listeners: vec![Arc::new(listener)] }
}

/// A data plane with one worker in front of an endpoint, and where it accepts.
fn data_plane(endpoint: SocketAddr, tls: TlsContexts) -> (DataPlane, SocketAddr) {
    let (events, _) = tokio::sync::mpsc::channel(1_024);
    let plane =
        DataPlane::start(1, Clock::start(), Limits::default(), Duration::from_secs(300), &events).unwrap();
    plane.apply(&Arc::new(snapshot(endpoint)), &Arc::new(tls));
    let binding = Binding { listener: LISTENER, name: "web".into(), address: "127.0.0.1:0".parse().unwrap() };
    let at = plane.listen(&[binding]).unwrap()[0];
    (plane, at)
}

/// Answers each request on a connection with its body.
async fn echo(io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut answer = respond.send_response(http::Response::new(()), false).unwrap();
            while let Some(Ok(part)) = body.data().await {
                body.flow_control().release_capacity(part.len()).unwrap();
                answer.send_data(part, false).unwrap();
            }
            answer.send_data(Bytes::new(), true).unwrap();
        });
    }
}

/// Sends a body and reads what comes back.
async fn ask(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, body: Vec<u8>) -> Vec<u8> {
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = http::Request::post("https://web.test/").body(()).unwrap();
    let (answer, mut sending) = client.send_request(request, false).unwrap();
    sending.send_data(body.into(), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let mut seen = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        seen.extend_from_slice(&part);
    }
    seen
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(20), work).await };
    runtime.block_on(limited).expect("it does not come to that")
}

/// A body through TLS on both sides, and another on a connection of the same client's that is resumed.
fn through_both(front: &'static SupportedProtocolVersion, back: &'static SupportedProtocolVersion) {
    on_runtime(async {
        let authority = Authority::new();
        let own = authority.issue(&["web.test", "backend.test"]);
        let mut at_back = authority.server(&own, &[back], Clients::Required);
        at_back.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(at_back));
        let endpoint = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = endpoint.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = endpoint.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move { echo(acceptor.accept(stream).await.unwrap()).await });
            }
        });
        let config = Arc::new(authority.server(&own, &[front], Clients::NotAsked));
        let upstream = UpstreamContext {
            config: Arc::new(authority.client(Some(&own), &[back])),
            server_name: Some("backend.test".try_into().unwrap()),
        };
        let tls = TlsContexts {
            listeners: [(LISTENER, ListenerContext { config, is_optional: true })].into(),
            services: [(SERVICE, upstream)].into(),
        };
        let (plane, at) = data_plane(address, tls);
        let connector = TlsConnector::from(Arc::new(authority.client(None, &[front])));
        for is_resumed in [false, true] {
            let stream = TcpStream::connect(at).await.unwrap();
            let stream = connector.connect("web.test".try_into().unwrap(), stream).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            assert_eq!(kind == rustls::HandshakeKind::Resumed, is_resumed);
            let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
            assert!(ask(stream, body.clone()).await == body);
        }
        // The same listener takes cleartext, since its TLS is optional.
        let stream = TcpStream::connect(at).await.unwrap();
        assert_eq!(ask(stream, b"clear".to_vec()).await, b"clear");
        plane.begin_drain(Duration::ZERO, Duration::ZERO);
    });
}

#[test]
fn http2_goes_over_tls_of_each_version_on_both_sides() {
    for front in VERSIONS {
        for back in VERSIONS {
            through_both(front, back);
        }
    }
}
