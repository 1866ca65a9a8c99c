//! WebSockets through the engine: each handshake to each, frames in random cuts, pings, faults and ends. The engine is
//! driven by hand in virtual time; nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod bench;
mod ends;
mod frames;
mod handshake;
#[allow(dead_code, reason = "shared with the regressions")]
#[path = "../regressions/peer.rs"]
mod peer;
mod picks;
mod pings;
mod talk;
