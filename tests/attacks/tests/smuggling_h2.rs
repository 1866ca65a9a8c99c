//! Smuggling by what HTTP/2 can say and HTTP/1 cannot: each request is refused, or it is one plain message to the endpoint.

use anyhow::{Result, ensure};
use evenkeel_attacks::attacker::Attacker;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{flag, kind};
use evenkeel_attacks::recorder::Recorder;
use evenkeel_attacks::wire::Wire;
use evenkeel_interop::instance::Instance;
use std::sync::Arc;
use tempfile::TempDir;

/// The first byte of a block that begins with `:status: 200` (RFC 7541 appendix A).
const OK: u8 = 0x88;

/// What must become of a request.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Nothing whole reaches the endpoint, and the client does not hear 200.
    Refused,
    /// The endpoint reads this method and target, and this body.
    Reads(&'static str, &'static [u8]),
    /// The endpoint may read that, which is one plain message, and the client does not hear 200.
    Perhaps(&'static str, &'static [u8]),
}

/// One request.
struct Case {
    name: &'static str,
    block: Block,
    /// DATA behind its headers; none if they end it.
    body: Option<&'static [u8]>,
    trailers: Option<Block>,
    then: Then,
}

fn pseudo(method: &str, path: &str, authority: &str) -> Block {
    let block = Block::new().literal(":method", method.as_bytes()).literal(":scheme", b"http");
    block.literal(":path", path.as_bytes()).literal(":authority", authority.as_bytes())
}

fn post() -> Block {
    pseudo("POST", "/", "a")
}

fn case(name: &'static str, block: Block, body: Option<&'static [u8]>, then: Then) -> Case {
    Case { name, block, body, trailers: None, then }
}

/// A POST with one more field and a body.
fn field(name: &'static str, field: &str, value: &[u8]) -> Case {
    case(name, post().literal(field, value), Some(b"hello"), Then::Refused)
}

/// A GET with these pseudo-headers.
fn line(name: &'static str, method: &str, path: &str, authority: &str) -> Case {
    case(name, pseudo(method, path, authority), None, Then::Refused)
}

