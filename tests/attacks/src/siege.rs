//! An attack while it runs: where it goes, until when, and how much was sent. Handed to the scripts by the arena.

use crate::attacker::Attacker;
use crate::block::Block;
use crate::frame::flag;
use crate::heard::Heard;
use crate::sent::Sent;
use crate::wire::Wire;
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An attack while it runs.
#[derive(Clone, Debug)]
pub struct Siege {
    address: String,
    sent: Arc<Sent>,
    end: Instant,
}

impl Siege {
    /// One against this address, for so long.
    #[must_use]
    pub fn new(address: String, length: Duration, sent: Arc<Sent>) -> Self {
        Self { address, sent, end: Instant::now() + length }
    }

    /// Whether there is time left.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// Time that is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Where it goes.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was sent.
    #[must_use]
    pub fn sent(&self) -> &Arc<Sent> {
        &self.sent
    }

    /// A client that has said nothing yet and reads nothing.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn connect_mute(&self) -> Result<Attacker> {
        Attacker::connect(&self.address, self.sent.clone())
    }

    /// A client that speaks no frames.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn wire(&self) -> Result<Wire> {
        Wire::connect(&self.address, self.sent.clone())
    }

    /// A client that has said hello and hears what comes.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn connect(&self) -> Result<Attacker> {
        self.connect_with(&[])
    }

    /// The same with these settings.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn connect_with(&self, settings: &[(u16, u32)]) -> Result<Attacker> {
        let mut attacker = self.connect_mute()?;
        attacker.listen()?;
        attacker.greet(settings);
        Ok(attacker)
    }

    /// A client that has said hello with these settings and reads nothing.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn connect_deaf(&self, settings: &[(u16, u32)]) -> Result<Attacker> {
        let mut attacker = self.connect_mute()?;
        attacker.greet(settings);
        Ok(attacker)
    }

    /// Attacks on connection after connection until the time is over. A script that loses its connection begins anew.
    ///
    /// # Errors
    /// What the script fails with.
    pub fn again_and_again(&self, mut script: impl FnMut(&mut Attacker) -> Result<()>) -> Result<()> {
        while self.goes_on() {
            script(&mut self.connect()?)?;
        }
        Ok(())
    }

    /// Calls this path with so many calls in flight until the time is over, whatever the answers are; says how many ended.
    ///
    /// # Errors
    /// If calls are left without any end.
    pub fn calls(&self, path: &str, in_flight: u64) -> Result<u64> {
        let mut ended = 0;
        while self.goes_on() {
            let mut caller = self.connect()?;
            let mut made = 0;
            while self.goes_on() && caller.is_alive() {
                for _ in 0..in_flight {
                    caller.open(&Block::request(path), flag::END_STREAM);
                }
                made += in_flight;
                caller.window_update(0, 1 << 20);
                caller.flush();
                caller.ear().until("every call ends", |heard| heard.is_closed || heard.ends() >= made)?;
            }
            ended += caller.ear().ask(Heard::ends);
        }
        Ok(ended)
    }
}
