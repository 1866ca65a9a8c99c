//! Tunnels as weapons: bytes behind a change of protocol, sides that stall, and many that say nothing.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::siege::Siege;
use evenkeel_attacks::wire::Wire;
use evenkeel_interop::wait::{DEADLINE, until};
use std::sync::atomic::Ordering;
use std::time::Duration;

const UPGRADE: &[u8] = b"GET /web HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn upgraded(siege: &Siege) -> Result<Wire> {
    let mut client = siege.wire()?;
    client.send(UPGRADE, 1);
    client.until("a change of protocol", |wire| wire.count("\r\n\r\n") == 1)?;
    ensure!(client.heard().starts_with(b"HTTP/1.1 101 "), "no change: {}", client.heard().escape_ascii());
    client.forget();
    Ok(client)
}

/// Floods an upgraded session with these bytes, which are so many frames, and hears what comes back.
fn floods(attack: &Attack, bytes: &[u8], frames: u64) -> Result<()> {
    Arena::start()?.withstands(attack, |siege| {
        while siege.goes_on() {
            let mut client = upgraded(siege)?;
            for _ in 0..64 {
                if !siege.goes_on() || !client.send(bytes, frames) {
                    break;
                }
                // The endpoint says it again; whoever does not read is another attack.
                let most = bytes.len();
                client.until("as much as was sent", |wire| wire.heard().len() >= most)?;
                client.forget();
            }
        }
        Ok(())
    })
}

fn attack(name: &'static str) -> Attack {
    Attack::named(name).within_mib(32).within_cpu(Duration::from_nanos(300))
}

#[test]
fn fragments_without_a_byte_cost_their_bytes() -> Result<()> {
    let frames = [&[0x01, 0x80, 1, 2, 3, 4], &[0x00, 0x80, 1, 2, 3, 4].repeat(2_000)[..]].concat();
    floods(&attack("WebSocket: empty fragments"), &frames, 2_001)
}

#[test]
fn pings_cost_their_bytes() -> Result<()> {
    floods(&attack("WebSocket: PING"), &[0x89, 0x80, 1, 2, 3, 4].repeat(2_000), 2_000)
}

#[test]
fn unmasked_frames_harm_nobody_else() -> Result<()> {
    floods(&attack("WebSocket: frames without a mask"), &[0x81, 0x01, b'x'].repeat(4_000), 4_000)
}

#[test]
fn reserved_opcodes_harm_nobody_else() -> Result<()> {
    floods(&attack("WebSocket: reserved opcodes"), &[0x83, 0x80, 1, 2, 3, 4].repeat(2_000), 2_000)
}

#[test]
fn lengths_that_nobody_can_send_harm_nobody_else() -> Result<()> {
    let frame = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    let bytes = [&frame[..], &[b'x'; 16 * 1024]].concat();
    floods(&attack("WebSocket: 2^63 bytes").within_cpu(Duration::from_millis(2)), &bytes, 1)
}

#[test]
fn garbage_behind_a_change_of_protocol_harms_nobody_else() -> Result<()> {
    let bytes = [&[0xff; 4096][..], b"GET /web HTTP/1.1\r\nhost: a\r\n\r\n", &[0; 4096]].concat();
    floods(&attack("WebSocket: garbage and requests").within_cpu(Duration::from_millis(1)), &bytes, 1)
}

#[test]
fn a_flood_that_nobody_reads_waits_in_its_sockets() -> Result<()> {
    let attack = attack("tunnels: 100 floods that nobody reads")
        .lasting(Duration::from_secs(8))
        .within_mib(48)
        .within_cpu(Duration::from_millis(10))
        .ends_sessions("send_timeout");
    Arena::start()?.withstands_at("tunnel", &attack, |siege| {
        let mut clients = Vec::new();
        for _ in 0..100 {
            let mut client = siege.wire()?;
            client.send(b"flood\n", 1);
            clients.push(client);
        }
        std::thread::sleep(siege.left());
        Ok(())
    })
}

#[test]
fn a_flood_to_a_server_that_reads_slowly_waits_in_its_sockets() -> Result<()> {
    let attack = attack("tunnels: 50 floods to servers that say them again")
        .lasting(Duration::from_secs(3))
        .within_mib(48)
        .within_cpu(Duration::from_millis(20));
    Arena::start()?.withstands_at("tunnel", &attack, |siege| {
        let mut clients = Vec::new();
        for _ in 0..50 {
            let mut client = siege.wire()?;
            client.send(UPGRADE, 1);
            client.socket().set_write_timeout(Some(Duration::from_millis(5)))?;
            clients.push(client);
        }
        // Nobody reads, so nobody can go on after a while.
        while siege.goes_on() {
            for client in &mut clients {
                client.send(&[b'x'; 64 * 1024], 1);
            }
        }
        Ok(())
    })
}

#[test]
fn idle_tunnels_cost_a_few_kilobytes_each() -> Result<()> {
    const TUNNELS: u64 = 2_000;
    let attack = attack("tunnels: 2,000 that say nothing")
        .lasting(Duration::from_secs(3))
        .within_mib(TUNNELS * 8 / 1024);
    let mut arena = Arena::start()?;
    let web = arena.web().clone();
    arena.withstands_at("tunnel", &attack, |siege| {
        let mut idle = Vec::new();
        for _ in 0..TUNNELS {
            idle.push(siege.wire()?);
        }
        until("all reach their server", DEADLINE, || {
            Ok((web.met().connections.load(Ordering::Relaxed) >= TUNNELS).then_some(()))
        })?;
        std::thread::sleep(siege.left());
        Ok(())
    })
}

#[test]
fn a_side_that_ends_leaves_the_other_one_open() -> Result<()> {
    let attack = attack("tunnels: one side ends at once").within_cpu(Duration::from_millis(2));
    Arena::start()?.withstands_at("tunnel", &attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.wire()?;
            client.send(b"sink\nand more", 1);
            client.end();
            client.until_closed()?;
        }
        Ok(())
    })
}

#[test]
fn an_upgrade_that_is_not_granted_stays_http() -> Result<()> {
    let attack =
        attack("WebSocket: a refused upgrade and a request behind it").within_cpu(Duration::from_micros(300));
    let hostile = evenkeel_attacks::web::Web::with(|talk| {
        loop {
            talk.head()?;
            talk.say(evenkeel_attacks::web::ANSWER)?;
        }
    })?;
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.wire()?;
            let upgrade = String::from_utf8_lossy(UPGRADE).replace("/web", "/hostile1");
            // If it were a tunnel, the second request would reach the endpoint as it is, and nobody would refuse it.
            client.send(
                &[upgrade.as_bytes(), b"GET /hostile1 HTTP/1.1\r\nhost: a\r\nbad name: x\r\n\r\n"].concat(),
                2,
            );
            client.until_closed()?;
            let statuses = (client.count("HTTP/1.1 200 "), client.count("HTTP/1.1 400 "));
            ensure!(statuses == (1, 1), "{}", client.heard().escape_ascii());
        }
        Ok(())
    })
}
