//! What a TLS client says first, in the clear: the host name it asks for and the protocols it offers.
//!
//! Reads the ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2) and nothing else of TLS, to route a connection that stays
//! encrypted, or to choose a certificate. The engine calls [`read`] with all that came so far.

mod host_name;
mod message;
mod records;

use message::Extensions;

/// Most bytes of a connection that are looked at, record headers and all.
pub const LONGEST: usize = 16 * 1024;

/// What the client said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host name it asks for (RFC 6066 §3): labels of letters, digits, `-` and `_`, in lower case, without a last dot.
    /// `None` if it names none, or names an address, which is no host name.
    pub server_name: Option<Box<str>>,
    /// The list as it was sent, which was found to be well-formed.
    protocols: Box<[u8]>,
}

impl ClientHello {
    /// The protocols that it offers (RFC 7301), the most wanted first; none if it did not say.
    pub fn protocols(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.protocols[..];
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (name, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            Some(name)
        })
    }
}

/// Why the first bytes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// A record that is no handshake record of TLS, or an empty one, or one longer than records may be.
    #[error("no handshake record of TLS")]
    Record,
    /// A handshake message that no connection begins with.
    #[error("no ClientHello")]
    Message,
    /// Not whole within [`LONGEST`] bytes.
    #[error("a ClientHello that is too long")]
    TooLong,
    /// Lengths that do not fit into each other, or lists that may not be empty.
    #[error("a malformed ClientHello")]
    Malformed,
    /// The host name or the protocols are said twice.
    #[error("an extension of the ClientHello that comes twice")]
    Repeated,
    /// What is asked for is no host name.
    #[error("a server name that is no host name")]
    HostName,
}

/// The ClientHello that `first`, all that came so far of a connection, begins with; `None` if more has to come.
///
/// Allocates once the message is whole, and not before. Never asks for more than [`LONGEST`] bytes.
///
/// # Errors
/// Bytes that are none, as soon as they show it.
pub fn read(first: &[u8]) -> Result<Option<ClientHello>, Fault> {
    let Some(message) = records::message(first)? else { return Ok(None) };
    let Extensions { server_name, protocols } = message::extensions(&message)?;
    let server_name = match server_name {
        Some(name) => host_name::of(name)?,
        None => None,
    };
    Ok(Some(ClientHello { server_name, protocols: protocols.unwrap_or_default().into() }))
}

#[cfg(test)]
mod tests;
