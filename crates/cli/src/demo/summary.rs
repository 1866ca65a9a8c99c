//! What is printed at the end: the figures of all scenes, what they mean, and what to try next.

use super::client::IN_FLIGHT;
use super::figures::Figures;
use super::kind::Kind;
use super::placement::Placement;
use super::scene::Scene;
use super::stage::ENDPOINTS;
use std::fmt::Write as _;

const NEXT: &str = "\
Try it with your own backends (gRPC, HTTP, WebSocket, server-sent events):
  evenkeel run --listen 127.0.0.1:8080 --to 127.0.0.1:50051,127.0.0.1:50052
any other protocol over TCP:
  evenkeel run --protocol tcp --listen 127.0.0.1:5432 --to dns://my-db:5432
and on Kubernetes with a headless Service:
  evenkeel run --listen 0.0.0.0:8080 --to dns://my-backend-headless:8080
";

/// The figures of the scenes that were played, in words and a table of at most 80 columns.
pub(super) fn summary(scenes: &[Figures]) -> String {
    if scenes.is_empty() {
        return format!("Ended before the first scene was over.\n\n{NEXT}");
    }
    let mut text = format!(
        "Calls, requests, messages or events a second on each endpoint. Three scenes of\n\
         {} gRPC clients with {IN_FLIGHT} calls in flight on one connection each; http: {} with one.\n\n",
        Kind::Grpc.clients(),
        Kind::Http.clients(),
    );
    let _ = writeln!(
        text,
        "{:9} {:25} {:>5} {:25} {:>5} {:>6}",
        "", "  pinned", "skew", "  Evenkeel", "skew", "errors"
    );
    for figures in scenes {
        let rates = |counts: &[u64]| -> String {
            let seconds = figures.length.as_secs_f64().max(f64::MIN_POSITIVE);
            counts.iter().map(|&count| format!(" {:>4.0}", count as f64 / seconds)).collect()
        };
        let Figures { scene, before, after, errors, .. } = figures;
        let _ = writeln!(
            text,
            "{:9} {:25} {:>5.2} {:25} {:>5.2} {errors:>6}",
            scene.name(),
            rates(&before.per_endpoint),
            before.skew,
            rates(&after.per_endpoint),
            after.skew,
        );
    }
    text.push('\n');
    for figures in scenes {
        text += &meaning(figures);
    }
    if scenes.iter().any(|figures| figures.growth.placement.is_some()) {
        text += SESSIONS;
    }
    for broken in scenes.iter().flat_map(Figures::broken_promises) {
        let _ = writeln!(text, "NOT AS PROMISED  {broken}");
    }
    text.push('\n');
    text + NEXT
}

/// What a scene's figures mean; nothing where the table says it all.
fn meaning(figures: &Figures) -> String {
    let Figures { scene, before, after, errors, growth, .. } = figures;
    match scene {
        Scene::Pinned => format!(
            "pinned    the busiest endpoint has {:.2} × its fair share; through Evenkeel {:.2}\n",
            before.skew, after.skew
        ),
        Scene::ScaleUp | Scene::Http => {
            let new: u64 = before.per_endpoint.iter().skip(ENDPOINTS).sum();
            let unit = scene.kind().unit();
            let pinned = if new == 0 { format!("no {unit}") } else { format!("{new} {unit}") };
            let when = growth
                .shared_after
                .map_or_else(|| "never".to_owned(), |time| format!("within {:.1} s", time.as_secs_f64()));
            format!(
                "{:10}pinned connections give the new endpoints {pinned};\n\
                 {:10}through Evenkeel they had their share {when}\n",
                scene.name(),
                ""
            )
        }
        Scene::ScaleIn if *errors == 0 => {
            "scale-in  endpoints that terminate get no new call, and no call is lost\n".to_owned()
        }
        Scene::ScaleIn => String::new(),
        Scene::WebSocket | Scene::Events | Scene::Tcp => {
            growth.placement.as_ref().map(|placement| placed(*scene, placement)).unwrap_or_default()
        }
    }
}

