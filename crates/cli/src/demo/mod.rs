//! `evenkeel demo`: real backends, real clients and Evenkeel between them, in one process on loopback, with no
//! configuration. Called by the command; everything that it shows is measured.
//!
//! From the bottom: `kind`, `way`, `tally`, `placement` (what is counted); `backend`, `dial`, `client`, `balancer`, `stage`
//! (what runs); `scene`, `figures` (what happens, and what it came to); `view` with `picture` and `progress`, `summary` (who tells it); `play` (who leads).

mod backend;
mod balancer;
mod client;
mod dial;
mod figures;
mod kind;
mod picture;
mod placement;
mod play;
mod progress;
mod scene;
mod stage;
mod summary;
mod tally;
mod view;
mod way;

use crate::exit::Exit;
use crate::output::print;
use figures::Answer;
use picture::Picture;
use play::play;
use progress::Progress;
use scene::{Pace, Scene};
use stage::Stage;

/// How the demo is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Live, as long as it takes to watch it, with a summary at the end.
    Live,
    /// Once and quickly, for the summary.
    Once,
    /// Once and quickly, for the figures as JSON.
    Figures,
}

/// Plays the demo. Findings are promises that did not come true.
///
/// # Errors
/// A port or a thread cannot be had, or it was ended before it had its figures.
pub(crate) fn demo(show: Show) -> anyhow::Result<Exit> {
    let mut stage = Stage::open()?;
    let figures = match show {
        Show::Live => match Picture::open() {
            // The picture ends with the arm, and gives the terminal back before the summary.
            Some(mut picture) => play(&mut stage, &mut picture, Pace::WATCHED)?,
            None => play(&mut stage, &mut Progress::default(), Pace::WATCHED)?,
        },
        Show::Once | Show::Figures => play(&mut stage, &mut Progress::default(), Pace::ONCE)?,
    };
    if show != Show::Live && figures.len() < Scene::ALL.len() {
        anyhow::bail!("ended before every scene was played");
    }
    match show {
        Show::Figures => print(&format!("{}\n", serde_json::to_string(&Answer { scenes: &figures })?))?,
        Show::Live | Show::Once => print(&summary::summary(&figures))?,
    }
    let holds = figures.iter().all(|figures| figures.broken_promises().is_empty());
    Ok(if holds { Exit::Well } else { Exit::Findings })
}
