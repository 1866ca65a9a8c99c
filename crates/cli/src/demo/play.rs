//! Plays the scenes one after the other, and measures each in a window of its own. Shows what happens to a view.

use super::figures::{Figures, Growth, NEARLY, fair_share_of_new};
use super::placement::Placement;
use super::scene::{Pace, Scene, Step};
use super::stage::{ENDPOINTS, Stage};
use super::tally::{Reading, Window, share_from};
use super::view::{Live, View, Wish};
use super::way::Way;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time between two looks.
const TICK: Duration = Duration::from_millis(100);

/// How much of the past counts as the present.
const LATELY: Duration = Duration::from_secs(1);

/// Plays every scene. Returns the figures of those that were played to their end, which are all unless someone wished to
/// end early.
///
/// # Errors
/// The stage cannot do what a scene needs, or the view shows nothing any more.
pub(super) fn play(stage: &mut Stage, view: &mut dyn View, pace: Pace) -> anyhow::Result<Vec<Figures>> {
    let mut play = Play { began: Instant::now(), pace, past: VecDeque::new(), stage, view };
    let mut figures = Vec::new();
    for scene in Scene::ALL {
        match play.scene(scene)? {
            Some(of_scene) => figures.push(of_scene),
            None => break,
        }
    }
    Ok(figures)
}

struct Play<'s> {
    began: Instant,
    pace: Pace,
    /// Readings of the last second, the oldest first.
    past: VecDeque<Reading>,
    stage: &'s mut Stage,
    view: &'s mut dyn View,
}

impl Play<'_> {
    /// One scene; no figures if someone wished to end.
    fn scene(&mut self, scene: Scene) -> anyhow::Result<Option<Figures>> {
        let mut share = Share { scene, announced: None, shared_after: None };
        let kind = scene.kind();
        if scene.is_first_of_kind() {
            self.stage.enter(kind)?;
            self.past.clear();
        }
        let began = self.stage.read();
        if scene.is_first_of_kind() && self.let_run(self.pace.settle, &mut share)? == Wish::End {
            return Ok(None);
        }
        let mut placement = None;
        for &step in scene.steps() {
            if step == Step::Add {
                share.announced = Some(Instant::now());
                let stood = self.stage.read().sessions[Way::Evenkeel as usize].clone();
                placement = kind.is_picked_once().then_some(Placement { stood, held: Vec::new() });
            }
            step.take(self.stage)?;
            if self.let_run(self.pace.settle, &mut share)? == Wish::End {
                return Ok(None);
            }
        }
        let from = self.stage.read();
        if self.let_run(self.pace.window, &mut share)? == Wish::End {
            return Ok(None);
        }
        let to = self.stage.read();
        if let Some(placement) = &mut placement {
            placement.held.clone_from(&to.sessions[Way::Evenkeel as usize]);
        }
        let (window, whole) = (Window::between(&from, &to), Window::between(&began, &to));
        let growth = Growth { shared_after: share.shared_after, placement };
        Ok(Some(Figures::of(scene, window, whole, growth)))
    }

    /// Lets the stage run, and shows it at every tick.
    fn let_run(&mut self, time: Duration, share: &mut Share) -> anyhow::Result<Wish> {
        let end = Instant::now() + time;
        loop {
            let now = self.stage.read();
            if let Some(before) = self.past.back() {
                share.watch(before, &now);
            }
            self.show(share.scene, now)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Wish::GoOn);
            }
            if self.view.wait(left.min(TICK))? == Wish::End || self.stage.was_interrupted() {
                return Ok(Wish::End);
            }
        }
    }

    fn show(&mut self, scene: Scene, now: Reading) -> anyhow::Result<()> {
        while self.past.front().is_some_and(|old| now.at.saturating_duration_since(old.at) > LATELY) {
            self.past.pop_front();
        }
        let from = self.past.front().unwrap_or(&now);
        let times = (self.began.elapsed(), self.pace.whole());
        let live = Live::lately(scene, times, self.stage.states().to_vec(), from, &now);
        self.past.push_back(now);
        self.view.show(&live)
    }
}

/// When new endpoints have their share of the calls through Evenkeel.
struct Share {
    scene: Scene,
    announced: Option<Instant>,
    shared_after: Option<Duration>,
}

impl Share {
    /// Looks at two readings that follow each other.
    fn watch(&mut self, before: &Reading, now: &Reading) {
        let Some(announced) = self.announced.filter(|_| self.shared_after.is_none()) else { return };
        let calls = Window::between(before, now).calls(Way::Evenkeel, self.scene.endpoints());
        if share_from(&calls, ENDPOINTS) >= NEARLY * fair_share_of_new(self.scene.endpoints()) {
            self.shared_after = Some(now.at.saturating_duration_since(announced));
        }
    }
}
