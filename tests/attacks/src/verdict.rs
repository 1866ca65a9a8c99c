//! What an attack cost, held against what it may cost. The arena measures; the record of every attack is written here.

use crate::attack::Attack;
use crate::sent::Sent;
use anyhow::{Result, ensure};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

/// Names the file to which each attack's figures are added, a JSON object a line.
const RECORD: &str = "EVENKEEL_ATTACKS_RECORD";

/// The bystander keeps at least this part of its rate. Machines are noisy and the attacker takes a core of its own, of perhaps two:
/// what this shows is that nobody is starved, not that nothing is felt. The record has what was measured.
const FLOOR: f64 = 0.125;

/// What happened in a while.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Calls of the bystander.
    pub calls: u64,
    /// CPU time of Evenkeel.
    pub cpu: Duration,
    /// How long it was.
    pub length: Duration,
}

/// What was measured of an attack.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Before it.
    pub quiet: Window,
    /// While it was.
    pub during: Window,
    /// By how much memory had grown at its highest.
    pub grown: u64,
    /// The bystander's longest call.
    pub longest: Duration,
}

impl Window {
    /// Calls a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.length.as_secs_f64()
    }
}

impl Verdict {
    /// CPU time of Evenkeel but for the bystander's, as it was before.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let of_bystander = self.quiet.cpu.mul_f64(self.during.length.div_duration_f64(self.quiet.length));
        self.during.cpu.saturating_sub(of_bystander)
    }

    /// Holds it against the attack's ceilings.
    ///
    /// # Errors
    /// With the first that was passed.
    pub fn judge(&self, attack: &Attack, sent: &Sent) -> Result<()> {
        let (name, cpu) = (attack.name, self.cpu());
        let most = attack.cpu.of(sent.frames(), sent.connections());
        ensure!(cpu <= most, "{name}: {cpu:?} of CPU time, and {most:?} are allowed");
        let (grown, most) = (self.grown, attack.memory);
        ensure!(grown <= most, "{name}: memory grew by {grown} bytes, and {most} are allowed");
        let (before, rate) = (self.quiet.rate(), self.during.rate());
        ensure!(rate >= before * FLOOR, "{name}: the bystander's rate fell from {before:.0} to {rate:.0}");
        Ok(())
    }

    /// Adds it to the record, if there is one.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn record(&self, attack: &Attack, sent: &Sent) -> Result<()> {
        let traces: Vec<_> = attack.traces.iter().map(|trace| trace.label.1).collect();
        let row = json!({
            "attack": attack.name,
            "frames": sent.frames(),
            "connections": sent.connections(),
            "bytes": sent.bytes(),
            "seconds": self.during.length.as_secs_f64(),
            "cpu_seconds": self.cpu().as_secs_f64(),
            "grown_bytes": self.grown,
            "rate_before": self.quiet.rate(),
            "rate_during": self.during.rate(),
            "longest_call_ms": self.longest.as_secs_f64() * 1e3,
            "traces": traces,
        });
        println!("{row}");
        if let Some(file) = std::env::var_os(RECORD) {
            writeln!(OpenOptions::new().create(true).append(true).open(file)?, "{row}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 calls a second and 2 % of a core before; 20 a second, half a second of CPU time and 1 MiB in the attack's second.
    fn measured() -> Verdict {
        let (ms, length) = (Duration::from_millis, Duration::from_secs(1));
        Verdict {
            quiet: Window { calls: 50, cpu: ms(10), length: length / 2 },
            during: Window { calls: 20, cpu: ms(520), length },
            grown: 1 << 20,
            longest: ms(40),
        }
    }

    fn fault(verdict: &Verdict, attack: &Attack) -> String {
        let sent = Sent::default();
        sent.add(300_000, 1);
        verdict.judge(attack, &sent).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_bystanders_own_cpu_time_is_not_the_attacks() {
        assert_eq!(measured().cpu(), Duration::from_millis(500));
    }

    #[test]
    fn each_ceiling_holds_what_is_just_below_it_and_nothing_more() {
        let attack = Attack::named("some").within_cpu(Duration::from_micros(1)).within_mib(1);
        assert_eq!(fault(&measured(), &attack), "");
        let mut costly = measured();
        costly.during.cpu += Duration::from_millis(1);
        assert!(fault(&costly, &attack).contains("CPU time"));
        let large = Verdict { grown: (1 << 20) + 1, ..measured() };
        assert!(fault(&large, &attack).contains("memory grew"));
        let mut starved = measured();
        starved.during.calls = 12;
        assert!(fault(&starved, &attack).contains("rate fell from 100 to 12"));
    }
}
