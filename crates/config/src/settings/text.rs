//! Values that are text with a meaning of its own: how they are described and sketched for the schema.

/// How a text is described; [`crate::value`] decides what is well-formed.
pub(crate) struct TextRule {
    /// The kind in a word or two.
    pub(crate) kind: &'static str,
    /// What may be written.
    pub(crate) allowed: &'static str,
    /// A regular expression (ECMA-262) that every allowed text matches, for editors.
    pub(crate) pattern: &'static str,
}

const ADDRESS_PATTERN: &str = r"^([0-9.]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}$";

pub(crate) static NAME: TextRule = TextRule {
    kind: "name",
    allowed: "a name of 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
    pattern: r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
};
pub(crate) static SERVICE: TextRule =
    TextRule { kind: "service name", allowed: "the name of one of `services`", pattern: NAME.pattern };
pub(crate) static BIND: TextRule = TextRule {
    kind: "address",
    allowed: "an IP address and a port, such as 0.0.0.0:8080 or \"[::]:8080\"; port 0 lets the system choose",
    pattern: ADDRESS_PATTERN,
};
pub(crate) static ADMIN_BIND: TextRule = TextRule {
    kind: "loopback address or off",
    allowed: "a loopback address and a port, such as 127.0.0.1:9901 or \"[::1]:9901\", or off",
    pattern: r"^(off|([0-9.]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5})$",
};
pub(crate) static ENDPOINT_ADDRESS: TextRule = TextRule {
    kind: "endpoint address",
    allowed: "an IP address and a port from 1, such as 10.0.0.1:8080 or \"[fd00::1]:8080\"; use `dns` for names",
    pattern: ADDRESS_PATTERN,
};
pub(crate) static DNS: TextRule = TextRule {
    kind: "name:port",
    allowed: "a DNS name and a port from 1, such as backend.default.svc.cluster.local:8080; use `static` for addresses",
    pattern: r"^[A-Za-z0-9._-]{1,254}:[0-9]{1,5}$",
};
pub(crate) static SRV: TextRule = TextRule {
    kind: "DNS name",
    allowed: "a DNS name that has SRV records, such as _grpc._tcp.backend.default.svc.cluster.local",
    pattern: r"^[A-Za-z0-9._-]{1,254}$",
};
pub(crate) static FILE: TextRule = TextRule {
    kind: "path",
    allowed: "the path of a file, at most 4096 bytes, from the working directory on unless it begins with `/`",
    pattern: r"^.{1,4096}$",
};
pub(crate) static PEM: TextRule = TextRule {
    kind: "path",
    allowed: "the path of a PEM file, at most 4096 bytes, from the working directory on unless it begins with `/`",
    pattern: FILE.pattern,
};
pub(crate) static SERVER_NAME: TextRule = TextRule {
    kind: "DNS name or IP address",
    allowed: "a DNS name such as backend.example.com, or an IP address, without port",
    pattern: r"^[0-9A-Za-z._:-]{1,254}$",
};
pub(crate) static SNI: TextRule = TextRule {
    kind: "DNS name",
    allowed: "a DNS name, such as db.example.com; `*.` in front stands for one or more labels",
    pattern: r"^(\*\.)?[A-Za-z0-9._-]{1,253}$",
};
pub(crate) static ORIGIN: TextRule = TextRule {
    kind: "origin",
    allowed: "an origin as browsers write it, such as https://app.example.com or http://localhost:3000, or \"*\" for every one",
    pattern: r"^(\*|https?://[a-z0-9._:\[\]-]{1,260})$",
};
pub(crate) static HEADER_NAME: TextRule = TextRule {
    kind: "header name",
    allowed: "a header name of 1 to 64 letters, digits and -_.!#$%&'*+^`|~",
    pattern: r"^[0-9A-Za-z._!#$%&'*+^`|~-]{1,64}$",
};
pub(crate) static ZONE: TextRule = TextRule { kind: "zone", allowed: NAME.allowed, pattern: NAME.pattern };
pub(crate) static HOST: TextRule = TextRule {
    kind: "host",
    allowed: "a host without port, such as chat.example.com; `*.` in front stands for one or more labels",
    pattern: r"^(\*\.)?[A-Za-z0-9._-]{1,253}$|^\[[0-9A-Fa-f:.]+\]$",
};
pub(crate) static PATH: TextRule = TextRule {
    kind: "path",
    allowed: "a path of at most 1024 bytes that begins with `/`, without query",
    pattern: r"^/[!-~]{0,1023}$",
};
pub(crate) static METHOD: TextRule =
    TextRule { kind: "method", allowed: "a method in capitals, such as GET", pattern: r"^[A-Z_-]{1,64}$" };
pub(crate) static GRPC_SERVICE: TextRule = TextRule {
    kind: "gRPC service",
    allowed: "a gRPC service's full name, such as helloworld.Greeter",
    pattern: r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
};
pub(crate) static GRPC_METHOD: TextRule = TextRule {
    kind: "gRPC method",
    allowed: "a gRPC method's name, such as SayHello",
    pattern: r"^[A-Za-z_][A-Za-z0-9_]*$",
};
