//! The picture as lines: both ways beside each other, an endpoint a row. Knows no terminal but its width.

use super::bar::Bar;
use super::palette::Palette;
use crate::demo::client::IN_FLIGHT;
use crate::demo::figures::LEVEL;
use crate::demo::kind::Kind;
use crate::demo::scene::Scene;
use crate::demo::stage::{ADDED, ENDPOINTS};
use crate::demo::view::Live;
use crate::demo::way::Way;
use evenkeel_core::endpoint::EndpointState;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Endpoints that there are at most.
const ROWS: usize = ENDPOINTS + ADDED;

/// Lines of the picture.
pub(super) const HEIGHT: u16 = 12 + ROWS as u16;

/// Columns that it needs.
pub(super) const MIN_WIDTH: u16 = 76;

/// Columns that it uses at most: longer bars say no more.
const MAX_WIDTH: usize = 100;

/// Columns before the first bars.
const LABEL: usize = 16;

/// Columns of a bar's figure.
const FIGURE: usize = 9;

/// Columns between both ways.
const GAP: usize = 2;

/// The picture of a moment, [`HEIGHT`] lines.
pub(super) fn lines(live: &Live, width: u16, palette: &Palette) -> Vec<Line<'static>> {
    let width = usize::from(width).min(MAX_WIDTH);
    let cells = width.saturating_sub(1 + LABEL + 2 * FIGURE + GAP) / 2;
    let used = 1 + LABEL + 2 * (cells + FIGURE) + GAP;
    let mut lines = vec![title(live, used, palette), Line::default()];
    lines.push(scenes(live, palette));
    lines.push(Line::styled(format!(" {}: {}", live.scene.name(), live.scene.plot()), palette.strong));
    lines.push(setting(live.scene.kind(), palette));
    lines.push(Line::default());
    lines.push(headings(live, cells, palette));
    lines.extend((0..ROWS).map(|row| endpoint(live, row, cells, palette)));
    lines.push(Line::default());
    lines.push(verdicts("skew", live, cells, |way| {
        let skew = live.skew(way);
        (format!("{skew:.2}"), if skew <= LEVEL { palette.level } else { palette.over })
    }));
    lines.push(verdicts("errors", live, cells, |way| {
        let errors = live.errors[way as usize];
        (errors.to_string(), if errors == 0 { palette.level } else { palette.over })
    }));
    lines.push(sessions(live, cells));
    lines.push(Line::default());
    lines
}

fn title(live: &Live, width: usize, palette: &Palette) -> Line<'static> {
    let left = " evenkeel demo";
    let right = format!("{} s of {} s   q ends", live.elapsed.as_secs(), live.whole.as_secs());
    let gap = width.saturating_sub(left.len() + right.len());
    Line::from(vec![
        Span::styled(left, palette.strong),
        Span::raw(" ".repeat(gap)),
        Span::styled(right, palette.quiet),
    ])
}

/// Who the clients are.
fn setting(kind: Kind, palette: &Palette) -> Line<'static> {
    let text = match (kind, kind.clients()) {
        (Kind::Grpc, count) => {
            format!(" {count} clients, one HTTP/2 connection each, {IN_FLIGHT} calls in flight on each")
        }
        (Kind::Http, count) => format!(" {count} clients, one connection each, one request after the other"),
        (_, count) => {
            format!(" {count} clients, one connection each, and {} that come later", kind.newcomers())
        }
    };
    Line::styled(text, palette.quiet)
}

/// The scenes that were, the one that is, and those that come.
fn scenes(live: &Live, palette: &Palette) -> Line<'static> {
    let mut spans = Vec::new();
    for scene in Scene::ALL {
        let (sign, style) = match (scene as u8).cmp(&(live.scene as u8)) {
            std::cmp::Ordering::Less => ('✓', palette.level),
            std::cmp::Ordering::Equal => ('▸', palette.strong),
            std::cmp::Ordering::Greater => ('·', palette.quiet),
        };
        spans.push(Span::styled(format!(" {sign} {}", scene.name()), style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn headings(live: &Live, cells: usize, palette: &Palette) -> Line<'static> {
    let side = cells + FIGURE + GAP;
    let pinned = format!("{:side$}", "pinned, as kube-proxy does it");
    Line::from(vec![
        Span::styled(format!(" {:LABEL$}", format!("{}/s", live.scene.kind().unit())), palette.quiet),
        Span::styled(pinned, palette.strong),
        Span::styled("through Evenkeel", palette.strong),
    ])
}

fn endpoint(live: &Live, row: usize, cells: usize, palette: &Palette) -> Line<'static> {
    let Some(state) = live.states.get(row) else {
        return Line::styled(format!(" endpoint {}", row + 1), palette.quiet);
    };
    let (note, style) = match state {
        Some(EndpointState::Ready) if row >= ENDPOINTS => ("new", palette.new),
        Some(EndpointState::Ready | EndpointState::NotReady) => ("", Style::default()),
        Some(EndpointState::Terminating) => ("ends", palette.quiet),
        None => ("gone", palette.quiet),
    };
    let label = format!(" {:LABEL$}", format!("endpoint {} {note}", row + 1));
    let mut spans = vec![Span::styled(label, style)];
    let full = Way::ALL.iter().flat_map(|&way| &live.rates[way as usize]).copied().fold(0.0, f64::max);
    for way in Way::ALL {
        let value = live.rates[way as usize].get(row).copied().unwrap_or(0.0);
        let colour = match way {
            Way::Pinned => palette.pinned,
            Way::Evenkeel => palette.level,
        };
        if *state == Some(EndpointState::Ready) {
            spans.extend(Bar { value, fair: live.fair(way), full }.draw(cells, colour, palette));
        } else {
            // One that leaves has no fair share.
            spans.extend(Bar { value, fair: full, full }.draw(cells, palette.quiet, palette));
        }
        let figure = format!("{value:>w$.0}/s", w = FIGURE - 2);
        spans.push(Span::styled(figure, if value < 0.5 { palette.quiet } else { Style::default() }));
        spans.push(Span::raw(" ".repeat(GAP)));
    }
    Line::from(spans)
}

fn verdicts(
    label: &str,
    live: &Live,
    cells: usize,
    verdict: impl Fn(Way) -> (String, Style),
) -> Line<'static> {
    let mut spans = vec![Span::raw(format!(" {label:LABEL$}"))];
    let is_measured = live.rates.iter().flatten().any(|&rate| rate > 0.0);
    for way in Way::ALL.into_iter().filter(|_| is_measured) {
        let (text, style) = verdict(way);
        spans.push(Span::styled(format!("{text:side$}", side = cells + FIGURE + GAP), style));
    }
    Line::from(spans)
}

