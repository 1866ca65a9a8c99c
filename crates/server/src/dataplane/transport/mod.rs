//! What stands between a socket and its session: nothing, or TLS.
//!
//! Owns the records of TLS and what waits of them; refuses to know sockets, polls and engines: bytes come in and go out as
//! slices. The worker calls it; the control side makes the [`TlsContexts`].
//!
//! Below it: `tls` (one connection's records), `pending` (what the socket did not take), `wire` (where records are
//! made), `agreed` (what a handshake ended with), `identity` (who a certificate says that its owner is), `failure`
//! (why TLS ended a connection), `first_bytes` (listeners that take both), `contexts` (whose configuration is whose),
//! `server_name` (the name that a client asked for).

mod agreed;
mod contexts;
mod failure;
mod first_bytes;
mod identity;
mod pending;
pub(crate) mod server_name;
mod tls;
mod wire;

#[cfg(test)]
pub(crate) mod test_certificates;
#[cfg(test)]
mod tests;

pub use agreed::{Agreed, Alpn};
pub use contexts::{ListenerContext, TlsContexts, UpstreamContext};
pub use failure::TlsFailure;
pub(super) use first_bytes::{FirstBytes, Spoken};
pub use identity::identity_of;
pub(super) use tls::{Heard, Tls};
pub(super) use wire::Wire;

/// What a socket's bytes go through.
#[derive(Debug, Default)]
pub(super) enum Transport {
    /// Nothing: what is read is what the session gets.
    #[default]
    Clear,
    /// It is not known yet: the client's first bytes say.
    Undecided(Box<FirstBytes>),
    /// TLS, of either side.
    Tls(Box<Tls>),
}
