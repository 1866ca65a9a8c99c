//! How much of a service's load may be repetition.
//!
//! Knows two counts and a share, nothing of why a try failed. The engine asks it before it sends an exchange again
//! that an endpoint may have processed; one worker has one for each service.
//!
//! When everything fails, retries bounded only by attempts multiply the load at the worst time: two attempts make three
//! requests of one. A bound on those under way at once, relative to what is open, is as generous as attempts
//! while few fail and all but shuts when most do. The idea is Finagle's `RetryBudget` (a share of the requests) in the
//! form of Envoy's retry budgets (a share of the requests that are active, with a floor for services of little load).

/// Retries that may be under way whatever the share says, so that a service of little load has any.
pub const LEAST_RETRIES: usize = 3;

/// The retries of one service that are under way on one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryBudget {
    under_way: usize,
}

impl RetryBudget {
    /// Takes a place for one more retry, to be given back with [`RetryBudget::end`]. `open` are the service's exchanges
    /// on the worker, retries included; `share` (0 to 1) of them, and always [`LEAST_RETRIES`], may be under way
    /// again. False, and nothing is taken, if that would be one too many.
    #[must_use]
    pub fn begin(&mut self, open: usize, share: f64) -> bool {
        let has_room = self.under_way < LEAST_RETRIES || (self.under_way + 1) as f64 <= open as f64 * share;
        self.under_way += usize::from(has_room);
        has_room
    }

    /// A retry is under way no more: its answer began, or it ended without.
    pub fn end(&mut self) {
        debug_assert!(self.under_way > 0, "only what began ends");
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Retries that are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn begun(open: usize, share: f64) -> usize {
        let mut budget = RetryBudget::default();
        while budget.begin(open, share) {}
        budget.under_way()
    }

    #[test]
    fn the_share_is_taken_whole_and_one_more_is_refused() {
        assert_eq!(begun(100, 0.2), 20);
        assert_eq!(begun(104, 0.2), 20);
        assert_eq!(begun(105, 0.2), 21);
        assert_eq!(begun(1_000, 1.0), 1_000);
    }

    #[test]
    fn three_may_always_be_under_way() {
        assert_eq!(begun(0, 0.2), 3);
        assert_eq!(begun(15, 0.2), 3);
        assert_eq!(begun(1_000, 0.0), 3);
    }

    #[test]
    fn what_ended_makes_room() {
        let mut budget = RetryBudget { under_way: 20 };
        assert!(!budget.begin(100, 0.2));
        budget.end();
        assert!(budget.begin(100, 0.2));
    }

    /// Tries of 100 steps each, ten more requests at every step. This part of the tries fails, evenly spread, and is
    /// sent again while attempts and budget allow. Tries for each request, and the part of the requests that failed in
    /// the end.
    fn simulate(failing: f64, attempts: u32, share: f64) -> (f64, f64) {
        const STEPS: usize = 5_000;
        const LENGTH: usize = 100;
        let (mut budget, mut owed) = (RetryBudget::default(), 0.0);
        let (mut open, mut tries, mut requests, mut failed) = (0_usize, 0.0, 0.0, 0.0);
        // What ends at each step from now on, by the tries that each had.
        let mut ends: VecDeque<Vec<u32>> = vec![Vec::new(); LENGTH + 1].into();
        for _ in 0..STEPS {
            for had in ends.pop_front().unwrap() {
                if had > 1 {
                    budget.end();
                }
                owed += failing;
                let fails = owed >= 1.0;
                owed -= f64::from(u8::from(fails));
                if fails && had <= attempts && budget.begin(open, share) {
                    ends[LENGTH - 1].push(had + 1);
                    tries += 1.0;
                } else {
                    open -= 1;
                    failed += f64::from(u8::from(fails));
                }
            }
            ends.push_back(Vec::new());
            ends[LENGTH - 1].extend([1; 10]);
            (open, tries, requests) = (open + 10, tries + 10.0, requests + 10.0);
        }
        (tries / requests, failed / requests)
    }

    #[test]
    fn an_outage_costs_the_budget_and_not_the_attempts() {
        let (without, _) = simulate(1.0, 2, 1.0);
        let (with, _) = simulate(1.0, 2, 0.2);
        assert!(without > 2.9, "{without}");
        // At most the share of what is open are retries: one request becomes 1 ÷ (1 - 0.2) tries.
        assert!((1.1..=1.26).contains(&with), "{with}");
    }

    #[test]
    fn a_few_failures_are_repeated_as_if_there_were_no_budget() {
        let (tries, failed) = simulate(0.05, 2, 0.2);
        assert!((1.04..1.07).contains(&tries), "{tries}");
        assert!(failed < 0.001, "{failed}");
    }
}
