//! What was counted, and the figures of a window between two counts. Knows no sockets and no terminal.

use super::way::Way;
use evenkeel_core::skew::skew;
use std::time::{Duration, Instant};

/// Running totals at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// When it was taken.
    pub(super) at: Instant,
    /// Calls that reached each endpoint, for each way.
    pub(super) calls: [Vec<u64>; 2],
    /// Sessions that each endpoint holds, for each way; of kinds whose connections are given to an endpoint once.
    pub(super) sessions: [Vec<u64>; 2],
    /// Calls that failed, and connections that could not be made, for each way.
    pub(super) errors: [u64; 2],
}

/// Two readings of the same stage, and what lies between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'r> {
    from: &'r Reading,
    to: &'r Reading,
}

impl<'r> Window<'r> {
    /// The window that begins with one reading and ends with the other.
    pub(super) fn between(from: &'r Reading, to: &'r Reading) -> Self {
        Self { from, to }
    }

    /// Its length.
    pub(super) fn length(self) -> Duration {
        self.to.at.saturating_duration_since(self.from.at)
    }

    /// Calls that reached each of the first `endpoints` endpoints in it. One that was not there yet at the beginning
    /// counts from zero.
    pub(super) fn calls(self, way: Way, endpoints: usize) -> Vec<u64> {
        let before = &self.from.calls[way as usize];
        let after = self.to.calls[way as usize].iter().take(endpoints).enumerate();
        after.map(|(i, count)| count.saturating_sub(before.get(i).copied().unwrap_or(0))).collect()
    }

    /// Calls that failed in it.
    pub(super) fn errors(self, way: Way) -> u64 {
        self.to.errors[way as usize].saturating_sub(self.from.errors[way as usize])
    }
}

/// The busiest endpoint over the mean.
pub(super) fn skew_of(calls: &[u64]) -> f64 {
    skew(calls.iter().map(|&count| (1, count as f64)))
}

/// The share of all calls that went to the endpoints from this one on; zero where there was no call.
pub(super) fn share_from(calls: &[u64], first: usize) -> f64 {
    let total: u64 = calls.iter().sum();
    let theirs: u64 = calls.iter().skip(first).sum();
    if total == 0 { 0.0 } else { theirs as f64 / total as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: Instant, pinned: &[u64], evenkeel: &[u64], errors: [u64; 2]) -> Reading {
        Reading { at, calls: [pinned.to_vec(), evenkeel.to_vec()], sessions: Default::default(), errors }
    }

    #[test]
    fn a_window_holds_what_came_after_its_beginning_only() {
        let start = Instant::now();
        let from = reading(start, &[100, 0], &[50, 50], [1, 2]);
        let to = reading(start + Duration::from_secs(2), &[160, 0, 0], &[70, 71, 19], [1, 5]);
        let window = Window::between(&from, &to);
        assert_eq!(window.length(), Duration::from_secs(2));
        assert_eq!(window.calls(Way::Pinned, 3), [60, 0, 0]);
        assert_eq!(window.calls(Way::Evenkeel, 3), [20, 21, 19]);
        assert_eq!(window.calls(Way::Evenkeel, 2), [20, 21], "endpoints that have left are not counted");
        assert_eq!(Way::ALL.map(|way| window.errors(way)), [0, 3]);
    }

    #[test]
    fn the_share_of_new_endpoints_is_theirs_of_all_calls() {
        assert!((share_from(&[30, 30, 20, 20], 2) - 0.4).abs() < 1e-12);
        assert!(share_from(&[0, 0], 1).abs() < 1e-12);
        assert!((skew_of(&[10, 0]) - 2.0).abs() < 1e-12);
    }
}
