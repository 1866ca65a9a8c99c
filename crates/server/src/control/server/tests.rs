//! A whole server inside the test: configuration files and endpoint files that change, and its end.

use super::super::discovery::dns_server::{NameServer, Reply};
use super::super::discovery::{NameServers, Pace};
use super::super::reload::ConfigFile;
use super::super::state::StreamEvent;
use super::super::telemetry::metrics::Metrics;
use super::super::test_config::{config, list, listener, service};
use super::*;
use evenkeel_config::model::EndpointSource;
use hickory_resolver::proto::op::ResponseCode;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;

const DEADLINE: Duration = Duration::from_secs(20);

/// The record of the next event of this name.
fn wait_for(events: &mut Receiver<StreamEvent>, name: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let search = async {
        loop {
            let event = events.recv().await.unwrap();
            if event.event == name {
                return serde_json::from_str(&event.data).unwrap();
            }
        }
    };
    runtime.block_on(async { tokio::time::timeout(DEADLINE, search).await.expect(name) })
}

fn endpoint_ports(server: &Server) -> Vec<u16> {
    let snapshot = server.state().snapshot.load();
    snapshot.services[0].endpoints.endpoints.iter().map(|e| e.spec.address.port()).collect()
}

fn write_config(path: &Path, ports: &[u16]) {
    let list: Vec<String> = ports.iter().map(|p| format!("\"127.0.0.1:{p}\"")).collect();
    let text = format!(
        "admin: {{ bind: \"127.0.0.1:0\" }}\n\
         workers: 1\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: a }}]\n\
         services: [{{ name: a, endpoints: {{ static: [{}] }} }}]\n",
        list.join(", ")
    );
    std::fs::write(path, text).unwrap();
}

fn start_from_file(path: &Path) -> Server {
    let (config, file) = ConfigFile::open(path, Box::new(|_| Ok(()))).unwrap();
    Server::start_from(config, ConfigSource::File(file), Options::default()).unwrap()
}

#[test]
fn a_server_is_ready_when_it_has_started_and_ends_when_it_is_told() {
    let config = config(vec![listener("web", "a")], vec![service("a", list(&[1]))]);
    let server = Server::start(config, Options::default()).unwrap();
    assert_eq!(server.state().unready(), []);
    assert_ne!(server.admin_address().unwrap().port(), 0);
    assert_eq!(server.public_address(), None);
    assert!(matches!(server.stop(), ExitReport::Drained(_)));
}

#[test]
fn a_drain_turns_readiness_off() {
    let config = config(vec![listener("web", "a")], vec![service("a", list(&[1]))]);
    let server = Server::start(config, Options::default()).unwrap();
    let state = server.state().clone();
    let mut events = state.events.subscribe();
    assert!(matches!(server.drain(), ExitReport::Drained(_)));
    assert_eq!(wait_for(&mut events, "drain_began")["trigger"], "drain");
    assert_eq!(wait_for(&mut events, "drain_ended")["reason"], "drain_finished");
    assert_eq!(state.unready()[0].code(), "draining");
}

#[test]
fn an_admin_port_in_use_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(vec![listener("web", "a")], vec![service("a", list(&[1]))]);
    config.admin.bind = Some(taken.local_addr().unwrap());
    let Err(error) = Server::start(config, Options::default()) else { panic!("it started") };
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("admin: cannot listen on {}: ", taken.local_addr().unwrap())),
        "{text}"
    );
}

#[test]
fn a_configuration_that_changes_is_applied_and_one_that_does_not_changes_nothing() {
    let one = config(vec![listener("web", "a")], vec![service("a", list(&[1]))]);
    let server = Server::start(one.clone(), Options::default()).unwrap();
    let before = server.state().snapshot.load_full();
    assert_eq!(server.apply(one.clone()).unwrap(), Applied::Unchanged);
    assert!(Arc::ptr_eq(&before, &server.state().snapshot.load()));
    let two = config(one.listeners, vec![service("a", list(&[1, 2]))]);
    assert_eq!(server.apply(two).unwrap(), Applied::Changed("1 service changed (a)".to_owned()));
    assert_eq!(endpoint_ports(&server), [1, 2]);
}

