//! HTTP/1 clients as attackers: slow ones, large ones, and such that ask without reading.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::siege::Siege;
use evenkeel_attacks::web::Web;
use evenkeel_attacks::wire::Wire;
use evenkeel_interop::instance::Instance;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;

/// Clients that are slow at once.
const CLIENTS: usize = 1_000;

const GET: &[u8] = b"GET /web HTTP/1.1\r\nhost: a\r\n\r\n";
const CHUNKED: &[u8] = b"POST /web HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

/// So many clients that have said this.
fn say(siege: &Siege, clients: usize, first: &[u8]) -> Result<Vec<Wire>> {
    let mut all = Vec::new();
    for _ in 0..clients {
        let mut client = siege.wire()?;
        client.send(first, 1);
        all.push(client);
    }
    Ok(all)
}

/// So many clients that have said this, and then say each of these bytes in turn until the time is over.
fn trickle(siege: &Siege, clients: usize, first: &[u8], then: &[u8]) -> Result<Vec<Wire>> {
    let mut all = say(siege, clients, first)?;
    slowly(siege, &mut all, then);
    Ok(all)
}

fn slowly(siege: &Siege, all: &mut [Wire], then: &[u8]) {
    for next in then.chunks(1).cycle() {
        std::thread::sleep(siege.left().min(Duration::from_millis(200)));
        if !siege.goes_on() {
            break;
        }
        for client in all.iter_mut() {
            client.send(next, 1);
        }
    }
}

/// Sends these bytes on connection after connection, and waits until each is answered with this status and closed.
fn refused_again_and_again(siege: &Siege, bytes: &[u8], status: &str) -> Result<()> {
    while siege.goes_on() {
        let mut client = siege.wire()?;
        client.send(bytes, 1);
        let heard = client.until_closed()?;
        // A peer that closes while more comes may cut its own answer off.
        let is_right = heard.is_empty() || heard.starts_with(format!("HTTP/1.1 {status} ").as_bytes());
        ensure!(is_right, "not {status}: {}", heard.escape_ascii());
    }
    Ok(())
}

#[test]
fn heads_that_trickle_are_closed_at_the_header_timeout() -> Result<()> {
    let attack = Attack::named("HTTP/1 slowloris: heads that trickle, 1,000 clients")
        .lasting(Duration::from_secs(3))
        .within_mib(32)
        .within_cpu(Duration::from_micros(30))
        .ends_sessions("header_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let clients = trickle(siege, CLIENTS, b"GET /web HTTP/1.1\r\nhost: a\r\n", b"x: y\r\n")?;
        for mut client in clients {
            client.until_closed()?;
            ensure!(!client.heard().starts_with(b"HTTP/1.1 200"), "half a head was answered");
        }
        Ok(())
    })
}

#[test]
fn the_second_head_has_no_more_time_than_the_first() -> Result<()> {
    let attack = Attack::named("HTTP/1 slowloris: second heads that trickle, 500 clients")
        .lasting(Duration::from_secs(3))
        .within_mib(32)
        .within_cpu(Duration::from_micros(60))
        .ends_sessions("header_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let first = [GET, b"GET /web HTTP/1.1\r\nhost: a\r\n"].concat();
        let mut clients = say(siege, CLIENTS / 2, &first)?;
        for client in &mut clients {
            client.until("the first answer", |wire| wire.count("\r\n\r\nok") == 1)?;
        }
        slowly(siege, &mut clients, b"x: y\r\n");
        for mut client in clients {
            client.until_closed()?;
            ensure!(client.count("HTTP/1.1 200") == 1, "not one answer: {}", client.heard().escape_ascii());
        }
        Ok(())
    })
}

#[test]
fn trailers_that_trickle_are_closed_at_the_header_timeout() -> Result<()> {
    let attack = Attack::named("HTTP/1 slowloris: trailers that trickle, 200 clients")
        .lasting(Duration::from_secs(3))
        .within_mib(32)
        .within_cpu(Duration::from_micros(60))
        .ends_sessions("header_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let first = [CHUNKED, b"0\r\nx: "].concat();
        for mut client in trickle(siege, 200, &first, b"yyyyyyyy")? {
            client.until_closed()?;
        }
        Ok(())
    })
}

#[test]
fn bodies_that_trickle_cost_what_their_bytes_cost() -> Result<()> {
    let attack = Attack::named("HTTP/1 slow bodies, 500 clients")
        .lasting(Duration::from_secs(2))
        .within_mib(48)
        .within_cpu(Duration::from_micros(100));
    Arena::start()?.withstands(&attack, |siege| {
        let first = b"POST /web HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
        trickle(siege, CLIENTS / 2, first, b"y").map(drop)
    })
}

