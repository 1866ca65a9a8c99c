//! Faults that a review found, each as the frames that show it. The engine is driven by hand; nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[allow(dead_code, reason = "shared with the tests of connections")]
mod bench;
mod drain;
#[allow(dead_code, reason = "shared with the tests of connections")]
mod peer;
mod streams;
mod upstreams;
