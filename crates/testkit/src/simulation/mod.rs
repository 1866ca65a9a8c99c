//! The seeded simulation: clients, Evenkeel and endpoints in virtual time, in one thread, without sockets.
//!
//! A seed says everything: who takes part, what the network does, when endpoints come, go and fail. `prng`, `schedule`,
//! `network`, `trace` and `ledger` know no protocol; `http2` holds peers that speak it; `proxy` drives the engine as the
//! event loop does; `scenario` and `world` make a run of it. Nothing here reads a clock or the environment.

pub mod http2;
pub mod ledger;
pub mod network;
pub mod prng;
pub mod proxy;
pub mod scenario;
pub mod schedule;
mod service;
pub mod surroundings;
pub mod trace;
mod world;

pub use scenario::{Act, Scenario};
pub use service::one_service;
pub use world::{Report, run};
