//! DNS discovery against a real, small authoritative server on loopback.

use super::super::{Answer, Discovery, Pace};
use super::*;
use evenkeel_config::model::{EndpointSource, Service};
use evenkeel_core::policy::ServicePolicy;
use hickory_resolver::proto::op::{Message, MessageType};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use std::sync::Mutex;
use tokio::net::UdpSocket;

const DEADLINE: Duration = Duration::from_secs(20);

/// What the server says to a question.
#[derive(Clone)]
pub(in crate::control) enum Reply {
    Records(Vec<(u32, RData)>),
    Code(ResponseCode),
    Silence,
}

type Zone = Arc<Mutex<HashMap<(String, RecordType), Reply>>>;

/// An authoritative server for whatever stands in its zone; everything else does not exist.
pub(in crate::control) struct NameServer {
    zone: Zone,
    pub(in crate::control) address: SocketAddr,
}

impl NameServer {
    /// One on a thread of its own, for a test that blocks.
    pub(in crate::control) fn on_a_thread() -> Self {
        let (started, server) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            on_runtime(async {
                started.send(Self::start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        server.recv().unwrap()
    }

    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Zone::default();
        tokio::spawn(serve(socket, zone.clone()));
        Self { zone, address }
    }

    fn set(&self, name: &str, kind: RecordType, reply: Reply) {
        self.zone.lock().unwrap().insert((name.to_owned(), kind), reply);
    }

    pub(in crate::control) fn set_addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let parsed: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let records = |take: fn(&IpAddr) -> Option<RData>| {
            let found: Vec<_> = parsed.iter().filter_map(take).map(|data| (ttl, data)).collect();
            if found.is_empty() { Reply::Code(ResponseCode::NoError) } else { Reply::Records(found) }
        };
        let v4 = records(|ip| if let IpAddr::V4(ip) = ip { Some(RData::A(A(*ip))) } else { None });
        let v6 = records(|ip| if let IpAddr::V6(ip) = ip { Some(RData::AAAA(AAAA(*ip))) } else { None });
        self.set(name, RecordType::A, v4);
        self.set(name, RecordType::AAAA, v6);
    }

    fn set_services(&self, name: &str, ttl: u32, services: &[(u16, u16, u16, &str)]) {
        let records = services
            .iter()
            .map(|&(priority, weight, port, target)| {
                (ttl, RData::SRV(SRV::new(priority, weight, port, Name::from_ascii(target).unwrap())))
            })
            .collect();
        self.set(name, RecordType::SRV, Reply::Records(records));
    }

    pub(in crate::control) fn fail(&self, name: &str, reply: &Reply) {
        for kind in [RecordType::A, RecordType::AAAA, RecordType::SRV] {
            self.set(name, kind, reply.clone());
        }
    }

    fn inquirer(&self) -> Inquirer {
        Inquirer::new(NameServers::Only(self.address))
    }
}

async fn serve(socket: UdpSocket, zone: Zone) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        let query = question.queries[0].clone();
        let key = (query.name().to_ascii(), query.query_type());
        let reply = zone.lock().unwrap().get(&key).cloned().unwrap_or(Reply::Code(ResponseCode::NXDomain));
        let mut message =
            Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
        message.metadata.authoritative = true;
        message.add_query(query.clone());
        match reply {
            Reply::Records(records) => {
                for (ttl, data) in records {
                    message.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                }
            }
            Reply::Code(code) => message.metadata.response_code = code,
            Reply::Silence => continue,
        }
        socket.send_to(&message.to_vec().unwrap(), peer).await.unwrap();
    }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn addresses(name: &str, port: u16) -> Question {
    Question::Addresses { name: name.into(), port }
}

fn shown(answer: &DnsAnswer) -> Vec<(String, u32)> {
    let mut list: Vec<_> = answer.endpoints.iter().map(|e| (e.address.to_string(), e.weight)).collect();
    list.sort();
    list
}

