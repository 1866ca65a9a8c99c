//! Balancers over queueing endpoints in virtual time: what users see of picks, from a seed and without a clock.

#![allow(
    clippy::unwrap_used,
    reason = "a test may panic; clippy's own exception is for functions marked as tests only"
)]

mod ejection;
mod invariants;
mod latency;
mod levelness;
mod resort;
mod scale;
mod sessions;
mod simulation;
mod weights;
