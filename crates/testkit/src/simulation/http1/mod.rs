//! HTTP/1 peers for the simulation: clients that pipeline, half-close and upgrade, and endpoints that keep connections or
//! not.
//!
//! Heads, chunks and ends are read and written anew here, from RFC 9112, so that a mistake in `wire` is not made on both
//! sides. Whatever stands between two such peers, the messages are compared by what they mean ([`meaning`]), for each hop
//! frames a body as it likes.

mod client;
mod endpoint;
mod meaning;
mod reader;
mod upgrade;
mod writer;

pub use client::{Client, ClientHabits};
pub(super) use endpoint::Endpoint;
pub use meaning::meaning;
