//! Settings of `listeners[]`, their `routes[]` and `timeouts`.

use super::exchange::{HEADERS, LISTENER_LIMITS, ROUTE_HEADERS, ROUTE_LIMITS, ROUTE_RETRY, ROUTE_TIMEOUTS};
use super::grpc_web::GRPC_WEB;
use super::text::{BIND, GRPC_METHOD, GRPC_SERVICE, HOST, METHOD, NAME, PATH, SERVICE, SNI};
use super::tls::LISTENER_TLS;
use super::{
    Choose, DAY, EACH_DEFAULT, HOUR, Key, MILLISECOND, Presence, Shape, Table, Word, count, key, key_like,
    seconds, seconds_or_none, word,
};

/// Most routes of a listener.
pub(crate) const MAX_ROUTES: usize = 1024;
/// Most headers of a route's match.
pub(crate) const MAX_HEADERS: usize = 16;

pub(crate) static LISTENER: Table = Table {
    keys: LISTENER_KEYS,
    later: &[],
    elsewhere: &[],
    choose: Some(Choose { keys: &["service", "routes"], is_needed: true }),
};

const LISTENER_KEYS: &[Key] = &[
    key_like(
        "name",
        Shape::Text(&NAME),
        Presence::Required,
        "web",
        "Its name in logs and metrics; no other listener has it.",
    ),
    key_like(
        "bind",
        Shape::Text(&BIND),
        Presence::Required,
        "0.0.0.0:8080",
        "The address that it accepts on; no other listener has it.",
    ),
    key(
        "protocol",
        Shape::Choice { words: PROTOCOLS, later: &["postgres", "mysql", "redis", "amqp"] },
        Presence::Default("http"),
        "What clients speak.",
    ),
    key_like(
        "service",
        Shape::Text(&SERVICE),
        Presence::Absent("`routes` decide"),
        "backend",
        "The service that gets everything.",
    ),
    key(
        "routes",
        Shape::Sections { table: &ROUTE, min: 1, max: MAX_ROUTES },
        Presence::Absent("`service` gets everything"),
        "Rules, tried in this order: the first that matches decides. A request that none matches is refused.",
    ),
    key(
        "tls",
        Shape::Section(&LISTENER_TLS),
        Presence::Off("clients speak cleartext; an `auto` listener passes TLS on as it is"),
        "TLS ends here: every connection of an `http` or `tcp` listener is TLS, and of an `auto` listener those that begin so.",
    ),
    key(
        "proxy_protocol",
        Shape::Choice { words: ACCEPT_PROXY_PROTOCOL, later: &[] },
        Presence::Default("off"),
        "Whether a proxy in front says who the client is, by the PROXY protocol's header. Whoever reaches the listener can \
         write one, so let only that proxy reach it.",
    ),
    key(
        "max_sessions",
        count(1, 1_000_000),
        Presence::Default("100000"),
        "Most client connections at once; one more is closed at once with its reason, so that those before it keep their memory.",
    ),
    key("timeouts", Shape::Section(&LISTENER_TIMEOUTS), EACH_DEFAULT, "How long clients may take."),
    key(
        "limits",
        Shape::Section(&LISTENER_LIMITS),
        EACH_DEFAULT,
        "Bounds of requests; those of a route and of a service win.",
    ),
    key(
        "headers",
        Shape::Section(&HEADERS),
        EACH_DEFAULT,
        "Headers that tell endpoints where a request came from; those of a route win, key by key.",
    ),
    key(
        "grpc_web",
        Shape::Section(&GRPC_WEB),
        Presence::Off("gRPC-Web is passed on as it is"),
        "gRPC-Web, binary and text, is translated to gRPC, so that browsers reach gRPC services. `{}` is enough.",
    ),
];

const PROTOCOLS: &[Word] = &[
    word(
        "http",
        "HTTP/1.1 and HTTP/2 (prior knowledge, `Upgrade: h2c`, ALPN), with gRPC, WebSocket and server-sent events",
    ),
    word("tcp", "anything, as bytes both ways; routes go by `sni`"),
    word(
        "auto",
        "what the first bytes say: HTTP as above; TLS, which ends here with `tls` and else is passed on by `sni`; anything else as `tcp`",
    ),
];

const ACCEPT_PROXY_PROTOCOL: &[Word] = &[
    word("off", "connections begin with what clients say"),
    word("required", "each begins with a header of version 1 or 2, and is closed without one"),
];

