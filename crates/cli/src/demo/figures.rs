//! The figures of a scene: as JSON, and held against what the demo promises. Every one of them was counted.

use super::placement::Placement;
use super::scene::Scene;
use super::stage::ENDPOINTS;
use super::tally::{Window, share_from, skew_of};
use super::way::Way;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::time::Duration;

/// The busiest endpoint's load over its fair share that still counts as level.
pub(super) const LEVEL: f64 = 1.10;

/// How much of their fair share new endpoints must have to count as having it.
pub(super) const NEARLY: f64 = 0.9;

/// What one way did in a window of its own.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Side {
    /// Calls of each endpoint, in the order in which they came up.
    pub(super) per_endpoint: Vec<u64>,
    /// Busiest over mean, to a thousandth.
    pub(super) skew: f64,
}

impl Side {
    fn of(window: Window<'_>, way: Way, endpoints: usize) -> Self {
        let per_endpoint = window.calls(way, endpoints);
        let skew = (skew_of(&per_endpoint) * 1000.0).round() / 1000.0;
        Self { per_endpoint, skew }
    }
}

/// What was measured in one scene.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    /// Which scene.
    pub(super) scene: Scene,
    /// Pinned to connections.
    pub(super) before: Side,
    /// Through Evenkeel.
    pub(super) after: Side,
    /// Calls that failed in the whole scene, of both ways.
    pub(super) errors: u64,
    /// Length of the window that `before` and `after` were counted in.
    pub(super) length: Duration,
    /// What became of new endpoints through Evenkeel.
    pub(super) growth: Growth,
}

/// What became of new endpoints through Evenkeel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Growth {
    /// Time from their announcement until they had their share of the calls.
    pub(super) shared_after: Option<Duration>,
    /// Where sessions stood when they were announced, and at the end; of kinds that are given to an endpoint once.
    pub(super) placement: Option<Placement>,
}

impl Figures {
    /// Of a scene, given its window, the scene as a whole, and what became of new endpoints.
    pub(super) fn of(scene: Scene, window: Window<'_>, whole: Window<'_>, growth: Growth) -> Self {
        Self {
            scene,
            before: Side::of(window, Way::Pinned, scene.endpoints()),
            after: Side::of(window, Way::Evenkeel, scene.endpoints()),
            errors: Way::ALL.iter().map(|&way| whole.errors(way)).sum(),
            length: window.length(),
            growth,
        }
    }

    /// What was promised and did not come true.
    pub(super) fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let (scene, unit) = (self.scene.name(), self.scene.kind().unit());
        if self.errors > 0 {
            broken.push(format!("{scene}: {} {unit} failed", self.errors));
        }
        if self.after.per_endpoint.contains(&0) {
            broken.push(format!("{scene}: an endpoint got no {unit} through Evenkeel"));
        }
        if self.after.skew > LEVEL {
            broken.push(format!("{scene}: skew {:.2} through Evenkeel, not level", self.after.skew));
        }
        let counts = &self.after.per_endpoint;
        if share_from(counts, ENDPOINTS) < NEARLY * fair_share_of_new(counts.len()) {
            broken.push(format!("{scene}: the new endpoints did not get their share through Evenkeel"));
        }
        if let Some(placement) = &self.growth.placement {
            if !placement.stood_level() || !placement.is_level() {
                broken.push(format!("{scene}: sessions are not level through Evenkeel"));
            }
            if placement.lost_any() {
                broken.push(format!("{scene}: a session did not stay on its endpoint"));
            }
        }
        broken
    }
}

/// The fair share of all endpoints beyond the first three, of so many.
pub(super) fn fair_share_of_new(endpoints: usize) -> f64 {
    if endpoints == 0 { 0.0 } else { endpoints.saturating_sub(ENDPOINTS) as f64 / endpoints as f64 }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("scene", 4)?;
        fields.serialize_field("name", self.scene.name())?;
        fields.serialize_field("before", &self.before)?;
        fields.serialize_field("after", &self.after)?;
        fields.serialize_field("errors", &self.errors)?;
        fields.end()
    }
}

/// The whole answer of `--json`.
#[derive(serde::Serialize)]
pub(super) struct Answer<'f> {
    /// One element a scene that was played to its end.
    pub(super) scenes: &'f [Figures],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(scene: Scene, before: &[u64], after: &[u64], errors: u64) -> Figures {
        let side = |counts: &[u64]| Side { per_endpoint: counts.to_vec(), skew: skew_of(counts) };
        let length = Duration::from_secs(1);
        let growth = Growth::default();
        Figures { scene, before: side(before), after: side(after), errors, length, growth }
    }

    #[test]
    fn the_json_has_its_fields_in_order_and_no_others() {
        let scenes = [figures(Scene::Pinned, &[10, 0], &[5, 5], 0)];
        assert_eq!(
            serde_json::to_string(&Answer { scenes: &scenes }).unwrap(),
            r#"{"scenes":[{"name":"pinned","before":{"per_endpoint":[10,0],"skew":2.0},"#.to_owned()
                + r#""after":{"per_endpoint":[5,5],"skew":1.0},"errors":0}]}"#
        );
    }

    #[test]
    fn figures_that_keep_every_promise_break_none() {
        assert_eq!(
            figures(Scene::Pinned, &[0, 0, 3], &[100, 104, 99], 0).broken_promises(),
            Vec::<String>::new()
        );
        let five = figures(Scene::ScaleUp, &[9, 9, 9, 0, 0], &[100, 100, 100, 95, 95], 0);
        assert_eq!(five.broken_promises(), Vec::<String>::new());
    }

    #[test]
    fn each_promise_can_be_broken() {
        let broken = |figures: Figures| figures.broken_promises().len();
        assert_eq!(broken(figures(Scene::Pinned, &[1], &[100, 100, 100], 1)), 1);
        assert_eq!(broken(figures(Scene::Pinned, &[1], &[130, 100, 100], 0)), 1);
        assert_eq!(broken(figures(Scene::ScaleUp, &[1], &[110, 110, 110, 85, 85], 0)), 1);
        assert_eq!(broken(figures(Scene::ScaleUp, &[1], &[100, 100, 100, 0, 0], 0)), 3);
        let placed = |stood: &[u64], held: &[u64]| {
            let mut figures = figures(Scene::Tcp, &[1], &[100; 5], 0);
            figures.growth.placement = Some(Placement { stood: stood.to_vec(), held: held.to_vec() });
            broken(figures)
        };
        assert_eq!(placed(&[4, 4, 4], &[4, 4, 4, 4, 4]), 0);
        assert_eq!(placed(&[6, 3, 3], &[6, 4, 4, 3, 3]), 1);
        assert_eq!(placed(&[4, 4, 4], &[4, 3, 4, 4, 4]), 1);
    }
}
