//! Slow start: the share of its weight that a new endpoint has on the way to all of it.
//!
//! Knows one endpoint's moments and the window; the candidates are weighed with it and again when its next step comes.

use crate::endpoint::Endpoint;
use crate::time::Moment;
use std::time::Duration;

/// The whole of a weight, in parts. A step is one part (5 %), so that weights change seldom.
pub(super) const WHOLE: u64 = 20;

/// What a new endpoint begins with (10 %): less would leave it cold.
const FIRST: u64 = 2;

/// Where an endpoint stands on its ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ramp {
    /// How much of its weight it has, of [`WHOLE`].
    pub(super) parts: u64,
    /// When it gets the next part; [`Moment::NEVER`] at the ramp's end.
    pub(super) next: Moment,
}

impl Ramp {
    const DONE: Self = Self { parts: WHOLE, next: Moment::NEVER };

    /// Where `endpoint` stands `now`: from 10 % when it becomes ready, in equal steps, to all of its weight when
    /// `window` is over. Endpoints that were there from the beginning have all of it, and so has everyone while the
    /// window is zero.
    pub(super) fn of(endpoint: &Endpoint, window: Duration, now: Moment) -> Self {
        let steps = WHOLE - FIRST;
        let age = now.since(endpoint.ready_since).as_nanos();
        if endpoint.is_original || age >= window.as_nanos() {
            return Self::DONE;
        }
        let window = window.as_nanos();
        let taken = u64::try_from(age * u128::from(steps) / window).unwrap_or(steps);
        // Rounded up, so that at that moment the step is taken.
        let next = (u128::from(taken + 1) * window).div_ceil(u128::from(steps));
        let next = Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX));
        Self { parts: FIRST + taken, next: endpoint.ready_since + next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
    use crate::id::ServiceId;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    fn endpoint(is_original: bool, ready_since: Moment) -> Endpoint {
        let mut writer = EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default());
        let spec = EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], 1)));
        let (set, _) = writer.publish(vec![spec], ready_since).unwrap();
        Endpoint { is_original, ..set.endpoints[0].clone() }
    }

    #[test]
    fn original_endpoints_and_a_window_of_zero_have_no_ramp() {
        let window = Duration::from_secs(10);
        assert_eq!(Ramp::of(&endpoint(true, Moment::ZERO), window, Moment::ZERO), Ramp::DONE);
        assert_eq!(Ramp::of(&endpoint(false, Moment::ZERO), Duration::ZERO, Moment::ZERO), Ramp::DONE);
    }

    proptest! {
        #[test]
        fn the_ramp_begins_at_a_tenth_grows_by_single_steps_and_ends_with_the_window(
            window_ns in 18_u64..1_000_000_000_000, start in 0_u64..1_000_000_000_000
        ) {
            let (window, start) = (Duration::from_nanos(window_ns), Moment::from_nanos(start));
            let endpoint = endpoint(false, start);
            let mut ramp = Ramp::of(&endpoint, window, start);
            prop_assert_eq!(ramp.parts, 2);
            while ramp.next < Moment::NEVER {
                let at = ramp.next;
                let just_before = Moment::from_nanos(at.as_nanos() - 1);
                prop_assert_eq!(Ramp::of(&endpoint, window, just_before), ramp);
                let linear = 0.1 + 0.9 * at.since(start).as_secs_f64() / window.as_secs_f64();
                let after = Ramp::of(&endpoint, window, at);
                prop_assert_eq!(after.parts, ramp.parts + 1);
                prop_assert!((after.parts as f64 / 20.0 - linear).abs() < 0.051);
                ramp = after;
            }
            prop_assert_eq!(ramp, Ramp::DONE);
            prop_assert_eq!(Ramp::of(&endpoint, window, start + window), Ramp::DONE);
        }
    }
}
