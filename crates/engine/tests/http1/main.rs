//! HTTP/1 (RFC 9112): each duty of the relay with raw bytes on either side, and frames of HTTP/2 on the other. The engine is
//! driven by hand in virtual time; nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod bodies;
mod connections;
mod cuts;
mod events;
mod found_by_simulation;
mod learning;
mod limits;
#[allow(dead_code, reason = "shared with the regressions")]
#[path = "../regressions/peer.rs"]
mod peer;
mod sessions;
mod upgrades;
mod web;
mod world;
