//! The PROXY protocol of HAProxy, versions 1 and 2: whom a proxy in front of us, or we in front of an endpoint, speak for.
//!
//! Values only: whether a header is asked for, and of whom it is believed, is the listener's policy. The engine calls
//! [`read`] with the first bytes of a connection and [`put_v1`] or [`put_v2`] before the first bytes to an endpoint.

mod checksum;
mod put;
mod read;

pub use put::{put_v1, put_v2};
pub use read::{Fault, read};

use std::net::SocketAddr;

/// Longest header of version 1 with its CRLF, as its specification says (§2.1).
pub const LONGEST_V1: usize = 107;
/// Longest header of version 2 that is taken; the format could say 64 KiB, senders stay below 1.
pub const LONGEST_V2: usize = 4 * 1024;
/// Longest authority, in octets; a host name has 253.
pub const LONGEST_AUTHORITY: usize = 255;

/// Both ends of the connection that a header speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What the client connected to.
    pub destination: SocketAddr,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// `None` if the sender does not know them, if they are no addresses of TCP, or if it speaks for itself: then the
    /// connection's own addresses hold.
    pub addresses: Option<Addresses>,
    /// The sender speaks for itself, as for a health check (version 2, `LOCAL`).
    pub is_local: bool,
    /// The host name that the client asked for, as by SNI (version 2). UTF-8 and no more: the caller holds it to the rules of host names.
    pub authority: Option<&'a str>,
}

impl Header<'_> {
    const UNKNOWN: Self = Self { addresses: None, is_local: false, authority: None };
}

/// What a header of version 2 begins with (§2.2).
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_FIXED: usize = 16;
const TCP_OVER_V4: u8 = 0x11;
const TCP_OVER_V6: u8 = 0x21;
const TLV_AUTHORITY: u8 = 2;
