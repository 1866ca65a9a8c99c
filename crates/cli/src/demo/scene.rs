//! The scenes of the demo, and how long each takes. Knows what a scene is about, not how it is shown.

use super::kind::Kind;
use super::stage::{ADDED, ENDPOINTS, Stage};
use std::time::Duration;

/// One scene. The clients of both ways go on through all scenes of their kind without a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// A few long-lived gRPC connections and three endpoints.
    Pinned,
    /// Two more endpoints come up.
    ScaleUp,
    /// They leave again.
    ScaleIn,
    /// HTTP/1.1 connections that are kept alive, and two more endpoints.
    Http,
    /// WebSockets, two more endpoints, and more WebSockets.
    WebSocket,
    /// The same with streams of server-sent events.
    Events,
    /// The same with TCP connections.
    Tcp,
}

/// What happens in a scene, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// [`ADDED`] endpoints come up.
    Add,
    /// More clients come.
    Arrive,
    /// The endpoints that came up terminate.
    Retire,
    /// They are gone.
    Remove,
}

impl Step {
    /// Does it.
    ///
    /// # Errors
    /// What the stage cannot do.
    pub(super) fn take(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::Add => stage.add(),
            Self::Arrive => stage.let_newcomers_in(),
            Self::Retire => stage.retire_added(),
            Self::Remove => stage.remove_added(),
        }
    }
}

impl Scene {
    /// All, as they follow each other.
    pub(super) const ALL: [Self; 7] =
        [Self::Pinned, Self::ScaleUp, Self::ScaleIn, Self::Http, Self::WebSocket, Self::Events, Self::Tcp];

    /// The stable name, in the figures.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::ScaleUp => "scale-up",
            Self::ScaleIn => "scale-in",
            Self::Http | Self::WebSocket | Self::Events | Self::Tcp => self.kind().name(),
        }
    }

    /// What its clients do.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Pinned | Self::ScaleUp | Self::ScaleIn => Kind::Grpc,
            Self::Http => Kind::Http,
            Self::WebSocket => Kind::WebSocket,
            Self::Events => Kind::Events,
            Self::Tcp => Kind::Tcp,
        }
    }

    /// What happens in it.
    pub(super) fn plot(self) -> String {
        let all = ENDPOINTS + ADDED;
        match self {
            Self::Pinned => format!("{ENDPOINTS} endpoints, connections that stay open"),
            Self::ScaleUp => format!("{ENDPOINTS} → {all} endpoints while the clients call"),
            Self::ScaleIn => format!("{all} → {ENDPOINTS} endpoints, terminating gracefully"),
            Self::Http => format!("{ENDPOINTS} → {all} endpoints under HTTP/1.1 connections kept alive"),
            Self::WebSocket => {
                format!("{ENDPOINTS} → {all} endpoints, WebSockets that stay, others that come")
            }
            Self::Events => {
                format!("{ENDPOINTS} → {all} endpoints, event streams that stay, others that come")
            }
            Self::Tcp => format!("{ENDPOINTS} → {all} endpoints, connections that stay, others that come"),
        }
    }

    /// Endpoints that serve while it is measured, in the order in which they came up.
    pub(super) const fn endpoints(self) -> usize {
        match self {
            Self::Pinned | Self::ScaleIn => ENDPOINTS,
            Self::ScaleUp | Self::Http | Self::WebSocket | Self::Events | Self::Tcp => ENDPOINTS + ADDED,
        }
    }

    /// Whether its clients come with it, and are given time to settle before anything happens.
    pub(super) fn is_first_of_kind(self) -> bool {
        !matches!(self, Self::ScaleUp | Self::ScaleIn)
    }

    /// What happens in it. Each step is given time to settle; then the scene is measured.
    pub(super) const fn steps(self) -> &'static [Step] {
        match self {
            Self::Pinned => &[],
            Self::ScaleUp | Self::Http => &[Step::Add],
            Self::ScaleIn => &[Step::Retire, Step::Remove],
            Self::WebSocket | Self::Events | Self::Tcp => &[Step::Add, Step::Arrive],
        }
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// What clients and steps are given to settle.
    pub(super) settle: Duration,
    /// The window of a scene that is measured.
    pub(super) window: Duration,
}

impl Pace {
    /// Slow enough to be watched: 32 seconds in all.
    pub(super) const WATCHED: Self =
        Self { settle: Duration::from_millis(1200), window: Duration::from_millis(2000) };

    /// For figures only: 9.1 seconds in all.
    pub(super) const ONCE: Self =
        Self { settle: Duration::from_millis(280), window: Duration::from_millis(700) };

    /// All scenes together.
    pub(super) fn whole(self) -> Duration {
        Scene::ALL
            .iter()
            .map(|scene| {
                let settled = usize::from(scene.is_first_of_kind()) + scene.steps().len();
                self.settle * u32::try_from(settled).unwrap_or(u32::MAX) + self.window
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_had_within_ten_seconds() {
        assert!(Pace::ONCE.whole() < Duration::from_millis(9500), "{:?}", Pace::ONCE.whole());
    }

    #[test]
    fn every_kind_has_a_scene_that_its_clients_come_with() {
        let first = Scene::ALL.into_iter().filter(|scene| scene.is_first_of_kind()).map(Scene::kind);
        assert!(first.eq(Kind::ALL));
    }
}
