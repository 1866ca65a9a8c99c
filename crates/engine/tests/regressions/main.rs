//! The relay frame by frame: what it owes its peers, and faults that a review found. The engine is driven by hand;
//! nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod bench;
mod drain;
mod duties;
mod forwarded;
mod peer;
mod queue;
mod retry;
mod streams;
mod timeouts;
mod upstreams;