fn cases() -> Vec<Case> {
    let with_trailers = |name, trailer: &str, value: &[u8]| Case {
        trailers: Some(Block::new().literal(trailer, value)),
        ..case(name, post(), Some(b"hello"), Then::Refused)
    };
    vec![
        field("CRLF in a value", "x", b"y\r\ntransfer-encoding: chunked"),
        field("LF in a value", "x", b"y\ntransfer-encoding: chunked"),
        field("CR in a value", "x", b"y\rz"),
        field("a null byte in a value", "x", b"y\0z"),
        field("CRLF in a name", "x: y\r\nz", b"w"),
        field("a colon in a name", "transfer-encoding: chunked\r\nx", b"y"),
        field("a colon at the end of a name", "x:", b"y"),
        field("a space in a name", "transfer-encoding ", b"chunked"),
        field("a large letter in a name", "Transfer-Encoding", b"chunked"),
        field("an empty name", "", b"x"),
        field("a space before a value", "x", b" y"),
        field("transfer-encoding: chunked (H2.TE)", "transfer-encoding", b"chunked"),
        field("transfer-encoding: identity", "transfer-encoding", b"identity"),
        field("connection", "connection", b"content-length"),
        field("proxy-connection", "proxy-connection", b"close"),
        field("keep-alive", "keep-alive", b"timeout=5"),
        field("upgrade", "upgrade", b"websocket"),
        field("te of chunks", "te", b"chunked"),
        case(
            "a length that is less than the body (H2.CL)",
            post().literal("content-length", b"0"),
            Some(b"hello"),
            Then::Perhaps("POST /", b""),
        ),
        field("a length that is more than the body", "content-length", b"50"),
        field("a length with a sign", "content-length", b"+5"),
        field("a list of lengths", "content-length", b"5, 5"),
        field("another host", "host", b"b"),
        field("an unknown pseudo-header", ":x", b"y"),
        field("a pseudo-header behind a field", ":path", b"/b"),
        case(
            "two lengths that differ",
            post().literal("content-length", b"5").literal("content-length", b"6"),
            Some(b"hello"),
            Then::Refused,
        ),
        case("two hosts", post().literal("host", b"a").literal("host", b"b"), None, Then::Refused),
        line("a space in the path", "GET", "/a HTTP/1.1\r\nx: y", "a"),
        line("a space and a version in the path", "GET", "/a HTTP/1.1", "a"),
        line("a tab in the path", "GET", "/a\tb", "a"),
        line("CRLF in the path", "GET", "/a\r\nx: y", "a"),
        line("an empty path", "GET", "", "a"),
        line("a path without a slash", "GET", "a", "a"),
        line("an absolute path", "GET", "http://b/", "a"),
        line("a fragment in the path", "GET", "/a#b", "a"),
        line("a space in the method", "GET /x HTTP/1.1\r\nhost: b\r\n\r\nGET", "/", "a"),
        line("CRLF in the method", "GET\r\n", "/", "a"),
        line("an empty method", "", "/", "a"),
        line("CRLF in the authority", "GET", "/", "a\r\nx: y"),
        line("a space in the authority", "GET", "/", "a b"),
        line("userinfo in the authority", "GET", "/", "b@a"),
        line("a path in the authority", "GET", "/", "a/b"),
        line("two ports in the authority", "GET", "/", "a:1:2"),
        line("CONNECT with a path", "CONNECT", "/", "a"),
        case(
            "no authority and no host",
            Block::new().indexed(2).indexed(6).indexed(4),
            None,
            Then::Reads("GET /", b""),
        ),
        case("two paths", pseudo("GET", "/", "a").literal(":path", b"/b"), None, Then::Refused),
        case("two methods", pseudo("GET", "/", "a").literal(":method", b"POST"), None, Then::Refused),
        case(
            "CRLF in the scheme",
            Block::new()
                .indexed(2)
                .literal(":scheme", b"http\r\nx: y")
                .indexed(4)
                .literal(":authority", b"a"),
            None,
            Then::Refused,
        ),
        with_trailers("CRLF in a trailer", "x", b"y\r\n\r\nGET / HTTP/1.1"),
        with_trailers("a pseudo-header in the trailers", ":path", b"/b"),
        with_trailers("transfer-encoding in the trailers", "transfer-encoding", b"chunked"),
        case(
            "a body without a length",
            post(),
            Some(b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
            Then::Reads("POST /", b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
        ),
        case(
            "a body with its length",
            post().literal("content-length", b"5"),
            Some(b"hello"),
            Then::Reads("POST /", b"hello"),
        ),
        case("a GET with a body", pseudo("GET", "/", "a"), Some(b"hello"), Then::Reads("GET /", b"hello")),
        case(
            "a host that is the authority",
            pseudo("GET", "/", "a").literal("host", b"a"),
            None,
            Then::Reads("GET /", b""),
        ),
        case(
            "an underscore in a name",
            post().literal("transfer_encoding", b"chunked"),
            Some(b"hello"),
            Then::Reads("POST /", b"hello"),
        ),
        case(
            "bytes beyond ASCII in a value",
            post().literal("x", b"\xc4\x8d\xc4\x8a"),
            Some(b"hello"),
            Then::Reads("POST /", b"hello"),
        ),
        Case {
            trailers: Some(Block::new().literal("x", b"y")),
            ..case("trailers", post(), Some(b"hello"), Then::Reads("POST /", b"hello"))
        },
    ]
}

/// Sends a case on a connection of its own; whether the client heard 200.
fn is_accepted(address: &str, case: &Case) -> Result<bool> {
    let mut client = Attacker::connect(address, Arc::default())?;
    client.listen()?;
    client.greet(&[]);
    let ends = |is_last: bool| if is_last { flag::END_STREAM } else { flag::NONE };
    let stream = client.open(&case.block, ends(case.body.is_none()));
    if let Some(body) = case.body {
        client.frame(kind::DATA, ends(case.trailers.is_none()), stream, body);
    }
    if let Some(trailers) = &case.trailers {
        client.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, trailers.bytes());
    }
    client.flush();
    let heard = client.ear().until("it ends", |heard| heard.is_closed || heard.ends() > 0)?;
    Ok(heard.answers.get(&stream) == Some(&OK))
}

#[test]
fn what_only_http2_can_say_is_refused_or_is_one_message_in_http1() -> Result<()> {
    let recorder = Recorder::start()?;
    let configuration = format!(
        "workers: 1\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners:\n- {{ name: web, bind: \"127.0.0.1:0\", service: behind }}\n\
         services:\n- {{ name: behind, endpoints: {{ static: [\"{}\"] }}, upstream: {{ protocol: h1 }}, ejection: {{ max_share: 0 }} }}\n",
        recorder.address()
    );
    let mut evenkeel = Instance::start(TempDir::new()?, &configuration)?;
    let address = evenkeel.address("web")?;
    let (cases, mut faults) = (cases(), Vec::new());
    for case in &cases {
        let is_accepted = is_accepted(&address, case)?;
        // Whatever went before it, the next request arrives as it is.
        let mut next = Wire::connect(&address, Arc::default())?;
        next.send(b"GET /the-next HTTP/1.1\r\nhost: a\r\n\r\n", 1);
        next.until("the next one is answered", |wire| wire.count("\r\n\r\nok") == 1)?;
        let record = recorder.take();
        let mut met: Vec<_> = record.messages.iter().map(|m| (m.line.as_str(), m.body.as_slice())).collect();
        let last = met.pop();
        let expected: Vec<(&str, &[u8])> = match case.then {
            Then::Refused => Vec::new(),
            Then::Reads(line, body) => vec![(line, body)],
            Then::Perhaps(line, body) => met.first().map(|_| (line, body)).into_iter().collect(),
        };
        let is_good = matches!(case.then, Then::Reads(..));
        let outcome = || -> Result<()> {
            ensure!(record.faults.is_empty(), "ambiguous bytes: {:?}", record.faults);
            ensure!(last == Some(("GET /the-next", &[][..])), "the next request came to harm: {last:?}");
            ensure!(met == expected, "the endpoint read {met:?}, and {expected:?} is right");
            ensure!(is_accepted == is_good, "the client heard another outcome than the endpoint's");
            Ok(())
        };
        if let Err(fault) = outcome() {
            faults.push(format!("{}: {fault:#}", case.name));
        }
    }
    ensure!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
    evenkeel.finish()
}