#[test]
fn expectations_that_are_never_met_hold_no_more_than_a_request() -> Result<()> {
    let attack = Attack::named("HTTP/1 100-continue and no body, 500 clients")
        .lasting(Duration::from_secs(2))
        .within_mib(48)
        .within_cpu(Duration::from_micros(200));
    Arena::start()?.withstands(&attack, |siege| {
        let first = b"POST /web HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        let clients = say(siege, CLIENTS / 2, first)?;
        std::thread::sleep(siege.left());
        drop(clients);
        Ok(())
    })
}

#[test]
fn large_answers_that_nobody_reads_wait_at_their_endpoint() -> Result<()> {
    let attack = Attack::named("HTTP/1 slow readers of 8 MiB, 50 clients")
        .lasting(Duration::from_secs(3))
        .within_mib(48)
        .within_cpu(Duration::from_millis(5));
    Arena::start()?.withstands(&attack, |siege| {
        let clients = say(siege, 50, b"GET /web/large HTTP/1.1\r\nhost: a\r\n\r\n")?;
        std::thread::sleep(siege.left());
        drop(clients);
        Ok(())
    })
}

#[test]
fn readers_of_nothing_are_ended_by_the_send_timeout() -> Result<()> {
    let attack = Attack::named("HTTP/1 half-closed clients that never read, 20 clients")
        .lasting(Duration::from_secs(8))
        .within_mib(96)
        .within_cpu(Duration::from_millis(10))
        .ends_sessions("send_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let clients = say(siege, 20, b"GET /web/large HTTP/1.1\r\nhost: a\r\n\r\n")?;
        clients.iter().for_each(Wire::end);
        std::thread::sleep(siege.left());
        drop(clients);
        Ok(())
    })
}

#[test]
fn heads_of_too_many_fields_are_refused() -> Result<()> {
    let attack =
        Attack::named("HTTP/1 heads of 10,000 fields").meets("header_fields").ends_sessions("bad_message");
    Arena::start()?.withstands(&attack, |siege| {
        let bytes = [GET.strip_suffix(b"\r\n").unwrap_or(GET), &b"a: b\r\n".repeat(10_000), b"\r\n"].concat();
        refused_again_and_again(siege, &bytes, "431")
    })
}

#[test]
fn heads_of_too_many_bytes_are_refused() -> Result<()> {
    let attack = Attack::named("HTTP/1 heads of 1 MiB").ends_sessions("bad_message");
    Arena::start()?.withstands(&attack, |siege| {
        let bytes =
            [GET.strip_suffix(b"\r\n").unwrap_or(GET), b"a: ", &[b'b'; 1 << 20], b"\r\n\r\n"].concat();
        refused_again_and_again(siege, &bytes, "431")
    })
}

