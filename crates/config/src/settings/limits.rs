//! Settings of `limits`: the bounds of each worker.
//!
//! A key that bounds what may be refused has the name of its metric label, `evenkeel_limits_refused_total{limit}`.

use super::{
    EACH_DEFAULT, HOUR, Key, MILLISECOND, Presence, Shape, Table, count, key, seconds, size, table, word,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

pub(crate) static LIMITS: Table = table(LIMITS_KEYS);

const LIMITS_KEYS: &[Key] = &[
    key(
        "header_list_bytes",
        size(4 * KIB, 16 * MIB),
        Presence::Default("64KiB"),
        "Largest header list of a request or an answer, decoded, with 32 bytes for each field (RFC 9113 §6.5.2). A larger \
         request is answered with 431.",
    ),
    key(
        "header_fields",
        count(16, 10_000),
        Presence::Default("128"),
        "Most fields of a header list. A request with more is answered with 431.",
    ),
    key(
        "request_line_bytes",
        size(KIB, MIB),
        Presence::Default("16KiB"),
        "Longest HTTP/1 request line (method, path and query) or status line; a longer request is answered with 414.",
    ),
    key(
        "chunk_extension_bytes",
        size(0, MIB),
        Presence::Default("4KiB"),
        "Most bytes of extensions in the chunk lines of one HTTP/1 body. Nobody has use for them, and they are not passed on.",
    ),
    key(
        "header_block_bytes",
        size(4 * KIB, 16 * MIB),
        Presence::Default("64KiB"),
        "Largest header block as it comes, over all its frames; beyond it the connection is closed.",
    ),
    key(
        "header_block_frames",
        count(1, 10_000),
        Presence::Default("32"),
        "Most frames of one header block; many small ones are the CONTINUATION flood.",
    ),
    key(
        "concurrent_streams",
        count(1, 1024),
        Presence::Default("1000"),
        "Most streams that a client may have open on one connection; one more is refused, and may be sent again. Those that \
         it cancelled count until their endpoint can have seen it.",
    ),
    key(
        "exchanges",
        count(1, 10_000_000),
        Presence::Default("100000"),
        "Most exchanges open at once on a worker; one more is refused, so that those before it keep their memory.",
    ),
    key(
        "stream_window",
        size(65_535, GIB),
        Presence::Default("65535B"),
        "Bytes of a stream that may be on their way to us before more are asked for (RFC 9113 §5.2), as it begins. It is \
         what one slow stream may hold, and more is faster over long distances.",
    ),
    key(
        "most_stream_window",
        size(65_535, GIB),
        Presence::Default("1MiB"),
        "The same for a stream in bulk, whose window has grown. At least `stream_window`.",
    ),
    key(
        "connection_window",
        size(65_535, GIB),
        Presence::Default("1MiB"),
        "The same for all streams of a connection together, as it begins. At least `stream_window`.",
    ),
    key(
        "most_connection_window",
        size(65_535, GIB),
        Presence::Default("8MiB"),
        "The same for a connection in bulk, whose window has grown. At least `connection_window` and `most_stream_window`.",
    ),
    key(
        "granted_credit",
        size(0, 1024 * GIB),
        Presence::Default("64MiB"),
        "Bytes that the windows of all streams of a worker together may have grown; 0B lets none grow.",
    ),
    key(
        "replay_bytes",
        size(0, 16 * MIB),
        Presence::Default("64KiB"),
        "Bytes of a request's body that are kept until it is answered; a longer request is never sent again.",
    ),
    key(
        "output_high",
        size(16 * KIB, 64 * MIB),
        Presence::Default("128KiB"),
        "Bytes that wait in a connection's output above which its streams are held back, so that a slow reader stalls its \
         own streams only.",
    ),
    key(
        "output_low",
        size(KIB, 64 * MIB),
        Presence::Default("64KiB"),
        "Bytes below which they go on. Less than `output_high`.",
    ),
    key(
        "control_output",
        size(64 * KIB, GIB),
        Presence::Default("1MiB"),
        "Bytes of headers and control frames that may wait in a connection's output on top of that; beyond it the peer, \
         which does not read what it asked for, is closed. At least `header_list_bytes`.",
    ),
    key(
        "tunnel_bytes",
        size(16 * KIB, 64 * MIB),
        Presence::Default("64KiB"),
        "Bytes that each direction of a tunnel may hold for a slow receiver, beyond one read; then the sender waits.",
    ),
    key(
        "pipes",
        count(0, 65_535),
        Presence::Default("64"),
        "Most pipes through which tunnels in bulk go without being copied (splice); each takes two descriptors. A tunnel \
         that finds none free is copied. 0 copies everything.",
    ),
    key(
        "handshakes_per_turn",
        count(1, 10_000),
        Presence::Default("16"),
        "Most TLS handshakes that are worked on in one turn: each takes as long as hundreds of requests, and those who are \
         connected should not wait for them. The others go on in the next turn.",
    ),
    key(
        "buffered_bytes",
        size(MIB, 1024 * GIB),
        Presence::Default("256MiB"),
        "Memory of all that waits for receivers on a worker, and of what is kept to send requests again; beyond it the \
         largest slow exchanges and connections are ended. At least `most_stream_window`.",
    ),
    key(
        "interned_bytes",
        size(MIB, 1024 * GIB),
        Presence::Default("64MiB"),
        "Memory of header fields on a worker, in the HPACK tables of its connections and in requests that wait. Beyond half \
         of it new connections get no table; when it is nearly used up, those that own most are ended.",
    ),
    key("resets", Shape::Section(&RESETS), EACH_DEFAULT, RESETS_WHAT),
    key("control_frames", Shape::Section(&CONTROL_FRAMES), EACH_DEFAULT, CONTROL_FRAMES_WHAT),
    key("upstream_resets", Shape::Section(&UPSTREAM_RESETS), EACH_DEFAULT, UPSTREAM_RESETS_WHAT),
    key(
        "early_resets",
        count(1, 10_000),
        Presence::Default("10"),
        "Most resets of calls that had just begun which one endpoint's connection may not have seen; servers on Rust's `h2` \
         end a connection at 20, and clients share it. One more waits for those before it, or for the call's own end.",
    ),
    key(
        "interim_answers",
        count(1, 1_000_000),
        Presence::Default("100"),
        "Most interim answers (1xx) that an endpoint may send to one request; one more ends the exchange as an endpoint's fault.",
    ),
    key(
        "reset_linger",
        seconds(MILLISECOND, 60),
        Presence::Default("1s"),
        "How long a stream that we reset counts at an endpoint that cannot be asked, or does not say, whether it has seen \
         it; it may still work on it (CVE-2023-44487).",
    ),
    key(
        "settings_ack",
        seconds(MILLISECOND, HOUR),
        Presence::Default("10s"),
        "How long a peer may take to acknowledge our SETTINGS; then the connection is closed (RFC 9113 §6.5.3).",
    ),
    key(
        "indexed_headers",
        Shape::Words { words: INDEXED_HEADERS, refused: SECRETS },
        Presence::Default(INDEXED_BY_DEFAULT),
        "Headers of requests that may enter the HPACK table of a connection to an endpoint. A header that is there costs a \
         byte when it comes again; but clients share the table, and one could find out by the length of its own requests \
         what another sent (RFC 7541 §7.1). A path with a query never enters it.",
    ),
];

const RESETS_WHAT: &str = "Streams of a client's connection that are reset, by the client or because of what it sent \
                           (CVE-2023-44487, CVE-2025-8671); one more closes the connection.";
const CONTROL_FRAMES_WHAT: &str = "Frames of a connection that carry nothing: PING, SETTINGS, PRIORITY, empty DATA and the like; one more \
                                   closes the connection.";

const UPSTREAM_RESETS_WHAT: &str = "Resets of cancelled calls on one connection to an endpoint; servers end a connection that brings more \
                                    (Node at 1000, then 33 a second). A call beyond it ends by itself, unheard.";

static UPSTREAM_RESETS: Table = {
    const KEYS: [Key; 2] = rate("500", "33");
    table(&KEYS)
};

static RESETS: Table = {
    const KEYS: [Key; 2] = rate("2000", "500");
    table(&KEYS)
};

static CONTROL_FRAMES: Table = {
    const KEYS: [Key; 2] = rate("2000", "500");
    table(&KEYS)
};

/// A leaky bucket.
const fn rate(burst: &'static str, per_second: &'static str) -> [Key; 2] {
    [
        key("burst", count(1, 10_000_000), Presence::Default(burst), "Most at once."),
        key("per_second", count(1, 10_000_000), Presence::Default(per_second), "Most in the long run."),
    ]
}

/// By the names of [`evenkeel_core::indexed_headers::IndexedHeader`].
const INDEXED_HEADERS: &[super::Word] = &[
    word(":authority", "the host"),
    word(":method", "the method"),
    word(":path", "the path, if it has no query"),
    word(":scheme", "the scheme"),
    word("accept", "media types"),
    word("accept-encoding", "codings"),
    word("accept-language", "languages; with other headers it tells people apart"),
    word("cache-control", "orders to caches"),
    word("content-encoding", "the body's coding"),
    word("content-length", "the body's length"),
    word("content-type", "the body's type"),
    word("grpc-accept-encoding", "gRPC's codings"),
    word("grpc-encoding", "the messages' coding"),
    word("grpc-timeout", "the call's deadline, which often differs from call to call"),
    word("te", "only `trailers`"),
    word("user-agent", "the program of the client"),
];

const INDEXED_BY_DEFAULT: &str = "[\":authority\", \":method\", \":path\", \":scheme\", accept, accept-encoding, content-type, \
                                  content-encoding, grpc-accept-encoding, grpc-encoding, te, user-agent]";

const SECRETS: &[super::Word] = &[
    word("authorization", "it carries a secret, which another client could guess"),
    word("proxy-authorization", "it carries a secret, which another client could guess"),
    word("cookie", "it carries a secret, which another client could guess"),
    word("set-cookie", "it carries a secret, which another client could guess"),
];
