//! Where attacks happen: Evenkeel with one worker, so that nobody can step aside; good servers; a bystander on the same worker;
//! and the judgement of what an attack cost.

use crate::attack::{Attack, Trace};
use crate::attacker::PATH as ATTACKED;
use crate::bystander::Bystander;
use crate::hostile::Hostile;
use crate::sent::Sent;
use crate::siege::Siege;
use crate::verdict::{Verdict, Window};
use crate::web::Web;
use anyhow::{Context, Result};
use evenkeel_interop::bystander::GoodServers;
use evenkeel_interop::certificate::Certificate;
use evenkeel_interop::instance::Instance;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the bystander's rate without an attack is measured.
const QUIET: Duration = Duration::from_millis(400);

/// Most sessions of the listener `small`.
pub const SMALL: usize = 100;

/// Evenkeel with its servers and its bystander.
#[derive(Debug)]
pub struct Arena {
    evenkeel: Instance,
    bystander: Bystander,
    attacked: Hostile,
    web: Web,
    _servers: Option<GoodServers>,
}

impl Arena {
    /// One where good servers stand behind Evenkeel.
    ///
    /// # Errors
    /// If something does not start.
    pub fn start() -> Result<Self> {
        Self::with_hostile("127.0.0.1:1")
    }

    /// One that has a listener `secured` besides, which shows this certificate.
    ///
    /// # Errors
    /// If something does not start.
    pub fn secured(certificate: &Certificate) -> Result<Self> {
        let servers = GoodServers::start()?;
        let (cert, key) = (certificate.chain(), certificate.key());
        let secured = format!(
            "- {{ name: secured, bind: \"127.0.0.1:0\", service: good, timeouts: {{ tls_handshake: 1s, header: 1s }}, \
             tls: {{ certificates: [{{ cert: {cert:?}, key: {key:?} }}] }} }}\n"
        );
        Self::over_with(&servers.list(&[]), "127.0.0.1:1", &secured, Some(servers))
    }

    /// One where this endpoint stands beside the good servers, in a service of its own that gets `/hostile`.
    ///
    /// # Errors
    /// If something does not start.
    pub fn with_hostile(hostile: &str) -> Result<Self> {
        let servers = GoodServers::start()?;
        Self::over(&servers.list(&[]), hostile, Some(servers))
    }

    /// One where all requests go to these endpoints.
    ///
    /// # Errors
    /// If something does not start.
    pub fn over_endpoint(address: &str) -> Result<Self> {
        Self::over(&format!("[\"{address}\"]"), "127.0.0.1:1", None)
    }

    /// One where good servers and this endpoint stand in the same service.
    ///
    /// # Errors
    /// If something does not start.
    pub fn mixed_with(hostile: &str) -> Result<Self> {
        let servers = GoodServers::start()?;
        Self::over(&servers.list(&[hostile.to_owned()]), "127.0.0.1:1", Some(servers))
    }

    fn over(good: &str, hostile: &str, servers: Option<GoodServers>) -> Result<Self> {
        Self::over_with(good, hostile, "", servers)
    }

