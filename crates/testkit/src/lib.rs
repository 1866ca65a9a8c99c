//! Real backends and clients, a simulated network, ports and waiting, for tests.

pub mod simulation;
