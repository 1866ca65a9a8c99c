//! The web programs of `tests/clients`: HTTP, WebSocket and event stream servers, and the clients of them. Knows their command
//! line and what they print; `tests/clients/WEB.md` says what each owes.

use crate::certificate::Certificate;
use crate::evenkeel::post;
use crate::process::Process;
use crate::programs;
use crate::wait::until;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Longest time of a client's whole work.
const WORK: Duration = Duration::from_mins(3);

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct WebServer {
    _process: Process,
    addresses: Vec<String>,
    steering: Option<String>,
}

/// What an HTTP client reports of its requests, which it made one after the other.
#[derive(Clone, Debug)]
pub struct WebReport {
    /// Requests that it made.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Those that came back right, by the server's name.
    pub per_backend: BTreeMap<String, u64>,
    /// The same by the protocol in which the server was asked.
    pub protocols: BTreeMap<String, u64>,
    /// How each kind of exchange went, if asked for.
    pub kinds: BTreeMap<String, String>,
    /// All that it printed.
    pub said: String,
}

impl WebServer {
    /// Starts `program` with these words, and waits until it serves in so many places.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(program: &str, words: &[&str], places: usize) -> Result<Self> {
        let mut process =
            Process::start(&format!("{program} {words:?}"), programs::command(program)?.args(words))?;
        let said = process.until("it says READY", |process| {
            let said = process.said()?;
            // A line without its end may be half a number.
            let whole = said[..said.rfind('\n').map_or(0, |end| end + 1)].to_owned();
            Ok((whole.matches("READY ").count() == places && has_steering(program, &whole)).then_some(whole))
        })?;
        let of = |word: &str| -> Vec<String> {
            let ports = said.lines().filter_map(|line| line.strip_prefix(word));
            ports.map(|port| format!("127.0.0.1:{}", port.trim())).collect()
        };
        Ok(Self { addresses: of("READY "), steering: of("STEER ").pop(), _process: process })
    }

    /// The server on Go's net/http, one for each name in one process.
    ///
    /// # Errors
    /// If it does not start.
    pub fn go(names: &[&str], more: &[&str]) -> Result<Self> {
        Self::start("web-go", &[&["server", "--name", &names.join(",")][..], more].concat(), names.len())
    }

    /// Where each serves.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Gives `bytes` to every open event stream.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn send_events(&self, bytes: &str) -> Result<()> {
        post(self.steering()?, "/send", bytes)
    }

    /// Ends every open event stream.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn drop_streams(&self) -> Result<()> {
        post(self.steering()?, "/drop", "")
    }

    /// With which `Last-Event-ID` each event stream so far was opened.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn opened(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_str(&crate::evenkeel::get(self.steering()?, "/opened")?)?)
    }

    /// How many event streams are open now.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn open(&self) -> Result<u64> {
        Ok(crate::evenkeel::get(self.steering()?, "/open")?.trim().parse()?)
    }

    fn steering(&self) -> Result<&str> {
        self.steering.as_deref().context("this server has no event streams")
    }
}

fn has_steering(program: &str, said: &str) -> bool {
    program != "web-go" || said.contains("STEER ")
}

/// Runs a client to its end, and gives all that it printed.
///
/// # Errors
/// If it ends badly, or not in time.
pub fn run(program: &str, words: &[&str]) -> Result<String> {
    run_by(programs::command(program)?, program, words)
}

fn run_by(mut command: Command, program: &str, words: &[&str]) -> Result<String> {
    let name = format!("{program} {words:?}");
    let mut process = Process::start(&name, command.args(words))?;
    until(&format!("{name} ends"), WORK, || process.ended())?;
    process.finish()?;
    process.said()
}

/// Runs an HTTP client against `target`, with more words of its command line.
///
/// # Errors
/// If it could not run.
pub fn http(program: &str, target: &str, more: &[&str]) -> Result<WebReport> {
    let target = format!("http://{target}");
    let said = run(program, &[&["http", "--target", &target][..], more].concat())?;
    WebReport::read(&said).with_context(|| format!("no report: {said}"))
}

/// The same over TLS, where the client trusts a certificate's authority alone.
///
/// # Errors
/// If it could not run.
pub fn https(program: &str, target: &str, trusted: &Certificate, more: &[&str]) -> Result<WebReport> {
    let target = format!("https://{target}");
    let words = [&["http", "--target", &target][..], more].concat();
    let said = run_by(trusting(program, trusted)?, program, &words)?;
    WebReport::read(&said).with_context(|| format!("no report: {said}"))
}

