//! The scenes of the demo, and how long each takes. Knows what a scene is about, not how it is shown.

use super::stage::{ADDED, ENDPOINTS, Stage};
use std::time::Duration;

/// One scene. The clients of both ways call through all of them without a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// A few long-lived connections and three endpoints.
    Pinned,
    /// Two more endpoints come up.
    ScaleUp,
    /// They leave again.
    ScaleIn,
}

impl Scene {
    /// All, as they follow each other.
    pub(super) const ALL: [Self; 3] = [Self::Pinned, Self::ScaleUp, Self::ScaleIn];

    /// The stable name, in the figures.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::ScaleUp => "scale-up",
            Self::ScaleIn => "scale-in",
        }
    }

    /// What happens in it.
    pub(super) fn plot(self) -> String {
        match self {
            Self::Pinned => format!("{ENDPOINTS} endpoints, connections that stay open"),
            Self::ScaleUp => format!("{ENDPOINTS} → {} endpoints while the clients call", ENDPOINTS + ADDED),
            Self::ScaleIn => {
                format!("{} → {ENDPOINTS} endpoints, terminating gracefully", ENDPOINTS + ADDED)
            }
        }
    }

    /// Endpoints that serve while it is measured, in the order in which they came up.
    pub(super) const fn endpoints(self) -> usize {
        match self {
            Self::Pinned | Self::ScaleIn => ENDPOINTS,
            Self::ScaleUp => ENDPOINTS + ADDED,
        }
    }

    /// What happens when it begins.
    ///
    /// # Errors
    /// What the stage cannot do.
    pub(super) fn begin(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::Pinned => Ok(()),
            Self::ScaleUp => stage.add(),
            Self::ScaleIn => stage.retire_added(),
        }
    }

    /// What happens when it has settled; then it is measured.
    ///
    /// # Errors
    /// What the stage cannot do.
    pub(super) fn settled(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::Pinned | Self::ScaleUp => Ok(()),
            Self::ScaleIn => stage.remove_added(),
        }
    }
}

/// How long each scene takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From its beginning to the window that is measured.
    pub(super) settle: Duration,
    /// The window that is measured.
    pub(super) window: Duration,
}

impl Pace {
    /// Slow enough to be watched: 21 seconds in all.
    pub(super) const WATCHED: Self = Self { settle: Duration::from_secs(2), window: Duration::from_secs(5) };

    /// For figures only: 10.5 seconds in all.
    pub(super) const ONCE: Self =
        Self { settle: Duration::from_secs(1), window: Duration::from_millis(2500) };

    /// All scenes together.
    pub(super) fn whole(self) -> Duration {
        (self.settle + self.window).saturating_mul(u32::try_from(Scene::ALL.len()).unwrap_or(u32::MAX))
    }
}
