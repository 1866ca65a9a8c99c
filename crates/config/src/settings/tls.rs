//! Settings of `tls`, of a listener and of a service's `upstream`.

use super::text::{PEM, SERVER_NAME};
use super::{Presence, Shape, Table, Word, key, key_like, table, word};

/// Most certificates of a listener.
pub(crate) const MAX_CERTIFICATES: usize = 256;

pub(crate) static LISTENER_TLS: Table = table(&[
    key(
        "certificates",
        Shape::Sections { table: &CERTIFICATE, min: 1, max: MAX_CERTIFICATES },
        Presence::Required,
        "A client gets the first certificate that holds the name it asks for (SNI); one that asks for no name, or for an \
         unknown one, gets the first of all. Files are read again when they change; sessions go on as they are.",
    ),
    key(
        "client_auth",
        Shape::Section(&CLIENT_AUTH),
        Presence::Off("clients are not asked for a certificate"),
        "Certificates of clients (mTLS). Who a client is reaches endpoints by `headers.client_certificate`.",
    ),
    key(
        "min_version",
        Shape::Choice { words: VERSIONS, later: &[] },
        Presence::Default("1.2"),
        "The oldest version that is spoken. Older ones than 1.2 are never.",
    ),
    key_like(
        "alpn",
        Shape::Words { words: ALPN, refused: &[] },
        Presence::Absent("[h2, http/1.1]; on a `tcp` listener nothing is agreed on"),
        "[h2, http/1.1]",
        "What client and proxy agree to speak (ALPN), the most wanted first. An empty list agrees on nothing.",
    ),
]);

pub(crate) static CERTIFICATE: Table = table(&[
    key_like(
        "cert",
        Shape::Text(&PEM),
        Presence::Required,
        "/etc/evenkeel/tls.crt",
        "The certificate and those between it and its root.",
    ),
    key_like("key", Shape::Text(&PEM), Presence::Required, "/etc/evenkeel/tls.key", "Its private key."),
]);

static CLIENT_AUTH: Table = table(&[
    key_like(
        "ca",
        Shape::Text(&PEM),
        Presence::Required,
        "/etc/evenkeel/clients.crt",
        "Certificates of which one must have signed a client's.",
    ),
    key(
        "mode",
        Shape::Choice {
            words: &[
                word("required", "a client without a certificate is refused"),
                word("optional", "a client without one is served"),
            ],
            later: &[],
        },
        Presence::Default("required"),
        "Whether a client may have none. A wrong one is always refused.",
    ),
]);

/// Of a service's `upstream`.
pub(crate) static UPSTREAM_TLS: Table = table(&[
    key_like(
        "server_name",
        Shape::Text(&SERVER_NAME),
        Presence::Absent("the name of `endpoints.dns`, else each endpoint's address"),
        "backend.example.com",
        "The name that the endpoint is asked for (SNI) and that its certificate must hold.",
    ),
    key_like(
        "ca",
        Shape::Text(&PEM),
        Presence::Absent("the system's roots"),
        "/etc/evenkeel/backend-ca.crt",
        "Certificates of which one must have signed the endpoint's.",
    ),
    key_like(
        "cert",
        Shape::Text(&PEM),
        Presence::Absent("none is shown"),
        "/etc/evenkeel/client.crt",
        "The certificate that endpoints are shown if they ask (mTLS), with its `key`.",
    ),
    key_like(
        "key",
        Shape::Text(&PEM),
        Presence::Absent("none is shown"),
        "/etc/evenkeel/client.key",
        "The private key of `cert`.",
    ),
    key(
        "verify",
        Shape::Switch,
        Presence::Default("true"),
        "Whether an endpoint's certificate is verified. `false` encrypts for whoever answers, and is for tests.",
    ),
]);

const VERSIONS: &[Word] = &[word("1.2", "TLS 1.2 and 1.3"), word("1.3", "TLS 1.3 only")];

const ALPN: &[Word] = &[word("h2", "HTTP/2"), word("http/1.1", "HTTP/1.1")];
