//! `peak_ewma`: of two candidates the one with the lower (exchanges in flight for its weight + 1) × latency.
//!
//! Owns what one worker knows of latencies. After Finagle's Peak EWMA, an average that jumps up with a slow answer and
//! comes down gradually, with four differences, because here level load comes first and latency is there to notice an
//! endpoint that is really slower:
//!
//! - Latencies within a factor of two are equal, so that equal endpoints are levelled by what is in flight.
//! - One slow answer is noise and two in a row are not: the average jumps to the lower of the last two.
//! - Answers bring it down too, not only time; and one comparison in [`LOOK_AGAIN`] leaves latency out, so that an
//!   endpoint which is passed over still answers now and then, and is believed when it is fast again.
//! - No latency counts for more than [`MOST_TIMES_TYPICAL`] times the typical one. A failure counts for that much.

use super::candidates::Candidate;
use super::least_request::load;
use super::prng::Prng;
use crate::endpoint::EndpointSet;
use crate::time::Moment;
use std::cmp::Ordering;
use std::time::Duration;

/// In this time without an answer what is known of a latency fades to 1/e of its distance from the typical one
/// (Finagle's and linkerd's default).
const FADES_IN: Duration = Duration::from_secs(10);

/// How much of the way down an average goes with one faster answer, at least.
const FALL: f64 = 0.25;

/// Latencies that are less than this many times another are equal to it.
const EQUAL_WITHIN: f64 = 2.0;

/// The largest latency, in typical ones.
const MOST_TIMES_TYPICAL: f64 = 8.0;

/// One comparison in this many leaves latency out.
const LOOK_AGAIN: u64 = 64;

/// How many answers the typical latency is averaged over.
const TYPICAL_OVER: f64 = 64.0;

/// What is known of one endpoint's latency.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    /// Nanoseconds; zero is unknown.
    average: f64,
    last: f64,
    at: Moment,
}

/// One worker's latencies of a service, by place in the set.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    each: Vec<Latency>,
    /// Mean of the averages of all endpoints, by how often they answer; zero is unknown. What an endpoint without an
    /// answer is taken to have.
    typical: f64,
    answers: f64,
}

impl Latencies {
    /// Takes what is known of each endpoint of a new set, `None` for a new one.
    pub(super) fn rearrange(&mut self, places: impl Iterator<Item = Option<usize>>) {
        self.each =
            places.map(|old| old.and_then(|i| self.each.get(i)).copied().unwrap_or_default()).collect();
    }

    /// The endpoint at `index` answered after `took`.
    pub(super) fn answered(&mut self, index: usize, took: Duration, now: Moment) {
        let took = nanos(took).max(1.0);
        let took = if self.typical > 0.0 { took.min(self.most()) } else { took };
        let known = self.known(index, took);
        let confirmed = took.min(known.last);
        let average = if confirmed > known.average {
            confirmed
        } else if took < known.average {
            let faded = 1.0 - fading(known.at, now);
            known.average - (known.average - took) * faded.max(FALL)
        } else {
            known.average
        };
        self.each[index] = Latency { average, last: took, at: now };
        self.answers = (self.answers + 1.0).min(TYPICAL_OVER);
        self.typical += (average - self.typical) / self.answers;
    }

    /// The endpoint at `index` fails now and then: it counts as one of the slowest.
    pub(super) fn failed(&mut self, index: usize, now: Moment) {
        if self.typical > 0.0 {
            self.each[index] = Latency { average: self.most(), last: self.most(), at: now };
        }
    }

    /// Nothing is known of the endpoint at `index` any more.
    pub(super) fn forget(&mut self, index: usize) {
        self.each[index] = Latency::default();
    }

    /// The average of the endpoint at `index`, zero if none is known.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
    pub(super) fn average_ns(&self, index: usize) -> u64 {
        self.each[index].average as u64
    }

    /// What is known, or the typical latency, or this first one.
    fn known(&self, index: usize, first: f64) -> Latency {
        let known = self.each[index];
        if known.average > 0.0 {
            return known;
        }
        let assumed = if self.typical > 0.0 { self.typical } else { first };
        Latency { average: assumed, last: assumed, at: known.at }
    }

    fn most(&self) -> f64 {
        self.typical * MOST_TIMES_TYPICAL
    }

    /// The latency to compare by: an average above the typical one fades to that while nothing is heard.
    fn of(&self, index: usize, now: Moment) -> f64 {
        let known = self.known(index, 1.0);
        let above = (known.average - self.typical).max(0.0);
        known.average - above * (1.0 - fading(known.at, now))
    }

    /// Both latencies, if they differ.
    fn differ(&self, a: usize, b: usize, now: Moment) -> Option<(f64, f64)> {
        let is_equal = |a: f64, b: f64| a.max(b) <= a.min(b) * EQUAL_WITHIN;
        // Most are equal before they fade, and fading costs an exponential function.
        if is_equal(self.known(a, 1.0).average, self.known(b, 1.0).average) {
            return None;
        }
        let (a, b) = (self.of(a, now), self.of(b, now));
        (!is_equal(a, b)).then_some((a, b))
    }

