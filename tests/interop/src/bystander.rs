//! Who must notice nothing: two good servers and a well-behaved client, which calls all the time while a test does its worst
//! beside it.

use crate::instance::Instance;
use crate::load::Load;
use crate::server::Server;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Good servers, killed when dropped.
#[derive(Debug)]
pub struct GoodServers([Server; 2]);

/// A client that calls them through Evenkeel, killed when dropped.
#[derive(Debug)]
pub struct Bystander {
    load: Load,
    service: String,
}

impl GoodServers {
    /// Starts them.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start() -> Result<Self> {
        let one = |name| Server::start("rust", name, Duration::ZERO);
        Ok(Self([one("good-a")?, one("good-b")?]))
    }

    /// Their addresses as a list of the configuration, with `more` behind them.
    #[must_use]
    pub fn list(&self, more: &[String]) -> String {
        let all = self.0.iter().map(Server::address).chain(more.iter().cloned());
        let quoted: Vec<_> = all.map(|address| format!("\"{address}\"")).collect();
        format!("[{}]", quoted.join(", "))
    }
}

impl Bystander {
    /// Starts calling `target`, whose calls the service of this name gets, and waits until calls come back.
    ///
    /// # Errors
    /// If they do not.
    pub fn start(evenkeel: &mut Instance, target: &str, service: &str) -> Result<Self> {
        // A few hundred calls a second: enough to notice any trouble, and next to no load.
        let load = Load::start("rust", target, 4, &["--seconds", "600", "--delay-ms", "10"])?;
        let bystander = Self { load, service: service.to_owned() };
        bystander.goes_on(evenkeel)?;
        Ok(bystander)
    }

    /// Waits for some more of its calls to come back.
    ///
    /// # Errors
    /// If they do not.
    pub fn goes_on(&self, evenkeel: &mut Instance) -> Result<()> {
        const SOME: f64 = 40.0;
        let labels = [("service", self.service.as_str()), ("outcome", "completed")];
        let then = evenkeel.metric("evenkeel_exchanges_total", &labels)?.unwrap_or(0.0);
        evenkeel.until_metric("evenkeel_exchanges_total", &labels, |now| now >= then + SOME)?;
        Ok(())
    }

    /// Sees that it still goes on and that it had no error from beginning to end.
    ///
    /// # Errors
    /// If it had one.
    pub fn noticed_nothing(self, evenkeel: &mut Instance) -> Result<()> {
        self.goes_on(evenkeel)?;
        let report = self.load.end()?;
        ensure!(report.errors == 0 && report.calls > 0, "the client beside it was disturbed: {report:?}");
        Ok(())
    }
}
