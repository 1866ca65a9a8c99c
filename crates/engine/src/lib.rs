//! Sessions and exchanges as values: HTTP/1, HTTP/2 and tunnels, each to each, without I/O or clock.
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
mod grpc_web;
mod indexing;
mod keys;
mod nonces;
mod open_session;
mod output;
mod relay;
mod request;
mod request_id;
mod score;
mod secured;
mod side;
mod slots;
mod spares;
mod timers;
mod upstream;
mod websocket;
mod window;

pub use action::{Action, ConnectFailure, PeerEnd};
pub use keys::{ConnKey, ConnMark};
pub use open_session::OpenSession;
pub use relay::{DrainProgress, Engine, EngineSetup, LONGEST_PROXY_HEADER};
pub use secured::{Alpn, Secured};
pub use slots::Key;
