//! Settings of the process: the top of the file, `log`, `admin`, `drain`.

use super::limits::LIMITS;
use super::text::{ADMIN_BIND, BIND};
use super::{
    DAY, EACH_DEFAULT, HOUR, Key, MILLISECOND, Presence, Shape, Table, count, key, key_like, listener,
    seconds, service, table, word,
};
use std::time::Duration;

/// Most listeners.
pub(crate) const MAX_LISTENERS: usize = 64;
/// Most services.
pub(crate) const MAX_SERVICES: usize = 1024;

/// The whole file.
pub(crate) static ROOT: Table = Table { keys: ROOT_KEYS, later: &["control"], elsewhere: &[], choose: None };

const ROOT_KEYS: &[Key] = &[
    key_like(
        "workers",
        count(1, 256),
        Presence::Absent("one for each core"),
        "2",
        "Data plane threads. Fewer leave cores to other programs; more than the cores gain nothing.",
    ),
    key("log", Shape::Section(&LOG), EACH_DEFAULT, "What is written to standard error."),
    key(
        "admin",
        Shape::Section(&ADMIN),
        EACH_DEFAULT,
        "The admin API: health, metrics, what Evenkeel sees and does.",
    ),
    key("drain", Shape::Section(&DRAIN), EACH_DEFAULT, "How the process ends after SIGTERM."),
    key(
        "limits",
        Shape::Section(&LIMITS),
        EACH_DEFAULT,
        "Bounds of each worker, so of each data plane thread. What they refuse is counted by \
         `evenkeel_limits_refused_total`. A change needs a restart.",
    ),
    key(
        "listeners",
        Shape::Sections { table: &listener::LISTENER, min: 1, max: MAX_LISTENERS },
        Presence::Required,
        "Where clients connect.",
    ),
    key(
        "services",
        Shape::Sections { table: &service::SERVICE, min: 1, max: MAX_SERVICES },
        Presence::Required,
        "Where their requests go: sets of endpoints with their policies.",
    ),
];

pub(crate) static LOG: Table = table(&[
    key(
        "format",
        Shape::Choice { words: &[word("text", "for people"), word("json", "one object a line")], later: &[] },
        Presence::Absent("text on a terminal, json else"),
        "How records are written.",
    ),
    key(
        "level",
        Shape::Choice {
            words: &[
                word("error", "errors only"),
                word("warn", "and warnings"),
                word("info", "and what happens to sessions, upstreams and endpoints"),
                word("debug", "and more"),
            ],
            later: &[],
        },
        Presence::Default("info"),
        "Which records are written; `warn` leaves out the two records that every session makes.",
    ),
    key(
        "interval",
        seconds(Duration::from_secs(1), DAY),
        Presence::Default("5m"),
        "Time between two records of a session that goes on, so that a long one is seen before it ends.",
    ),
]);

pub(crate) static ADMIN: Table = Table {
    keys: &[
        key(
            "bind",
            Shape::Text(&ADMIN_BIND),
            Presence::Default("127.0.0.1:9901"),
            "The whole API. It can drain, so it is reached from this machine only; `off` turns it off.",
        ),
        key_like(
            "public",
            Shape::Text(&BIND),
            Presence::Absent("no such address"),
            "0.0.0.0:9902",
            "An address that serves health and metrics only, for probes and scrapers of other machines.",
        ),
    ],
    later: &["token_file", "tls"],
    elsewhere: &[],
    choose: None,
};

pub(crate) static DRAIN: Table = table(&[
    key(
        "deadline",
        seconds(MILLISECOND, DAY),
        Presence::Default("30s"),
        "From SIGTERM to the end, propagation delay included; what still runs is then closed with its reason. \
         Keep it below the pod's `terminationGracePeriodSeconds`.",
    ),
    key(
        "propagation_delay",
        seconds(Duration::ZERO, HOUR),
        Presence::Default("5s"),
        "How long new sessions are taken after readiness went off: what sends clients here needs that long to hear of it. \
         At most `deadline`.",
    ),
]);
