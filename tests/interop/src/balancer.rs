//! What stands between a real client and its real server: Evenkeel, or HAProxy where `EVENKEEL_INTEROP_BALANCER` says
//! `haproxy`, which tells whether a fault is Evenkeel's or the test's. Knows how both are configured; the peers tests use it.

use crate::certificate::Certificate;
use crate::evenkeel::free_address;
use crate::instance::Instance;
use crate::process::Process;
use anyhow::{Result, bail};
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use tempfile::TempDir;

/// The name of what stands in between.
const BALANCER: &str = "EVENKEEL_INTEROP_BALANCER";

/// What is asked of a balancer.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// What its listener speaks.
    pub listener: Listener,
    /// What it speaks to the endpoints.
    pub upstream: Upstream,
    /// Where they serve.
    pub endpoints: &'a [String],
    /// What its listener shows, if it takes TLS alone.
    pub certificate: Option<&'a Certificate>,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// HTTP in both versions.
    Http,
    /// Bytes.
    Tcp,
}

/// What endpoints are spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// HTTP/1.1, or bytes.
    H1,
    /// HTTP/2 by prior knowledge.
    H2,
}

/// A running balancer, killed when dropped.
#[derive(Debug)]
pub struct Balancer {
    address: String,
    _running: Running,
}

#[derive(Debug)]
enum Running {
    Evenkeel { _instance: Instance },
    HaProxy { _process: Process, _dir: TempDir },
}

impl Balancer {
    /// Starts the one that the environment names, and waits until it serves.
    ///
    /// # Errors
    /// If it does not start, or there is none of this name.
    pub fn start(setup: &Setup<'_>) -> Result<Self> {
        match std::env::var(BALANCER).as_deref() {
            Err(_) | Ok("evenkeel") => Self::evenkeel(setup),
            Ok("haproxy") => Self::haproxy(setup),
            Ok(other) => bail!("{BALANCER} is {other}, which is neither evenkeel nor haproxy"),
        }
    }

    /// An HTTP listener in cleartext over these endpoints.
    ///
    /// # Errors
    /// As [`Balancer::start`].
    pub fn http(upstream: Upstream, endpoints: &[String]) -> Result<Self> {
        Self::start(&Setup { listener: Listener::Http, upstream, endpoints, certificate: None })
    }

    /// A TCP listener over one endpoint.
    ///
    /// # Errors
    /// As [`Balancer::start`].
    pub fn tcp(endpoint: &str) -> Result<Self> {
        let endpoints = &[endpoint.to_owned()];
        Self::start(&Setup { listener: Listener::Tcp, upstream: Upstream::H1, endpoints, certificate: None })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    fn evenkeel(setup: &Setup<'_>) -> Result<Self> {
        let mut instance = Instance::start(TempDir::new()?, &of_evenkeel(setup))?;
        Ok(Self { address: instance.address("peers")?, _running: Running::Evenkeel { _instance: instance } })
    }

    fn haproxy(setup: &Setup<'_>) -> Result<Self> {
        let (dir, address) = (TempDir::new()?, free_address()?);
        let file = dir.path().join("haproxy.cfg");
        fs::write(&file, of_haproxy(setup, &address))?;
        let mut process = Process::start("haproxy", Command::new("haproxy").args(["-db", "-f"]).arg(&file))?;
        process.until("its listener accepts", |_| Ok(TcpStream::connect(&address).ok()))?;
        Ok(Self { address, _running: Running::HaProxy { _process: process, _dir: dir } })
    }
}

fn of_evenkeel(setup: &Setup<'_>) -> String {
    let protocol = match setup.listener {
        Listener::Http => "http",
        Listener::Tcp => "tcp",
    };
    let upstream = match (setup.listener, setup.upstream) {
        (Listener::Tcp, _) => "",
        (Listener::Http, Upstream::H1) => "\n    upstream: { protocol: h1 }",
        (Listener::Http, Upstream::H2) => "\n    upstream: { protocol: h2 }",
    };
    let tls = setup.certificate.map_or_else(String::new, |certificate| {
        let (chain, key) = (certificate.chain(), certificate.key());
        let (cert, key) = (chain.display(), key.display());
        format!(", tls: {{ certificates: [{{ cert: \"{cert}\", key: \"{key}\" }}] }}")
    });
    let endpoints: Vec<_> = setup.endpoints.iter().map(|address| format!("\"{address}\"")).collect();
    format!(
        r#"admin: {{ bind: "127.0.0.1:0" }}
listeners:
  - {{ name: peers, bind: "127.0.0.1:0", protocol: {protocol}, service: peers{tls} }}
services:
  - name: peers
    endpoints: {{ static: [{}] }}{upstream}
"#,
        endpoints.join(", ")
    )
}

fn of_haproxy(setup: &Setup<'_>, address: &str) -> String {
    let mode = match setup.listener {
        Listener::Http => "http",
        Listener::Tcp => "tcp",
    };
    let tls = setup.certificate.map_or_else(String::new, |certificate| {
        format!(" ssl crt {} alpn h2,http/1.1", certificate.chain_and_key().display())
    });
    let speaks = if setup.upstream == Upstream::H2 { " proto h2" } else { "" };
    // Without `http-no-delay` HAProxy holds small parts of an answer back.
    let mut text = format!(
        "defaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 5m\n  timeout server 5m\n  timeout tunnel 1h\n{}\
         frontend peers\n  bind {address}{tls}\n  default_backend peers\nbackend peers\n  balance roundrobin\n",
        if mode == "http" { "  option http-no-delay\n" } else { "" }
    );
    for (place, endpoint) in setup.endpoints.iter().enumerate() {
        text.push_str(&format!("  server s{place} {endpoint}{speaks}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_stands_in_both_configurations() {
        let endpoints = ["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()];
        let setup = Setup {
            listener: Listener::Http,
            upstream: Upstream::H2,
            endpoints: &endpoints,
            certificate: None,
        };
        let evenkeel = of_evenkeel(&setup);
        assert!(
            evenkeel.contains("protocol: http, service") && evenkeel.contains("protocol: h2"),
            "{evenkeel}"
        );
        assert!(evenkeel.contains(r#"static: ["127.0.0.1:1", "127.0.0.1:2"]"#), "{evenkeel}");
        let haproxy = of_haproxy(&setup, "127.0.0.1:3");
        assert!(
            haproxy.contains("server s1 127.0.0.1:2 proto h2") && haproxy.contains("mode http"),
            "{haproxy}"
        );
    }
}
