//! Faults that a review found, each as the frames that show it. The engine is driven by hand; nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod bench;
mod drain;
mod peer;
mod streams;
mod upstreams;
mod windows;
