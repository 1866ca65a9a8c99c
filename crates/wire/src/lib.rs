//! Bytes to frames and back, under limits: HTTP/2 (RFC 9113) with HPACK (RFC 7541), HTTP/1.1 (RFC 9112), WebSocket (RFC 6455),
//! server-sent events, gRPC-Web, and what comes before them: the PROXY protocol and the first message of a TLS client.
//!
//! Pure: no sockets, no clock, no endpoints, no policies. `engine` feeds bytes and time, and acts on what comes out.

mod base64;
pub mod client_hello;
pub mod detect;
pub mod grpc_web;
pub mod hpack;
pub mod http1;
pub mod http2;
pub mod proxy_protocol;
pub mod sse;
pub mod websocket;
