//! Every "why", as closed enums: at once the log field, the metric label, the admin column and the input of the doctor.
//!
//! Codes are stable names; explanations are for people and may be worded anew. Nothing here decides: the other modules
//! and the engine name their reasons with these.

/// Makes an enum of reasons with its code (snake_case, stable) and its explanation.
macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal, $why:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $(#[doc = $why] $variant,)* }

        impl $name {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code: log field, metric label, column.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

reasons! {
    /// Why this endpoint was picked.
    PickReason {
        Balanced = "balanced", "the balancer's choice among the ready endpoints";
        LeastSessions = "least_sessions", "it held the fewest sessions for its weight";
        Only = "only", "no other endpoint could be picked";
        Retried = "retried", "another endpoint was tried before and gave no answer to pass on";
        Panic = "panic", "too few endpoints were healthy, so ejections were ignored";
        LastResort = "last_resort", "no endpoint was ready, so a terminating one that still serves was taken";
    }
}

reasons! {
    /// Why there was no endpoint to pick.
    NoPickReason {
        NoEndpoints = "no_endpoints", "the service has no endpoint";
        NoneServing = "none_serving", "no endpoint of the service is ready or still serving";
        AllTried = "all_tried", "every endpoint that serves was tried for this exchange";
        AllFull = "all_full", "every endpoint that serves holds its most sessions";
    }
}

reasons! {
    /// Why an exchange was sent to another endpoint.
    RetryReason {
        Unprocessed = "unprocessed", "the endpoint took no connection, or said that it did not process the exchange";
        Reset = "reset", "the endpoint reset the stream, or its connection was lost, before an answer";
        Timeout = "timeout", "no response headers came within per_try_timeout";
        GatewayError = "gateway_error", "the answer was 502, 503 or 504";
        Unavailable = "unavailable", "the answer was nothing but grpc-status UNAVAILABLE";
        ResourceExhausted = "resource_exhausted", "the answer was nothing but grpc-status RESOURCE_EXHAUSTED";
    }
}

reasons! {
    /// Why an endpoint was ejected.
    EjectReason {
        ConsecutiveFailures = "consecutive_failures", "it failed several times in a row";
        Relapse = "relapse", "it failed again at its first exchange after an ejection";
    }
}

reasons! {
    /// How an exchange ended.
    ExchangeOutcome {
        Completed = "completed", "both messages were relayed to their ends";
        ClientReset = "client_reset", "the client reset the stream";
        ClientGone = "client_gone", "the client's connection ended";
        UpstreamReset = "upstream_reset", "the endpoint reset the stream";
        UpstreamGone = "upstream_gone", "the connection to the endpoint ended";
        UpstreamProtocolError = "upstream_protocol_error", "the endpoint broke the protocol on this stream";
        ConnectFailed = "connect_failed", "no endpoint took a connection";
        NoRoute = "no_route", "no route matches the request";
        NoEndpoint = "no_endpoint", "the service has no endpoint that could be picked";
        EndpointsFull = "endpoints_full", "every endpoint that serves holds its most sessions";
        PendingOverflow = "pending_overflow", "too many exchanges already wait for a connection";
        PendingTimeout = "pending_timeout", "no connection or stream came free in time";
        RequestTimeout = "request_timeout", "the exchange took longer than its timeout";
        TryTimeout = "try_timeout", "no response headers came within per_try_timeout, and nobody else could be tried";
        BodyTooLarge = "body_too_large", "the request's body is larger than its route allows (413)";
        UpgradedIdle = "upgraded_idle", "nothing went through the WebSocket or tunnel for its idle timeout";
        BadRequest = "bad_request", "the request's headers break the protocol's rules";
        WebSocketRefused = "websocket_refused", "the request to open a WebSocket breaks RFC 6455 or asks for another version (400, 426)";
        WebSocketNotTaken = "websocket_not_taken", "the endpoint's HTTP/2 does not take WebSockets (RFC 8441, 502)";
        ProtocolNotKnown = "protocol_not_known", "an extended CONNECT asks for a protocol that is not relayed (501)";
        WebSocketFault = "websocket_fault", "a peer sent a frame that RFC 6455 forbids";
        PingTimeout = "ping_timeout", "a peer of the WebSocket did not answer a ping for two intervals";
        Drained = "drained", "the drain's deadline came before the exchange ended";
        SendTimeout = "send_timeout", "a peer did not take the body that waited for it";
        Shed = "shed", "the worker's memory budget was used up";
    }
}

impl ExchangeOutcome {
    /// Whether it ended otherwise than whole, and not because its client wanted or left.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Completed | Self::ClientReset | Self::ClientGone)
    }
}

reasons! {
    /// Why a client's connection (session) or an upstream was closed.
    CloseReason {
        ClientClosed = "client_closed", "the client ended the connection";
        ClientReset = "client_reset", "the client reset the connection";
        ClientGoAway = "client_goaway", "the client sent GOAWAY and its streams ended";
        UpstreamClosed = "upstream_closed", "the endpoint ended the connection";
        UpstreamReset = "upstream_reset", "the endpoint reset the connection";
        UpstreamGoAway = "upstream_goaway", "the endpoint sent GOAWAY and its streams ended";
        ConnectRefused = "connect_refused", "the endpoint refused the connection";
        ConnectTimeout = "connect_timeout", "the connection to the endpoint was not open in time";
        ConnectUnreachable = "connect_unreachable", "the endpoint cannot be reached";
        ConnectNoDescriptors = "connect_no_descriptors", "the process has no descriptor left for an upstream";
        NotHttp2 = "not_http2", "the endpoint does not speak HTTP/2";
        ClientSpokeTls = "client_spoke_tls", "the client speaks TLS to a cleartext listener";
        ClientSpokeGarbage = "client_spoke_garbage", "the first bytes are no protocol that this listener takes";
        BadMessage = "bad_message", "the bytes are no HTTP/1 message, or one that could be read in two ways (RFC 9112)";
        BadProxyHeader = "bad_proxy_header", "the connection does not begin with a PROXY protocol header, or a wrong one";
        TlsHandshakeFailed = "tls_handshake_failed", "the TLS handshake failed";
        TlsHandshakeTimeout = "tls_handshake_timeout", "the TLS handshake was not done in time";
        TlsClosedUncleanly = "tls_closed_uncleanly", "the TLS connection ended without its close_notify, so what came last may be missing";
        UpgradedIdle = "upgraded_idle", "nothing went through the WebSocket or tunnel for its idle timeout";
        HeaderTimeout = "header_timeout", "the preface or a header block did not arrive in time";
        IdleTimeout = "idle_timeout", "there was no exchange for the idle timeout";
        SendTimeout = "send_timeout", "the peer did not take what waited for it";
        ProtocolError = "protocol_error", "the peer broke RFC 9113";
        FrameSizeError = "frame_size_error", "a frame has a wrong or too large size";
        FlowControlError = "flow_control_error", "the peer sent more than its window";
        CompressionError = "compression_error", "a header block breaks RFC 7541 or its limits";
        ResetFlood = "reset_flood", "too many streams were reset in a short time (CVE-2023-44487, CVE-2025-8671)";
        ControlFlood = "control_flood", "too many control frames, or empty ones, in a short time";
        ContinuationFlood = "continuation_flood", "a header block of too many frames or bytes";
        SettingsTimeout = "settings_timeout", "the peer did not acknowledge the SETTINGS in time (RFC 9113 §6.5.3)";
        Shed = "shed", "it held the most of a memory budget of its worker that was used up";
        OutputFull = "output_full", "the peer does not read the control frames that answer its own";
        MaxSessions = "max_sessions", "the listener holds its most sessions";
        EndpointRemoved = "endpoint_removed", "the endpoint is no longer in its service";
        EndpointTerminating = "endpoint_terminating", "the endpoint terminates and its streams ended";
        ServiceRemoved = "service_removed", "the service is no longer configured";
        NotReusable = "not_reusable", "an HTTP/1 message did not end so that the connection could be used again";
        WebSocketFault = "websocket_fault", "a peer of the WebSocket sent a frame that RFC 6455 forbids (1002)";
        PingTimeout = "ping_timeout", "a peer of the WebSocket did not answer a ping for two intervals (1011)";
        TunnelEnded = "tunnel_ended", "the other side of a tunnel ended it";
        NoRoute = "no_route", "no route takes the tunnel";
        NoEndpoint = "no_endpoint", "the tunnel's service has no endpoint that could be picked, or all hold their most sessions";
        ConnectFailed = "connect_failed", "no endpoint took a connection for the tunnel";
        Rotated = "rotated", "the connection carried its most exchanges or used up its stream ids";
        DrainFinished = "drain_finished", "the process drains and nothing was open any more";
        DrainDeadline = "drain_deadline", "the process drains and the deadline came";
    }
}

reasons! {
    /// A named limit that refused something.
    Limit {
        MaxSessions = "max_sessions", "sessions of a listener";
        EndpointSessions = "endpoint_sessions", "sessions of an endpoint";
        AcceptErrors = "accept_errors", "errors in a row when accepting connections";
        Descriptors = "descriptors", "descriptors of the process";
        HeaderListBytes = "header_list_bytes", "decoded bytes of one header list";
        HeaderFields = "header_fields", "fields of one header list";
        RequestLineBytes = "request_line_bytes", "bytes of an HTTP/1 request line";
        ChunkExtensionBytes = "chunk_extension_bytes", "bytes of extensions in the chunk lines of one HTTP/1 body";
        RequestBodyBytes = "request_body_bytes", "bytes of one request's body";
        HeaderBlockBytes = "header_block_bytes", "encoded bytes of one header block";
        HeaderBlockFrames = "header_block_frames", "frames of one header block";
        ConcurrentStreams = "concurrent_streams", "streams open at once on a client's connection";
        Resets = "resets", "streams reset in a window of time on one connection";
        UpstreamResets = "upstream_resets", "resets of cancelled exchanges on one upstream; the call ends by itself, unheard";
        ControlFrames = "control_frames", "decaying score of control and empty frames on one connection";
        ControlOutput = "control_output", "bytes of control frames that wait to leave";
        Pending = "pending", "exchanges that wait for one endpoint";
        UpstreamConnections = "upstream_connections", "connections of one worker to one endpoint";
        HandshakeBytes = "handshake_bytes", "bytes of a TLS handshake message, or of a record, that are kept until it is whole";
        HandshakesPerTurn = "handshakes_per_turn", "TLS handshakes of one turn of a worker; one more waits for the next turn";
        Pipes = "pipes", "pipes of a worker; a tunnel that finds none free is copied";
        BufferedBytes = "buffered_bytes", "bytes that a worker may hold for slow receivers";
        GrantedCredit = "granted_credit", "credit beyond the streams' first windows that a worker may have granted";
        InternedBytes = "interned_bytes", "bytes of header fields that a worker's tables and waiting lists may hold";
        Exchanges = "exchanges", "exchanges open at once on a worker";
        RetryBudget = "retry_budget", "exchanges of a service under way again at once on a worker";
        DepartedClients = "departed_clients", "clients that a listener waits for to come again; the oldest is forgotten, and its return not counted";
        InterimAnswers = "interim_answers", "interim answers (1xx) to one request";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_snake_case_and_numbered_in_order() {
        macro_rules! check {
            ($($name:ident),*) => {$(
                let codes: HashSet<&str> = $name::ALL.iter().map(|r| r.code()).collect();
                assert_eq!(codes.len(), $name::ALL.len(), stringify!($name));
                for (number, reason) in $name::ALL.iter().enumerate() {
                    assert_eq!(*reason as usize, number);
                    assert!(reason.code().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
                    assert!(!reason.why().is_empty() && !reason.why().ends_with('.'));
                    assert_eq!(reason.to_string(), reason.code());
                }
            )*};
        }
        check!(PickReason, NoPickReason, RetryReason, EjectReason, ExchangeOutcome, CloseReason, Limit);
    }
}
