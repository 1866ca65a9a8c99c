//! Requests that two parsers might read in two ways: none of them reaches an endpoint.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::{Attacker, PATH};
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{code, flag, kind};
use std::time::Duration;

fn request() -> Block {
    Block::request(PATH)
}

/// Method, scheme and authority, and this path.
fn path(path: &[u8]) -> Block {
    Block::new().indexed(3).indexed(6).literal(":path", path).named(1, "attacked")
}

/// A request with this authority.
fn authority(authority: &[u8]) -> Block {
    Block::new().indexed(3).indexed(6).named(4, PATH).literal(":authority", authority)
}

/// Each is a whole request.
fn malformed() -> Vec<(&'static str, Block)> {
    vec![
        ("upper case", request().literal("X-Upper", b"1")),
        ("an empty name", request().literal("", b"1")),
        ("a space in a name", request().literal("x y", b"1")),
        ("a colon in a name", request().literal("x:y", b"1")),
        ("CR LF in a name", request().literal("x\r\ny", b"1")),
        ("NUL in a name", request().literal("x\0", b"1")),
        ("a byte above 127 in a name", request().raw(&[0, 2, b'x', 0xe4, 1, b'1'])),
        ("CR in a value", request().literal("x", b"a\rb")),
        ("LF in a value", request().literal("x", b"a\nb")),
        ("a smuggled header", request().literal("x", b"a\r\ntransfer-encoding: chunked")),
        ("NUL in a value", request().literal("x", b"a\0b")),
        ("a space before a value", request().literal("x", b" a")),
        ("a tab behind a value", request().literal("x", b"a\t")),
        ("connection", request().literal("connection", b"close")),
        ("keep-alive", request().literal("keep-alive", b"timeout=5")),
        ("proxy-connection", request().literal("proxy-connection", b"close")),
        ("transfer-encoding", request().literal("transfer-encoding", b"chunked")),
        ("upgrade", request().literal("upgrade", b"h2c")),
        ("te", request().literal("te", b"gzip")),
        ("te with more than trailers", request().literal("te", b"trailers, chunked")),
        (
            "a pseudo-header behind others",
            Block::new().indexed(3).indexed(6).literal("x", b"y").named(4, PATH),
        ),
        ("two paths", request_with(4, "/other")),
        ("two methods", Block::new().indexed(2).raw(request().bytes())),
        ("two schemes", Block::new().indexed(7).raw(request().bytes())),
        ("two authorities", request_with(1, "other")),
        ("an unknown pseudo-header", Block::new().literal(":extra", b"x").raw(request().bytes())),
        ("a status", Block::new().indexed(8).raw(request().bytes())),
        ("no method", Block::new().indexed(6).named(4, PATH)),
        ("no scheme", Block::new().indexed(3).named(4, PATH)),
        ("no path", Block::new().indexed(3).indexed(6)),
        ("nothing", Block::new()),
        ("an empty path", path(b"")),
        ("a path without a slash", path(b"attacked")),
        ("an absolute path", path(b"http://other/attacked/Call")),
        ("a path with a request behind it", path(b"/attacked/Call HTTP/1.1\r\nhost: other\r\n\r\n")),
        ("a path with a space", path(b"/attacked/ Call")),
        ("a path with NUL", path(b"/attacked/\0")),
        (
            "a method with a line's end",
            Block::new().literal(":method", b"GET\r\nx: y").indexed(6).named(4, PATH),
        ),
        ("a method with a space", Block::new().literal(":method", b"GET /").indexed(6).named(4, PATH)),
        ("an authority with a line's end", authority(b"a\r\nb")),
        ("host and authority that differ", request().literal("host", b"other")),
        ("two hosts", request().literal("host", b"attacked").literal("host", b"attacked")),
        ("two lengths", request().literal("content-length", b"0").literal("content-length", b"1")),
        ("a list of lengths", request().literal("content-length", b"0, 0")),
        ("a signed length", request().literal("content-length", b"+0")),
        ("a negative length", request().literal("content-length", b"-1")),
        ("a hexadecimal length", request().literal("content-length", b"0x0")),
        ("a length beyond 64 bits", request().literal("content-length", b"18446744073709551616")),
        ("an empty length", request().literal("content-length", b"")),
        ("a length without a body", request().literal("content-length", b"5")),
    ]
}

