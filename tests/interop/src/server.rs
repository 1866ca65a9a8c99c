//! A real gRPC server of `tests/clients`.

use crate::process::Process;
use crate::programs;
use anyhow::Result;
use std::time::Duration;

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
    language: &'static str,
    name: String,
    port: u16,
    delay: Duration,
}

/// Servers of one process, killed when dropped: what the machine's other work takes from one it takes from all, so that they
/// are equal on a busy machine too.
#[derive(Debug)]
pub struct Siblings {
    _process: Process,
    addresses: Vec<String>,
}

impl Siblings {
    /// Starts one for each name, in the language that is fastest.
    ///
    /// # Errors
    /// If they do not start.
    pub fn start(names: &[&str], delay: Duration) -> Result<Self> {
        let (process, ports) = serve(programs::fastest()?, names, delay, 0)?;
        Ok(Self { _process: process, addresses: ports.into_iter().map(loopback).collect() })
    }

    /// Where each serves.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }
}

impl Server {
    /// Starts one on a free port and waits until it serves. Each answer takes `delay`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(language: &'static str, name: &str, delay: Duration) -> Result<Self> {
        Self::start_at(language, name, delay, 0)
    }

    /// Starts as many, named a, b, c and on, in the language that is fastest.
    ///
    /// # Errors
    /// If one does not start.
    pub fn several(count: u8, delay: Duration) -> Result<Vec<Self>> {
        let language = programs::fastest()?;
        (0..count).map(|place| Self::start(language, &char::from(b'a' + place).to_string(), delay)).collect()
    }

    fn start_at(language: &'static str, name: &str, delay: Duration, port: u16) -> Result<Self> {
        let (process, ports) = serve(language, &[name], delay, port)?;
        Ok(Self { process, language, name: name.to_owned(), port: ports[0], delay })
    }

    /// Its name, which its answers bear.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> String {
        loopback(self.port)
    }

    /// Ends it at once, as SIGKILL does.
    ///
    /// # Errors
    /// If that could not be.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Stops it gracefully and sees it end well.
    ///
    /// # Errors
    /// If it does not.
    pub fn stop(&mut self) -> Result<()> {
        self.process.terminate()?;
        self.process.finish()
    }

    /// Starts it again at its old address, after its end.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        let again = Self::start_at(self.language, &self.name, self.delay, self.port)?;
        *self = again;
        Ok(())
    }
}

/// A process with a server for each name, the first on this port, and where they serve.
fn serve(language: &str, names: &[&str], delay: Duration, port: u16) -> Result<(Process, Vec<u16>)> {
    let names_said = names.join(",");
    let mut command = programs::command(language)?;
    command.args(["server", "--name", &names_said, "--port", &port.to_string()]);
    command.args(["--delay-ms", &delay.as_millis().to_string()]);
    let mut process = Process::start(&format!("{language} server {names_said}"), &mut command)?;
    let ports = process.until("it says READY", |process| {
        let said = process.said()?;
        // A line without its end may be half a number.
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        let ready = whole.lines().filter_map(|line| line.strip_prefix("READY ")?.trim().parse().ok());
        let ports: Vec<u16> = ready.collect();
        Ok((ports.len() == names.len()).then_some(ports))
    })?;
    Ok((process, ports))
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
