//! Where sessions stand that are given to an endpoint once: those that were there before new endpoints came up, and those
//! that came after. Knows no sockets.

use super::stage::ENDPOINTS;

/// Sessions of each endpoint through Evenkeel, in the order in which the endpoints came up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placement {
    /// When the new endpoints were announced.
    pub(super) stood: Vec<u64>,
    /// At the end of the scene.
    pub(super) held: Vec<u64>,
}

impl Placement {
    /// Sessions that came after the new endpoints, by endpoint.
    pub(super) fn came(&self) -> Vec<u64> {
        let stood = |at: usize| self.stood.get(at).copied().unwrap_or(0);
        self.held.iter().enumerate().map(|(at, held)| held.saturating_sub(stood(at))).collect()
    }

    /// Whether those that stood were level over the endpoints that were there.
    pub(super) fn stood_level(&self) -> bool {
        is_level(self.stood.get(..ENDPOINTS).unwrap_or(&self.stood))
    }

    /// Whether all are level.
    pub(super) fn is_level(&self) -> bool {
        is_level(&self.held)
    }

    /// Whether an endpoint lost one of those that stood.
    pub(super) fn lost_any(&self) -> bool {
        self.stood.iter().enumerate().any(|(at, stood)| self.held.get(at).copied().unwrap_or(0) < *stood)
    }
}

/// Nobody has more than one more than anybody else.
fn is_level(sessions: &[u64]) -> bool {
    let (least, most) = (sessions.iter().min(), sessions.iter().max());
    least.zip(most).is_none_or(|(least, most)| most - least <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_what_is_held_beyond_what_stood() {
        let placement = Placement { stood: vec![4, 4, 4], held: vec![4, 5, 4, 4, 3] };
        assert_eq!(placement.came(), [0, 1, 0, 4, 3]);
        assert!(placement.stood_level() && !placement.is_level() && !placement.lost_any());
    }

    #[test]
    fn an_endpoint_that_lost_a_session_is_seen() {
        assert!(Placement { stood: vec![4, 4, 4], held: vec![4, 3, 4, 4, 4] }.lost_any());
        assert!(!Placement { stood: vec![6, 2, 4], held: vec![6, 4, 4, 3, 3] }.stood_level());
    }
}