#[test]
fn every_a_and_aaaa_record_is_an_endpoint() {
    on_runtime(async {
        let server = NameServer::start().await;
        server.set_addresses("web.test.", 5, &["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]);
        let answer = server.inquirer().ask(&addresses("web.test.", 80)).await.unwrap();
        let expected = ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80", "[fd00::2]:80"];
        assert_eq!(shown(&answer), expected.map(|a| (a.to_owned(), 1)));
        assert_eq!(answer.ttl, Duration::from_secs(5));
    });
}

#[test]
fn a_change_is_seen_however_long_the_ttl_was() {
    on_runtime(async {
        let server = NameServer::start().await;
        let mut inquirer = server.inquirer();
        server.set_addresses("web.test.", 3600, &["10.0.0.1"]);
        assert_eq!(inquirer.ask(&addresses("web.test.", 80)).await.unwrap().endpoints.len(), 1);
        server.set_addresses("web.test.", 3600, &["10.0.0.1", "10.0.0.2"]);
        assert_eq!(inquirer.ask(&addresses("web.test.", 80)).await.unwrap().endpoints.len(), 2);
    });
}

#[test]
fn srv_targets_are_resolved_with_their_ports_and_weights() {
    on_runtime(async {
        let server = NameServer::start().await;
        let services = [(0, 50, 8001, "a.test."), (0, 100, 8002, "b.test."), (9, 1, 8003, "spare.test.")];
        server.set_services("_grpc._tcp.test.", 30, &services);
        server.set_addresses("a.test.", 7, &["10.0.0.1"]);
        server.set_addresses("b.test.", 60, &["10.0.0.2", "fd00::2"]);
        server.set_addresses("spare.test.", 60, &["10.0.0.3"]);
        let question = Question::Services { name: "_grpc._tcp.test.".into() };
        let mut inquirer = server.inquirer();
        let answer = inquirer.ask(&question).await.unwrap();
        let expected = [("10.0.0.1:8001", 1), ("10.0.0.2:8002", 2), ("[fd00::2]:8002", 2)];
        assert_eq!(shown(&answer), expected.map(|(a, w)| (a.to_owned(), w)));
        assert_eq!(answer.ttl, Duration::from_secs(7), "the shortest part decides");

        server.set_services("_grpc._tcp.test.", 30, &services[2..]);
        let answer = inquirer.ask(&question).await.unwrap();
        assert_eq!(shown(&answer), [("10.0.0.3:8003".to_owned(), 1)]);
    });
}

#[test]
fn srv_targets_of_the_next_priority_serve_when_none_of_the_first_resolves() {
    on_runtime(async {
        let server = NameServer::start().await;
        server.set_services("s.test.", 30, &[(0, 0, 1, "gone.test."), (1, 0, 2, "spare.test.")]);
        server.set_addresses("spare.test.", 60, &["10.0.0.3"]);
        let answer = server.inquirer().ask(&Question::Services { name: "s.test.".into() }).await.unwrap();
        assert_eq!(shown(&answer), [("10.0.0.3:2".to_owned(), 1)]);
    });
}

#[test]
fn each_failure_has_its_reason() {
    on_runtime(async {
        let server = NameServer::start().await;
        let reason_of = async |name: &str| {
            server.inquirer().ask(&addresses(name, 80)).await.expect_err("an answer").reason
        };
        assert_eq!(reason_of("absent.test.").await, FailureReason::NameNotFound);
        server.fail("empty.test.", &Reply::Code(ResponseCode::NoError));
        assert_eq!(reason_of("empty.test.").await, FailureReason::NoRecords);
        server.fail("broken.test.", &Reply::Code(ResponseCode::ServFail));
        assert_eq!(reason_of("broken.test.").await, FailureReason::ServerFailed);
        server.fail("silent.test.", &Reply::Silence);
        assert_eq!(reason_of("silent.test.").await, FailureReason::Timeout);
    });
}

#[test]
fn records_of_one_kind_stay_while_only_their_look_up_fails_and_go_when_they_are_gone() {
    on_runtime(async {
        let server = NameServer::start().await;
        let mut inquirer = server.inquirer();
        server.set_addresses("web.test.", 5, &["10.0.0.1", "fd00::1"]);
        inquirer.ask(&addresses("web.test.", 80)).await.unwrap();
        server.set("web.test.", RecordType::AAAA, Reply::Code(ResponseCode::ServFail));
        assert_eq!(inquirer.ask(&addresses("web.test.", 80)).await.unwrap().endpoints.len(), 2);
        server.set("web.test.", RecordType::AAAA, Reply::Code(ResponseCode::NoError));
        let answer = inquirer.ask(&addresses("web.test.", 80)).await.unwrap();
        assert_eq!(shown(&answer), [("10.0.0.1:80".to_owned(), 1)]);
    });
}

#[test]
fn an_address_in_place_of_a_name_needs_no_server() {
    on_runtime(async {
        let mut inquirer = Inquirer::new(NameServers::Only("127.0.0.1:9".parse().unwrap()));
        let answer = inquirer.ask(&addresses("fd00::7", 80)).await.unwrap();
        assert_eq!(shown(&answer), [("[fd00::7]:80".to_owned(), 1)]);
    });
}

#[test]
fn weights_that_all_grow_alike_change_nothing() {
    let weights = |weight| {
        let entry = |port| (SocketAddr::from(([10, 0, 0, 1], port)), weight);
        weighted(&(1..=3).map(entry).collect())
    };
    assert_eq!(weights(33), weights(25));
    assert_eq!(weights(0), weights(1));
}

#[test]
fn a_followed_name_starts_without_an_answer_gets_one_changes_and_tells_of_failures() {
    on_runtime(async {
        let server = NameServer::start().await;
        let ms = Duration::from_millis;
        let pace = Pace { floor: ms(20), ceiling: ms(20), retry: ms(20), max_retry: ms(20) };
        let settings = DiscoverySettings { name_servers: NameServers::Only(server.address), pace };
        let (mut discovery, mut answers) = Discovery::new(settings);
        let at_once = discovery.follow(&[Service {
            name: "web".into(),
            endpoints: EndpointSource::Dns { name: "web.test.".into(), port: 80 },
            policy: ServicePolicy::default(),
            tls: None,
        }]);
        assert!(at_once.is_empty());
        let mut until = async |what: &str, wanted: fn(&Answer) -> bool| {
            let search = async { while !wanted(&answers.recv().await.unwrap()) {} };
            tokio::time::timeout(DEADLINE, search).await.expect(what);
        };
        until("a first failure", |a| matches!(&a.outcome, Outcome::Failed(_))).await;
        server.set_addresses("web.test.", 1, &["10.0.0.1"]);
        until("one endpoint", |a| matches!(&a.outcome, Outcome::Endpoints(l) if l.len() == 1)).await;
        server.set_addresses("web.test.", 1, &["10.0.0.1", "10.0.0.2"]);
        until("two endpoints", |a| matches!(&a.outcome, Outcome::Endpoints(l) if l.len() == 2)).await;
        server.fail("web.test.", &Reply::Code(ResponseCode::ServFail));
        until("a failure", |a| matches!(&a.outcome, Outcome::Failed(_))).await;
    });
}