/// The SETTINGS with which a client is greeted: identifiers and values (RFC 9113 §6.5).
fn greeting(server: &Server) -> Vec<(u16, u32)> {
    let mut client = TcpStream::connect(server.address("web").unwrap()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    client.read_exact(&mut head).unwrap();
    assert_eq!((head[3], head[4]), (4, 0), "SETTINGS come first");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    client.read_exact(&mut settings).unwrap();
    let setting = |bytes: &[u8]| {
        let value = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        (u16::from_be_bytes([bytes[0], bytes[1]]), value)
    };
    settings.chunks_exact(6).map(setting).collect()
}

#[test]
fn limits_reach_the_workers_and_a_change_of_them_waits_for_a_restart() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let mut limited = config(vec![listener("web", "a")], vec![service("a", list(&[1]))]);
    limited.limits.concurrent_streams = 7;
    limited.limits.stream_window = 70_000;
    let server = Server::start(limited.clone(), Options::default()).unwrap();
    let (streams, window) = ((MAX_CONCURRENT_STREAMS, 7), (INITIAL_WINDOW_SIZE, 70_000));
    let settings = greeting(&server);
    assert!(settings.contains(&streams) && settings.contains(&window), "{settings:?}");

    let mut events = server.state().events.subscribe();
    limited.limits.concurrent_streams = 8;
    // Told at each reload until the restart.
    for _ in 0..2 {
        assert_eq!(server.apply(limited.clone()).unwrap(), Applied::Unchanged);
        assert_eq!(wait_for(&mut events, "restart_needed")["setting"], "limits");
    }
    assert!(greeting(&server).contains(&streams));
}

#[test]
fn a_configuration_file_that_changes_is_applied_and_a_broken_one_leaves_the_running_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evenkeel.yaml");
    write_config(&path, &[1]);
    let server = start_from_file(&path);
    let mut events = server.state().events.subscribe();

    write_config(&path, &[1, 2]);
    let record = wait_for(&mut events, "configuration_applied");
    assert_eq!(record["message"], "1 service changed (a)");
    assert_eq!(endpoint_ports(&server), [1, 2]);

    std::fs::write(&path, "listenres: []\nworkers: many\n").unwrap();
    let record = wait_for(&mut events, "configuration_rejected");
    assert!(record["mistakes"].as_array().unwrap().len() >= 2, "{record}");
    assert_eq!(endpoint_ports(&server), [1, 2]);

    std::fs::remove_file(&path).unwrap();
    wait_for(&mut events, "configuration_rejected");
    write_config(&path, &[1, 2]);
    wait_for(&mut events, "configuration_unchanged");
}

#[test]
fn an_endpoints_file_that_changes_is_followed_and_a_broken_one_keeps_the_last_good_list() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("endpoints.yaml");
    let config =
        config(vec![listener("web", "a")], vec![service("a", EndpointSource::File { path: path.clone() })]);
    let server = Server::start(config, Options::default()).unwrap();
    let mut events = server.state().events.subscribe();

    std::fs::write(&path, "endpoints: [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n").unwrap();
    wait_for(&mut events, "endpoint_added");
    wait_for(&mut events, "endpoint_added");
    assert_eq!(endpoint_ports(&server), [1, 2]);
    assert_eq!(server.state().unready(), []);

    std::fs::write(&path, "endpoints: [nonsense]\n").unwrap();
    let record = wait_for(&mut events, "discovery_failed");
    assert_eq!((&record["reason"], &record["endpoints_kept"]), (&"file_mistakes".into(), &2.into()));
    assert_eq!(endpoint_ports(&server), [1, 2]);

    std::fs::write(&path, "endpoints: [{ address: \"127.0.0.1:2\", state: terminating }]\n").unwrap();
    wait_for(&mut events, "discovery_recovered");
    assert_eq!(wait_for(&mut events, "endpoint_removed")["endpoint"], "127.0.0.1:1");
    let record = wait_for(&mut events, "endpoint_changed");
    assert_eq!((&record["state"], &record["previous_state"]), (&"terminating".into(), &"ready".into()));
}

