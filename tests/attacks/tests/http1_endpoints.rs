//! HTTP/1 endpoints as attackers: behind a service of their own, while others are served on the same worker.

use anyhow::{Context, Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::siege::Siege;
use evenkeel_attacks::web::{ANSWER, Talk, Web};
use evenkeel_attacks::wire::Wire;
use evenkeel_interop::wait::{DEADLINE, until};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const GET: &[u8] = b"GET /hostile1 HTTP/1.1\r\nhost: a\r\n\r\n";

/// Asks with so many clients at once, again and again, and gives each answer (what came until it was whole, by its length, or
/// the connection was closed) to `is_right`.
fn asks(siege: &Siege, clients: usize, is_right: impl Fn(&Wire) -> bool) -> Result<()> {
    let mut asked = 0;
    while siege.goes_on() {
        let mut all = Vec::new();
        for _ in 0..clients {
            let mut client = siege.wire()?;
            client.send(GET, 1);
            all.push(client);
        }
        for mut client in all {
            client.until("an answer", &is_right)?;
            ensure!(is_right(&client), "not the answer: {}", client.heard().escape_ascii());
            asked += 1;
        }
    }
    ensure!(asked > 0, "nobody asked");
    Ok(())
}

fn is_502(client: &Wire) -> bool {
    client.heard().starts_with(b"HTTP/1.1 502 ")
}

fn is_failure(client: &Wire) -> bool {
    client.heard().starts_with(b"HTTP/1.1 50")
}

/// An endpoint that does this with each request; clients see what `is_right` allows.
fn endpoint(
    attack: &Attack,
    script: impl Fn(&mut Talk) -> io::Result<()> + Send + Sync + 'static,
    is_right: impl Fn(&Wire) -> bool,
) -> Result<()> {
    let hostile = Web::with(move |talk| {
        loop {
            talk.head()?;
            script(talk)?;
        }
    })?;
    Arena::with_hostile(hostile.address())?.withstands(attack, |siege| asks(siege, 4, is_right))
}

fn attack(name: &'static str) -> Attack {
    Attack::named(name).within_cpu(Duration::from_micros(300))
}

#[test]
fn a_head_that_trickles_is_not_waited_for_without_end() -> Result<()> {
    let attack = attack("endpoint: heads that trickle")
        .lasting(Duration::from_secs(2))
        .ends_upstreams("header_timeout");
    let trickle = |talk: &mut Talk| {
        talk.say(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            talk.say(b"x: y\r\n")?;
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    endpoint(&attack, trickle, is_failure)
}

#[test]
fn a_head_that_is_too_large_is_a_502() -> Result<()> {
    let large = [b"HTTP/1.1 200 OK\r\nx: ", &[b'y'; 1 << 20][..], b"\r\n\r\n"].concat();
    endpoint(
        &attack("endpoint: heads of 1 MiB").within_cpu(Duration::from_millis(2)),
        move |talk| talk.say(&large),
        is_502,
    )
}

#[test]
fn a_head_of_too_many_fields_is_a_502() -> Result<()> {
    let large = [b"HTTP/1.1 200 OK\r\n", &b"x: y\r\n".repeat(10_000)[..], b"\r\n"].concat();
    let attack = attack("endpoint: heads of 10,000 fields")
        .meets("header_fields")
        .within_cpu(Duration::from_millis(2));
    endpoint(&attack, move |talk| talk.say(&large), is_502)
}

#[test]
fn interim_answers_without_end_are_cut() -> Result<()> {
    let flood = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1_000);
    let attack =
        attack("endpoint: a flood of 103").meets("interim_answers").within_cpu(Duration::from_millis(5));
    endpoint(
        &attack,
        move |talk| loop {
            talk.say(&flood)?;
        },
        |client| client.count("HTTP/1.1 502 ") == 1,
    )
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() -> Result<()> {
    let both = [ANSWER, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad"].concat();
    let attack = attack("endpoint: two answers to one request");
    endpoint(
        &attack,
        move |talk| talk.say(&both),
        |client| client.heard().ends_with(b"\r\n\r\nok") && client.count("bad") == 0,
    )
}

/// One connection to the endpoint, and a queue before it: what is behind an answer must not become the answer to who waits.
#[test]
fn an_answer_in_advance_is_not_given_to_who_waits() -> Result<()> {
    let both = [ANSWER, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad"].concat();
    let hostile = Web::with(move |talk| {
        loop {
            talk.head()?;
            talk.say(&both)?;
        }
    })?;
    let attack = attack("endpoint: answers in advance of a queue");
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        asks(siege, 64, |client| {
            let is_refused = is_failure(client);
            client.count("bad") == 0 && (is_refused || client.heard().ends_with(b"\r\n\r\nok"))
        })
    })
}

#[test]
fn bytes_before_any_request_end_the_connection() -> Result<()> {
    let said = Arc::new(AtomicU64::new(0));
    let its = said.clone();
    let hostile = Web::with(move |talk| {
        talk.head()?;
        talk.say(ANSWER)?;
        std::thread::sleep(Duration::from_millis(5));
        talk.say(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad")?;
        its.fetch_add(1, Ordering::SeqCst);
        talk.hear_out()
    })?;
    let attack = attack("endpoint: an answer to nothing").ends_upstreams("bad_message");
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        for asked in 1.. {
            if !siege.goes_on() {
                break;
            }
            let mut client = siege.wire()?;
            client.send(GET, 1);
            client.until("an answer", |wire| wire.heard().ends_with(b"\r\n\r\nok"))?;
            ensure!(client.count("bad") == 0, "it got what it did not ask for");
            // The next one asks when the bytes are there: before that nobody could tell them from its answer.
            until("they are said", DEADLINE, || Ok((said.load(Ordering::SeqCst) == asked).then_some(())))?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })
}

#[test]
fn a_body_that_is_cut_is_cut_for_the_client() -> Result<()> {
    let attack = attack("endpoint: bodies of chunks that are cut");
    let cut = |talk: &mut Talk| {
        talk.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        Err(io::ErrorKind::ConnectionAborted.into())
    };
    endpoint(&attack, cut, |client| client.is_closed() && client.count("0\r\n\r\n") == 0)
}

#[test]
fn a_length_that_does_not_come_is_no_answer() -> Result<()> {
    let attack = attack("endpoint: bodies that are shorter than they say");
    let cut = |talk: &mut Talk| {
        talk.say(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello")?;
        Err(io::ErrorKind::ConnectionAborted.into())
    };
    endpoint(&attack, cut, |client| client.is_closed())
}

#[test]
fn chunks_that_break_the_rules_end_the_answer() -> Result<()> {
    let attack = attack("endpoint: chunks that break the rules").ends_exchanges("upstream_protocol_error");
    let broken = |talk: &mut Talk| {
        talk.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n")
    };
    endpoint(&attack, broken, |client| client.is_closed() && client.count("0\r\n\r\n") == 0)
}

#[test]
fn an_endpoint_that_closes_at_once_is_a_failure_and_no_more() -> Result<()> {
    let hostile = Web::with(|_| Ok(()))?;
    Arena::with_hostile(hostile.address())?
        .withstands(&attack("endpoint: closes right after it took a connection"), |siege| {
            asks(siege, 4, is_failure)
        })
}

#[test]
fn a_split_answer_is_a_502() -> Result<()> {
    let split = b"HTTP/1.1 200 OK\r\nx: y\rz\r\ncontent-length: 2\r\n\r\nok";
    endpoint(&attack("endpoint: a value with CR"), |talk| talk.say(split), is_502)
}

#[test]
fn answers_without_end_stop_when_their_clients_leave() -> Result<()> {
    let attack = attack("endpoint: answers without end")
        .lasting(Duration::from_secs(2))
        .within_cpu(Duration::from_millis(50));
    let hostile = Web::with(|talk| {
        talk.head()?;
        talk.say(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            talk.say(&[b'x'; 64 * 1024])?;
        }
    })?;
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.wire()?;
            client.send(GET, 1);
            client.until("a megabyte", |wire| wire.heard().len() > 1 << 20)?;
            ensure!(!client.is_closed(), "closed");
        }
        Ok(())
    })
}

/// The endpoint answers a few and then closes, in any moment of the next request's way.
#[test]
fn connections_that_close_in_the_moment_of_the_next_request_cost_no_get_its_answer() -> Result<()> {
    let hostile = Web::with(|talk| {
        for _ in 0..=talk.number % 3 {
            talk.head()?;
            talk.say(ANSWER)?;
        }
        Ok(())
    })?;
    let attack = attack("endpoint: keep-alive connections that close");
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        let mut client = siege.wire()?;
        let mut asked = 0;
        while siege.goes_on() {
            client.forget();
            client.send(GET, 1);
            client
                .until("an answer", |wire| wire.heard().ends_with(b"\r\n\r\nok"))
                .context("a GET without an answer")?;
            ensure!(
                client.heard().starts_with(b"HTTP/1.1 200 "),
                "after {asked}: {}",
                client.heard().escape_ascii()
            );
            asked += 1;
        }
        ensure!(asked > 100, "only {asked}");
        Ok(())
    })
}

/// An answer that ends, and bytes behind it, while its client takes nothing and its request goes on.
#[test]
fn bytes_behind_an_answer_that_waits_for_its_client_do_not_hold_the_worker() -> Result<()> {
    let both = [b"HTTP/1.1 200 OK\r\ncontent-length: 4000000\r\n\r\n", &[b'x'; 4_000_100][..]].concat();
    let hostile = Web::with(move |talk| {
        talk.head()?;
        talk.say(&both)?;
        talk.hear_out()
    })?;
    let attack = attack("endpoint: bytes behind an answer, request open")
        .within_cpu(Duration::from_millis(50))
        .within_mib(64);
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.wire()?;
            client.send(b"POST /hostile1 HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf", 1);
            std::thread::sleep(Duration::from_millis(50));
            client.until("the answer", |wire| wire.heard().len() > 4_000_000)?;
        }
        Ok(())
    })
}
