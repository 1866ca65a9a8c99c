//! Settings of a listener's `grpc_web`.

use super::text::{HEADER_NAME, ORIGIN};
use super::{DAY, MILLISECOND, Presence, Shape, Table, key, key_like, seconds, table};

/// Most origins of a listener.
pub(crate) const MAX_ORIGINS: usize = 256;
/// Most headers that other origins may send.
pub(crate) const MAX_CORS_HEADERS: usize = 64;

pub(crate) static GRPC_WEB: Table = table(&[key(
    "cors",
    Shape::Section(&CORS),
    Presence::Off("browsers refuse what pages of other origins call"),
    "What pages of other origins may call (CORS); the proxy answers their preflights itself.",
)]);

static CORS: Table = table(&[
    key_like(
        "origins",
        Shape::Texts { rule: &ORIGIN, min: 1, max: MAX_ORIGINS },
        Presence::Required,
        "[\"https://app.example.com\"]",
        "Origins of the pages that may call. `*` stands alone and lets every page call, without credentials.",
    ),
    key_like(
        "headers",
        Shape::Texts { rule: &HEADER_NAME, min: 0, max: MAX_CORS_HEADERS },
        Presence::Absent("those of gRPC-Web only"),
        "[x-tenant, authorization]",
        "Request headers that pages may send beside those of gRPC-Web itself.",
    ),
    key(
        "max_age",
        seconds(MILLISECOND, DAY),
        Presence::Default("1h"),
        "How long a browser may keep the answer to a preflight; many keep it for two hours at most.",
    ),
]);
