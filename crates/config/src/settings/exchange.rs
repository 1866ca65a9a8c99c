//! Settings of exchanges, which a route, its service and its listener may have: `retry`, `headers`, a route's `timeouts`.

use super::{
    DAY, Key, MILLISECOND, Presence, Shape, Table, Word, count, key_like, seconds_or_none, table, word,
};

/// Of a service: each key has its default.
pub(crate) static RETRY: Table = {
    const KEYS: [Key; 4] = retry(
        Presence::Default("[unprocessed]"),
        Presence::Default("2"),
        Presence::Default("none"),
        Presence::Default("20%"),
    );
    table(&KEYS)
};

/// Of a route: what is not written is the service's.
pub(crate) static ROUTE_RETRY: Table = {
    const KEYS: [Key; 4] = retry(THAT_OF_SERVICE, THAT_OF_SERVICE, THAT_OF_SERVICE, THAT_OF_SERVICE);
    table(&KEYS)
};

const THAT_OF_SERVICE: Presence = Presence::Absent("that of the service");

const fn retry(on: Presence, attempts: Presence, per_try_timeout: Presence, budget: Presence) -> [Key; 4] {
    [
        key_like(
            "on",
            Shape::Words { words: RETRY_ON, refused: &[] },
            on,
            "[reset, unavailable]",
            "After what an exchange is sent again, to another endpoint. All but `unprocessed` is for calls that may be repeated \
             without harm: the endpoint may have acted already. Only a request that is kept whole (`limits.replay_bytes`), and of \
             whose answer nothing was passed on, is sent again.",
        ),
        key_like(
            "attempts",
            count(0, 10),
            attempts,
            "2",
            "Most times that an exchange is sent again; 0 is never.",
        ),
        key_like(
            "per_try_timeout",
            seconds_or_none(MILLISECOND, DAY),
            per_try_timeout,
            "1s",
            "Longest time from sending to the response headers, for each try. Then it is sent again if `on` holds `timeout`, \
             else it fails.",
        ),
        key_like(
            "budget",
            Shape::Share,
            budget,
            "20%",
            "Most exchanges that may be under way again, as a share of those that are open at the service on a worker, so that \
             a service in trouble is not given many times its load. Three may always, and what was not processed does not count.",
        ),
    ]
}

/// Of a listener: each key has its default.
pub(crate) static HEADERS: Table = {
    const CLIENT_CERTIFICATE: Presence = Presence::Absent("set with `tls.client_auth`, else pass");
    const KEYS: [Key; 5] = headers(Presence::Default("pass"), CLIENT_CERTIFICATE);
    table(&KEYS)
};

/// Of a route: what is not written is the listener's.
pub(crate) static ROUTE_HEADERS: Table = {
    const KEYS: [Key; 5] = headers(THAT_OF_LISTENER, THAT_OF_LISTENER);
    table(&KEYS)
};

const THAT_OF_LISTENER: Presence = Presence::Absent("that of the listener");

const fn headers(presence: Presence, client_certificate: Presence) -> [Key; 5] {
    [
        key_like(
            "x_forwarded_for",
            Shape::Choice { words: FORWARDED_FOR, later: &[] },
            presence,
            "append",
            "The client's IP address. `set` where clients are not to be believed, `append` behind a proxy that is.",
        ),
        key_like(
            "x_forwarded_proto",
            rule(),
            presence,
            "set",
            "`http`, or `https` if the client spoke TLS: what links and redirects are made of.",
        ),
        key_like("x_forwarded_host", rule(), presence, "set", "The host that the client asked for."),
        key_like(
            "x_request_id",
            rule(),
            presence,
            "add",
            "A random UUID, by which the logs of all that take part in a request are put together.",
        ),
        key_like(
            "client_certificate",
            Shape::Choice { words: CLIENT_CERTIFICATE, later: &[] },
            client_certificate,
            "remove",
            "`x-forwarded-client-cert`: who the client is by its certificate.",
        ),
    ]
}

