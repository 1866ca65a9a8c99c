//! What is told of sessions beside their reasons: what is spoken on them, what their TLS handshake ended with, and which
//! of what they carry lasts.
//!
//! Values for counts, records and the admin API. Nothing here decides.

/// Makes an enum with a stable code for each variant.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal, $what:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $(#[doc = $what] $variant,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code: log field, metric label, column.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

codes! {
    /// What is spoken on a client's connection. TLS is beneath it and not told here.
    SessionProtocol {
        Unknown = "unknown", "Its first bytes have not told yet, or were nothing that its listener takes.";
        Http1 = "http1", "HTTP/1.0 or HTTP/1.1.";
        Http2 = "http2", "HTTP/2, with whatever its streams carry.";
        WebSocket = "websocket", "HTTP/1.1 until it became a WebSocket.";
        Tcp = "tcp", "Bytes without a form: a tunnel.";
    }
}

codes! {
    /// What lasts, so that a client which loses it comes again.
    LongLived {
        WebSocket = "websocket", "A WebSocket, on a connection of its own or on a stream of HTTP/2.";
        Events = "sse", "An answer of server-sent events.";
        Tunnel = "tcp", "A tunnel.";
    }
}

codes! {
    /// A version of TLS.
    TlsVersion {
        V1_2 = "1.2", "RFC 5246.";
        V1_3 = "1.3", "RFC 8446.";
    }
}

/// What a session's TLS handshake ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTls {
    /// The version, if it was told.
    pub version: Option<TlsVersion>,
    /// The name of the protocol that was agreed on (RFC 7301).
    pub alpn: Option<&'static str>,
    /// The name that the client asked for (RFC 6066 §3).
    pub server_name: Option<Box<str>>,
    /// Who the client is, by a certificate that was verified.
    pub client_identity: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_numbered_in_order() {
        macro_rules! check {
            ($($name:ident),*) => {$(
                let codes: HashSet<&str> = $name::ALL.iter().map(|v| v.code()).collect();
                assert_eq!(codes.len(), $name::ALL.len(), stringify!($name));
                assert!($name::ALL.iter().enumerate().all(|(number, v)| *v as usize == number));
            )*};
        }
        check!(SessionProtocol, LongLived, TlsVersion);
    }
}
