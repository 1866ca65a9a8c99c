//! Settings of `services[]`.

use super::endpoint::MAX_ENDPOINTS;
use super::exchange::{RETRY, request_body_bytes};
use super::text::{DNS, FILE, NAME, SRV};
use super::tls::UPSTREAM_TLS;
use super::{
    Choose, DAY, EACH_DEFAULT, HOUR, Key, MILLISECOND, Presence, Shape, Table, count, key, key_like, seconds,
    seconds_or_none, table, word,
};
use std::time::Duration;

pub(crate) static SERVICE: Table = Table {
    keys: SERVICE_KEYS,
    later: &["rebalance", "handoff", "recovery", "max_session_age"],
    elsewhere: &[],
    choose: None,
};

const SERVICE_KEYS: &[Key] = &[
    key_like(
        "name",
        Shape::Text(&NAME),
        Presence::Required,
        "backend",
        "Its name in routes, logs and metrics; no other service has it.",
    ),
    key("endpoints", Shape::Section(&ENDPOINTS), Presence::Required, "Where its endpoints come from."),
    key(
        "upstream",
        Shape::Section(&UPSTREAM),
        EACH_DEFAULT,
        "Connections to the endpoints. Counts hold for each worker and endpoint.",
    ),
    key("balance", Shape::Section(&BALANCE), EACH_DEFAULT, "How an endpoint is picked for each exchange."),
    key(
        "ejection",
        Shape::Section(&EJECTION),
        EACH_DEFAULT,
        "When an endpoint that fails leaves the picks for a while.",
    ),
    key("retry", Shape::Section(&RETRY), EACH_DEFAULT, "Sending an exchange again, to another endpoint."),
    key(
        "timeouts",
        Shape::Section(&SERVICE_TIMEOUTS),
        EACH_DEFAULT,
        "How long endpoints and exchanges may take.",
    ),
    key(
        "limits",
        Shape::Section(&SERVICE_LIMITS),
        EACH_DEFAULT,
        "Bounds of what endpoints hold and of requests.",
    ),
    key("websocket", Shape::Section(&WEBSOCKET), EACH_DEFAULT, "What is done for WebSockets."),
    key("drain", Shape::Section(&SERVICE_DRAIN), EACH_DEFAULT, "How an endpoint that terminates is left."),
];

pub(crate) static ENDPOINTS: Table = Table {
    keys: &[
        key_like(
            "dns",
            Shape::Text(&DNS),
            Presence::Absent("another source"),
            "my-backend-headless.default.svc.cluster.local:8080",
            "Every A and AAAA record of the name, with this port; asked again as its TTL says. On Kubernetes: a headless Service.",
        ),
        key_like(
            "static",
            Shape::Endpoints { min: 1, max: MAX_ENDPOINTS },
            Presence::Absent("another source"),
            "[\"10.0.0.1:8080\", { address: \"10.0.0.2:8080\", zone: eu-1a, weight: 2 }]",
            "These endpoints.",
        ),
        key_like(
            "srv",
            Shape::Text(&SRV),
            Presence::Absent("another source"),
            "_grpc._tcp.my-backend.default.svc.cluster.local",
            "Every target of the name's SRV records, with the record's port and weight.",
        ),
        key_like(
            "file",
            Shape::Text(&FILE),
            Presence::Absent("another source"),
            "/etc/evenkeel/endpoints.yaml",
            "An endpoints file, read again when it changes.",
        ),
    ],
    later: &["kubernetes"],
    elsewhere: &[],
    choose: Some(Choose { keys: &["dns", "static", "srv", "file"], is_needed: true }),
};

pub(crate) static UPSTREAM: Table = Table {
    keys: &[
        key(
            "protocol",
            Shape::Choice {
                words: &[
                    word(
                        "auto",
                        "under TLS what is agreed (ALPN); in cleartext what the client speaks, and the other version where \
                         the endpoint does not, which is remembered",
                    ),
                    word("h1", "HTTP/1.1"),
                    word("h2", "HTTP/2, in cleartext by prior knowledge"),
                ],
                later: &[],
            },
            Presence::Default("auto"),
            "What endpoints speak. Tunnels do not ask for it.",
        ),
        key(
            "tls",
            Shape::Section(&UPSTREAM_TLS),
            Presence::Off("connections are cleartext"),
            "TLS to the endpoints; `{}` verifies them by the system's roots.",
        ),
        key(
            "proxy_protocol",
            Shape::Choice {
                words: &[
                    word("none", "nothing is sent"),
                    word("v1", "version 1, a line of text"),
                    word("v2", "version 2, binary"),
                ],
                later: &[],
            },
            Presence::Default("none"),
            "The PROXY protocol's header, which tells endpoints the client's address at the beginning of each connection. Only \
             for services that `tcp` listeners alone lead to: other listeners' clients share connections.",
        ),
        key_like(
            "max_connections",
            count(1, 65_535),
            Presence::Absent("64 for HTTP/2; 1024 for HTTP/1, where each carries one exchange at a time"),
            "64",
            "Most connections; another one is opened only when all are full. Those of WebSockets and tunnels, which have one \
             each, do not count.",
        ),
        key(
            "max_streams",
            count(1, 1_000_000),
            Presence::Default("100"),
            "Most exchanges at once on one connection; the endpoint's own limit holds too.",
        ),
        key(
            "max_requests_per_connection",
            Shape::Count { min: 1, max: 1_000_000_000, or_none: true },
            Presence::Default("none"),
            "Exchanges after which a connection is replaced by a new one, for endpoints that leak or are balanced by connection.",
        ),
        key(
            "pending",
            count(0, 1_000_000),
            Presence::Default("1024"),
            "Most exchanges that wait for a connection or a stream; one more fails at once, so that overload shows early.",
        ),
        key(
            "pending_timeout",
            seconds(MILLISECOND, HOUR),
            Presence::Default("5s"),
            "Longest time that an exchange waits for a connection or a stream.",
        ),
    ],
    later: &[],
    elsewhere: &[],
    choose: None,
};

