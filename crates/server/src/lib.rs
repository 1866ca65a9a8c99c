//! Sockets, threads, clocks, discovery, admin API and telemetry.
//!
//! Two sides that meet in immutable snapshots and in each worker's inbox: `dataplane` (one thread per core, no async
//! code) and `control` (tokio on a thread of its own).

pub mod clock;
pub mod control;
pub mod dataplane;
