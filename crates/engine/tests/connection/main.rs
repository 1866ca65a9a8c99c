//! What one connection may do to the others: each duty of the connection level, with its limit from both sides. The
//! engine is driven by hand in virtual time; nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[allow(dead_code, reason = "shared with the regressions")]
#[path = "../regressions/bench.rs"]
mod bench;
mod cancelled;
mod credit;
mod floods;
mod memory;
#[allow(dead_code, reason = "shared with the regressions")]
#[path = "../regressions/peer.rs"]
mod peer;
mod resets;
mod settings;
mod stalls;
mod withheld;