/// A sample of the metrics; 0 if there is none.
fn sample(metrics: &Metrics, series: &str) -> f64 {
    let text = metrics.text();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn dns_that_fails_later_keeps_the_last_good_answer_which_grows_old_until_it_answers_again() {
    let dns = NameServer::on_a_thread();
    let often = Duration::from_millis(10);
    let pace = Pace { floor: often, ceiling: often, retry: often, max_retry: often };
    let discovery = DiscoverySettings { name_servers: NameServers::Only(dns.address), pace };
    let source = EndpointSource::Dns { name: "web.test.".into(), port: 80 };
    let config = config(vec![listener("web", "a")], vec![service("a", source)]);
    let server = Server::start(config, Options { discovery, ..Options::default() }).unwrap();
    let metrics = Metrics::new(server.state().clone());
    let mut events = server.state().events.subscribe();
    dns.set_addresses("web.test.", 0, &["10.0.0.1", "10.0.0.2"]);
    wait_for(&mut events, "endpoint_added");
    wait_for(&mut events, "endpoint_added");

    dns.fail("web.test.", &Reply::Code(ResponseCode::ServFail));
    let record = wait_for(&mut events, "discovery_failed");
    assert_eq!((&record["reason"], &record["endpoints_kept"]), (&"dns_server_failed".into(), &2.into()));
    let age = || sample(&metrics, "evenkeel_endpoints_age_seconds{service=\"a\"}");
    let failures =
        || sample(&metrics, "evenkeel_discovery_failures_total{service=\"a\",reason=\"dns_server_failed\"}");
    let (young, began, failed) = (age(), Instant::now(), failures());
    assert!(failed >= 1.0);
    while failures() < failed + 3.0 {
        assert!(began.elapsed() < DEADLINE, "it asks no more");
        std::thread::yield_now();
    }
    let gone_by = began.elapsed().as_secs_f64();
    assert!(age() - young >= gone_by, "the answer grows old as time goes by");
    assert_eq!(endpoint_ports(&server), [80, 80]);

    dns.set_addresses("web.test.", 0, &["10.0.0.2"]);
    wait_for(&mut events, "discovery_recovered");
    assert_eq!(wait_for(&mut events, "endpoint_removed")["endpoint"], "10.0.0.1:80");
    assert_eq!(endpoint_ports(&server), [80]);
}

#[test]
fn a_listeners_port_in_use_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut web = listener("web", "a");
    web.bind = taken.local_addr().unwrap();
    let config = config(vec![web], vec![service("a", list(&[1]))]);
    let Err(error) = Server::start(config, Options::default()) else { panic!("it started") };
    let expected = format!("listener web: cannot listen on {}: ", taken.local_addr().unwrap());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_reload_whose_address_is_taken_leaves_everything_as_it_was() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = config(vec![listener("web", "a")], vec![service("a", list(&[1]))]);
    let server = Server::start(before.clone(), Options::default()).unwrap();
    let (snapshot, addresses) = (server.state().snapshot.load_full(), server.addresses());
    let mut other = listener("other", "b");
    other.bind = taken.local_addr().unwrap();
    let after = config(
        vec![listener("web", "b"), other],
        vec![service("a", list(&[1, 2])), service("b", list(&[3]))],
    );
    assert!(matches!(server.apply(after), Err(ApplyError::Refused(Refusal::Listen(_)))));
    let now = server.state().snapshot.load_full();
    assert_eq!((now.services.len(), now.listeners.len()), (1, 1));
    assert!(Arc::ptr_eq(&now.services[0], &snapshot.services[0]));
    assert!(Arc::ptr_eq(&now.listeners[0], &snapshot.listeners[0]));
    assert_eq!(server.addresses(), addresses);
    assert!(TcpStream::connect(server.address("web").unwrap()).is_ok());
    assert_eq!(server.apply(before).unwrap(), Applied::Unchanged);
}

#[test]
fn a_reload_binds_what_is_new_and_closes_what_is_gone() {
    let services = vec![service("a", list(&[1]))];
    let server =
        Server::start(config(vec![listener("one", "a")], services.clone()), Options::default()).unwrap();
    let one = server.address("one").unwrap();
    server.apply(config(vec![listener("two", "a")], services)).unwrap();
    assert_eq!(server.address("one"), None);
    let two = server.address("two").unwrap();
    assert!(TcpStream::connect(two).is_ok());
    assert_ne!(one, two);
}

#[test]
fn certificates_that_a_configuration_names_are_served_and_new_ones_follow_without_a_reload() {
    use crate::dataplane::transport::test_certificates::Authority;
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let [cert, key] = ["own.crt", "own.key"].map(|name| dir.path().join(name));
    let write = || {
        let own = authority.issue(&["web.test"]);
        std::fs::write(&key, &own.key).unwrap();
        std::fs::write(&cert, &own.cert).unwrap();
        own.chain()[0].clone()
    };
    let text = format!(
        "admin: {{ bind: off }}\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: a, tls: {{ certificates: \
         [{{ cert: {}, key: {} }}] }} }}]\n\
         services: [{{ name: a, endpoints: {{ static: [\"127.0.0.1:1\"] }} }}]\n",
        cert.display(),
        key.display()
    );
    let refused = Server::start(evenkeel_config::parse(&text, "test").unwrap(), Options::default());
    let said = refused.map(drop).unwrap_err().to_string();
    assert!(said.contains("own.crt"), "{said}");
    let first = write();
    let server = Server::start(evenkeel_config::parse(&text, "test").unwrap(), Options::default()).unwrap();
    let client = Arc::new(authority.client(None, rustls::DEFAULT_VERSIONS));
    let shown = || {
        let stream = TcpStream::connect(server.address("web").unwrap()).unwrap();
        let tls = rustls::ClientConnection::new(client.clone(), "web.test".try_into().unwrap()).unwrap();
        let mut stream = rustls::StreamOwned::new(tls, stream);
        stream.flush().unwrap();
        stream.conn.complete_io(&mut stream.sock).unwrap();
        stream.conn.peer_certificates().unwrap()[0].clone()
    };
    assert_eq!(shown(), first);
    assert!(
        Metrics::new(server.state().clone())
            .text()
            .contains("certificate_expiry_timestamp_seconds{listener=\"web\"}")
    );
    let second = write();
    let until = Instant::now() + Duration::from_secs(10);
    while shown() != second {
        assert!(Instant::now() < until, "the old one is still shown");
        std::thread::sleep(Duration::from_millis(20));
    }
}