/// Where sessions went that are given to an endpoint once.
fn placed(scene: Scene, placement: &Placement) -> String {
    let list = |counts: &[u64]| counts.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let (stood, came) = (&placement.stood, placement.came());
    format!(
        "{:10}{} stood at {}{}; {} came, to {}\n",
        scene.name(),
        stood.iter().sum::<u64>(),
        list(stood),
        if placement.lost_any() { "" } else { " and stayed" },
        came.iter().sum::<u64>(),
        list(&came),
    )
}

/// What the sessions show, and what they cannot do yet.
const SESSIONS: &str = "\
A WebSocket, an event stream or a TCP connection goes to the endpoint with the
fewest and stays there until it ends. A scale-up moves none of those that stand:
it is new ones that fill the new endpoints, which stay empty while none come.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::figures::{Growth, Side};
    use std::time::Duration;

    fn figures(scene: Scene, before: &[u64], after: &[u64], errors: u64) -> Figures {
        let side = |counts: &[u64]| Side {
            per_endpoint: counts.to_vec(),
            skew: crate::demo::tally::skew_of(counts),
        };
        Figures {
            scene,
            before: side(before),
            after: side(after),
            errors,
            length: Duration::from_secs(2),
            growth: Growth { shared_after: Some(Duration::from_millis(230)), placement: None },
        }
    }

    #[test]
    fn the_table_has_calls_a_second_and_says_what_they_mean() {
        let text = summary(&[
            figures(Scene::Pinned, &[4000, 2000, 0], &[2000, 2000, 2000], 0),
            figures(Scene::ScaleUp, &[4000, 2000, 0, 0, 0], &[1200, 1200, 1200, 1200, 1200], 0),
        ]);
        let rows: Vec<&str> = text.lines().skip(3).take(7).collect();
        assert_eq!(
            rows,
            [
                "            pinned                   skew   Evenkeel                 skew errors",
                "pinned     2000 1000    0            2.00  1000 1000 1000            1.00      0",
                "scale-up   2000 1000    0    0    0  3.33   600  600  600  600  600  1.00      0",
                "",
                "pinned    the busiest endpoint has 2.00 × its fair share; through Evenkeel 1.00",
                "scale-up  pinned connections give the new endpoints no calls;",
                "          through Evenkeel they had their share within 0.2 s",
            ]
        );
        assert!(!text.contains("NOT AS PROMISED"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_promise_that_did_not_come_true_is_not_hidden() {
        let text = summary(&[figures(Scene::ScaleIn, &[1, 1, 1], &[5, 5, 5], 2)]);
        assert!(text.contains("NOT AS PROMISED  scale-in: 2 calls failed\n"), "{text}");
        assert!(!text.contains("no call is lost"), "{text}");
    }

    #[test]
    fn sessions_that_stay_are_told_from_those_that_came() {
        let mut figures = figures(Scene::WebSocket, &[9, 5, 4, 1, 1], &[4, 4, 4, 4, 4], 0);
        let placement = Placement { stood: vec![4, 4, 4], held: vec![4, 4, 4, 4, 4] };
        figures.growth.placement = Some(placement);
        let text = summary(&[figures]);
        let told = "websocket 12 stood at 4 4 4 and stayed; 8 came, to 0 0 0 4 4\n";
        assert!(text.contains(told), "{text}");
        assert!(text.contains("A scale-up moves none of those that stand"), "{text}");
        assert!(!text.contains("NOT AS PROMISED"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_session_that_did_not_stay_is_not_said_to_have_stayed() {
        let mut figures = figures(Scene::Tcp, &[9, 5, 4, 1, 1], &[4, 4, 4, 4, 4], 0);
        let placement = Placement { stood: vec![4, 4, 4], held: vec![4, 3, 4, 4, 4] };
        figures.growth.placement = Some(placement);
        let text = summary(&[figures]);
        assert!(text.contains("NOT AS PROMISED  tcp: a session did not stay"), "{text}");
        assert!(!text.contains("and stayed"), "{text}");
    }

    #[test]
    fn one_who_ended_at_once_still_learns_what_to_try() {
        assert!(summary(&[]).contains("evenkeel run --listen"));
    }
}