    fn over_with(good: &str, hostile: &str, more: &str, servers: Option<GoodServers>) -> Result<Self> {
        let (attacked, web) = (Hostile::calm()?, Web::start()?);
        let configuration = format!(
            "workers: 1\n\
             admin: {{ bind: \"127.0.0.1:0\" }}\n\
             listeners:\n\
             - name: web\n\
             \x20 bind: \"127.0.0.1:0\"\n\
             \x20 timeouts: {{ header: 1s, send: 3s }}\n\
             \x20 routes:\n\
             \x20 - {{ match: {{ path_prefix: /hostile1 }}, service: hostile1 }}\n\
             \x20 - {{ match: {{ path_prefix: /hostile }}, service: hostile }}\n\
             \x20 - {{ match: {{ path_prefix: /web }}, service: web }}\n\
             \x20 - {{ match: {{ path_prefix: {ATTACKED} }}, service: attacked }}\n\
             \x20 - {{ service: good }}\n\
             - {{ name: tunnel, bind: \"127.0.0.1:0\", protocol: tcp, service: web, timeouts: {{ send: 1s }} }}\n\
             - {{ name: small, bind: \"127.0.0.1:0\", service: good, max_sessions: {SMALL}, timeouts: {{ header: 500ms }} }}\n\
             {more}\
             services:\n\
             - {{ name: good, endpoints: {{ static: {good} }}, timeouts: {{ connect: 300ms }} }}\n\
             - {{ name: attacked, endpoints: {{ static: [\"{}\"] }} }}\n\
             - {{ name: web, endpoints: {{ static: [\"{}\"] }}, upstream: {{ protocol: h1, max_connections: 8192 }} }}\n\
             - {{ name: hostile1, endpoints: {{ static: [\"{hostile}\"] }}, ejection: {{ max_share: 0 }}, upstream: {{ protocol: h1, pending_timeout: 500ms }}, timeouts: {{ connect: 300ms, header: 500ms }} }}\n\
             - {{ name: hostile, endpoints: {{ static: [\"{hostile}\"] }}, ejection: {{ max_share: 0 }}, upstream: {{ protocol: h2, pending_timeout: 500ms }}, timeouts: {{ connect: 300ms, header: 500ms }} }}\n",
            attacked.address(),
            web.address()
        );
        let mut evenkeel = Instance::start(TempDir::new()?, &configuration)?;
        let bystander = Bystander::start(&evenkeel.address("web")?)?;
        Ok(Self { evenkeel, bystander, attacked, web, _servers: servers })
    }

    /// Evenkeel.
    #[must_use]
    pub fn evenkeel(&mut self) -> &mut Instance {
        &mut self.evenkeel
    }

    /// The HTTP/1 endpoint of `/web`, which also is behind the listener `tunnel`.
    #[must_use]
    pub fn web(&self) -> &Web {
        &self.web
    }

    /// Requests of attackers that were passed on to their endpoint, and those of them that came to their end there.
    #[must_use]
    pub fn passed_on(&self) -> (u64, u64) {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.attacked.met().requests), count(&self.attacked.met().whole_requests))
    }

    /// Lets the attack happen on the listener `web` and judges it.
    ///
    /// # Errors
    /// If it cost more than it may, somebody noticed, or Evenkeel did not tell of it.
    pub fn withstands(&mut self, attack: &Attack, script: impl FnOnce(&Siege) -> Result<()>) -> Result<()> {
        self.withstands_at("web", attack, script)
    }

    /// The same on any listener.
    ///
    /// # Errors
    /// The same.
    pub fn withstands_at(
        &mut self,
        listener: &str,
        attack: &Attack,
        script: impl FnOnce(&Siege) -> Result<()>,
    ) -> Result<()> {
        let address = self.evenkeel.address(listener)?;
        let traces = self.traces(attack)?;
        let (calls, cpu, start) = (self.bystander.calls(), self.evenkeel.cpu_time()?, Instant::now());
        std::thread::sleep(QUIET);
        let quiet = self.window(calls, cpu, start)?;
        let memory = self.evenkeel.memory()?.resident;
        let _before = self.bystander.longest();

        let sent = Arc::new(Sent::default());
        let (calls, cpu, start) = (self.bystander.calls(), self.evenkeel.cpu_time()?, Instant::now());
        script(&Siege::new(address, attack.length, sent.clone())).context("the attack itself failed")?;
        let during = self.window(calls, cpu, start)?;

        let longest = self.bystander.longest();
        self.bystander.goes_on()?;
        let grown = self.evenkeel.memory()?.highest.saturating_sub(memory);
        let verdict = Verdict { quiet, during, grown, longest };
        verdict.record(attack, &sent)?;
        for (trace, before) in attack.traces.iter().zip(traces) {
            self.evenkeel.until_metric(trace.metric, &[trace.label], |now| now > before)?;
        }
        verdict.judge(attack, &sent)?;
        self.evenkeel.is_ready()?;
        self.bystander.is_well()
    }

    fn traces(&self, attack: &Attack) -> Result<Vec<f64>> {
        let count = |trace: &Trace| Ok(self.evenkeel.metric(trace.metric, &[trace.label])?.unwrap_or(0.0));
        attack.traces.iter().map(count).collect()
    }

    fn window(&self, calls: u64, cpu: Duration, start: Instant) -> Result<Window> {
        Ok(Window {
            calls: self.bystander.calls() - calls,
            cpu: self.evenkeel.cpu_time()?.saturating_sub(cpu),
            length: start.elapsed(),
        })
    }
}
