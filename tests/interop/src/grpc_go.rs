//! grpc-go's own interop programs: its server, and the cases of its client. Knows their command line and that a client which
//! exits well saw what the case wants. The tests of that suite use it.

use crate::evenkeel::free_address;
use crate::process::Process;
use crate::programs;
use crate::wait::until;
use anyhow::{Context, Result};
use std::net::TcpStream;
use std::time::Duration;

/// The balancer that the ORCA cases of the client report to; the others do not notice it.
const SERVICE_CONFIG: &str = r#"{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

/// Longest time of a case: a hundred times what the slowest takes.
const CASE: Duration = Duration::from_mins(1);

/// The running server, killed when dropped.
#[derive(Debug)]
pub struct SuiteServer {
    address: String,
    _process: Process,
}

/// How a case ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All as the case wants it.
    Passed,
    /// Not so; with all that the client said.
    Failed(String),
}

impl SuiteServer {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start() -> Result<Self> {
        let address = free_address()?;
        let mut command = programs::command("grpc-go-server")?;
        command.arg(format!("-port={}", port(&address)?));
        let mut process = Process::start("grpc-go interop server", &mut command)?;
        process.until("it accepts", |_| Ok(TcpStream::connect(&address).ok()))?;
        Ok(Self { address, _process: process })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Runs one case of the client against `target`, with more words of its command line.
///
/// # Errors
/// If it cannot be run, or does not end.
pub fn run(case: &str, more: &[&str], target: &str) -> Result<Verdict> {
    let mut command = programs::command("grpc-go-client")?;
    command.args(["-server_host=127.0.0.1", &format!("-server_port={}", port(target)?)]);
    command
        .args([&format!("-test_case={case}"), &format!("-service_config_json={SERVICE_CONFIG}")])
        .args(more);
    let mut client = Process::start(&format!("grpc-go interop client, {case}"), &mut command)?;
    let end = until(&format!("{case} against {target} ends"), CASE, || client.ended())?;
    Ok(if end.success() { Verdict::Passed } else { Verdict::Failed(client.said()?) })
}

fn port(address: &str) -> Result<&str> {
    let (_, port) = address.rsplit_once(':').with_context(|| format!("no port: {address}"))?;
    Ok(port)
}
