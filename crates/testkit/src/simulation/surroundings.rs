//! What every simulated peer acts in: time, network, chance, the ledger and the trace.

use super::ledger::Ledger;
use super::network::{End, Network};
use super::prng::Prng;
use super::schedule::Schedule;
use super::trace::Trace;

/// All that a simulation has but its peers.
#[derive(Debug)]
pub struct Surroundings {
    /// Time.
    pub schedule: Schedule,
    /// Links.
    pub network: Network,
    /// Chance.
    pub prng: Prng,
    /// Requests.
    pub ledger: Ledger,
    /// What happened.
    pub trace: Trace,
}

impl Surroundings {
    /// Writes as much of `out` as the link takes now.
    pub fn flush(&mut self, end: End, out: &mut Vec<u8>) {
        if !out.is_empty() {
            let n = self.network.write(end, out, &mut self.schedule, &mut self.prng);
            out.drain(..n);
        }
    }

    /// Adds a step to the trace.
    pub fn note(&mut self, what: &str, numbers: &[u64]) {
        self.trace.note(self.schedule.now(), what, numbers);
    }
}
