//! When a failing endpoint leaves the picks, and for how long.
//!
//! Knows the policy, the endpoint set and the health that workers share; nothing of how endpoints are chosen.
//! The balancers of all workers ask it at each failure and each good answer of an endpoint.
//!
//! An endpoint that fails `consecutive_failures` times in a row is out for `base`; the first failure after its
//! return puts it out again at once for twice as long, up to `max`; the first good answer after its return ends that.
//! What is reported while it is out (exchanges that were in flight) changes neither.

use crate::endpoint::{EndpointSet, EndpointState};
use crate::policy::Ejection;
use crate::reason::EjectReason;
use crate::time::Moment;
use std::time::Duration;

/// Failures in a row that may go by without another consequence while an ejection is still to come, whatever the
/// policy's number is.
const MOST_PATIENCE: u32 = 5;

/// How many endpoints ejections are about: those that are ready and have a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Ready ones.
    pub(crate) ready: usize,
    /// Of these, the ones that are out.
    pub(crate) ejected: usize,
}

impl Standing {
    fn of(set: &EndpointSet, now: Moment) -> Self {
        let ready =
            set.endpoints.iter().filter(|e| e.spec.state == EndpointState::Ready && e.spec.weight > 0);
        ready.fold(Self::default(), |s, e| Self {
            ready: s.ready + 1,
            ejected: s.ejected + usize::from(e.health.is_ejected(now)),
        })
    }

    /// Whether one more may go: within the share (the first one always, unless the share is 0) and not the last.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count, not negative"
    )]
    fn has_room(self, policy: &Ejection) -> bool {
        if policy.max_share <= 0.0 || self.ejected + 1 >= self.ready {
            return false;
        }
        let most = (self.ready as f64 * policy.max_share.min(1.0)).floor() as usize;
        self.ejected < most.max(1)
    }
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was counted and more of them lead to an ejection.
    Counted,
    /// The endpoint is out of the picks from now on.
    Ejected(EjectReason, Duration),
    /// The endpoint stays where it is, however often it fails: it is out already, or it may not go.
    Unchanged,
}

/// Counts a failure of the endpoint at `index` and ejects it if the policy says so. `standing` is what the caller
/// last saw of the set; it saves asking all endpoints while there is no room anyway.
pub(crate) fn failed(
    set: &EndpointSet,
    index: usize,
    policy: &Ejection,
    standing: Standing,
    now: Moment,
) -> Verdict {
    let endpoint = &set.endpoints[index];
    let health = &endpoint.health;
    if health.is_ejected(now) {
        return Verdict::Unchanged;
    }
    let failures = health.count_failure();
    let may_go = endpoint.spec.state == EndpointState::Ready && endpoint.spec.weight > 0;
    if !may_go || !standing.has_room(policy) {
        return Verdict::Unchanged;
    }
    let in_row = health.ejections_in_row();
    if in_row == 0 && failures < policy.consecutive_failures {
        return if failures <= MOST_PATIENCE { Verdict::Counted } else { Verdict::Unchanged };
    }
    let ledger = set.ejections.open();
    // Another worker may have been first, with this endpoint or with the last one that there was room for.
    if health.is_ejected(now) || !Standing::of(set, now).has_room(policy) {
        return Verdict::Unchanged;
    }
    let duration = backed_off(policy, in_row);
    ledger.eject(health, now, duration);
    Verdict::Ejected(
        if in_row > 0 { EjectReason::Relapse } else { EjectReason::ConsecutiveFailures },
        duration,
    )
}

/// What a good answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Failures in a row before it.
    pub(crate) failures: u32,
    /// Whether it was the first good answer after an ejection.
    pub(crate) readmitted: bool,
}

/// Takes note that the endpoint at `index` answered well.
pub(crate) fn answered(set: &EndpointSet, index: usize, now: Moment) -> Recovery {
    let health = &set.endpoints[index].health;
    if health.is_ejected(now) {
        return Recovery { failures: 0, readmitted: false };
    }
    Recovery { failures: health.end_failures(), readmitted: health.end_ejections() }
}

/// `base`, doubled for each ejection in a row before this one, at most `max`.
fn backed_off(policy: &Ejection, ejections_in_row: u32) -> Duration {
    let factor = 1_u32.checked_shl(ejections_in_row).unwrap_or(u32::MAX);
    policy.base.saturating_mul(factor).min(policy.max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(max_share: f64) -> Ejection {
        Ejection { max_share, ..Ejection::default() }
    }

    #[test]
    fn the_time_out_doubles_up_to_the_longest() {
        let policy = Ejection::default();
        let seconds: Vec<u64> = (0..7).map(|n| backed_off(&policy, n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backed_off(&policy, u32::MAX), policy.max);
    }

    #[test]
    fn the_first_may_be_ejected_even_if_the_share_is_less_than_one_endpoint() {
        assert!(Standing { ready: 2, ejected: 0 }.has_room(&share(0.1)));
        assert!(!Standing { ready: 2, ejected: 1 }.has_room(&share(1.0)));
    }

    #[test]
    fn the_only_endpoint_is_never_ejected() {
        assert!(!Standing { ready: 1, ejected: 0 }.has_room(&share(1.0)));
        assert!(!Standing { ready: 0, ejected: 0 }.has_room(&share(1.0)));
    }

    #[test]
    fn a_share_of_zero_ejects_nobody() {
        assert!(!Standing { ready: 10, ejected: 0 }.has_room(&share(0.0)));
    }

    proptest! {
        #[test]
        fn ejecting_while_there_is_room_ends_at_the_share_with_one_left(ready in 2_usize..500, max in 0.001_f64..1.0) {
            let mut standing = Standing { ready, ejected: 0 };
            while standing.has_room(&share(max)) {
                standing.ejected += 1;
            }
            prop_assert!(standing.ejected >= 1 && standing.ejected < ready);
            prop_assert!(standing.ejected == 1 || standing.ejected as f64 <= max * ready as f64);
        }
    }
}
