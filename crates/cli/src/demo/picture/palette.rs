//! The colours of the picture. Without colours everything that they say is said by words and shapes too.

use ratatui::style::{Color, Modifier, Style};

/// A style for each role.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Palette {
    /// Titles.
    pub(super) strong: Style,
    /// What is not looked at first.
    pub(super) quiet: Style,
    /// Bars before Evenkeel.
    pub(super) pinned: Style,
    /// Bars through Evenkeel, and what is as it should be.
    pub(super) level: Style,
    /// What is over its fair share or failed.
    pub(super) over: Style,
    /// What has just come.
    pub(super) new: Style,
}

impl Palette {
    /// For a terminal with colours.
    pub(super) fn colours() -> Self {
        let of = |colour| Style::new().fg(colour);
        Self {
            strong: Style::new().add_modifier(Modifier::BOLD),
            quiet: Style::new().add_modifier(Modifier::DIM),
            pinned: of(Color::Yellow),
            level: of(Color::Green),
            over: of(Color::Red),
            new: of(Color::Cyan),
        }
    }

    /// For a terminal whose user wants none.
    pub(super) fn plain() -> Self {
        Self::default()
    }
}
