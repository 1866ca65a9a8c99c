//! What is printed at the end: the figures of all scenes, what they mean, and what to try next.

use super::client::{CLIENTS, IN_FLIGHT};
use super::figures::Figures;
use super::scene::Scene;
use super::stage::ENDPOINTS;
use std::fmt::Write as _;

const NEXT: &str = "\
Try it with your own backends (HTTP/2 or gRPC, without TLS):
  evenkeel run --listen 127.0.0.1:8080 --to 127.0.0.1:50051,127.0.0.1:50052
and on Kubernetes with a headless Service:
  evenkeel run --listen 0.0.0.0:8080 --to dns://my-backend-headless:8080
";

/// The figures of the scenes that were played, in words and a table of at most 80 columns.
pub(super) fn summary(scenes: &[Figures]) -> String {
    let mut text = format!(
        "Calls a second on each endpoint. {CLIENTS} clients, one HTTP/2 connection each, {IN_FLIGHT} calls in flight.\n\n"
    );
    let _ = writeln!(
        text,
        "{:9} {:>26} {:>5}  {:>26} {:>5}  {:>6}",
        "", "pinned", "skew", "Evenkeel", "skew", "errors"
    );
    for figures in scenes {
        let rates = |counts: &[u64]| -> String {
            let seconds = figures.length.as_secs_f64().max(f64::MIN_POSITIVE);
            counts.iter().map(|&count| format!(" {:>4.0}", count as f64 / seconds)).collect()
        };
        let Figures { scene, before, after, errors, .. } = figures;
        let _ = writeln!(
            text,
            "{:9} {:>26} {:>5.2}  {:>26} {:>5.2}  {errors:>6}",
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
    for broken in scenes.iter().flat_map(Figures::broken_promises) {
        let _ = writeln!(text, "NOT AS PROMISED  {broken}");
    }
    text.push('\n');
    text + NEXT
}

/// What a scene's figures mean; nothing where the table says it all.
fn meaning(figures: &Figures) -> String {
    let Figures { scene, before, after, errors, shared_after, .. } = figures;
    match scene {
        Scene::Pinned => format!(
            "pinned    the busiest endpoint has {:.2} times its fair share; through Evenkeel {:.2}\n",
            before.skew, after.skew
        ),
        Scene::ScaleUp => {
            let new: u64 = before.per_endpoint.iter().skip(ENDPOINTS).sum();
            let pinned = if new == 0 { "no call".to_owned() } else { format!("{new} calls") };
            let when = shared_after
                .map_or_else(|| "never".to_owned(), |time| format!("after {:.1} s", time.as_secs_f64()));
            format!(
                "scale-up  pinned connections bring the new endpoints {pinned}; through Evenkeel they\n\
                 {:10}had their share {when}\n",
                ""
            )
        }
        Scene::ScaleIn if *errors == 0 => {
            "scale-in  endpoints that terminate get no new call, and no call is lost\n".to_owned()
        }
        Scene::ScaleIn => String::new(),
    }
}
