//! The decisions: endpoint sets, balancers, health and ejection, policies, routes, reasons and events.
//!
//! Nothing here does I/O, reads a clock, draws entropy or logs: time and seeds are arguments, decisions are values.

pub mod balancer;
mod ejection;
pub mod endpoint;
pub mod event;
pub mod health;
pub mod id;
pub mod indexed_headers;
pub mod limits;
pub mod policy;
pub mod reason;
pub mod retry_budget;
pub mod route;
pub mod session;
pub mod skew;
pub mod snapshot;
pub mod stats;
pub mod time;
