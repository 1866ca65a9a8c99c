//! Counters with one writer: a plain load and store each, never a locked instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Only grows. One thread writes, any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; wraps at 2^64.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Goes up and down. One thread writes, any thread reads.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// One more.
    pub fn rise(&self) {
        self.set(self.get().saturating_add(1));
    }

    /// One less; never below zero.
    pub fn fall(&self) {
        self.set(self.get().saturating_sub(1));
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A counter for each variant of an enum of `N` variants, by its number.
#[derive(Debug)]
pub struct Tally<const N: usize>([Counter; N]);

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl<const N: usize> Tally<N> {
    /// One more of this variant.
    pub fn add(&self, variant: usize) {
        if let Some(counter) = self.0.get(variant) {
            counter.add(1);
        }
    }

    /// The count of this variant; zero for one that does not exist.
    #[must_use]
    pub fn get(&self, variant: usize) -> u64 {
        self.0.get(variant).map_or(0, Counter::get)
    }
}

/// Upper bounds of the buckets of exchanges' and sessions' durations, in microseconds; one bucket more is without bound.
pub const DURATION_BOUNDS_US: [u64; 15] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
    3_600_000_000,
];

/// Upper bounds of the buckets of a worker's turns, in microseconds; one bucket more is without bound.
pub const TURN_BOUNDS_US: [u64; 15] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_000_000];

/// Upper bounds of the buckets of a session's messages; one bucket more is without bound.
pub const MESSAGE_BOUNDS: [u64; 15] =
    [0, 1, 2, 5, 10, 20, 50, 100, 500, 1_000, 5_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Durations or numbers in 16 fixed buckets, with their sum.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; 16],
    sum: Counter,
}

impl Histogram {
    /// Counts a duration in the first bucket whose bound is not below it.
    pub fn record(&self, bounds_us: &[u64; 15], d: Duration) {
        let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bounds_us.iter().position(|&b| ns <= b * 1_000).unwrap_or(15);
        self.buckets[bucket].add(1);
        self.sum.add(ns);
    }

    /// Counts a number in the first bucket whose bound is not below it.
    pub fn count(&self, bounds: &[u64; 15], n: u64) {
        let bucket = bounds.iter().position(|&b| n <= b).unwrap_or(15);
        self.buckets[bucket].add(1);
        self.sum.add(n);
    }

    /// The count of each bucket (not cumulative) and the sum of all: of durations in nanoseconds.
    #[must_use]
    pub fn read(&self) -> ([u64; 16], u64) {
        (std::array::from_fn(|i| self.buckets[i].get()), self.sum.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_whose_bound_is_not_below_it() {
        let histogram = Histogram::default();
        for us in [0, 500, 501, 3_600_000_000, 3_600_000_001] {
            histogram.record(&DURATION_BOUNDS_US, Duration::from_micros(us));
        }
        let (buckets, sum_ns) = histogram.read();
        assert_eq!((buckets[0], buckets[1], buckets[14], buckets[15]), (2, 1, 1, 1));
        assert_eq!(sum_ns, 7_200_001_002_000);
    }

    #[test]
    fn a_number_counts_as_it_is() {
        let histogram = Histogram::default();
        for n in [0, 1, 3, 10_000_000, 10_000_001] {
            histogram.count(&MESSAGE_BOUNDS, n);
        }
        let (buckets, sum) = histogram.read();
        assert_eq!((buckets[0], buckets[1], buckets[3], buckets[14], buckets[15]), (1, 1, 1, 1, 1));
        assert_eq!(sum, 20_000_005);
    }

    #[test]
    fn a_gauge_never_falls_below_zero() {
        let gauge = Gauge::default();
        gauge.rise();
        gauge.fall();
        gauge.fall();
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn a_variant_that_does_not_exist_is_not_counted() {
        let tally = Tally::<2>::default();
        tally.add(1);
        tally.add(2);
        assert_eq!((tally.get(0), tally.get(1), tally.get(2)), (0, 1, 0));
    }
}
