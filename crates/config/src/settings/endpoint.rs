//! Settings of one endpoint, in `endpoints.static` and in an endpoints file.

use super::text::{ENDPOINT_ADDRESS, ZONE};
use super::{Presence, Shape, Table, count, key, key_like, table, word};

/// Most endpoints of a service.
pub(crate) const MAX_ENDPOINTS: usize = 10_000;

/// An endpoints file. An empty list says that there is no endpoint now, which is a state and no mistake.
pub(crate) static ENDPOINTS_FILE: Table = table(&[key_like(
    "endpoints",
    Shape::Endpoints { min: 0, max: MAX_ENDPOINTS },
    Presence::Required,
    "[\"10.0.0.1:8080\", { address: \"10.0.0.2:8080\", zone: eu-1a, weight: 2 }]",
    "The endpoints; an empty list says that there are none now.",
)]);

pub(crate) static ENDPOINT: Table = table(&[
    key_like(
        "address",
        Shape::Text(&ENDPOINT_ADDRESS),
        Presence::Required,
        "10.0.0.1:8080",
        "Where it listens; no other endpoint of the list has it.",
    ),
    key_like("zone", Shape::Text(&ZONE), Presence::Absent("unknown"), "eu-1a", "Topology zone."),
    key(
        "weight",
        count(0, 1_000_000),
        Presence::Default("1"),
        "Its share of the load relative to the others; 0 takes none.",
    ),
    key_like(
        "ordinal",
        count(0, 4_294_967_295),
        Presence::Absent("none"),
        "0",
        "Number of a StatefulSet's pod.",
    ),
    key(
        "state",
        Shape::Choice {
            words: &[
                word("ready", "takes exchanges"),
                word(
                    "terminating",
                    "ends soon and still serves: takes new exchanges only if no endpoint is ready",
                ),
                word("not_ready", "takes none"),
            ],
            later: &[],
        },
        Presence::Default("ready"),
        "Whether it serves.",
    ),
]);
