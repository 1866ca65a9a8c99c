//! Tunnels: bytes both ways, from a TCP listener's clients or from what detection takes for one. The engine is driven by
//! hand; nothing here waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod bench;
mod detection;
mod ends;
mod placing;
mod proxy_protocol;
