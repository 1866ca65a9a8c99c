//! Evenkeel as users run it: a configuration, an endpoints file, a port, and the admin API to look at it.

use crate::process::Process;
use crate::programs;
use crate::wait::{DEADLINE, until};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running Evenkeel with one listener and one service whose endpoints come from a file; killed when dropped.
#[derive(Debug)]
pub struct Evenkeel {
    process: Process,
    dir: TempDir,
    address: String,
    admin: String,
}

/// What the admin API says of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Its condition: `ready`, `terminating` or another.
    pub state: String,
    /// Exchanges that run on it now.
    pub active_exchanges: u64,
    /// Exchanges that it was picked for since the start.
    pub requests_total: u64,
}

/// A look at all endpoints, by address.
pub type Endpoints = BTreeMap<String, Endpoint>;

/// What stands in the endpoints file for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It gets its share.
    Ready,
    /// It gets nothing new.
    Terminating,
}

impl Evenkeel {
    /// Starts it over these endpoints and waits until it serves. `balance` is what stands in the service's `balance`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(endpoints: &[String], balance: &str) -> Result<Self> {
        let dir = TempDir::new()?;
        let (address, admin) = (free_address()?, free_address()?);
        let file = dir.path().join("endpoints.yaml");
        write_endpoints(
            &file,
            &endpoints.iter().map(|address| (address.clone(), State::Ready)).collect::<Vec<_>>(),
        )?;
        let config = dir.path().join("evenkeel.yaml");
        fs::write(&config, configuration(&address, &admin, &file, balance))?;
        let mut command = programs::command("evenkeel")?;
        let mut process = Process::start("evenkeel", command.args(["run", "--config"]).arg(&config))?;
        process.until("its listener accepts", |_| Ok(TcpStream::connect(&address).ok()))?;
        process.until("its admin API answers", |_| Ok(get(&admin, "/readyz").ok()))?;
        let evenkeel = Self { process, dir, address, admin };
        until("every endpoint is known", DEADLINE, || {
            let known = evenkeel.endpoints()?;
            Ok(endpoints.iter().all(|address| known.contains_key(address)).then_some(()))
        })?;
        Ok(evenkeel)
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Writes the endpoints file anew, whole at once.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_endpoints(&self, endpoints: &[(String, State)]) -> Result<()> {
        write_endpoints(&self.dir.path().join("endpoints.yaml"), endpoints)
    }

    /// What the admin API says of the endpoints now.
    ///
    /// # Errors
    /// If it does not answer as it should.
    pub fn endpoints(&self) -> Result<Endpoints> {
        let services: Value = serde_json::from_str(&get(&self.admin, "/api/v1/services")?)?;
        read_endpoints(&services).with_context(|| format!("not the endpoints: {services}"))
    }

    /// Looks until the endpoints are as asked, and gives that look.
    ///
    /// # Errors
    /// At the deadline, or if the admin API fails.
    pub fn until(&self, what: &str, is: impl Fn(&Endpoints) -> bool) -> Result<Endpoints> {
        until(what, DEADLINE, || {
            let endpoints = self.endpoints()?;
            Ok(is(&endpoints).then_some(endpoints))
        })
    }

    /// The requests that each endpoint gets from now on for this long.
    ///
    /// # Errors
    /// If the admin API fails.
    pub fn window(&self, length: Duration) -> Result<BTreeMap<String, u64>> {
        let before = self.endpoints()?;
        self.window_since(&before, Instant::now(), length)
    }