    /// Which of two is to be preferred.
    pub(super) fn compare(
        &self,
        set: &EndpointSet,
        prng: &mut Prng,
        (a, b): (&Candidate, &Candidate),
        now: Moment,
    ) -> Ordering {
        let (load_a, load_b) = (load(set, a), load(set, b));
        match self.differ(a.index as usize, b.index as usize, now) {
            Some((latency_a, latency_b)) if prng.below(LOOK_AGAIN) > 0 => {
                ((load_a + 1.0) * latency_a).total_cmp(&((load_b + 1.0) * latency_b))
            }
            _ => load_a.total_cmp(&load_b),
        }
    }
}

/// What is left after the time between the two moments: 1 at once, 0 after long.
fn fading(since: Moment, now: Moment) -> f64 {
    (-nanos(now.since(since)) / nanos(FADES_IN)).exp()
}

fn nanos(d: Duration) -> f64 {
    d.as_nanos() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u32) -> Moment {
        Moment::ZERO + MS * ms
    }

    /// Three endpoints that answer after 1 ms each.
    fn steady() -> Latencies {
        let mut latencies = Latencies::default();
        latencies.rearrange([None, None, None].into_iter());
        for i in 0..30 {
            latencies.answered(i % 3, MS, at(0));
        }
        latencies
    }

    fn ms(latencies: &Latencies, index: usize, now: Moment) -> f64 {
        latencies.of(index, now) / 1e6
    }

    #[test]
    fn one_slow_answer_is_noise_and_two_in_a_row_raise_the_average_at_once() {
        let mut latencies = steady();
        latencies.answered(0, MS * 5, at(1));
        assert!(latencies.differ(0, 1, at(1)).is_none());
        latencies.answered(0, MS * 4, at(2));
        assert!((ms(&latencies, 0, at(2)) - 4.0).abs() < 0.01);
        assert!(latencies.differ(0, 1, at(2)).is_some());
    }

    #[test]
    fn latencies_within_a_factor_of_two_are_equal() {
        let mut latencies = steady();
        for _ in 0..9 {
            latencies.answered(0, Duration::from_micros(1_990), at(1));
        }
        assert!(latencies.differ(0, 1, at(1)).is_none());
        latencies.answered(0, Duration::from_micros(2_010), at(1));
        latencies.answered(0, Duration::from_micros(2_010), at(1));
        assert!(latencies.differ(0, 1, at(1)).is_some());
    }

    #[test]
    fn an_average_comes_down_with_fast_answers_and_with_time() {
        let mut latencies = steady();
        latencies.answered(0, MS * 5, at(1));
        latencies.answered(0, MS * 5, at(1));
        let mut by_answers = latencies.clone();
        for _ in 0..5 {
            by_answers.answered(0, MS, at(2));
        }
        assert!(by_answers.differ(0, 1, at(2)).is_none());
        assert!(latencies.differ(0, 1, at(10_000)).is_some());
        assert!(latencies.differ(0, 1, at(20_000)).is_none());
    }

    #[test]
    fn an_endpoint_without_an_answer_has_the_typical_latency_even_if_its_first_answer_is_slow() {
        let mut latencies = steady();
        latencies.rearrange([Some(0), Some(1), None].into_iter());
        assert!(latencies.differ(0, 2, at(1)).is_none());
        latencies.answered(2, MS * 50, at(1));
        assert!(latencies.differ(0, 2, at(1)).is_none());
    }

    #[test]
    fn a_failure_counts_for_the_most_at_once_and_an_outlier_for_no_more() {
        let mut latencies = steady();
        latencies.failed(0, at(1));
        assert!((ms(&latencies, 0, at(1)) - 8.0).abs() < 0.1);
        latencies.answered(1, MS * 60_000, at(1));
        latencies.answered(1, MS * 60_000, at(1));
        assert!(ms(&latencies, 1, at(1)) < 10.0);
    }

    #[test]
    fn all_endpoints_together_may_become_much_slower() {
        let mut latencies = steady();
        for i in 0..200 {
            latencies.answered(i % 3, MS * 500, at(1));
        }
        assert!((0..3).all(|i| (ms(&latencies, i, at(1)) - 500.0).abs() < 1.0));
    }

    #[test]
    fn what_is_known_follows_its_endpoint_into_a_new_set() {
        let mut latencies = steady();
        latencies.failed(2, at(1));
        latencies.rearrange([None, Some(2), Some(0)].into_iter());
        assert_eq!(latencies.average_ns(0), 0);
        assert!((ms(&latencies, 1, at(1)) - 8.0).abs() < 0.1);
        assert!((ms(&latencies, 2, at(1)) - 1.0).abs() < 0.1);
        latencies.forget(1);
        assert_eq!(latencies.average_ns(1), 0);
    }
}
