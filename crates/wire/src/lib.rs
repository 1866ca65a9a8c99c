//! Bytes to frames and back: HTTP/2 (RFC 9113) with HPACK (RFC 7541), and HTTP/1.1 (RFC 9112), under limits.
//!
//! Pure: no sockets, no clock, no endpoints, no policies. `engine` feeds bytes and time, and acts on what comes out.

pub mod detect;
pub mod hpack;
pub mod http1;
pub mod http2;