pub(crate) static BALANCE: Table = table(&[
    key_like(
        "policy",
        Shape::Choice {
            words: &[
                word(
                    "peak_ewma",
                    "two random candidates, the one with less latency and fewer outstanding exchanges",
                ),
                word("least_request", "two random candidates, the one with fewer outstanding exchanges"),
                word(
                    "least_connection",
                    "of all endpoints exactly the one with the fewest outstanding exchanges and tunnels",
                ),
                word("round_robin", "in turn"),
                word("random", "at random"),
            ],
            later: &["ring_hash", "maglev", "aperture"],
        },
        Presence::Absent("peak_ewma; least_connection where `tcp` listeners alone lead to the service"),
        "peak_ewma",
        "How an endpoint is picked; all go by weight. `peak_ewma` leaves slow endpoints by itself. A WebSocket or a tunnel, \
         which stays where it begins, goes to exactly the endpoint with the fewest of them, whatever stands here.",
    ),
    key(
        "slow_start",
        seconds(Duration::ZERO, DAY),
        Presence::Default("0s"),
        "How long a new endpoint's weight ramps up, for endpoints that are slow while cold; 0s is off.",
    ),
]);

pub(crate) static EJECTION: Table = table(&[
    key(
        "consecutive_failures",
        count(1, 1_000_000),
        Presence::Default("5"),
        "Failures in a row that eject an endpoint.",
    ),
    key(
        "base",
        seconds(MILLISECOND, HOUR),
        Presence::Default("1s"),
        "First time out of the picks; doubles with each ejection in a row. At most `max`.",
    ),
    key("max", seconds(MILLISECOND, DAY), Presence::Default("30s"), "Longest time out of the picks."),
    key(
        "max_share",
        Shape::Share,
        Presence::Default("50%"),
        "Largest share of the endpoints that may be out at once: beyond it the fault is probably elsewhere, and the rest \
         would drown. 0 turns ejection off.",
    ),
    key(
        "panic_threshold",
        Shape::Share,
        Presence::Default("0"),
        "When less than this share of the endpoints is left to pick from, ejections are ignored; 0 never ignores them.",
    ),
]);

pub(crate) static SERVICE_TIMEOUTS: Table = Table {
    keys: &[
        key_like(
            "connect",
            seconds(MILLISECOND, HOUR),
            Presence::Absent("that of the listener, else 5s"),
            "5s",
            "To open a connection to an endpoint; then the endpoint counts as failing.",
        ),
        key(
            "tls_handshake",
            seconds(MILLISECOND, HOUR),
            Presence::Default("10s"),
            "For a whole TLS handshake with an endpoint.",
        ),
        key(
            "header",
            seconds(MILLISECOND, HOUR),
            Presence::Default("10s"),
            "For an endpoint's SETTINGS and for a whole header block to arrive once it began.",
        ),
        key_like(
            "request",
            seconds_or_none(MILLISECOND, 30 * DAY),
            Presence::Absent("that of the listener"),
            "30s",
            "For a whole exchange, from its header block to its last byte; `none` turns that of the listener off.",
        ),
        key(
            "idle",
            seconds(MILLISECOND, 30 * DAY),
            Presence::Default("1h"),
            "For a connection to an endpoint without an exchange; then it is closed.",
        ),
        key_like(
            "upgraded_idle",
            seconds_or_none(MILLISECOND, 30 * DAY),
            Presence::Absent("that of the listener"),
            "1h",
            "For a WebSocket or a tunnel through which nothing goes in either direction; `none` turns that of the listener off.",
        ),
        key(
            "send",
            seconds(MILLISECOND, DAY),
            Presence::Default("1m"),
            "For an endpoint that does not take what waits for it; then the connection is closed.",
        ),
    ],
    later: &[],
    elsewhere: &[word("detect", "it belongs to `auto` listeners: write it there")],
    choose: None,
};

static SERVICE_LIMITS: Table = {
    const KEYS: [Key; 2] = [
        key(
            "max_sessions",
            Shape::Count { min: 1, max: 1_000_000, or_none: true },
            Presence::Default("none"),
            "Most WebSockets and tunnels that one endpoint holds, over all workers; one more goes to another endpoint, and is \
             refused when all are full.",
        ),
        request_body_bytes(Presence::Absent("that of the listener")),
    ];
    table(&KEYS)
};

pub(crate) static WEBSOCKET: Table = table(&[key(
    "ping_interval",
    seconds_or_none(Duration::from_secs(1), DAY),
    Presence::Default("none"),
    "Time without a message after which client and endpoint are sent a ping, so that nobody between them takes the \
     connection for dead.",
)]);

pub(crate) static SERVICE_DRAIN: Table = table(&[key_like(
    "deadline",
    seconds(MILLISECOND, DAY),
    Presence::Absent("that of the process"),
    "30s",
    "How long exchanges of a terminating endpoint may go on; then they end with their reason.",
)]);
