//! Endpoints that are no HTTP/2 servers, services without endpoints, requests without a route: where anybody can serve, he
//! does and no client notices; where nobody can, the client hears why.

use anyhow::{Context, Result};
use evenkeel_interop::bystander::{Bystander, GoodServers};
use evenkeel_interop::call;
use evenkeel_interop::impostor::Impostor;
use evenkeel_interop::instance::{Instance, says};
use std::fs;
use tempfile::TempDir;

/// The number of gRPC's status codes document.
const UNIMPLEMENTED: &str = "12";
const UNAVAILABLE: &str = "14";

fn serves_beside(impostor: Impostor) -> Result<()> {
    let good = GoodServers::start()?;
    let address = impostor.start()?;
    let configuration = format!(
        "workers: 2\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: mixed, timeouts: {{ connect: 300ms }} }}]\n\
         services: [{{ name: mixed, endpoints: {{ static: {} }} }}]\n",
        good.list(std::slice::from_ref(&address))
    );
    let mut evenkeel = Instance::start(TempDir::new()?, &configuration)?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "mixed")?;

    let record = evenkeel.record_of("upstream_closed", impostor.reason())?;
    assert_eq!((&record["service"], record["endpoint"].as_str()), (&"mixed".into(), Some(&*address)));
    let labels = [("reason", impostor.reason())];
    evenkeel.until_metric("evenkeel_upstreams_closed_total", &labels, |count| count >= 1.0)?;
    // It fails each time that it is picked, and then it is picked no more.
    let record = evenkeel.record_of("endpoint_ejected", "consecutive_failures")?;
    assert_eq!(record["endpoint"].as_str(), Some(&*address), "{record}");
    let labels = [("service", "mixed"), ("reason", "consecutive_failures")];
    evenkeel.until_metric("evenkeel_ejections_total", &labels, |count| count >= 1.0)?;
    let labels = [("endpoint", &*address), ("outcome", "completed")];
    assert_eq!(evenkeel.metric("evenkeel_exchanges_total", &labels)?, Some(0.0));
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn an_endpoint_that_speaks_http1_is_found_out_and_left_out() -> Result<()> {
    serves_beside(Impostor::SpeaksHttp1)
}

#[test]
fn an_endpoint_that_says_nothing_is_found_out_and_left_out() -> Result<()> {
    serves_beside(Impostor::SaysNothing)
}

#[test]
fn an_endpoint_that_closes_at_once_is_found_out_and_left_out() -> Result<()> {
    serves_beside(Impostor::ClosesAtOnce)
}

#[test]
fn an_endpoint_that_refuses_is_found_out_and_left_out() -> Result<()> {
    serves_beside(Impostor::Refuses)
}

/// Good by default, and two services that cannot serve; what none of their routes matches is refused.
fn start_with_bad_services(good: &GoodServers) -> Result<(Instance, String, Bystander)> {
    let dir = TempDir::new()?;
    let empty = dir.path().join("empty.yaml");
    fs::write(&empty, "endpoints: []\n")?;
    let bad = Impostor::ALL.map(|impostor| impostor.start().map(|address| format!("\"{address}\"")));
    let bad = bad.into_iter().collect::<Result<Vec<_>>>()?.join(", ");
    let configuration = format!(
        "workers: 2\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners:\n\
         - name: web\n\
         \x20 bind: \"127.0.0.1:0\"\n\
         \x20 timeouts: {{ connect: 300ms }}\n\
         \x20 routes:\n\
         \x20 - {{ match: {{ path_prefix: /bad }}, service: bad }}\n\
         \x20 - {{ match: {{ path_prefix: /empty }}, service: empty }}\n\
         \x20 - {{ match: {{ headers: {{ content-type: application/grpc }}, method: POST, path_prefix: /none }}, service: good }}\n\
         \x20 - {{ match: {{ grpc: {{ service: evenkeel.test.Echo }} }}, service: good }}\n\
         services:\n\
         - {{ name: good, endpoints: {{ static: {} }} }}\n\
         - {{ name: bad, upstream: {{ protocol: h2 }}, endpoints: {{ static: [{bad}] }} }}\n\
         - {{ name: empty, endpoints: {{ file: \"{}\" }} }}\n",
        good.list(&[]),
        empty.display()
    );
    let mut evenkeel = Instance::start(dir, &configuration)?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;
    Ok((evenkeel, target, bystander))
}

#[test]
fn a_service_with_only_bad_endpoints_answers_unavailable_and_why() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, target, bystander) = start_with_bad_services(&good)?;
    let answer = call::grpc(&target, "/bad/Call")?;
    let (status, message) = answer.grpc();
    assert_eq!((answer.status, status), (200, UNAVAILABLE), "{answer:?}");
    says(message, &["connect_failed", "no endpoint took a connection"])?;
    let answer = call::get(&target, "/bad", ("x-any", "thing"))?;
    assert_eq!(answer.status, 503, "{answer:?}");
    says(&answer.body, &["connect_failed"])?;
    // Every endpoint was tried, and each has its reason.
    for impostor in Impostor::ALL {
        let record = evenkeel.record_of("upstream_closed", impostor.reason())?;
        assert_eq!(record["service"], "bad", "{record}");
        evenkeel.until_metric("evenkeel_upstreams_closed_total", &[("reason", impostor.reason())], |n| {
            n >= 1.0
        })?;
    }
    let labels = [("service", "bad"), ("outcome", "connect_failed")];
    evenkeel.until_metric("evenkeel_exchanges_unpicked_total", &labels, |count| count >= 2.0)?;
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn a_service_without_endpoints_answers_unavailable_and_why() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, target, bystander) = start_with_bad_services(&good)?;
    let answer = call::grpc(&target, "/empty/Call")?;
    assert_eq!((answer.status, answer.grpc().0), (200, UNAVAILABLE), "{answer:?}");
    says(answer.grpc().1, &["no_endpoint"])?;
    let answer = call::get(&target, "/empty", ("x-any", "thing"))?;
    assert_eq!(answer.status, 503, "{answer:?}");
    says(&answer.body, &["no_endpoint"])?;
    let labels = [("service", "empty"), ("outcome", "no_endpoint")];
    assert_eq!(evenkeel.metric("evenkeel_exchanges_unpicked_total", &labels)?, Some(2.0));
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn a_request_that_no_route_matches_is_unimplemented_or_404() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, target, bystander) = start_with_bad_services(&good)?;
    let answer = call::grpc(&target, "/elsewhere.Service/Call")?;
    assert_eq!((answer.status, answer.grpc().0), (200, UNIMPLEMENTED), "{answer:?}");
    says(answer.grpc().1, &["no_route"])?;
    let answer = call::get(&target, "/elsewhere", ("x-any", "thing"))?;
    assert_eq!(answer.status, 404, "{answer:?}");
    says(&answer.body, &["no_route"])?;
    let labels = [("listener", "web"), ("outcome", "no_route")];
    assert_eq!(evenkeel.metric("evenkeel_exchanges_unrouted_total", &labels)?, Some(2.0));
    let failed = |record: &serde_json::Value| record["event"] == "session_ended" && record["failed"] == 1;
    evenkeel.record("a session with a failed exchange", failed).context("the log says nothing of it")?;
    bystander.noticed_nothing(&mut evenkeel)
}
