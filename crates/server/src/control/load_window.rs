//! The skew of a service over a recent window: how far its busiest endpoint is above its fair share.
//!
//! Fed once a second with each endpoint's running total; knows nothing of HTTP, metrics or the admin API, which read it.

use evenkeel_core::endpoint::{EndpointSet, EndpointState};
use evenkeel_core::id::{EndpointId, ServiceId};
use std::collections::{HashMap, VecDeque};

/// Seconds (samples, one a second) that the skew looks back.
pub const WINDOW_SAMPLES: usize = 10;

/// The recent load of every service.
#[derive(Debug, Default)]
pub struct LoadWindows {
    services: HashMap<ServiceId, LoadWindow>,
}

impl LoadWindows {
    /// Takes a sample of each service's endpoints; services that are not named are forgotten.
    pub fn sample<'a>(&mut self, services: impl Iterator<Item = (ServiceId, &'a EndpointSet)>) {
        let mut kept = HashMap::new();
        for (id, set) in services {
            let mut window = self.services.remove(&id).unwrap_or_default();
            window.sample(set);
            kept.insert(id, window);
        }
        self.services = kept;
    }

    /// The skew of a service from the oldest sample to now; 1.0 is level, and so is a service without load.
    #[must_use]
    pub fn skew(&self, service: ServiceId, set: &EndpointSet) -> f64 {
        self.services.get(&service).map_or(1.0, |window| window.skew(set))
    }
}

/// Totals of one service's endpoints, oldest first. Begins anew with each endpoint set: load that was given under
/// another membership says nothing about today's fair shares.
#[derive(Debug, Default)]
struct LoadWindow {
    version: u64,
    samples: VecDeque<HashMap<EndpointId, u64>>,
}

impl LoadWindow {
    fn sample(&mut self, set: &EndpointSet) {
        if self.version != set.version {
            self.version = set.version;
            self.samples.clear();
        }
        if self.samples.len() == WINDOW_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(set.endpoints.iter().map(|e| (e.id, e.stats.requests_total())).collect());
    }

    fn skew(&self, set: &EndpointSet) -> f64 {
        let Some(oldest) = self.samples.front().filter(|_| self.version == set.version) else { return 1.0 };
        let loads: Vec<(u64, u32)> = set
            .endpoints
            .iter()
            .filter(|e| e.spec.state == EndpointState::Ready)
            .map(|e| {
                let before = oldest.get(&e.id).copied().unwrap_or(0);
                (e.stats.requests_total().saturating_sub(before), e.spec.weight)
            })
            .collect();
        skew(&loads)
    }
}

/// The skew of loads, each with its weight. It is 1.0 while no endpoint holds more than its fair share rounded up: a
/// handful of exchanges is no skew.
fn skew(loads: &[(u64, u32)]) -> f64 {
    let total: u64 = loads.iter().map(|&(load, _)| load).sum();
    let weights: u64 = loads.iter().map(|&(_, weight)| u64::from(weight)).sum();
    let is_level = loads
        .iter()
        .filter(|&&(_, weight)| weight > 0)
        .all(|&(load, weight)| load as f64 <= (total as f64 * f64::from(weight) / weights as f64).ceil());
    if is_level {
        return 1.0;
    }
    evenkeel_core::skew::skew(loads.iter().map(|&(load, weight)| (u64::from(weight), load as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
    use evenkeel_core::id::WorkerIndex;
    use evenkeel_core::time::Moment;
    use std::net::SocketAddr;

    #[test]
    fn equal_loads_are_level() {
        assert_eq!(skew(&[(100, 1), (100, 1), (100, 1)]), 1.0);
    }

    #[test]
    fn the_busiest_endpoint_is_measured_against_its_fair_share() {
        assert_eq!(skew(&[(300, 1), (0, 1), (0, 1)]), 3.0);
    }

    #[test]
    fn a_heavier_endpoint_may_take_more() {
        assert_eq!(skew(&[(200, 2), (100, 1)]), 1.0);
        assert_eq!(skew(&[(150, 2), (150, 1)]), 1.5);
    }

    #[test]
    fn a_handful_of_exchanges_is_level_when_nobody_holds_more_than_the_share_rounded_up() {
        assert_eq!(skew(&[(1, 1), (0, 1), (0, 1), (0, 1), (0, 1)]), 1.0);
        assert_eq!(skew(&[(2, 1), (0, 1), (0, 1), (0, 1), (0, 1)]), 5.0);
    }

    #[test]
    fn no_load_and_no_weight_are_level() {
        assert_eq!(skew(&[]), 1.0);
        assert_eq!(skew(&[(0, 1), (0, 1)]), 1.0);
        assert_eq!(skew(&[(5, 0)]), 1.0);
    }

    const SERVICE: ServiceId = ServiceId(0);

    fn specs(ports: &[u16]) -> Vec<EndpointSpec> {
        ports.iter().map(|&port| EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], port)))).collect()
    }

    fn give(set: &EndpointSet, endpoint: usize, exchanges: usize) {
        (0..exchanges).for_each(|_| set.endpoints[endpoint].stats.cell(WorkerIndex(0)).exchange_began());
    }

    #[test]
    fn load_from_before_the_window_does_not_count() {
        let mut writer = EndpointSetWriter::new(SERVICE, 1, EndpointIds::default());
        let (set, _) = writer.publish(specs(&[1, 2]), Moment::ZERO).unwrap();
        let mut windows = LoadWindows::default();
        windows.sample([(SERVICE, &*set)].into_iter());
        give(&set, 0, 100);
        assert_eq!(windows.skew(SERVICE, &set), 2.0);
        for _ in 0..WINDOW_SAMPLES - 1 {
            windows.sample([(SERVICE, &*set)].into_iter());
        }
        assert_eq!(windows.skew(SERVICE, &set), 2.0, "the first sample is still in the window");
        windows.sample([(SERVICE, &*set)].into_iter());
        assert_eq!(windows.skew(SERVICE, &set), 1.0);
    }

    #[test]
    fn a_new_endpoint_set_begins_a_new_window() {
        let mut writer = EndpointSetWriter::new(SERVICE, 1, EndpointIds::default());
        let (before, _) = writer.publish(specs(&[1, 2]), Moment::ZERO).unwrap();
        let mut windows = LoadWindows::default();
        windows.sample([(SERVICE, &*before)].into_iter());
        give(&before, 0, 100);
        let (after, _) = writer.publish(specs(&[1, 2, 3]), Moment::ZERO).unwrap();
        assert_eq!(windows.skew(SERVICE, &after), 1.0, "nothing is known of the new set");
        windows.sample([(SERVICE, &*after)].into_iter());
        give(&after, 2, 30);
        assert_eq!(windows.skew(SERVICE, &after), 3.0);
    }
}