    /// The requests that each endpoint gets from a look that was taken at `start` until `length` later.
    ///
    /// # Errors
    /// If the admin API fails.
    pub fn window_since(
        &self,
        before: &Endpoints,
        start: Instant,
        length: Duration,
    ) -> Result<BTreeMap<String, u64>> {
        until("the window ends", length + DEADLINE, || Ok((start.elapsed() >= length).then_some(())))?;
        let counted = |(address, now): (&String, &Endpoint)| {
            let then = before.get(address).map_or(0, |endpoint| endpoint.requests_total);
            (address.clone(), now.requests_total.saturating_sub(then))
        };
        Ok(self.endpoints()?.iter().map(counted).collect())
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// If that could not be.
    pub fn terminate(&self) -> Result<()> {
        self.process.terminate()
    }

    /// Waits for its end, which must be a good one.
    ///
    /// # Errors
    /// If it ends badly, or not in time.
    pub fn finish(&mut self) -> Result<()> {
        self.process.finish()
    }
}

/// The share of a window's requests that went to these addresses.
#[must_use]
pub fn share(window: &BTreeMap<String, u64>, of: &[String]) -> f64 {
    let all: u64 = window.values().sum();
    let theirs: u64 = of.iter().filter_map(|address| window.get(address)).sum();
    theirs as f64 / (all.max(1) as f64)
}

fn configuration(address: &str, admin: &str, endpoints: &Path, balance: &str) -> String {
    format!(
        r#"admin: {{ bind: "{admin}" }}
drain: {{ deadline: 10s, propagation_delay: 0s }}
listeners:
  - {{ name: grpc, bind: "{address}", protocol: http, service: echo }}
services:
  - name: echo
    endpoints: {{ file: "{}" }}
    upstream: {{ protocol: h2 }}
    balance: {{ {balance} }}
"#,
        endpoints.display()
    )
}

fn write_endpoints(file: &Path, endpoints: &[(String, State)]) -> Result<()> {
    let mut text = "endpoints:\n".to_owned();
    for (address, state) in endpoints {
        let state = match state {
            State::Ready => "ready",
            State::Terminating => "terminating",
        };
        text.push_str(&format!("  - {{ address: \"{address}\", state: {state} }}\n"));
    }
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    Ok(fs::rename(new, file)?)
}

fn read_endpoints(services: &Value) -> Option<Endpoints> {
    let mut endpoints = Endpoints::new();
    for service in services["services"].as_array()? {
        for endpoint in service["endpoints"].as_array()? {
            let read = Endpoint {
                state: endpoint["state"].as_str()?.to_owned(),
                active_exchanges: endpoint["active_exchanges"].as_u64()?,
                requests_total: endpoint["requests_total"].as_u64()?,
            };
            endpoints.insert(endpoint["address"].as_str()?.to_owned(), read);
        }
    }
    Some(endpoints)
}

/// An address on loopback that nobody listens on.
///
/// # Errors
/// If there is no port.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The body of a 200.
pub(crate) fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    Ok(body.to_owned())
}

/// Gives `body` to who answers with a 200.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_answer_of_the_admin_api_is_read_by_address() {
        let endpoint =
            json!({"address": "127.0.0.1:1", "state": "ready", "active_exchanges": 3, "requests_total": 9});
        let services = json!({"services": [{"name": "echo", "skew": 1.0, "endpoints": [endpoint]}]});
        let read = read_endpoints(&services).unwrap();
        assert_eq!(
            read["127.0.0.1:1"],
            Endpoint { state: "ready".into(), active_exchanges: 3, requests_total: 9 }
        );
        assert_eq!(read_endpoints(&json!({"services": [{"endpoints": [{}]}]})), None);
    }

    #[test]
    fn the_endpoints_file_says_who_is_terminating() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("endpoints.yaml");
        write_endpoints(&file, &[("a:1".into(), State::Ready), ("b:2".into(), State::Terminating)]).unwrap();
        let text = fs::read_to_string(file).unwrap();
        let wanted = "endpoints:\n  - { address: \"a:1\", state: ready }\n  - { address: \"b:2\", state: terminating }\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_share_is_of_all_requests_of_the_window() {
        let window = BTreeMap::from([("a".to_owned(), 30), ("b".to_owned(), 10)]);
        assert!((share(&window, &["b".to_owned()]) - 0.25).abs() < 1e-9);
        assert!(share(&BTreeMap::new(), &[]).abs() < 1e-9);
    }
}
