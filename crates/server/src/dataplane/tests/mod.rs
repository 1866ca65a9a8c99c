//! The whole data plane against real HTTP/2 of others, on loopback.

mod secured;
