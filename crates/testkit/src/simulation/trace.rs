//! What happened, line by line for people, and as one hash for the test that a seed says it all.

use evenkeel_core::event::EventKind;
use evenkeel_core::time::Moment;

/// Hashes every step, and prints it if asked to.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    steps: u64,
    is_printed: bool,
}

impl Trace {
    /// An empty trace; printed to stderr if asked.
    #[must_use]
    pub fn new(is_printed: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, steps: 0, is_printed }
    }

    /// A step: what it was, and its numbers.
    pub fn note(&mut self, now: Moment, what: &str, numbers: &[u64]) {
        self.steps += 1;
        self.mix(now.as_nanos());
        self.mix(what.len() as u64);
        for &n in numbers {
            self.mix(n);
        }
        if self.is_printed {
            eprintln!("{:>12.6} ms  {what} {numbers:?}", now.as_nanos() as f64 / 1e6);
        }
    }

    /// An event that the engine told.
    pub fn event(&mut self, now: Moment, kind: &EventKind) {
        self.note(now, "evenkeel tells", &[]);
        if self.is_printed {
            eprintln!("                  {kind:?}");
        }
    }

    /// Bytes that belong to the last step.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let ends = [bytes.first(), bytes.get(3), bytes.get(bytes.len() / 2), bytes.last()];
        self.mix(ends.iter().fold(bytes.len() as u64, |n, b| n << 8 | u64::from(*b.unwrap_or(&0))));
    }

    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether it is printed.
    #[must_use]
    pub fn is_printed(&self) -> bool {
        self.is_printed
    }

    /// One number for all steps so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// FNV-1a over words instead of bytes, with the high half folded in.
    fn mix(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.hash = mixed ^ (mixed >> 29);
    }
}
