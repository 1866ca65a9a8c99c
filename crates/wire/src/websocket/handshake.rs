//! The values of the opening handshake (RFC 6455 §4, RFC 8441).
//!
//! Takes values of headers, never whole messages: the engine finds and writes the headers. Entropy is an argument.
//!
//! Between HTTP/1 and extended CONNECT (RFC 8441 §5) a handshake changes so: `GET` with `upgrade: websocket` becomes
//! `CONNECT` with `:protocol: websocket`, 101 becomes 200, and what proves the upgrade ([`is_of_http1`]) is left out one
//! way, and made the other way: a key of [`key_of`] for the endpoint, [`accept_of`] for the client.

use crate::base64;
use sha1_smol::Sha1;

/// What a key is hashed with (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What was wrong with a request to open a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HandshakeFault {
    /// No `Sec-WebSocket-Key`.
    #[error("no Sec-WebSocket-Key")]
    KeyMissing,
    /// A key that is not 16 octets in base64.
    #[error("a Sec-WebSocket-Key that is not 16 octets in base64")]
    KeyInvalid,
    /// A `Sec-WebSocket-Version` that is not 13, or none.
    #[error("a Sec-WebSocket-Version other than 13")]
    Version,
}

impl HandshakeFault {
    /// The status of the answer: 400, or 426 with `Sec-WebSocket-Version: 13` (§4.2.2, §4.4).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::KeyMissing | Self::KeyInvalid => 400,
            Self::Version => 426,
        }
    }
}

/// Holds a request over HTTP/1 to §4.2.1; `None` where the header is missing.
///
/// # Errors
/// The first of the two that is wrong, the version before the key.
pub fn check_request(version: Option<&[u8]>, key: Option<&[u8]>) -> Result<(), HandshakeFault> {
    check_version(version)?;
    let key = key.ok_or(HandshakeFault::KeyMissing)?;
    if is_key(key) { Ok(()) } else { Err(HandshakeFault::KeyInvalid) }
}

/// Holds the version to §4.2.1; over HTTP/2 it is all there is to check (RFC 8441 §5).
///
/// # Errors
/// It is not 13.
pub fn check_version(version: Option<&[u8]>) -> Result<(), HandshakeFault> {
    if version == Some(b"13") { Ok(()) } else { Err(HandshakeFault::Version) }
}

/// Whether a key is 16 octets in base64. Bits behind the last octet may be set: peers take such keys, and a hash is made of
/// the characters.
fn is_key(key: &[u8]) -> bool {
    let Some((characters, b"==")) = key.split_last_chunk::<2>() else { return false };
    characters.len() == 22 && characters.iter().all(|&c| base64::value(c).is_some())
}

/// Whether the value of an `Upgrade` header asks for `websocket` (§4.2.1), whatever else it offers.
#[must_use]
pub fn is_websocket(upgrade: &[u8]) -> bool {
    upgrade.split(|&b| b == b',').any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Whether a header, its name in lower case, is of handshakes over HTTP/1 only, and has no place beside `:protocol`.
#[must_use]
pub fn is_of_http1(name: &[u8]) -> bool {
    matches!(name, b"upgrade" | b"connection" | b"sec-websocket-key" | b"sec-websocket-accept")
}

/// The `Sec-WebSocket-Accept` that answers a key (§4.2.2).
#[must_use]
pub fn accept_of(key: &[u8]) -> [u8; 28] {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    let hash = hash.digest().bytes();
    let mut accept = [0; 28];
    base64::encode_exact(&hash, &mut accept);
    accept
}

/// Whether an endpoint's `Sec-WebSocket-Accept` answers the key that it was sent (§4.1).
#[must_use]
pub fn is_accepted(key: &[u8], accept: &[u8]) -> bool {
    accept.trim_ascii() == accept_of(key)
}

/// The `Sec-WebSocket-Key` of 16 random octets (§4.1).
#[must_use]
pub fn key_of(random: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    base64::encode_exact(&random, &mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455_is_accepted() {
        let key = b"dGhlIHNhbXBsZSBub25jZQ==";
        assert_eq!(&accept_of(key), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_accepted(key, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!is_accepted(key, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"));
        assert!(!is_accepted(b"dGhlIHNhbXBsZSBub25jZR==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(&key_of(*b"the sample nonce"), key);
        assert_eq!(
            &key_of([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
            b"AQIDBAUGBwgJCgsMDQ4PEA=="
        );
    }

    #[test]
    fn a_request_needs_version_13_and_a_key_of_16_octets() {
        let good = Some(&b"AQIDBAUGBwgJCgsMDQ4PEA=="[..]);
        for (version, key, what) in [
            (Some(&b"13"[..]), good, Ok(())),
            (Some(b"13"), Some(b"AQIDBAUGBwgJCgsMDQ4PEB=="), Ok(())),
            (Some(b"8"), good, Err(HandshakeFault::Version)),
            (Some(b"013"), good, Err(HandshakeFault::Version)),
            (None, good, Err(HandshakeFault::Version)),
            (Some(b"13"), None, Err(HandshakeFault::KeyMissing)),
            (Some(b"13"), Some(b""), Err(HandshakeFault::KeyInvalid)),
            (Some(b"13"), Some(b"SGVsbG8sIHdvcmxkIQ=="), Err(HandshakeFault::KeyInvalid)),
            (Some(b"13"), Some(b"AQIDBAUGBwgJCgsMDQ4PEBE="), Err(HandshakeFault::KeyInvalid)),
            (Some(b"13"), Some(b"AQIDBAUGBwgJCgsMDQ4P.A=="), Err(HandshakeFault::KeyInvalid)),
            (Some(b"13"), Some(b"AQIDBAUGBwgJCgsMDQ4PEA== "), Err(HandshakeFault::KeyInvalid)),
        ] {
            assert_eq!(check_request(version, key), what, "{version:?} {key:?}");
        }
        assert_eq!(HandshakeFault::Version.status(), 426);
        assert_eq!(HandshakeFault::KeyMissing.status(), 400);
    }

    #[test]
    fn an_upgrade_names_websocket_among_others_in_any_case() {
        assert!(is_websocket(b"websocket"));
        assert!(is_websocket(b"h2c, WebSocket"));
        assert!(!is_websocket(b"websocket2"));
        assert!(!is_websocket(b""));
    }

    #[test]
    fn what_proves_an_upgrade_does_not_cross_to_extended_connect() {
        for name in ["upgrade", "connection", "sec-websocket-key", "sec-websocket-accept"] {
            assert!(is_of_http1(name.as_bytes()));
        }
        for name in ["sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions", "origin"]
        {
            assert!(!is_of_http1(name.as_bytes()));
        }
    }
}
