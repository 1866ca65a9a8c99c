//! Connections as weapons: floods of them, slow ones, idle ones, and such that speak something else.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::{Arena, SMALL};
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::frame::{PREFACE, flag, kind};
use std::time::Duration;

/// Clients that are slow at once.
const CLIENTS: usize = 1_000;

#[test]
fn prefaces_that_do_not_end_are_closed_at_the_header_timeout() -> Result<()> {
    let attack = Attack::named("slowloris: half a preface, 1,000 clients")
        .lasting(Duration::from_secs(2))
        .within_mib(16)
        .ends_sessions("header_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = siege.connect_mute()?;
            client.raw(&PREFACE[..10]);
            client.flush();
            clients.push(client);
        }
        // One byte more now and then does not help.
        for next in PREFACE[10..].chunks(1) {
            std::thread::sleep(siege.left().min(Duration::from_millis(400)));
            for client in clients.iter_mut().filter(|_| siege.goes_on()) {
                client.raw(next);
                client.flush();
            }
        }
        Ok(())
    })
}

#[test]
fn header_blocks_that_do_not_end_are_closed_at_the_header_timeout() -> Result<()> {
    let attack = Attack::named("slowloris: half a header block, 1,000 clients")
        .lasting(Duration::from_secs(2))
        .within_mib(32)
        .ends_sessions("header_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = siege.connect_deaf(&[])?;
            client.frame(kind::HEADERS, flag::NONE, 1, &[0x82; 2_000]);
            client.flush();
            clients.push(client);
        }
        std::thread::sleep(siege.left());
        Ok(())
    })
}

#[test]
fn connections_that_come_and_go_cost_what_a_connection_costs() -> Result<()> {
    let attack = Attack::named("connect and close").within_mib(16);
    Arena::start()?.withstands(&attack, |siege| {
        while siege.goes_on() {
            drop(siege.connect_mute()?);
        }
        Ok(())
    })
}

#[test]
fn connections_that_greet_and_go_cost_what_a_connection_costs() -> Result<()> {
    let attack = Attack::named("connect, greet and close").within_mib(16).ends_sessions("client_closed");
    Arena::start()?.withstands(&attack, |siege| {
        while siege.goes_on() {
            drop(siege.connect_deaf(&[])?);
        }
        Ok(())
    })
}

#[test]
fn idle_sessions_cost_a_few_kilobytes_each() -> Result<()> {
    const SESSIONS: u64 = 5_000;
    let attack =
        Attack::named("5,000 idle sessions").lasting(Duration::from_secs(3)).within_mib(SESSIONS * 8 / 1024);
    Arena::start()?.withstands(&attack, |siege| {
        let mut idle = Vec::new();
        for _ in 0..SESSIONS {
            idle.push(siege.connect_deaf(&[])?);
        }
        Ok(())
    })
}

#[test]
fn a_flood_beyond_the_most_sessions_is_refused_at_the_door() -> Result<()> {
    let attack =
        Attack::named("sessions beyond the most").ends_sessions("max_sessions").meets("max_sessions");
    Arena::start()?.withstands_at("small", &attack, |siege| {
        let mut inside = Vec::new();
        for _ in 0..SMALL {
            let mut client = siege.connect()?;
            client.settle()?;
            inside.push(client);
        }
        while siege.goes_on() {
            let mut refused = siege.connect_mute()?;
            refused.listen()?;
            refused.until_closed()?;
        }
        for client in &mut inside {
            ensure!(!client.settle()?.is_closed, "one that was in is out");
        }
        Ok(())
    })
}

fn speaks(name: &'static str, words: &'static [u8], reason: &'static str) -> Result<()> {
    let attack = Attack::named(name).ends_sessions(reason);
    Arena::start()?.withstands(&attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.connect_mute()?;
            client.listen()?;
            client.raw(words);
            client.until_closed()?;
        }
        Ok(())
    })
}

#[test]
fn a_flood_of_bad_requests_costs_an_answer_each() -> Result<()> {
    speaks("HTTP/1 without a host", b"GET / HTTP/1.1\r\na: x\r\n\r\n", "bad_message")
}

#[test]
fn a_flood_of_tls_costs_an_alert_each() -> Result<()> {
    speaks("TLS to cleartext", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 7, 7, 7, 7], "client_spoke_tls")
}

#[test]
fn a_flood_of_garbage_costs_a_close_each() -> Result<()> {
    speaks("garbage", b"\xff\xfe\x00garbage\r\n\r\n", "client_spoke_garbage")
}
