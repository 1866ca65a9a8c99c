//! The seeded simulation: clients, Evenkeel and endpoints in virtual time, in one thread, without sockets.
//!
//! A seed says everything: who takes part, what the network does, when endpoints come, go and fail. `prng`, `schedule`,
//! `network`, `trace` and `ledger` know no protocol; `http1`, `http2` and `tunnel` hold peers that speak one; `client` and
//! `endpoint` are those whatever they speak; `proxy` drives the engine as the
//! event loop does; `scenario` and `world` make a run of it. Nothing here reads a clock or the environment.

mod client;
mod endpoint;
pub mod http1;
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
pub mod tunnel;
mod world;

pub use scenario::{Act, Scenario};
pub use service::one_service;
pub use world::{Report, run};
