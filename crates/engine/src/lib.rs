//! Sessions and exchanges as values: HTTP/2 to HTTP/2, without I/O or clock.
//!
//! [`Engine`] is one worker's data plane. Bytes and time come in as arguments, [`Action`]s and outputs go out as values;
//! the event loop (or the simulation) drives it. It knows no socket, no thread and no entropy but its seed.

mod action;
mod cancelled;
mod conn;
mod deadlines;
mod exchange;
mod failures;
mod forwarded;
mod grpc_timeout;
mod indexing;
mod keys;
mod output;
mod relay;
mod request;
mod request_id;
mod score;
mod secured;
mod slots;
mod spares;
mod timers;
mod upstream;
mod window;

pub use action::{Action, ConnectFailure, PeerEnd};
pub use keys::{ConnKey, ConnMark};
pub use relay::{DrainProgress, Engine, EngineSetup};
pub use secured::{Alpn, Secured};
pub use slots::Key;
