//! One bar: as long as its value, to an eighth of a cell, with its fair share marked.

use super::palette::Palette;
use ratatui::style::Style;
use ratatui::text::Span;

/// A cell filled from the left, by eighths.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Where the fair share is, beside a bar that does not reach it.
const MARK: char = '┆';

/// How much more than the fair share is not worth a colour of its own.
const TOLERANCE: f64 = 1.10;

/// What a bar shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// Its value.
    pub(super) value: f64,
    /// The value that everybody would have if all had the same.
    pub(super) fair: f64,
    /// The value of a bar that fills its cells.
    pub(super) full: f64,
}

impl Bar {
    /// The bar in so many cells: up to the fair share in `style`, what is over it in the palette's `over`.
    pub(super) fn draw(self, cells: usize, style: Style, palette: &Palette) -> Vec<Span<'static>> {
        let eighths = self.eighths(self.value, cells);
        let allowed = self.eighths(self.fair * TOLERANCE, cells).div_ceil(8);
        let mark = self.eighths(self.fair, cells) / 8;
        let (whole, rest) = (eighths / 8, eighths % 8);
        let mut spans = vec![Span::styled("█".repeat(whole.min(allowed)), style)];
        if whole > allowed {
            spans.push(Span::styled("█".repeat(whole - allowed), palette.over));
        }
        let mut drawn = whole;
        if rest > 0 {
            let end = if whole >= allowed { palette.over } else { style };
            spans.push(Span::styled(EIGHTHS[rest].to_string(), end));
            drawn += 1;
        }
        let track: String = (drawn..cells).map(|cell| if cell == mark { MARK } else { ' ' }).collect();
        spans.push(Span::styled(track, palette.quiet));
        spans
    }

    fn eighths(self, value: f64, cells: usize) -> usize {
        if self.full <= 0.0 {
            return 0;
        }
        let most = cells * 8;
        // Never negative, and a cast saturates.
        ((value / self.full * most as f64).round() as usize).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(value: f64, fair: f64, full: f64) -> String {
        Bar { value, fair, full }
            .draw(8, Style::new(), &Palette::plain())
            .iter()
            .map(|s| s.content.clone())
            .collect()
    }

    #[test]
    fn a_bar_is_as_long_as_its_value_to_an_eighth_and_never_longer_than_its_cells() {
        assert_eq!(drawn(4.0, 4.0, 8.0), "████┆   ");
        assert_eq!(drawn(4.5, 2.0, 8.0), "████▌   ");
        assert_eq!(drawn(0.0, 2.0, 8.0), "  ┆     ");
        assert_eq!(drawn(0.125, 2.0, 8.0), "▏ ┆     ");
        assert_eq!(drawn(9.0, 2.0, 8.0), "████████");
        assert_eq!(drawn(0.0, 0.0, 0.0), "┆       ");
    }

    #[test]
    fn what_is_over_the_fair_share_has_a_style_of_its_own() {
        let palette = Palette::colours();
        let spans = Bar { value: 8.0, fair: 4.0, full: 8.0 }.draw(8, palette.pinned, &palette);
        assert_eq!((spans[0].content.chars().count(), spans[0].style), (5, palette.pinned));
        assert_eq!((spans[1].content.chars().count(), spans[1].style), (3, palette.over));
        let spans = Bar { value: 4.2, fair: 4.0, full: 8.0 }.draw(8, palette.level, &palette);
        assert!(spans.iter().all(|span| span.style != palette.over));
    }
}
