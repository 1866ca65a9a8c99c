//! Clients that speak what the listener does not take: each is told so in its own protocol where there is a way, counted and
//! logged with its reason, and nobody beside it notices.

use anyhow::{Context, Result};
use evenkeel_interop::bystander::{Bystander, GoodServers};
use evenkeel_interop::call;
use evenkeel_interop::instance::{Instance, says};
use evenkeel_interop::wait::DEADLINE;
use std::io::{Read, Write};
use std::net::TcpStream;
use tempfile::TempDir;

/// The beginning of a ClientHello of TLS 1.2 (RFC 5246 §7.4.1.2): record header, handshake header, version.
const CLIENT_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 7, 7, 7, 7];

/// Two listeners, so that the short timeout of one is none of the well-behaved client's.
fn start(good: &GoodServers) -> Result<(Instance, Bystander)> {
    let configuration = format!(
        "workers: 2\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners:\n\
         - {{ name: web, bind: \"127.0.0.1:0\", service: good }}\n\
         - {{ name: hasty, bind: \"127.0.0.1:0\", service: good, timeouts: {{ header: 300ms }} }}\n\
         services: [{{ name: good, endpoints: {{ static: {} }} }}]\n",
        good.list(&[])
    );
    let mut evenkeel = Instance::start(TempDir::new()?, &configuration)?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;
    Ok((evenkeel, bystander))
}

/// Says this to a listener, and hears all that is said back until the connection is closed.
fn say(evenkeel: &mut Instance, listener: &str, words: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(evenkeel.address(listener)?)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(words)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("the connection is not closed")?;
    Ok(answer)
}

/// The session of this listener that ended so is counted once and has its record.
fn is_told(evenkeel: &mut Instance, listener: &str, protocol: &str, reason: &str) -> Result<()> {
    let record = evenkeel.record_of("session_ended", reason)?;
    assert_eq!(record["listener"], listener, "{record}");
    let labels = [("listener", listener), ("protocol", protocol), ("reason", reason)];
    let count = evenkeel.until_metric("evenkeel_sessions_closed_total", &labels, |_| true)?;
    assert!((count - 1.0).abs() < f64::EPSILON, "{reason}: {count}");
    Ok(())
}

#[test]
fn a_request_without_a_host_gets_a_400_that_says_why() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    let answer = say(&mut evenkeel, "web", b"GET /index.html HTTP/1.1\r\naccept: a\r\n\r\n")?;
    let answer = String::from_utf8(answer)?;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").context("no end of the head")?;
    says(&head.to_lowercase(), &[&format!("content-length: {}", body.len()), "connection: close"])?;
    says(body, &["no Host"])?;
    is_told(&mut evenkeel, "web", "http1", "bad_message")?;
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn tls_gets_the_fatal_alert_protocol_version() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    let answer = say(&mut evenkeel, "web", CLIENT_HELLO)?;
    // A record of type alert (21), two bytes long: fatal (2), protocol_version (70).
    assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, 70]), "{answer:?}");
    is_told(&mut evenkeel, "web", "unknown", "client_spoke_tls")?;
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn garbage_is_closed_without_a_word() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    let answer = say(&mut evenkeel, "web", b"\xff\xfe\x00garbage\r\n\r\n")?;
    assert!(answer.is_empty(), "{answer:?}");
    is_told(&mut evenkeel, "web", "unknown", "client_spoke_garbage")?;
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn garbage_behind_a_good_preface_gets_goaway_with_its_error() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    // A PING of 7 bytes on stream 0: FRAME_SIZE_ERROR (RFC 9113 §6.7).
    let words =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &b"\0\0\x07\x06\0\0\0\0\0garbage"[..]];
    let answer = say(&mut evenkeel, "web", &words.concat())?;
    let goaway = answer.windows(9).position(|w| w[3] == 7 && w[4..] == [0; 5]).context("no GOAWAY")?;
    let code = answer.get(goaway + 13..goaway + 17).context("GOAWAY without a code")?;
    assert_eq!(code, [0, 0, 0, 6], "{answer:?}");
    is_told(&mut evenkeel, "web", "http2", "frame_size_error")?;
    let record = evenkeel.record_of("session_ended", "frame_size_error")?;
    says(record["detail"].as_str().context("no detail")?, &["wrong size"])?;
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn half_a_preface_is_closed_at_the_header_timeout() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    let answer = say(&mut evenkeel, "hasty", b"PRI * HTTP/2")?;
    assert!(answer.is_empty(), "{answer:?}");
    is_told(&mut evenkeel, "hasty", "unknown", "header_timeout")?;
    let age = evenkeel.record_of("session_ended", "header_timeout")?["age_ms"].as_u64();
    assert!(age.is_some_and(|ms| ms >= 300), "{age:?}");
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn half_a_header_block_is_closed_at_the_header_timeout() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    // HEADERS without END_HEADERS, and no CONTINUATION ever.
    let words =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &b"\0\0\x01\x01\0\0\0\0\x01\x82"[..]];
    say(&mut evenkeel, "hasty", &words.concat())?;
    is_told(&mut evenkeel, "hasty", "http2", "header_timeout")?;
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn a_header_list_beyond_the_limit_gets_431_and_one_within_it_passes() -> Result<()> {
    let good = GoodServers::start()?;
    let (mut evenkeel, bystander) = start(&good)?;
    let target = evenkeel.address("web")?;
    // Huffman codes an `a` in 5 bits: the block stays below its own limit, only the list is too large.
    let (large, too_large) = ("a".repeat(60 * 1024), "a".repeat(80 * 1024));
    let labels = [("limit", "header_list_bytes")];
    let answer = call::get(&target, "/", ("x-large", &large))?;
    // The server has a smaller limit of its own; what it says to that bears no reason of ours.
    assert!(!answer.body.contains("bad_request"), "{answer:?}");
    assert_eq!(evenkeel.metric("evenkeel_limits_refused_total", &labels)?, Some(0.0));
    let answer = call::get(&target, "/", ("x-large", &too_large))?;
    assert_eq!(answer.status, 431, "{answer:?}");
    says(&answer.body, &["bad_request"])?;
    assert_eq!(evenkeel.metric("evenkeel_limits_refused_total", &labels)?, Some(1.0));
    let labels = [("listener", "web"), ("outcome", "bad_request")];
    assert_eq!(evenkeel.metric("evenkeel_exchanges_unrouted_total", &labels)?, Some(1.0));
    let record = evenkeel.record("a session with a failed exchange", |record| {
        record["event"] == "session_ended" && record["failed"] == 1
    })?;
    assert_eq!(record["exchanges"], 1, "{record}");
    bystander.noticed_nothing(&mut evenkeel)
}
