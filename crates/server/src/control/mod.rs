//! The control side: everything that decides, observes and tells, on one thread of its own.
//!
//! [`run`] is the program `evenkeel run`; [`Server`] is the same inside another program. The data plane is reached
//! through [`DataPlane`](crate::dataplane::DataPlane) alone: snapshots go in, events and counts come out. All async
//! code of the process is below this module.
//!
//! Below it, from the bottom: `event`, `load_window`, `watch` (plain values and files); `discovery`, `reload`,
//! `certificates`,
//! `publisher` (what comes in, what goes out); `state` (what is shared); `telemetry`, `admin` (who tells it);
//! `operator`, `control_loop` (who acts).

pub mod admin;
pub mod certificates;
mod control_loop;
pub mod discovery;
pub mod event;
pub mod load_window;
mod operator;
pub mod publisher;
pub mod reload;
mod server;
mod signals;
pub mod state;
pub mod telemetry;
#[cfg(test)]
mod test_config;
pub mod watch;

pub use control_loop::{ExitReport, StartError};
pub use operator::{Applied, Refusal};
pub use reload::{ConfigFile, ConfigSource};
pub use server::{ApplyError, LogTo, Options, Server, SignalsTo, run};
