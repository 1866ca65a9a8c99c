//! The demo where there is no terminal: a line now and then on standard error, so that it can be seen to go on.

use super::scene::Scene;
use super::view::{Live, View, Wish};
use super::way::Way;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// Prints lines.
#[derive(Default)]
pub(super) struct Progress {
    last_line: Option<Instant>,
    scene: Option<Scene>,
}

impl View for Progress {
    fn show(&mut self, live: &Live) -> anyhow::Result<()> {
        if self.scene != Some(live.scene) {
            self.scene = Some(live.scene);
            self.last_line = Some(Instant::now());
            eprintln!("{}: {}", live.scene.name(), live.scene.plot());
        }
        if self.last_line.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.last_line = Some(Instant::now());
            eprintln!("{}", line(live));
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<Wish> {
        std::thread::sleep(time);
        Ok(Wish::GoOn)
    }
}

/// `   3 s  pinned 1900 1910 0 (skew 1.50)   evenkeel 1270 1268 1271 (skew 1.00)   0 errors`
fn line(live: &Live) -> String {
    let mut line = format!("{:>4} s", live.elapsed.as_secs());
    for way in Way::ALL {
        let _ = write!(line, "   {}", way.name());
        for rate in &live.rates[way as usize] {
            let _ = write!(line, " {rate:.0}");
        }
        let _ = write!(line, " {}/s, skew {:.2}", live.scene.kind().unit(), live.skew(way));
    }
    let _ = write!(line, "   {} errors", live.errors.iter().sum::<u64>());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_both_ways_beside_each_other() {
        let live = Live {
            scene: Scene::Pinned,
            elapsed: Duration::from_millis(3900),
            whole: Duration::from_secs(10),
            states: vec![Some(evenkeel_core::endpoint::EndpointState::Ready); 2],
            rates: [vec![300.0, 100.0], vec![199.6, 200.4]],
            sessions: Default::default(),
            errors: [0, 0],
        };
        assert_eq!(
            line(&live),
            "   3 s   pinned 300 100 calls/s, skew 1.50   evenkeel 200 200 calls/s, skew 1.00   0 errors"
        );
    }
}
