//! The engine as a whole, between clients and endpoints that mostly keep to the rules.
//!
//! The input is a list of choices: who does what next, where bytes are cut, when time passes, which connections come
//! and go. After each step the engine's own invariants hold, and models of both sides, which share no code with it,
//! agree: outputs are whole frames in an order that RFC 9113 allows, no window is overrun, bodies arrive unchanged and
//! whole, outputs are bounded; and when all peers are gone, nothing is left.

mod link;
mod peer;
mod scene;
mod watch;

use crate::tape::Tape;
use scene::Scene;

/// Steps of one input.
const MOST_STEPS: usize = 3_000;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    tape.rest().to_vec()
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let mut scene = Scene::new(&mut tape);
    for step in 0..MOST_STEPS {
        if tape.is_over() {
            break;
        }
        scene.step(&mut tape).map_err(|what| format!("step {step}: {what}"))?;
    }
    scene.end().map_err(|what| format!("at the end: {what}"))
}