/// A client that trusts a certificate's authority, each by the way of its language.
fn trusting(program: &str, trusted: &Certificate) -> Result<Command> {
    let mut command = programs::command(program)?;
    let authority = trusted.authority();
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"] {
        command.env(name, &authority);
    }
    if program == "web-java" {
        let store = format!("-Djavax.net.ssl.trustStore={}", trusted.java_store()?.display());
        command.env("JAVA_TOOL_OPTIONS", format!("{store} -Djavax.net.ssl.trustStorePassword=evenkeel"));
    }
    Ok(command)
}

/// What a session client saw in each of its cases over TLS, where it trusts a certificate's authority alone.
///
/// # Errors
/// If it could not run.
pub fn secure_sessions(
    program: &str,
    target: &str,
    trusted: &Certificate,
    more: &[&str],
) -> Result<BTreeMap<String, Vec<String>>> {
    let target = format!("{}://{target}", if program == "web-node" { "https" } else { "wss" });
    let words = [&["websocket", "--target", &target][..], more].concat();
    cases(&run_by(trusting(program, trusted)?, program, &words)?)
}

/// What a session client saw in each of its cases, by the case's name.
///
/// # Errors
/// If it could not run.
pub fn sessions(program: &str, target: &str, more: &[&str]) -> Result<BTreeMap<String, Vec<String>>> {
    let target = format!("{}://{target}", if program == "web-node" { "http" } else { "ws" });
    cases(&run(program, &[&["websocket", "--target", &target][..], more].concat())?)
}

/// The JVM says on a line of its own which options it took from its environment.
fn cases(said: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let lines = said.lines().filter(|line| !line.starts_with("Picked up JAVA_TOOL_OPTIONS"));
    lines.map(|line| case(line).with_context(|| format!("not a case: {line}"))).collect()
}

fn case(line: &str) -> Option<(String, Vec<String>)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let saw = line["saw"].as_array()?.iter().map(|saw| saw.as_str().map(str::to_owned));
    Some((line["case"].as_str()?.to_owned(), saw.collect::<Option<_>>()?))
}

impl WebReport {
    fn read(said: &str) -> Option<Self> {
        let line = said.lines().find(|line| line.starts_with("{\"requests\""))?;
        let report: Value = serde_json::from_str(line).ok()?;
        let numbers = |name: &str| -> Option<BTreeMap<String, u64>> {
            report[name]
                .as_object()?
                .iter()
                .map(|(key, value)| Some((key.clone(), value.as_u64()?)))
                .collect()
        };
        let kinds = report["kinds"].as_object()?.iter();
        Some(Self {
            requests: report["requests"].as_u64()?,
            errors: report["errors"].as_u64()?,
            per_backend: numbers("per_backend")?,
            protocols: numbers("protocols")?,
            kinds: kinds
                .map(|(kind, said)| Some((kind.clone(), said.as_str()?.to_owned())))
                .collect::<Option<_>>()?,
            said: said.to_owned(),
        })
    }
}

/// The busiest one's share over the mean of `servers` of them; 1.00 is level.
#[must_use]
pub fn skew(per_backend: &BTreeMap<String, u64>, servers: u32) -> f64 {
    let busiest = per_backend.values().max().copied().unwrap_or(0);
    let all: u64 = per_backend.values().sum();
    busiest as f64 * f64::from(servers) / (all.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_an_http_client_is_read_whole() {
        let said = "{\"upgraded\":\"HTTP_2\"}\n{\"requests\":3,\"errors\":1,\"first_error\":\"x\",\"per_backend\":{\"a\":2},\
                    \"protocols\":{\"HTTP/1.1\":2},\"kinds\":{\"head\":\"ok\"}}\n";
        let report = WebReport::read(said).unwrap();
        assert_eq!((report.requests, report.errors, report.per_backend["a"]), (3, 1, 2));
        assert_eq!((report.protocols["HTTP/1.1"], report.kinds["head"].as_str()), (2, "ok"));
        assert!(
            (skew(&report.per_backend, 2) - 2.0).abs() < 1e-9,
            "a server without a request counts in the mean"
        );
        assert!(WebReport::read("{\"requests\":3}").is_none());
    }

    #[test]
    fn a_case_is_a_line_with_its_name_and_what_was_seen() {
        let read = case(r#"{"case":"ping","saw":["pong"]}"#).unwrap();
        assert_eq!(read, ("ping".to_owned(), vec!["pong".to_owned()]));
        assert!(case("words").is_none());
    }
}