/// Where sessions stand that are given to an endpoint once; an empty line where there are none.
fn sessions(live: &Live, cells: usize) -> Line<'static> {
    let mut text = String::new();
    if live.scene.kind().is_picked_once() {
        text = format!(" {:LABEL$}", "sessions");
        for way in Way::ALL {
            let counts = &live.sessions[way as usize];
            let counts: Vec<String> = counts.iter().map(|count| format!("{count:>2}")).collect();
            text += &format!("{:side$}", counts.join(" "), side = cells + FIGURE + GAP);
        }
    }
    Line::raw(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn live(scene: Scene, states: Vec<Option<EndpointState>>, rates: [Vec<f64>; 2]) -> Live {
        let times = [Duration::from_millis(9500), Duration::from_secs(21)];
        Live {
            scene,
            elapsed: times[0],
            whole: times[1],
            states,
            rates,
            sessions: Default::default(),
            errors: [0, 2],
        }
    }

    fn text(live: &Live, width: u16) -> Vec<String> {
        let lines = lines(live, width, &Palette::plain());
        lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn both_ways_stand_beside_each_other() {
        let live = live(
            Scene::ScaleUp,
            vec![Some(EndpointState::Ready); 5],
            [vec![2000.0, 1000.0, 1000.0, 0.0, 0.0], vec![800.0; 5]],
        );
        assert_eq!(
            text(&live, 80),
            [
                " evenkeel demo                                             9 s of 21 s   q ends",
                "",
                " ✓ pinned  ▸ scale-up  · scale-in  · http  · websocket  · sse  · tcp",
                " scale-up: 3 → 5 endpoints while the clients call",
                " 4 clients, one HTTP/2 connection each, 20 calls in flight on each",
                "",
                " calls/s         pinned, as kube-proxy does it   through Evenkeel",
                " endpoint 1      █████████████████████   2000/s  ████████▍                800/s",
                " endpoint 2      ██████████▌             1000/s  ████████▍                800/s",
                " endpoint 3      ██████████▌             1000/s  ████████▍                800/s",
                " endpoint 4 new          ┆                  0/s  ████████▍                800/s",
                " endpoint 5 new          ┆                  0/s  ████████▍                800/s",
                "",
                " skew            2.50                            1.00",
                " errors          0                               2",
                "",
                "",
            ]
        );
    }

    #[test]
    fn it_is_as_high_as_it_says_and_no_wider_than_it_may_be() {
        let few = live(Scene::Pinned, vec![Some(EndpointState::Ready); 3], [vec![0.0; 3], vec![0.0; 3]]);
        let leaving = vec![Some(EndpointState::Ready), None, Some(EndpointState::Terminating)];
        let uneven = live(Scene::ScaleIn, leaving, [vec![99_999.0; 3], vec![1.0; 3]]);
        let mut sessions =
            live(Scene::WebSocket, vec![Some(EndpointState::Ready); 5], [vec![9.0; 5], vec![9.0; 5]]);
        sessions.sessions = [vec![12, 8, 0, 0, 0], vec![4; 5]];
        assert_eq!(
            text(&sessions, 80)[15],
            " sessions        12  8  0  0  0                   4  4  4  4  4"
        );
        for live in [few, uneven, sessions] {
            for width in [MIN_WIDTH, 80, 81, 100, 300] {
                let lines = lines(&live, width, &Palette::colours());
                assert_eq!(lines.len(), usize::from(HEIGHT));
                let widest = text(&live, width).iter().map(|line| line.chars().count()).max();
                assert!(widest <= Some(usize::from(width)), "{widest:?} in {width}");
            }
        }
    }
}
