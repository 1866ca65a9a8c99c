//! The demo on a terminal: live bars, drawn below the prompt so that the last picture stays in the scrollback.
//!
//! Owns the terminal while it lives. Knows how things are shown, not where they come from.

mod bar;
mod lines;
mod palette;

use super::view::{Live, View, Wish};
use lines::{HEIGHT, MIN_WIDTH, lines};
use palette::Palette;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{disable_raw_mode, size};
use ratatui::text::Text;
use ratatui::{DefaultTerminal, TerminalOptions, Viewport};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A terminal with the picture on it. Dropping it gives the terminal back, with the last picture above the cursor.
pub(super) struct Picture {
    terminal: DefaultTerminal,
    palette: Palette,
}

impl Picture {
    /// Takes the terminal. None where there is none, it is too small, or it cannot do what is needed.
    pub(super) fn open() -> Option<Self> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if !is_terminal || is_dumb {
            return None;
        }
        let (columns, rows) = size().ok()?;
        if columns < MIN_WIDTH || rows <= HEIGHT {
            return None;
        }
        let options = TerminalOptions { viewport: Viewport::Inline(HEIGHT) };
        let Ok(terminal) = ratatui::try_init_with_options(options) else {
            // It may have come as far as raw mode.
            let _ = disable_raw_mode();
            return None;
        };
        let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let palette = if wants_none { Palette::plain() } else { Palette::colours() };
        Some(Self { terminal, palette })
    }
}

impl View for Picture {
    fn show(&mut self, live: &Live) -> anyhow::Result<()> {
        let palette = self.palette;
        self.terminal.draw(|frame| {
            let text = Text::from(lines(live, frame.area().width, &palette));
            frame.render_widget(text, frame.area());
        })?;
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<Wish> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if !event::poll(left)? {
                return Ok(Wish::GoOn);
            }
            if let Event::Key(key) = event::read()?
                && wants_end(key)
            {
                return Ok(Wish::End);
            }
        }
    }
}

/// `q`, Escape and, since a terminal in raw mode sends no signal, Ctrl-C.
fn wants_end(key: KeyEvent) -> bool {
    let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_end = is_ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
    is_end && key.kind == KeyEventKind::Press
}

impl Drop for Picture {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = disable_raw_mode();
        let _ = self.terminal.show_cursor();
        let below = self.terminal.get_frame().area().bottom();
        let _ = self.terminal.set_cursor_position((0, below.saturating_sub(1)));
        let _ = writeln!(io::stdout());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_escape_and_ctrl_c_end_it_and_other_keys_do_not() {
        let key = |code, modifiers| KeyEvent::new(code, modifiers);
        assert!(wants_end(key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(wants_end(key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(wants_end(key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!wants_end(key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!wants_end(key(KeyCode::Enter, KeyModifiers::NONE)));
    }
}