pub(crate) static LISTENER_TIMEOUTS: Table = Table {
    keys: &[
        key(
            "connect",
            seconds(MILLISECOND, HOUR),
            Presence::Default("5s"),
            "To open a connection to an endpoint of a service that has no `connect` of its own; where listeners of \
             one service differ, the shortest holds.",
        ),
        key(
            "tls_handshake",
            seconds(MILLISECOND, HOUR),
            Presence::Default("10s"),
            "For a client's whole TLS handshake.",
        ),
        key(
            "detect",
            seconds(MILLISECOND, 60),
            Presence::Default("3s"),
            "For the first bytes of a client of an `auto` listener; one that says nothing waits for the server's first word \
             (SSH, MySQL, SMTP) and gets a tunnel.",
        ),
        key(
            "header",
            seconds(MILLISECOND, HOUR),
            Presence::Default("10s"),
            "For the preface and for a whole header block to arrive once it began; a slow client holds memory meanwhile.",
        ),
        key(
            "request",
            seconds_or_none(MILLISECOND, 30 * DAY),
            Presence::Default("none"),
            "For a whole exchange of a route and a service that have no `request` of their own; streams that should live on want none.",
        ),
        key(
            "idle",
            seconds(MILLISECOND, 30 * DAY),
            Presence::Default("1h"),
            "For a session without an exchange; then it is asked to end.",
        ),
        key(
            "upgraded_idle",
            seconds_or_none(MILLISECOND, 30 * DAY),
            Presence::Default("none"),
            "For a WebSocket or a tunnel through which nothing goes in either direction, of a route and a service that have \
             no `upgraded_idle` of their own.",
        ),
        key(
            "send",
            seconds(MILLISECOND, DAY),
            Presence::Default("1m"),
            "For a client that does not take what waits for it; then its session ends and gives its buffers back.",
        ),
    ],
    later: &[],
    elsewhere: &[],
    choose: None,
};

pub(crate) static ROUTE: Table = Table {
    keys: &[
        key(
            "match",
            Shape::Section(&MATCH),
            Presence::Absent("every request"),
            "When the route applies: every part that is there must hold.",
        ),
        key_like(
            "service",
            Shape::Text(&SERVICE),
            Presence::Required,
            "backend",
            "The service that gets the request.",
        ),
        key(
            "timeouts",
            Shape::Section(&ROUTE_TIMEOUTS),
            Presence::Absent("those of the service, else of the listener"),
            "How long an exchange may take.",
        ),
        key(
            "retry",
            Shape::Section(&ROUTE_RETRY),
            Presence::Absent("that of the service"),
            "Sending an exchange again, for calls that may be repeated though others of the service may not.",
        ),
        key(
            "limits",
            Shape::Section(&ROUTE_LIMITS),
            Presence::Absent("those of the service, else of the listener"),
            "Bounds of the route's requests.",
        ),
        key(
            "headers",
            Shape::Section(&ROUTE_HEADERS),
            Presence::Absent("those of the listener"),
            "Headers that tell the endpoint where a request came from.",
        ),
    ],
    later: &[],
    elsewhere: &[],
    choose: None,
};

pub(crate) static MATCH: Table = Table {
    keys: &[
        key_like(
            "host",
            Shape::Text(&HOST),
            Presence::Absent("any host"),
            "\"*.example.com\"",
            "The request's host, compared without case and without port.",
        ),
        key_like(
            "path",
            Shape::Text(&PATH),
            Presence::Absent("any path"),
            "/healthz",
            "The whole path without its query.",
        ),
        key_like(
            "path_prefix",
            Shape::Text(&PATH),
            Presence::Absent("any path"),
            "/api",
            "Whole segments at the path's start: `/api` matches `/api` and `/api/v1`, not `/apis`. A slash at its end changes nothing.",
        ),
        key_like("method", Shape::Text(&METHOD), Presence::Absent("any method"), "POST", "The method."),
        key_like(
            "headers",
            Shape::Headers { max: MAX_HEADERS },
            Presence::Absent("any headers"),
            "{ x-tenant: \"blue\" }",
            "Headers and the exact first value that each must have; names are compared without case.",
        ),
        key(
            "grpc",
            Shape::Section(&GRPC),
            Presence::Absent("any path"),
            "A gRPC service, or one method of it.",
        ),
        key(
            "sni",
            Shape::Text(&SNI),
            Presence::Absent("any name, or none"),
            "On a `tcp` or `auto` listener: the name that the client asks for in its TLS handshake, whether TLS ends here or \
             is passed on. A tunnel takes only routes that ask for nothing else.",
        ),
    ],
    later: &[],
    elsewhere: &[],
    choose: Some(Choose { keys: &["path", "path_prefix", "grpc"], is_needed: false }),
};

pub(crate) static GRPC: Table = super::table(&[
    key_like(
        "service",
        Shape::Text(&GRPC_SERVICE),
        Presence::Required,
        "helloworld.Greeter",
        "Full name with its package.",
    ),
    key_like(
        "method",
        Shape::Text(&GRPC_METHOD),
        Presence::Absent("every method"),
        "SayHello",
        "The method's name.",
    ),
]);
