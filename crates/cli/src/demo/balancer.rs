//! The demo's Evenkeel: a configuration as a user would write it, and the server that runs it.

use super::kind::Kind;
use anyhow::Context;
use evenkeel_config::model::{Admin, EndpointSource};
use evenkeel_config::{Config, parse};
use evenkeel_core::endpoint::EndpointSpec;
use evenkeel_server::control::{Options, Server};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Data plane threads of the demo's Evenkeel: more than one, so that picks of several threads must agree.
const WORKERS: u16 = 2;

/// One port for everything that is HTTP, one for TCP. Streams of events are requests that last: where each counts, the
/// endpoint with the fewest is the one to pick.
const LISTENERS: &str = r#"
listeners:
  - name: web
    bind: "127.0.0.1:0"
    routes:
      - { match: { grpc: { service: evenkeel.Demo } }, service: grpc }
      - { match: { path: /websocket }, service: websocket }
      - { match: { path: /sse }, service: sse }
      - { service: http }
  - { name: bytes, bind: "127.0.0.1:0", protocol: tcp, service: tcp }
services:
"#;

/// A running Evenkeel with a service for each kind.
pub(super) struct Balancer {
    server: Server,
    config: Config,
}

impl Balancer {
    /// Starts it, with these endpoints for each kind.
    ///
    /// # Errors
    /// A port or a thread cannot be had.
    pub(super) fn start(endpoints: impl Fn(Kind) -> Vec<SocketAddr>) -> anyhow::Result<Self> {
        let mut config = parse(&text(endpoints), "the demo").context("the demo's own configuration")?;
        config.admin = Admin { bind: None, public: None };
        config.workers = Some(WORKERS);
        let server = Server::start(config.clone(), Options::default())?;
        Ok(Self { server, config })
    }

    /// Where clients of a kind connect.
    ///
    /// # Errors
    /// It listens nowhere any more.
    pub(super) fn address(&self, kind: Kind) -> anyhow::Result<SocketAddr> {
        let listener = if kind == Kind::Tcp { "bytes" } else { "web" };
        self.server.address(listener).context("Evenkeel listens nowhere")
    }

    /// Gives a kind's service other endpoints. Connections stay.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn set(&mut self, kind: Kind, endpoints: Vec<EndpointSpec>) -> anyhow::Result<()> {
        let service = self.config.services.iter_mut().find(|service| *service.name == *kind.name());
        service.context("a kind without a service")?.endpoints = EndpointSource::Static(endpoints);
        self.server.apply(self.config.clone())?;
        Ok(())
    }
}

fn text(endpoints: impl Fn(Kind) -> Vec<SocketAddr>) -> String {
    let mut text = LISTENERS.to_owned();
    for kind in Kind::ALL {
        let policy = if kind.is_picked_once() { ", balance: { policy: least_connection }" } else { "" };
        let addresses: Vec<String> = endpoints(kind).iter().map(|address| format!("\"{address}\"")).collect();
        let (name, addresses) = (kind.name(), addresses.join(", "));
        let _ = writeln!(text, "  - {{ name: {name}, endpoints: {{ static: [{addresses}] }}{policy} }}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_configuration_has_a_service_for_each_kind() {
        let config = parse(&text(|_| vec![([127, 0, 0, 1], 1).into()]), "the demo").unwrap();
        let names: Vec<&str> = config.services.iter().map(|service| &*service.name).collect();
        assert_eq!(names, Kind::ALL.map(Kind::name));
    }
}
