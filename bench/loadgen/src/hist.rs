//! Delays in buckets: exact below 128 ns, above within 1/64 of the value; it does not grow with the count.
pub struct Hist {
    buckets: Vec<u64>,
    pub count: u64,
}

/// Buckets of one doubling.
const FINE: u64 = 64;

impl Hist {
    pub fn new() -> Self {
        Self { buckets: vec![0; 60 * FINE as usize], count: 0 }
    }

    fn place(ns: u64) -> usize {
        let shift = (64 - (ns | FINE).leading_zeros() as u64) - 7;
        (shift * FINE + (ns >> shift)) as usize
    }

    pub fn add(&mut self, ns: u64) {
        self.buckets[Self::place(ns)] += 1;
        self.count += 1;
    }

    /// The value below which this part of the delays lies, in microseconds.
    pub fn quantile_us(&self, part: f64) -> f64 {
        let rank = (self.count as f64 * part) as u64;
        let mut seen = 0;
        for (place, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen > rank {
                return Self::middle(place as u64) / 1000.0;
            }
        }
        0.0
    }

    fn middle(place: u64) -> f64 {
        if place < 2 * FINE {
            return place as f64;
        }
        let shift = place / FINE - 1;
        let low = (place - shift * FINE) << shift;
        low as f64 + (1u64 << shift) as f64 / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_value_within_one_part_in_sixty_four() {
        for ns in (0..5000)
            .chain((1..57).map(|bits| (1u64 << bits) - 1))
            .chain((7..57).map(|bits| 3u64 << (bits - 1)))
        {
            let middle = Hist::middle(Hist::place(ns) as u64);
            assert!((middle - ns as f64).abs() <= ns as f64 / 64.0, "{ns} as {middle}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut hist = Hist::new();
        (1..=1000).for_each(|us| hist.add(us * 1000));
        assert!((hist.quantile_us(0.5) - 500.0).abs() < 10.0, "{}", hist.quantile_us(0.5));
        assert!((hist.quantile_us(0.99) - 990.0).abs() < 18.0, "{}", hist.quantile_us(0.99));
    }
}
