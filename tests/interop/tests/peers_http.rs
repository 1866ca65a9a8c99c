//! One keep-alive HTTP/1.1 connection of each real client over five servers: every server gets its share of the requests and none
//! fails, through HTTP/1.1 and HTTP/2 upstreams; and each kind of exchange once, direct and through the balancer.

use anyhow::{Context, Result};
use evenkeel_interop::balancer::{Balancer, Upstream};
use evenkeel_interop::curl::Curl;
use evenkeel_interop::tap::Tap;
use evenkeel_interop::web::{self, WebServer, skew};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const REQUESTS: u64 = 10_000;
const UPSTREAMS: [(Upstream, &[&str], &str); 2] =
    [(Upstream::H1, &[], "HTTP/1.1"), (Upstream::H2, &["--h2c"], "HTTP/2.0")];

/// The kinds of exchange that every client can make; each test says which ones its client can beside.
const KINDS: [&str; 6] = ["chunked", "echo", "head", "large", "no_content", "not_modified"];

fn one_connection_is_level(client: &str) -> Result<()> {
    for (upstream, more, protocol) in UPSTREAMS {
        let servers = WebServer::go(&NAMES, more)?;
        let balancer = Balancer::http(upstream, servers.addresses())?;
        let before = Tap::start(balancer.address())?;
        let report = web::http(client, before.address(), &["--requests", &REQUESTS.to_string()])?;
        assert_eq!((report.requests, report.errors), (REQUESTS, 0), "{report:?}");
        assert_eq!(report.per_backend.len(), NAMES.len(), "{report:?}");
        assert_eq!(report.protocols.get(protocol), Some(&REQUESTS), "{report:?}");
        assert_eq!(before.connections(), 1, "{client} made more than one connection");
        let skew = skew(&report.per_backend, 5);
        assert!(skew <= 1.10, "skew {skew:.3}: {report:?}");
    }
    Ok(())
}

fn every_kind_goes_through(client: &str, more_kinds: &[&str]) -> Result<()> {
    let mut kinds: Vec<_> = KINDS.iter().chain(more_kinds).collect();
    kinds.sort();
    let all_well = |target: &str, way: &str| -> Result<String> {
        let report = web::http(client, target, &["--requests", "20", "--kinds"])?;
        let what = format!("{client} {way}: {report:?}");
        assert_eq!(report.errors, 0, "{what}");
        assert_eq!(report.kinds.keys().collect::<Vec<_>>(), kinds, "{what}");
        assert!(report.kinds.values().all(|said| said == "ok"), "{what}");
        Ok(report.said)
    };
    for (upstream, more, protocol) in UPSTREAMS {
        let server = WebServer::go(&["only"], more)?;
        if upstream == Upstream::H1 {
            all_well(&server.addresses()[0], "direct")?;
        }
        let balancer = Balancer::http(upstream, server.addresses())?;
        all_well(balancer.address(), protocol)?;
    }
    Ok(())
}

#[test]
fn one_connection_of_a_python_client_is_level_over_five_go_servers() -> Result<()> {
    one_connection_is_level("web-python")
}

#[test]
fn one_connection_of_a_node_client_is_level_over_five_go_servers() -> Result<()> {
    one_connection_is_level("web-node")
}

#[test]
fn one_connection_of_a_go_client_is_level_over_five_go_servers() -> Result<()> {
    one_connection_is_level("web-go")
}

#[test]
fn one_connection_of_a_java_client_is_level_over_five_go_servers() -> Result<()> {
    one_connection_is_level("web-java")
}

#[test]
fn a_python_client_makes_every_kind_of_exchange_with_a_go_server() -> Result<()> {
    every_kind_goes_through("web-python", &[])
}

#[test]
fn a_node_client_makes_every_kind_of_exchange_with_a_go_server() -> Result<()> {
    every_kind_goes_through("web-node", &["continue", "early_hints", "trailers"])
}

#[test]
fn a_go_client_makes_every_kind_of_exchange_with_a_go_server() -> Result<()> {
    every_kind_goes_through("web-go", &["continue", "early_hints", "trailers"])
}

#[test]
fn a_java_client_makes_every_kind_of_exchange_with_a_go_server() -> Result<()> {
    every_kind_goes_through("web-java", &["continue", "h2c_upgrade"])
}

#[test]
fn a_java_client_that_asks_for_h2c_with_a_body_is_answered_in_http_1_before_a_go_server() -> Result<()> {
    for (upstream, more, _) in UPSTREAMS {
        let server = WebServer::go(&["only"], more)?;
        let balancer = Balancer::http(upstream, server.addresses())?;
        let report = web::http("web-java", balancer.address(), &["--kinds"])?;
        assert_eq!(report.kinds.get("h2c_upgrade").map(String::as_str), Some("ok"), "{report:?}");
        // What follows the head is the request's body, and could be read as the first bytes of HTTP/2.
        assert!(report.said.contains(r#"{"upgraded":"HTTP_1_1"}"#), "{report:?}");
    }
    Ok(())
}

#[test]
fn one_connection_of_a_curl_client_is_level_over_five_go_servers() -> Result<()> {
    for (upstream, more, protocol) in UPSTREAMS {
        let servers = WebServer::go(&NAMES, more)?;
        let balancer = Balancer::http(upstream, servers.addresses())?;
        let before = Tap::start(balancer.address())?;
        let report = Curl::to(before.address()).many(REQUESTS)?;
        assert_eq!(report.protocols.get(protocol), Some(&REQUESTS), "{report:?}");
        assert_eq!(
            (report.requests, report.errors, report.per_backend.len()),
            (REQUESTS, 0, 5),
            "{report:?}"
        );
        assert_eq!(before.connections(), 1, "curl made more than one connection");
        let skew = skew(&report.per_backend, 5);
        assert!(skew <= 1.10, "skew {skew:.3}: {report:?}");
    }
    Ok(())
}

#[test]
fn a_curl_client_makes_every_kind_of_exchange_with_a_go_server() -> Result<()> {
    for (upstream, more, protocol) in UPSTREAMS {
        let server = WebServer::go(&["only"], more)?;
        if upstream == Upstream::H1 {
            Curl::to(&server.addresses()[0]).every_kind().context("direct")?;
        }
        let balancer = Balancer::http(upstream, server.addresses())?;
        Curl::to(balancer.address()).every_kind().context(protocol)?;
    }
    Ok(())
}
