//! The relay frame by frame: what it owes its peers, and faults that a review found. The engine is driven by hand;
//! nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[allow(dead_code, reason = "shared with the tests of connections")]
mod bench;
mod drain;
mod duties;
mod forwarded;
#[allow(dead_code, reason = "shared with the tests of connections")]
mod peer;
mod queue;
mod reload;
mod retry;
mod streams;
mod timeouts;
mod upstreams;
mod windows;