/// A request with one pseudo-header more, from the static table by name.
fn request_with(index: usize, value: &str) -> Block {
    Block::new().named(index, value).raw(request().bytes())
}

#[test]
fn a_malformed_request_never_reaches_an_endpoint() -> Result<()> {
    let attack = Attack::named("malformed requests")
        .within_cpu(Duration::from_micros(20))
        .ends_unrouted("bad_request");
    let mut arena = Arena::start()?;
    let requests = malformed();
    arena.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            let opened: Vec<_> =
                requests.iter().map(|(what, block)| (attacker.open(block, flag::END_STREAM), what)).collect();
            let heard = attacker.settle()?;
            for (stream, what) in opened {
                ensure!(
                    heard.resets.get(&stream) == Some(&code::PROTOCOL_ERROR),
                    "{what}: {:?}",
                    heard.answers.get(&stream)
                );
            }
            Ok(())
        })
    })?;
    ensure!(arena.passed_on() == (0, 0), "{:?}", arena.passed_on());
    Ok(())
}

/// Ends, or does not end, a request that began well.
type Ending = (&'static str, fn(&mut Attacker, u32));

#[test]
fn a_request_that_goes_wrong_in_its_body_never_ends_at_an_endpoint() -> Result<()> {
    const ENDINGS: &[Ending] = &[
        ("more than its length", |attacker, stream| {
            attacker.frame(kind::DATA, flag::END_STREAM, stream, b"123456");
        }),
        ("less than its length", |attacker, stream| {
            attacker.frame(kind::DATA, flag::END_STREAM, stream, b"1234");
        }),
        ("trailers before its length", |attacker, stream| {
            trailers(attacker, stream, &Block::new().literal("x", b"y"));
        }),
        ("a pseudo-header among trailers", |attacker, stream| {
            attacker.frame(kind::DATA, flag::NONE, stream, b"12345");
            trailers(attacker, stream, &Block::new().named(4, "/other"));
        }),
        ("a connection header among trailers", |attacker, stream| {
            attacker.frame(kind::DATA, flag::NONE, stream, b"12345");
            trailers(attacker, stream, &Block::new().literal("transfer-encoding", b"chunked"));
        }),
        ("upper case among trailers", |attacker, stream| {
            attacker.frame(kind::DATA, flag::NONE, stream, b"12345");
            trailers(attacker, stream, &Block::new().literal("X", b"y"));
        }),
        ("trailers that do not end it", |attacker, stream| {
            attacker.frame(kind::DATA, flag::NONE, stream, b"12345");
            let block = Block::new().literal("x", b"y");
            attacker.frame(kind::HEADERS, flag::END_HEADERS, stream, block.bytes());
        }),
    ];
    let attack = Attack::named("bodies that contradict their heads").within_cpu(Duration::from_micros(20));
    let mut arena = Arena::start()?;
    arena.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            for (what, ending) in ENDINGS {
                let stream = attacker.open(&request().literal("content-length", b"5"), flag::NONE);
                ending(attacker, stream);
                let heard = attacker.settle()?;
                ensure!(
                    heard.resets.get(&stream) == Some(&code::PROTOCOL_ERROR),
                    "{what}: {:?}",
                    heard.answers
                );
            }
            Ok(())
        })
    })?;
    let (passed, whole) = arena.passed_on();
    ensure!(passed > 0 && whole == 0, "{whole} of {passed} came to their end");
    Ok(())
}

fn trailers(attacker: &mut Attacker, stream: u32, block: &Block) {
    attacker.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, block.bytes());
}
