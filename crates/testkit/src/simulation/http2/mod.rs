//! HTTP/2 peers for the simulation: clients and endpoints with an account of windows and streams of their own.
//!
//! Frames and the encoding of header blocks are written anew here, from RFC 9113 and RFC 7541, so that a mistake in
//! `wire` is not made on both sides; blocks are decoded by `wire`'s decoder (the `h2` crate holds that one to account).

mod client;
mod endpoint;
mod field_writer;
mod frames;
mod lies;
pub(super) mod message;
mod session;
mod stream;

pub use client::{Client, ClientHabits};
pub use endpoint::{Endpoint, EndpointHabits, Failure};
pub use field_writer::FieldWriter;
pub use message::Shape;
pub use session::{Happening, OwnSettings, Role, Session};
