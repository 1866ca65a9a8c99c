//! Requests and answers by chance: header lists that repeat and such that do not, bodies of every size, trailers.

use crate::simulation::ledger::{Answer, Fields, MOST_BODY, Request, Span};
use crate::simulation::prng::Prng;

fn field(name: &str, value: impl Into<Vec<u8>>) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.into())
}

/// Value of the first field of this name.
pub(in crate::simulation) fn find<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| &v[..])
}

/// A number that a field holds.
pub(in crate::simulation) fn number(fields: &Fields, name: &str) -> Option<usize> {
    std::str::from_utf8(find(fields, name)?).ok()?.parse().ok()
}

/// A body's length: often none or small, now and then large.
fn length(prng: &mut Prng, most: usize) -> usize {
    let most = most.min(MOST_BODY);
    match prng.below(20) {
        0..=5 => 0,
        6..=13 => prng.between(1, 300.min(most)),
        14..=17 => prng.between(1, 9_000.min(most)),
        18 => prng.between(1, 70_000.min(most)),
        _ => prng.between(1, most),
    }
}

/// Fields beside those that a message needs.
fn extras(prng: &mut Prng, number: usize, fields: &mut Fields) {
    for _ in 0..prng.below(6) {
        fields.push(match prng.below(9) {
            0 => field("user-agent", "simulated/1"),
            1 => field("authorization", format!("Bearer {}", number % 5)),
            2 => field("x-tenant", format!("t{}", number % 3)),
            3 => field("x-unique", prng.bits().to_string()),
            4 => field("cookie", format!("a={}", prng.below(4))),
            5 => field("grpc-timeout", "9000S"),
            6 => field("x-long", vec![b'a' + (number % 26) as u8; prng.below(1500)]),
            7 => field("x-empty", ""),
            _ => field("accept-encoding", prng.pick(&["gzip, deflate", "identity", "gzip"])),
        });
    }
    if prng.chance(10) {
        fields.push(field("x-huge", vec![b'h'; prng.between(15_000, 30_000)]));
    }
}

/// What a client's requests are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any, with bodies of at most so many bytes.
    Any(usize),
    /// With a body of so many bytes and trailers, and answered in kind.
    Whole(usize),
}

/// Path of the requests that are the second service's, where there are two.
const SECOND: &str = "/b.X/Y";

/// Which service a request is for.
pub(in crate::simulation) fn service_of(fields: &Fields, services: u8) -> u8 {
    u8::from(services > 1 && find(fields, ":path") == Some(SECOND.as_bytes()))
}

/// A request with body and trailers whose answer has them too.
fn whole(prng: &mut Prng, number: usize, length: usize) -> Request {
    let headers = vec![
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/a.B/C"),
        field(":authority", "h"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
        field("x-request", number.to_string()),
    ];
    Request {
        client: 0,
        headers,
        body: Span::of(length, prng),
        trailers: Some(vec![field("x-request-end", number.to_string())]),
        wants_echo: true,
        is_head: false,
        is_plain: true,
        is_broken: false,
        is_http1: false,
        tunnel: None,
        is_answered: false,
        is_distrusted: false,
        attempts: Vec::new(),
        outcome: None,
    }
}

/// Some request; `number` is its place in the ledger.
pub(in crate::simulation) fn request(prng: &mut Prng, number: usize, shape: Shape) -> Request {
    let most = match shape {
        Shape::Whole(length) => return whole(prng, number, length),
        Shape::Any(most) => most,
    };
    let is_grpc = prng.chance(700);
    let (method, mut body) = match prng.below(if is_grpc { 1 } else { 4 }) {
        1 => ("GET", 0),
        2 => ("HEAD", 0),
        _ => ("POST", length(prng, most)),
    };
    let mut fields = vec![
        field(":method", method),
        field(":scheme", "http"),
        field(":path", prng.pick(&["/", "/a.B/C", "/a.B/D", "/long/path?with=query", SECOND])),
        field(":authority", prng.pick(&["h", "service.example:8080"])),
    ];
    if is_grpc {
        fields.push(field("content-type", "application/grpc"));
        fields.push(field("te", "trailers"));
        body = body.max(5).min(most);
    }
    fields.push(field("x-request", number.to_string()));
    if body > 0 && prng.chance(200) {
        fields.push(field("content-length", body.to_string()));
    }
    extras(prng, number, &mut fields);
    let trailers = (body > 0 && prng.chance(60)).then(|| vec![field("x-request-end", number.to_string())]);
    Request {
        client: 0,
        headers: fields,
        body: Span::of(body, prng),
        trailers,
        wants_echo: is_grpc && prng.chance(300),
        is_head: method == "HEAD",
        is_plain: false,
        is_broken: false,
        is_http1: false,
        tunnel: None,
        is_answered: false,
        is_distrusted: false,
        attempts: Vec::new(),
        outcome: None,
    }
}

/// Announces another length than a message has.
pub(in crate::simulation) fn break_length(prng: &mut Prng, fields: &mut Fields, length: usize) {
    let wrong = if length > 3 && prng.chance(500) { length - prng.between(1, 3) } else { length + 5 };
    fields.retain(|(name, _)| name != b"content-length");
    fields.push(field("content-length", wrong.to_string()));
}

/// Some answer to a request, as the attempt of this index. `is_well` keeps statuses that count as failures out.
pub(in crate::simulation) fn answer(
    prng: &mut Prng,
    request: &Request,
    attempt: usize,
    most: usize,
    is_well: bool,
) -> Answer {
    let is_grpc = find(&request.headers, "content-type") == Some(b"application/grpc");
    let status = if is_grpc || prng.chance(700) {
        "200"
    } else if is_well {
        prng.pick(&["404", "204", "418"])
    } else {
        prng.pick(&["500", "503", "504", "304"])
    };
    let has_body = !request.is_head && !matches!(status, "204" | "304");
    let body = match (has_body, request.wants_echo) {
        (false, _) => Span::default(),
        (true, true) => request.body,
        (true, false) => Span::of(length(prng, most), prng),
    };
    let mut headers = vec![field(":status", status), field("x-attempt", attempt.to_string())];
    if is_grpc {
        headers.push(field("content-type", "application/grpc"));
    }
    if has_body && prng.chance(200) {
        headers.push(field("content-length", body.length.to_string()));
    } else if request.is_head {
        headers.push(field("content-length", "12345"));
    }
    if !request.is_plain {
        extras(prng, attempt, &mut headers);
    }
    let grpc_status = if is_well { prng.pick(&["0", "0", "0", "5", "13"]) } else { prng.pick(&["0", "14"]) };
    // Nothing but trailers is one header list with the stream's end.
    let is_only_trailers = is_grpc && body.length == 0;
    if is_only_trailers {
        headers.push(field("grpc-status", grpc_status));
    }
    let trailers = (is_grpc && !is_only_trailers || (body.length > 0 && prng.chance(50)))
        .then(|| vec![field("grpc-status", grpc_status), field("x-end", attempt.to_string())]);
    Answer { headers, body, trailers, is_http1: false }
}