#[test]
fn request_lines_that_are_too_long_are_refused() -> Result<()> {
    let attack = Attack::named("HTTP/1 request lines of 1 MiB")
        .meets("request_line_bytes")
        .ends_sessions("bad_message");
    Arena::start()?.withstands(&attack, |siege| {
        let bytes = [b"GET /", &[b'b'; 1 << 20][..], b" HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
        refused_again_and_again(siege, &bytes, "414")
    })
}

#[test]
fn chunk_extensions_that_are_too_long_are_refused() -> Result<()> {
    let attack = Attack::named("HTTP/1 chunk extensions of 64 KiB")
        .meets("chunk_extension_bytes")
        .ends_sessions("bad_message");
    Arena::start()?.withstands(&attack, |siege| {
        let bytes = [CHUNKED, b"5;", &[b'e'; 64 << 10], b"\r\nhello\r\n0\r\n\r\n"].concat();
        refused_again_and_again(siege, &bytes, "400")
    })
}

#[test]
fn chunks_of_a_byte_cost_what_a_small_frame_costs() -> Result<()> {
    let attack =
        Attack::named("HTTP/1 chunks of 1 byte").within_mib(48).within_cpu(Duration::from_nanos(600));
    let mut arena = Arena::start()?;
    arena.withstands(&attack, |siege| {
        let chunks = b"1\r\nx\r\n".repeat(2_000);
        let mut client = siege.wire()?;
        client.send(CHUNKED, 1);
        while siege.goes_on() && client.send(&chunks, 2_000) {}
        client.send(b"0\r\n\r\n", 1);
        client.until("an answer", |wire| wire.count("\r\n\r\nok") == 1)?;
        ensure!(client.count("HTTP/1.1 200") == 1, "{}", client.heard().escape_ascii());
        Ok(())
    })
}

#[test]
fn trailers_without_end_are_refused() -> Result<()> {
    let attack =
        Attack::named("HTTP/1 trailers of 10,000 fields").meets("header_fields").ends_sessions("bad_message");
    Arena::start()?.withstands(&attack, |siege| {
        let bytes = [CHUNKED, b"0\r\n", &b"a: b\r\n".repeat(10_000), b"\r\n"].concat();
        refused_again_and_again(siege, &bytes, "400")
    })
}

#[test]
fn a_hundred_thousand_requests_in_a_row_wait_in_their_socket() -> Result<()> {
    let attack = Attack::named("HTTP/1 pipelining flood without reading")
        .lasting(Duration::from_secs(2))
        .within_mib(48)
        .within_cpu(Duration::from_micros(60));
    let mut arena = Arena::start()?;
    arena.withstands(&attack, |siege| {
        let mut clients = (0..16).map(|_| siege.wire()).collect::<Result<Vec<_>>>()?;
        let many = GET.repeat(64);
        for client in &mut clients {
            client.socket().set_write_timeout(Some(Duration::from_millis(20)))?;
        }
        for round in 0.. {
            if !siege.goes_on() || round > 100_000 / 64 {
                break;
            }
            for client in &mut clients {
                client.send(&many, 64);
            }
        }
        std::thread::sleep(siege.left());
        Ok(())
    })
}

#[test]
fn requests_in_a_row_that_nobody_serves_are_answered_one_by_one() -> Result<()> {
    let attack = Attack::named("HTTP/1 pipelining flood of what breaks a rule in HTTP/2 words")
        .within_cpu(Duration::from_micros(20))
        .within_mib(48);
    Arena::start()?.withstands(&attack, |siege| {
        let many = b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".repeat(1_000);
        while siege.goes_on() {
            let mut client = siege.wire()?;
            client.send(&many, 1_000);
            client.until("an answer", |wire| wire.count("HTTP/1.1 4") >= 1)?;
        }
        Ok(())
    })
}

#[test]
fn idle_keep_alive_sessions_cost_a_few_kilobytes_each() -> Result<()> {
    let attack = Attack::named("HTTP/1 keep-alive sessions, 1,000 at once")
        .lasting(Duration::from_secs(3))
        .within_mib(64)
        .within_cpu(Duration::from_millis(1));
    let mut arena = Arena::start()?;
    arena.withstands(&attack, |siege| {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = siege.wire()?;
            client.send(GET, 1);
            clients.push(client);
        }
        for client in &mut clients {
            client.until("an answer", |wire| wire.count("\r\n\r\nok") == 1)?;
        }
        std::thread::sleep(siege.left());
        Ok(())
    })?;
    ensure!(arena.web().met().requests.load(Ordering::Relaxed) >= CLIENTS as u64, "requests are missing");
    Ok(())
}

#[test]
fn more_clients_than_descriptors_are_turned_away_and_those_inside_go_on() -> Result<()> {
    const DESCRIPTORS: u32 = 256;
    let web = Web::start()?;
    let configuration = format!(
        "workers: 1\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners:\n- {{ name: web, bind: \"127.0.0.1:0\", service: web }}\n\
         services:\n- {{ name: web, endpoints: {{ static: [\"{}\"] }}, upstream: {{ protocol: h1 }} }}\n",
        web.address()
    );
    let mut evenkeel = Instance::start_with_descriptors(TempDir::new()?, &configuration, DESCRIPTORS)?;
    let siege = Siege::new(evenkeel.address("web")?, Duration::from_secs(30), Arc::default());
    let mut inside = siege.wire()?;
    inside.send(GET, 1);
    inside.until("an answer", |wire| wire.count("\r\n\r\nok") == 1)?;
    let mut outside = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        outside.push(siege.wire()?);
    }
    for n in 2..20 {
        inside.send(GET, 1);
        inside.until("an answer", |wire| wire.count("\r\n\r\nok") == n)?;
        ensure!(!inside.is_closed(), "one that was in is out after {n} answers");
    }
    drop(outside);
    // There is room again.
    let mut late = siege.wire()?;
    late.send(GET, 1);
    late.until("an answer", |wire| wire.count("\r\n\r\nok") == 1)?;
    ensure!(late.count("HTTP/1.1 200") == 1, "{}", late.heard().escape_ascii());
    drop((inside, late));
    evenkeel.finish()
}
