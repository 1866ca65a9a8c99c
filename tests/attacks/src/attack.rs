//! An attack as it is judged: what it may cost, and by which names Evenkeel must tell of it.

use std::time::Duration;

/// An attack's name, ceilings and traces.
#[derive(Clone, Debug)]
pub struct Attack {
    /// In the table at the end.
    pub name: &'static str,
    /// How long it goes on.
    pub length: Duration,
    /// CPU time of Evenkeel beyond what it needs for the bystander: at once, for each frame and for each connection.
    pub cpu: Cpu,
    /// Bytes by which Evenkeel's resident memory may grow at its highest.
    pub memory: u64,
    /// What must have been counted at its end.
    pub traces: Vec<Trace>,
}

/// A ceiling on CPU time.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// At once: the kernel counts in hundredths of a second, and the bystander's share is only about known.
    pub at_once: Duration,
    /// For each frame that the attacker sent.
    pub frame: Duration,
    /// For each connection that it made.
    pub connection: Duration,
}

/// A count that must have grown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The metric.
    pub metric: &'static str,
    /// A label and its value.
    pub label: (&'static str, &'static str),
}

impl Attack {
    /// One that goes on for a second, with the ceilings that hold for most.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        let cpu = Cpu {
            at_once: Duration::from_millis(200),
            frame: Duration::from_micros(1),
            connection: Duration::from_micros(500),
        };
        Self { name, length: Duration::from_secs(1), cpu, memory: 32 << 20, traces: Vec::new() }
    }

    /// With another length.
    #[must_use]
    pub fn lasting(mut self, length: Duration) -> Self {
        self.length = length;
        self
    }

    /// With another ceiling on memory, in MiB.
    #[must_use]
    pub fn within_mib(mut self, memory: u64) -> Self {
        self.memory = memory << 20;
        self
    }

    /// With another ceiling on the CPU time of a frame.
    #[must_use]
    pub fn within_cpu(mut self, frame: Duration) -> Self {
        self.cpu.frame = frame;
        self
    }

    /// With another ceiling on the CPU time of a connection.
    #[must_use]
    pub fn within_cpu_of_connections(mut self, connection: Duration) -> Self {
        self.cpu.connection = connection;
        self
    }

    /// It must end sessions for this reason.
    #[must_use]
    pub fn ends_sessions(self, reason: &'static str) -> Self {
        self.leaves("evenkeel_sessions_closed_total", ("reason", reason))
    }

    /// It must end connections to endpoints for this reason.
    #[must_use]
    pub fn ends_upstreams(self, reason: &'static str) -> Self {
        self.leaves("evenkeel_upstreams_closed_total", ("reason", reason))
    }

    /// This limit must refuse something.
    #[must_use]
    pub fn meets(self, limit: &'static str) -> Self {
        self.leaves("evenkeel_limits_refused_total", ("limit", limit))
    }

    /// Exchanges must end so.
    #[must_use]
    pub fn ends_exchanges(self, outcome: &'static str) -> Self {
        self.leaves("evenkeel_exchanges_total", ("outcome", outcome))
    }

    /// Requests that were given to no service must end so.
    #[must_use]
    pub fn ends_unrouted(self, outcome: &'static str) -> Self {
        self.leaves("evenkeel_exchanges_unrouted_total", ("outcome", outcome))
    }

    fn leaves(mut self, metric: &'static str, label: (&'static str, &'static str)) -> Self {
        self.traces.push(Trace { metric, label });
        self
    }
}

impl Cpu {
    /// What so many frames on so many connections may cost.
    #[must_use]
    pub fn of(&self, frames: u64, connections: u64) -> Duration {
        let times = |each: Duration, n: u64| each.mul_f64(n as f64);
        self.at_once + times(self.frame, frames) + times(self.connection, connections)
    }
}
