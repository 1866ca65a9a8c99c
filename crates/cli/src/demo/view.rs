//! What can be seen of the demo at a moment, and whoever looks at it. The views themselves are in `picture` and `progress`.

use super::scene::Scene;
use super::tally::{Reading, Window};
use super::way::Way;
use evenkeel_core::endpoint::EndpointState;
use evenkeel_core::skew::skew;
use std::time::Duration;

/// The demo at a moment.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// The scene that is played.
    pub(super) scene: Scene,
    /// Since the first scene began.
    pub(super) elapsed: Duration,
    /// All scenes together.
    pub(super) whole: Duration,
    /// Each backend's state; none for one that has left.
    pub(super) states: Vec<Option<EndpointState>>,
    /// Calls a second of each endpoint for each way, lately.
    pub(super) rates: [Vec<f64>; 2],
    /// Sessions that each endpoint holds, for each way.
    pub(super) sessions: [Vec<u64>; 2],
    /// Calls that failed since the clients of the scene came, for each way.
    pub(super) errors: [u64; 2],
}

impl Live {
    /// At the end of a short window of the present.
    pub(super) fn lately(
        scene: Scene,
        (elapsed, whole): (Duration, Duration),
        states: Vec<Option<EndpointState>>,
        from: &Reading,
        to: &Reading,
    ) -> Self {
        let window = Window::between(from, to);
        let seconds = window.length().as_secs_f64().max(f64::MIN_POSITIVE);
        let rates = Way::ALL.map(|way| {
            window.calls(way, states.len()).into_iter().map(|count| count as f64 / seconds).collect()
        });
        Self { scene, elapsed, whole, states, rates, sessions: to.sessions.clone(), errors: to.errors }
    }

    /// Calls a second that each ready endpoint would get if all got the same.
    pub(super) fn fair(&self, way: Way) -> f64 {
        let ready = self.states.iter().filter(|state| **state == Some(EndpointState::Ready)).count();
        self.rates[way as usize].iter().sum::<f64>() / ready.max(1) as f64
    }

    /// Busiest over fair share among the ready endpoints.
    pub(super) fn skew(&self, way: Way) -> f64 {
        let weight = |state: &Option<EndpointState>| u64::from(*state == Some(EndpointState::Ready));
        skew(self.states.iter().map(weight).zip(self.rates[way as usize].iter().copied()))
    }
}

/// Whether the demo goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// It does.
    GoOn,
    /// Whoever looks has seen enough.
    End,
}

/// Whoever looks at the demo while it runs.
pub(super) trait View {
    /// Shows the present.
    ///
    /// # Errors
    /// It can be shown nowhere any more.
    fn show(&mut self, live: &Live) -> anyhow::Result<()>;

    /// Lets this much time go by, or less if there is a wish to end.
    ///
    /// # Errors
    /// Wishes can be heard no more.
    fn wait(&mut self, time: Duration) -> anyhow::Result<Wish>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_present_is_what_was_counted_lately_by_the_second() {
        let start = Instant::now();
        let reading = |after_ms, pinned: [u64; 3], evenkeel: [u64; 3]| Reading {
            at: start + Duration::from_millis(after_ms),
            calls: [pinned.to_vec(), evenkeel.to_vec()],
            sessions: Default::default(),
            errors: [0, 1],
        };
        let (from, to) = (reading(0, [5, 0, 0], [1, 1, 0]), reading(500, [105, 0, 0], [51, 51, 2]));
        let states = vec![Some(EndpointState::Ready), Some(EndpointState::Ready), None];
        let live = Live::lately(Scene::Pinned, (Duration::ZERO, Duration::ZERO), states, &from, &to);
        assert_eq!(live.rates, [vec![200.0, 0.0, 0.0], vec![100.0, 100.0, 4.0]]);
        assert!((live.fair(Way::Pinned) - 100.0).abs() < 1e-9);
        assert!((live.skew(Way::Pinned) - 2.0).abs() < 1e-9);
        assert!((live.skew(Way::Evenkeel) - 1.0).abs() < 1e-9, "an endpoint that has left has no share");
        assert_eq!(live.errors, [0, 1]);
    }
}