const fn rule() -> Shape {
    Shape::Choice { words: RULE, later: &[] }
}

/// Of a route: its exchanges' time; connections are shared by routes.
pub(crate) static ROUTE_TIMEOUTS: Table = Table {
    keys: &[
        key_like(
            "request",
            seconds_or_none(MILLISECOND, 30 * DAY),
            THAT_OF_SERVICE_OR_LISTENER,
            "30s",
            "For a whole exchange, from its header block to its last byte; `none` turns that of service and listener off.",
        ),
        key_like(
            "upgraded_idle",
            seconds_or_none(MILLISECOND, 30 * DAY),
            THAT_OF_SERVICE_OR_LISTENER,
            "1h",
            "For a WebSocket or a tunnel through which nothing goes in either direction; `none` turns that of service and \
             listener off.",
        ),
    ],
    later: &[],
    elsewhere: &[
        word(
            "connect",
            "it belongs to connections, which routes share: write it at the service or the listener",
        ),
        word(
            "tls_handshake",
            "it belongs to connections, which routes share: write it at the listener or the service",
        ),
        word("detect", "it belongs to connections, which have no route yet: write it at the listener"),
        word(
            "header",
            "it belongs to connections, which routes share: write it at the listener or the service",
        ),
        word(
            "idle",
            "it belongs to connections, which routes share: write it at the listener or the service",
        ),
        word(
            "send",
            "it belongs to connections, which routes share: write it at the listener or the service",
        ),
    ],
    choose: None,
};

const THAT_OF_SERVICE_OR_LISTENER: Presence = Presence::Absent("that of the service, else of the listener");

/// Of a listener.
pub(crate) static LISTENER_LIMITS: Table = {
    const KEYS: [Key; 1] = [request_body_bytes(Presence::Default("none"))];
    table(&KEYS)
};

/// Of a route: what is not written is the service's, else the listener's.
pub(crate) static ROUTE_LIMITS: Table = {
    const KEYS: [Key; 1] = [request_body_bytes(THAT_OF_SERVICE_OR_LISTENER)];
    table(&KEYS)
};

/// Of a listener, a service or a route.
pub(super) const fn request_body_bytes(presence: Presence) -> Key {
    key_like(
        "request_body_bytes",
        Shape::Size { min: 0, max: 1 << 50, or_none: true },
        presence,
        "10MiB",
        "Largest body of a request; a larger one is answered with 413, or cut off where its length was not announced. What is \
         upgraded or a tunnel has no body. `none` is no limit.",
    )
}

/// After what an exchange may be sent again.
const RETRY_ON: &[Word] = &[
    word("unprocessed", "the endpoint says that it did not process it, or it was still waiting; always on"),
    word("reset", "the endpoint reset the stream, or its connection was lost"),
    word("timeout", "no response headers within `per_try_timeout`"),
    word("gateway_error", "the answer was 502, 503 or 504"),
    word("unavailable", "the answer was gRPC's UNAVAILABLE, without a message before it"),
    word("resource_exhausted", "the answer was gRPC's RESOURCE_EXHAUSTED, without a message before it"),
];

/// What is done with `x-forwarded-for`.
const FORWARDED_FOR: &[Word] = &[
    word("pass", "what came is passed on"),
    word("append", "the client's address goes behind what came"),
    word("set", "the client's address replaces what came"),
];

/// What is done with `x-forwarded-client-cert`.
const CLIENT_CERTIFICATE: &[Word] = &[
    word("pass", "what came is passed on"),
    word("set", "what came is removed; a client with a verified certificate is named"),
    word("remove", "what came is removed"),
];

/// What is done with the other headers.
const RULE: &[Word] = &[
    word("pass", "what came is passed on"),
    word("add", "a request that has none gets it"),
    word("set", "what came is replaced"),
];
